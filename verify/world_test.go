package verify_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/internal/seal"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/internal/trust"
	"github.com/modseal/modseal/verify"
)

// The modules of the world: an ordinary one, one whose path is escaped in file
// names, two without a go.mod, and one at a version without a tag.
const (
	plain  = "example.com/plain"
	upper  = "example.com/Upper/Case"
	bare   = "example.com/bare"
	old    = "example.com/old"
	pseudo = "example.com/pseudo"
)

func worldMods() []mod {
	return []mod{
		newMod(upper, "v1.2.3", map[string]string{"go.mod": "module example.com/Upper/Case\n", "u.go": "package u\n"}),
		newMod(bare, "v0.3.0", map[string]string{"bare.go": "package bare\n"}),
		newMod(old, "v2.0.0+incompatible", map[string]string{"old.go": "package old\n"}),
		newMod(plain, "v1.0.0", map[string]string{
			"go.mod": "module example.com/plain\n\ngo 1.21\n", "LICENSE": "do what you like\n", "plain.go": "package plain\n", "sub/sub.go": "package sub\n",
		}),
		newMod(pseudo, "v0.0.0-20240102030405-abcdefabcdef", map[string]string{"go.mod": "module example.com/pseudo\n", "p.go": "package p\n"}),
	}
}

// A leaf is one of a log, and what the bundle says of it.
type leaf struct {
	of   string // path of the module for which the manifest lists it
	what string // record, zip or listing
	body []byte

	v2       bool              // logged in the Rekor v2, not in the v1
	envelope *bundles.Envelope // of a statement
	stamp    []byte            // time stamp

	dropped bool                   // in the log, not in the bundle
	lie     func(e *bundles.Entry) // changes it in the bundle
}

// A world is a project with its modules on disk, the logs that know of them, a
// bundle, and an enclave that trusts these logs, this sealer and alice. Tests
// change one thing in it and then check. All of it is verified as it is, and
// would be by each kind of evidence alone.
type world struct {
	testing.TB
	dir    string // holds project and cache
	mods   []mod
	env    map[string]string
	alice  *testlog.Signer
	leaves []*leaf
	db     *testlog.SumDB
	rekor  *testlog.Rekor
	rekor2 *testlog.RekorV2
	tsa    *testlog.TSA

	cosign   func(text string) string // what witnesses add to checkpoints
	listings bool                     // whether the bundle carries them
	edit     func(*bundles.Payload)   // changes it before it is sealed
	sealers  []*testlog.Signer        // of the bundle
	file     func(data []byte) []byte // changes the bundle file

	request verify.Request
	flags   policy.Flags // of the request's policy
	rules   string       // policy file, in place of the flags; NAME.pub is the key of NAME
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{TB: t, dir: t.TempDir(), mods: worldMods(), alice: testlog.NewSigner("alice"), env: map[string]string{"GOENV": "off", "GOSUMDB": "off"}}
	w.db, w.rekor = testlog.NewSumDB("sum.example.org"), testlog.NewRekor("rekor.example")
	w.rekor2, w.tsa = testlog.NewRekorV2("rekor2.example"), testlog.NewTSA("tsa")
	w.listings, w.sealers = true, []*testlog.Signer{testlog.NewSigner("sealer")}
	var goMod, goSum strings.Builder
	fmt.Fprintf(&goMod, "module example.com/project\n\ngo 1.21\n\nrequire (\n")
	for _, m := range w.mods {
		m.install(t, w.path("cache"))
		fmt.Fprintf(&goMod, "\t%s %s\n", m.Path, m.Version.Version)
		goSum.WriteString(m.record()) // go.sum has the same lines
		w.attest(m, w.alice)
		w.add("record", m.Path, []byte(m.record()))
	}
	write(w, w.path("project/go.mod"), goMod.String()+")\n")
	write(w, w.path("project/go.sum"), goSum.String())
	w.request = verify.Request{
		Dir: w.path("project"), ModCache: w.path("cache"), BundleName: "deps.modseal",
		World: verify.World{Getenv: func(name string) string { return w.env[name] }},
		Seals: seal.By(public(t, w.sealers[0])),
		Trust: w.material(),
	}
	w.flags = policy.Flags{Require: policy.RequireAll, Signers: []verify.Signer{policy.KeySigner(public(t, w.alice))}}
	return w
}

func (w *world) path(name string) string { return filepath.Join(w.dir, filepath.FromSlash(name)) }

