package snapshot_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/internal/seal"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/merkle"
	"github.com/modseal/modseal/verify"
)

// A liar is a world with one log, of any kind, in which each module has what the
// policy asks for, and strangers' entries lie between. The log has a twin: another
// history under the same key. A front before it answers with either, and with
// what it signs besides.
type liar struct {
	*publisher
	kind  bundles.Kind
	front http.HandlerFunc // in place of the log's own answers, if it is not nil
}

func newLiar(t *testing.T, kind bundles.Kind) *liar {
	t.Helper()
	l := &liar{publisher: newPublisher(t), kind: kind}
	for range 3 {
		l.noise()
		l.v2.Log.Add(testlog.NewSigner("stranger").BodyV2([32]byte{7}))
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l.front != nil {
			l.front(w, r)
			return
		}
		l.own().ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	l.request.AllowMissing, l.request.Fetch = false, client(nil)
	by := l.alice
	switch kind {
	case bundles.SumDB:
		l.env["GOSUMDB"] = l.db.Key() + " " + server.URL
		l.flags = policy.Flags{Require: policy.RequireSumDB}
		return l
	case bundles.RekorV1:
		l.request.RekorURL = server.URL
	case bundles.RekorV2:
		l.request.RekorTiles = []string{server.URL}
		by = l.bob
		for _, m := range l.mods {
			l.publish(m.Path+".sigstore.json", l.file(l.blobV2(m.h1())))
			l.v2.Log.Add(testlog.NewSigner("stranger").BodyV2([32]byte{8}))
		}
	}
	l.flags.Signers = []policy.Signer{policy.KeySigner(private(t, by).Public())}
	return l
}

// own is the honest log.
func (l *liar) own() http.Handler {
	return map[bundles.Kind]http.Handler{bundles.SumDB: l.db, bundles.RekorV1: l.rekor, bundles.RekorV2: l.v2}[l.kind]
}

// A history is the log or its twin.
type history struct {
	http.Handler
	*testlog.Tree
	sign func(h merkle.Tree) []byte
}

func (h *history) checkpoint(size uint64) []byte { return h.sign(h.Head(size)) }

func (l *liar) honest() *history {
	switch l.kind {
	case bundles.SumDB:
		return &history{l.db, &l.db.Tree, func(h merkle.Tree) []byte { return l.db.SignNote(sumdbText(h)) }}
	case bundles.RekorV1:
		s := l.rekor.Shard()
		return &history{l.rekor, &s.Tree, func(h merkle.Tree) []byte { return s.SignNote(s.CheckpointText(h)) }}
	}
	log := l.v2.Log
	return &history{l.v2, &log.Tree, func(h merkle.Tree) []byte { return log.SignNote(testlog.CheckpointText(log.Host, h)) }}
}

func sumdbText(h merkle.Tree) string { return testlog.CheckpointText("go.sum database tree", h) }

// twin is the log with other leaves, and so many more of strangers.
func (l *liar) twin(more int, other func(i uint64, leaf []byte) []byte) *history {
	l.Helper()
	t := &liar{publisher: &publisher{world: &world{TB: l.TB}}, kind: l.kind}
	add := func([]byte) {}
	switch l.kind {
	case bundles.SumDB:
		t.db = testlog.NewSumDB(l.db.Name)
		add = func(leaf []byte) {
			r, err := evidence.ParseRecord(string(leaf))
			if err != nil {
				l.Fatal(err)
			}
			t.db.AddRecord(r.Module, leaf)
		}
	case bundles.RekorV1:
		t.rekor = testlog.NewRekor(l.rekor.Host)
		add = func(leaf []byte) { t.rekor.Add(leaf) }
	case bundles.RekorV2:
		t.v2 = &testlog.RekorTiles{Log: testlog.NewRekorV2(hostV2)}
		add = func(leaf []byte) { t.v2.Log.Add(leaf) }
	}
	h := l.honest()
	for i := range h.Size() {
		add(other(i, h.Leaf(i)))
	}
	for range more {
		add(h.Leaf(0))
	}
	return t.honest()
}

// index is the place of the evidence for a module that the policy counts.
func (l *liar) index(path string) uint64 {
	l.Helper()
	m := l.mod(path)
	want := map[bundles.Kind]string{
		bundles.SumDB: m.goSum(), bundles.RekorV1: string(l.alice.Body(m.h1())), bundles.RekorV2: string(l.bob.BodyV2(m.h1())),
	}[l.kind]
	h := l.honest()
	for i := range h.Size() {
		if string(h.Leaf(i)) == want {
			return i
		}
	}
	l.Fatalf("no leaf of %s", path)
	return 0
}

// forked replaces the first leaf, which is of a stranger, by another of its form.
func forked(i uint64, leaf []byte) []byte {
	switch {
	case i > 0:
		return leaf
	case leaf[0] == '{':
		return append([]byte(" "), leaf...)
	}
	return bytes.ReplaceAll(leaf, []byte("/stranger"), []byte("/other"))
}

// looked is what verifiers make of a bundle.
type looked struct {
	self, enclave *verify.Report

	remembering *verify.Report // of an enclave that has accepted the honest bundle before
	before      *verify.State  // what it remembers of it
	err         error          // in place of its report
}

// lookedAt is what verifiers make of a bundle of the honest log that was changed.
func (l *liar) lookedAt(edit func(p *bundles.Payload, log *bundles.Log)) (out looked, err error) {
	l.Helper()
	accepted := l.enclaveWith(&verify.State{})
	if !accepted.OK || accepted.Remember == nil {
		l.Fatalf("the honest bundle is not accepted: %v", accepted.Counts)
	}
	out.before = accepted.Remember
	listings := map[string][]byte{}
	b := l.bundle()
	if err := b.Listings(nil, func(digest string, listing []byte) error { listings[digest] = bytes.Clone(listing); return nil }); err != nil {
		l.Fatal(err)
	}
	p := &bundles.Payload{Manifest: b.Manifest, Logs: b.Logs, Listing: func(digest string) ([]byte, error) { return listings[digest], nil }}
	if len(p.Logs) != 1 || p.Logs[0].Kind != l.kind {
		l.Fatalf("logs: %+v", p.Logs)
	}
	edit(p, &p.Logs[0])
	var payload, file bytes.Buffer
	if err := bundles.WritePayload(&payload, p); err != nil {
		return out, err
	}
	at := bytes.NewReader(payload.Bytes())
	digests, err := bundles.DigestsOf(at, at.Size())
	if err != nil {
		l.Fatal(err)
	}
	sealed, err := seal.ByKey(private(l, testlog.NewSigner("sealer")), digests)
	if err != nil {
		l.Fatal(err)
	}
	if err := bundles.WriteFile(&file, [][]byte{sealed}, bytes.NewReader(payload.Bytes()), at.Size()); err != nil {
		l.Fatal(err)
	}
	request := verify.Request{
		Dir: l.project(), World: l.request.World, Trust: l.request.Trust, Policy: policy.FromFlags(l.flags),
		Bundle: bytes.NewReader(file.Bytes()), BundleSize: int64(file.Len()), Seals: seal.By(private(l, testlog.NewSigner("sealer")).Public()),
	}
	if out.enclave, err = verify.Check(context.Background(), request); err != nil {
		return out, err
	}
	request.State = out.before
	out.remembering, out.err = verify.Check(context.Background(), request)
	request.State = nil
	frame, size, err := bundles.UnsealedFrame(at, at.Size())
	if err != nil {
		l.Fatal(err)
	}
	request.Bundle, request.BundleSize, request.Seals, request.InsecureIgnoreSeals, request.OwnManifest = frame, size, nil, true, true
	out.self, err = verify.Check(context.Background(), request)
	return out, err
}

func moduleOf(t testing.TB, r *verify.Report, path string) *verify.ModuleReport {
	t.Helper()
	i := slices.IndexFunc(r.Modules, func(m verify.ModuleReport) bool { return m.Path == path })
	if i < 0 {
		t.Fatalf("%s is not in the report", path)
	}
	return &r.Modules[i]
}
