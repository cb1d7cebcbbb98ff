// Package testtuf is a TUF repository in memory, for tests. Keys come from
// names, so that a repository is the same every time; nothing reads a clock.
package testtuf

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Roles says who signs what: names of keys, of which Threshold of the root's
// must sign a root.
type Roles struct {
	Root                         []string
	Threshold                    int
	Timestamp, Snapshot, Targets string
	Expires                      time.Time // of the root
}

// A Repo is a repository whose files are all that it ever published.
type Repo struct {
	// Consistent is whether new roots say that files are named by version and
	// hash.
	Consistent bool
	// Files are the published files by name, relative to the metadata's URL.
	Files map[string][]byte

	roles   Roles
	root    int64
	version int64 // of timestamp, snapshot and targets
	keys    map[string]ed25519.PrivateKey
}

// New publishes the first root.
func New(consistent bool, r Roles) *Repo {
	repo := &Repo{Consistent: consistent, Files: map[string][]byte{}, keys: map[string]ed25519.PrivateKey{}}
	repo.Rotate(r, r.Root...)
	return repo
}

// Version is that of the newest root.
func (r *Repo) Version() int64 { return r.root }

// RootFile is the root of a version.
func (r *Repo) RootFile(version int64) []byte {
	return r.Files[strconv.FormatInt(version, 10)+".root.json"]
}

// Rotate publishes the next root, signed by the named keys.
func (r *Repo) Rotate(roles Roles, signers ...string) {
	r.root++
	r.roles = roles
	m := metadata.Root(roles.Expires)
	m.Signed.Version, m.Signed.ConsistentSnapshot = r.root, r.Consistent
	for role, names := range map[string][]string{
		metadata.ROOT: roles.Root, metadata.TIMESTAMP: {roles.Timestamp}, metadata.SNAPSHOT: {roles.Snapshot}, metadata.TARGETS: {roles.Targets},
	} {
		for _, name := range names {
			must(0, m.Signed.AddKey(must(metadata.KeyFromPublicKey(r.key(name).Public())), role))
		}
	}
	m.Signed.Roles[metadata.ROOT].Threshold = roles.Threshold
	r.Files[strconv.FormatInt(r.root, 10)+".root.json"] = Sign(r, m, signers...)
}

// State is what Publish publishes. Zero times are those of the root.
type State struct {
	Target                       []byte // trusted_root.json
	Timestamp, Snapshot, Targets time.Time

	// Edits of what is signed, for lies that the keys' holders tell.
	EditTimestamp func(*metadata.TimestampType)
	EditSnapshot  func(*metadata.SnapshotType)
	EditTargets   func(*metadata.TargetsType)
}

// Publish publishes the next version of timestamp, snapshot and targets.
func (r *Repo) Publish(s State) {
	r.version++
	or := func(t time.Time) time.Time {
		if t.IsZero() {
			return r.roles.Expires
		}
		return t
	}
	sum := sha256.Sum256(s.Target)
	targets := metadata.Targets(or(s.Targets))
	targets.Signed.Version = r.version
	targets.Signed.Targets["trusted_root.json"] = &metadata.TargetFiles{Length: int64(len(s.Target)), Hashes: metadata.Hashes{"sha256": sum[:]}}
	if s.EditTargets != nil {
		s.EditTargets(&targets.Signed)
	}
	r.put("targets.json", Sign(r, targets, r.roles.Targets))
	snapshot := metadata.Snapshot(or(s.Snapshot))
	snapshot.Signed.Version = r.version
	snapshot.Signed.Meta["targets.json"] = &metadata.MetaFiles{Version: r.version}
	if s.EditSnapshot != nil {
		s.EditSnapshot(&snapshot.Signed)
	}
	r.put("snapshot.json", Sign(r, snapshot, r.roles.Snapshot))
	timestamp := metadata.Timestamp(or(s.Timestamp))
	timestamp.Signed.Version = r.version
	timestamp.Signed.Meta["snapshot.json"] = &metadata.MetaFiles{Version: r.version}
	if s.EditTimestamp != nil {
		s.EditTimestamp(&timestamp.Signed)
	}
	r.Files["timestamp.json"] = Sign(r, timestamp, r.roles.Timestamp)
	name := "targets/trusted_root.json"
	if r.Consistent {
		name = "targets/" + hex.EncodeToString(sum[:]) + ".trusted_root.json"
	}
	r.Files[name] = s.Target
}

func (r *Repo) put(name string, data []byte) {
	if r.Consistent {
		name = strconv.FormatInt(r.version, 10) + "." + name
	}
	r.Files[name] = data
}

// Chain is what a client that pins a root has when it is up to date: the roots
// after it, and the newest of everything else.
func (r *Repo) Chain(pinned int64) map[string][]byte {
	out := map[string][]byte{"timestamp.json": r.Files["timestamp.json"]}
	for v := pinned + 1; v <= r.root; v++ {
		out[fmt.Sprintf("%d.root.json", v)] = r.RootFile(v)
	}
	version := ""
	if r.Consistent {
		version = fmt.Sprintf("%d.", r.version)
	}
	for _, name := range []string{version + "snapshot.json", version + "targets.json"} {
		out[name] = r.Files[name]
	}
	t := must(metadata.Targets().FromBytes(out[version+"targets.json"]))
	target := "targets/trusted_root.json"
	if f := t.Signed.Targets["trusted_root.json"]; f != nil && r.Consistent {
		target = "targets/" + hex.EncodeToString(f.Hashes["sha256"]) + ".trusted_root.json"
	}
	if data, ok := r.Files[target]; ok {
		out[target] = data
	}
	return out
}

// Clone is a repository with the same past and a future of its own.
func (r *Repo) Clone() *Repo {
	c := *r
	c.Files, c.keys = maps.Clone(r.Files), maps.Clone(r.keys)
	c.roles.Root = slices.Clone(r.roles.Root)
	return &c
}

// Sign signs metadata with the named keys.
func Sign[T metadata.Roles](r *Repo, m *metadata.Metadata[T], names ...string) []byte {
	for _, name := range names {
		must(m.Sign(must(signature.LoadSigner(r.key(name), crypto.Hash(0)))))
	}
	return must(m.ToBytes(false))
}

func (r *Repo) key(name string) ed25519.PrivateKey {
	if r.keys[name] == nil {
		seed := sha256.Sum256([]byte("testtuf key " + name))
		r.keys[name] = ed25519.NewKeyFromSeed(seed[:])
	}
	return r.keys[name]
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