// cached names a file in the module cache; download one of a module's there.
func (w *world) cached(name string) string { return w.path("cache/" + name) }

func (w *world) download(path, suffix string) string {
	return w.cached("cache/download/" + w.mod(path).download(suffix))
}

// unpacked names a file of a module's tree, or with "" the tree.
func (w *world) unpacked(path, name string) string { return w.cached(w.mod(path).tree() + "/" + name) }

func (w *world) mod(path string) mod {
	i := slices.IndexFunc(w.mods, func(m mod) bool { return m.Path == path })
	return w.mods[i]
}

// add appends a leaf.
func (w *world) add(what, of string, body []byte) *leaf {
	w.leaves = append(w.leaves, &leaf{of: of, what: what, body: body})
	return w.leaves[len(w.leaves)-1]
}

// attest adds a signer's two entries over a module.
func (w *world) attest(m mod, by *testlog.Signer) {
	w.add("zip", m.Path, by.Body(m.zipDigest()))
	w.add("listing", m.Path, by.Body(m.h1()))
}

// leaf finds the first leaf of a kind that is of a module.
func (w *world) leaf(path, what string) *leaf {
	i := slices.IndexFunc(w.leaves, func(l *leaf) bool { return l.of == path && l.what == what })
	return w.leaves[i]
}

// drop leaves a module's leaves of these kinds out of the bundle. They stay in
// the logs, so that the others keep their places.
func (w *world) drop(path string, kinds ...string) {
	for _, l := range w.leaves {
		if l.of == path && slices.Contains(kinds, l.what) {
			l.dropped = true
		}
	}
}

