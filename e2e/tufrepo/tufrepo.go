// Package tufrepo serves TUF repositories on loopback, for tests: made with go-tuf, with consistent snapshots, as Sigstore's
// own is. A repository lives in memory, each with keys of its own, so a test can rotate and spoil one without others noticing.
//
//	repo, err := tufrepo.New(map[string][]byte{"trusted_root.json": data})
//	…
//	t.Cleanup(repo.Close)
//	client(repo.URL, repo.FirstRoot())
//	repo.Rotate(tufrepo.Root)
package tufrepo

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// The top-level roles (TUF specification, section 2.1). Each has one key, ECDSA P-256.
const (
	Root      = metadata.ROOT
	Targets   = metadata.TARGETS
	Snapshot  = metadata.SNAPSHOT
	Timestamp = metadata.TIMESTAMP
)

// lifetime is how long a role's metadata is valid, unless SetExpiry says otherwise.
const lifetime = 365 * 24 * time.Hour

// Repository is a TUF repository and its server. Its methods are for any goroutine.
type Repository struct {
	// URL is where the metadata is, without a slash at its end; targets are below /targets.
	URL    string
	server *http.Server

	mu        sync.Mutex
	keys      map[string]crypto.Signer // by role
	expires   map[string]time.Time     // by role
	contents  map[string][]byte        // targets by name
	root      *metadata.Metadata[metadata.RootType]
	published int64             // version of targets, snapshot and timestamp
	files     map[string][]byte // what is served, by path without the first slash
}

// New makes a repository with these targets and serves it until Close.
func New(targets map[string][]byte) (*Repository, error) {
	r := &Repository{
		keys:     map[string]crypto.Signer{},
		expires:  map[string]time.Time{},
		contents: maps.Clone(targets),
		files:    map[string][]byte{},
	}
	r.root = metadata.Root()
	for _, role := range []string{Root, Targets, Snapshot, Timestamp} {
		r.expires[role] = time.Now().Add(lifetime)
		if err := r.newKey(role); err != nil {
			return nil, err
		}
	}
	if err := r.publishRoot(r.keys[Root]); err != nil {
		return nil, err
	}
	if err := r.publish(); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r.URL = "http://" + listener.Addr().String()
	r.server = &http.Server{Handler: http.HandlerFunc(r.serve), ReadHeaderTimeout: time.Minute}
	go r.server.Serve(listener) // until Close
	return r, nil
}

// Close stops the server.
func (r *Repository) Close() { r.server.Close() }

// FirstRoot is 1.root.json: what a client that knows this repository starts from.
func (r *Repository) FirstRoot() []byte { return r.File("1.root.json") }

// RootVersion is the newest root's.
func (r *Repository) RootVersion() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.root.Signed.Version
}

// File is what is served at a path, which has no slash at its beginning, or nil.
func (r *Repository) File(path string) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.files[path]
}

// SetFile serves something else at a path, signed by nobody; nil removes what is there. A removed N.root.json is a
// rotation that the repository's host withholds.
func (r *Repository) SetFile(path string, data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if data == nil {
		delete(r.files, path)
		return
	}
	r.files[path] = data
}

// Publish replaces all targets.
func (r *Repository) Publish(targets map[string][]byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.contents = maps.Clone(targets)
	return r.publish()
}

// Rotate gives a role a new key in place of the old one, in a new version of the root, and publishes the other roles
// again. A new root is signed with the root key before and, if that is the one that changes, with the new one.
func (r *Repository) Rotate(role string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	signers := []crypto.Signer{r.keys[Root]}
	old, err := metadata.KeyFromPublicKey(r.keys[role].Public())
	if err != nil {
		return err
	}
	id, err := old.ID()
	if err != nil {
		return err
	}
	if err := r.root.Signed.RevokeKey(id, role); err != nil {
		return err
	}
	if err := r.newKey(role); err != nil {
		return err
	}
	if role == Root {
		signers = append(signers, r.keys[Root])
	}
	r.root.Signed.Version++
	if err := r.publishRoot(signers...); err != nil {
		return err
	}
	return r.publish()
}

// SetExpiry publishes a role again, in a new version that is valid until then, which may be in the past.
func (r *Repository) SetExpiry(role string, then time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.expires[role]; !ok {
		return fmt.Errorf("no role %q", role)
	}
	r.expires[role] = then
	if role != Root {
		return r.publish()
	}
	r.root.Signed.Version++
	return r.publishRoot(r.keys[Root])
}

func (r *Repository) newKey(role string) error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	key, err := metadata.KeyFromPublicKey(private.Public())
	if err != nil {
		return err
	}
	r.keys[role] = private
	return r.root.Signed.AddKey(key, role)
}

func (r *Repository) publishRoot(by ...crypto.Signer) error {
	r.root.Signed.Expires = r.expires[Root]
	r.root.Signed.ConsistentSnapshot = true
	data, err := sign(r.root, by...)
	if err == nil {
		r.files[fmt.Sprintf("%d.root.json", r.root.Signed.Version)] = data
	}
	return err
}

// publish signs a new version of targets, snapshot and timestamp.
func (r *Repository) publish() error {
	r.published++
	targets := metadata.Targets(r.expires[Targets])
	for name, data := range r.contents {
		file, err := metadata.TargetFile().FromBytes(name, data, "sha256")
		if err != nil {
			return err
		}
		targets.Signed.Targets[name] = file
		r.files[fmt.Sprintf("targets/%x.%s", sha256.Sum256(data), name)] = data
	}
	snapshot := metadata.Snapshot(r.expires[Snapshot])
	snapshot.Signed.Meta["targets.json"] = metadata.MetaFile(r.published)
	timestamp := metadata.Timestamp(r.expires[Timestamp])
	timestamp.Signed.Meta["snapshot.json"] = metadata.MetaFile(r.published)
	targets.Signed.Version, snapshot.Signed.Version, timestamp.Signed.Version = r.published, r.published, r.published

	var err error
	if r.files[fmt.Sprintf("%d.targets.json", r.published)], err = sign(targets, r.keys[Targets]); err != nil {
		return err
	}
	if r.files[fmt.Sprintf("%d.snapshot.json", r.published)], err = sign(snapshot, r.keys[Snapshot]); err != nil {
		return err
	}
	r.files["timestamp.json"], err = sign(timestamp, r.keys[Timestamp])
	return err
}

func sign[T metadata.Roles](m *metadata.Metadata[T], by ...crypto.Signer) ([]byte, error) {
	m.ClearSignatures()
	for _, key := range by {
		signer, err := signature.LoadSigner(key, crypto.SHA256)
		if err != nil {
			return nil, err
		}
		if _, err := m.Sign(signer); err != nil {
			return nil, err
		}
	}
	return m.ToBytes(true)
}

func (r *Repository) serve(w http.ResponseWriter, req *http.Request) {
	data := r.File(strings.TrimPrefix(req.URL.Path, "/"))
	if data == nil {
		http.NotFound(w, req)
		return
	}
	w.Write(data)
}