// public is a signer's public key.
func public(t testing.TB, s *testlog.Signer) *keys.Public {
	t.Helper()
	k, err := keys.NewPublic(s.Key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func private(t testing.TB, s *testlog.Signer) *keys.Private {
	t.Helper()
	k, err := keys.ParsePrivate(s.PrivatePEM(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// material trusts both logs.
func (w *world) material() *verify.Material {
	m := &verify.Material{}
	db, err := trust.ParseGOSUMDB(w.db.Key())
	if err != nil {
		w.Fatal(err)
	}
	m.SumDBs = append(m.SumDBs, *db)
	trustRekor(w, m, w.rekor.Shard())
	return m
}

func trustRekor(t testing.TB, m *verify.Material, s *testlog.Shard) {
	t.Helper()
	k, err := keys.ParsePublic(s.PublicPEM())
	if err != nil {
		t.Fatal(err)
	}
	m.AddRekorKey(k)
}

// payload logs all leaves, with one of a stranger after each, and gathers what
// goes into the bundle: the logs that have entries, those of Rekor first.
func (w *world) payload() *bundles.Payload {
	shard := w.rekor.Shard()
	id, id2 := shard.LogID(), w.rekor2.LogID()
	logs := []bundles.Log{
		{LogInfo: bundles.LogInfo{Kind: bundles.RekorV1, Name: shard.Origin(), LogID: hex.EncodeToString(id[:])}},
		{LogInfo: bundles.LogInfo{Kind: bundles.RekorV2, Name: w.rekor2.Host, LogID: hex.EncodeToString(id2[:])}},
		{LogInfo: bundles.LogInfo{Kind: bundles.SumDB, Name: w.db.Name}},
	}
	refs := map[string][]bundles.Ref{}
	for i, l := range w.leaves {
		log, e, stranger := 0, bundles.Entry{Leaf: string(l.body), Envelope: l.envelope}, newMod(fmt.Sprintf("example.org/stranger%d", i), "v1.0.0", nil)
		switch {
		case l.what == "record":
			log, e.Index = 2, w.db.AddRecord(w.mod(l.of).Version, l.body)
			w.db.AddRecord(stranger.Version, []byte(stranger.record()))
		case l.v2:
			log, e.Index = 1, w.rekor2.Add(l.body)
			w.rekor2.Add([]byte(stranger.record()))
		default:
			r := w.rekor.Add(l.body)
			w.rekor.Add([]byte(stranger.record()))
			e.Index, e.LogIndex, e.IntegratedTime, e.SET = r.Index, r.LogIndex, r.IntegratedTime, r.SET
		}
		if l.stamp != nil {
			e.Timestamps = [][]byte{l.stamp}
		}
		if l.lie != nil {
			l.lie(&e)
		}
		if !l.dropped {
			logs[log].Entries = append(logs[log].Entries, e)
			refs[l.of] = append(refs[l.of], bundles.Ref{Index: e.Index, Log: log})
		}
	}
	p := &bundles.Payload{Manifest: bundles.Manifest{Created: "2026-02-03T04:05:06Z", Projects: []bundles.Project{{Module: "example.com/project"}}}}
	place := map[int]int{} // of a log among those that have entries
	for i, l := range logs {
		if len(l.Entries) == 0 {
			continue
		}
		switch l.Kind {
		case bundles.RekorV1:
			l.Proof, l.Checkpoint = shard.Multiproof(shard.Size(), indexes(l.Entries)...), shard.Checkpoint(shard.Size())
		case bundles.RekorV2:
			l.Proof, l.Checkpoint = w.rekor2.Multiproof(w.rekor2.Size(), indexes(l.Entries)...), w.rekor2.Checkpoint(w.rekor2.Size())
		default:
			l.Proof, l.Checkpoint = w.db.Multiproof(w.db.Size(), indexes(l.Entries)...), w.db.Checkpoint(w.db.Size())
		}
		if w.cosign != nil {
			text, _, _ := strings.Cut(string(l.Checkpoint), "\n\n")
			l.Checkpoint = append(l.Checkpoint, w.cosign(text+"\n")...)
		}
		place[i], p.Logs = len(p.Logs), append(p.Logs, l)
	}
	for _, of := range refs {
		for i := range of {
			of[i].Log = place[of[i].Log]
		}
	}
	w.describe(p, refs)
	return p
}

func indexes(entries []bundles.Entry) []uint64 {
	out := make([]uint64, len(entries))
	for i, e := range entries {
		out[i] = e.Index
	}
	return out
}

// describe puts the modules into the manifest, with their listings.
func (w *world) describe(p *bundles.Payload, refs map[string][]bundles.Ref) {
	listings := map[string][]byte{}
	for _, m := range w.mods {
		zip, h1 := m.zipDigest(), m.h1()
		d := bundles.Module{Path: m.Path, Version: m.Version.Version, Zip: hex.EncodeToString(zip[:]), Listing: hex.EncodeToString(h1[:]), Entries: refs[m.Path]}
		listings[d.Listing] = []byte(m.listing())
		p.Manifest.Modules = append(p.Manifest.Modules, d)
	}
	p.Manifest.Sort()
	if w.listings {
		p.Listing = func(digest string) ([]byte, error) { return listings[digest], nil }
	}
	if w.edit != nil {
		w.edit(p)
	}
}

// described finds a module in a manifest.
func described(p *bundles.Payload, path string) *bundles.Module {
	i := slices.IndexFunc(p.Manifest.Modules, func(m bundles.Module) bool { return m.Path == path })
	return &p.Manifest.Modules[i]
}

// bundle is the sealed file.
func (w *world) bundle() []byte {
	w.Helper()
	return w.sealed(w.payload())
}

// sealed is the sealed file of a payload.
func (w *world) sealed(p *bundles.Payload) []byte {
	w.Helper()
	var payload, file bytes.Buffer
	if err := bundles.WritePayload(&payload, p); err != nil {
		w.Fatal(err)
	}
	digests, err := bundles.DigestsOf(bytes.NewReader(payload.Bytes()), int64(payload.Len()))
	if err != nil {
		w.Fatal(err)
	}
	var seals [][]byte
	for _, s := range w.sealers {
		by, err := seal.ByKey(private(w, s), digests)
		if err != nil {
			w.Fatal(err)
		}
		seals = append(seals, by)
	}
	if err := bundles.WriteFile(&file, seals, bytes.NewReader(payload.Bytes()), int64(payload.Len())); err != nil {
		w.Fatal(err)
	}
	if w.file != nil {
		return w.file(file.Bytes())
	}
	return file.Bytes()
}

// try makes the bundle, if there is none yet, and verifies.
func (w *world) try(ctx context.Context) (*verify.Report, error) {
	w.Helper()
	if w.request.Bundle == nil {
		b := w.bundle()
		w.request.Bundle, w.request.BundleSize = bytes.NewReader(b), int64(len(b))
	}
	w.request.Policy = policy.FromFlags(w.flags)
	if w.rules != "" {
		w.request.Policy = w.parse(w.rules)
	}
	return verify.Check(ctx, w.request)
}

// check is try for worlds in which a report must come out.
func (w *world) check() *verify.Report {
	w.Helper()
	r, err := w.try(context.Background())
	if err != nil {
		w.Fatal(err)
	}
	consistent(w, r)
	return r
}
