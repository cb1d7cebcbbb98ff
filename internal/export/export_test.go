package export_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/export"
	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/internal/trust"
)

var testModule = module.Version{Path: "example.com/Upper", Version: "v1.0.0"}

var (
	zip     = sha256.Sum256([]byte("the zip"))
	listing = sha256.Sum256([]byte("the listing"))
	file    = sha256.Sum256([]byte("a file"))
)

// sample is a bundle of a module with a zip and a listing that alice signed, an
// artifact, and an entry that nothing refers to; with a record, which has no
// Sigstore bundle. Edit changes it before it is written.
func sample(t *testing.T, edit func(*bundles.Payload)) (*bundles.Bundle, *trust.Material) {
	t.Helper()
	log, alice := testlog.NewRekor("rekor.example"), testlog.NewSigner("alice")
	l := bundles.Log{LogInfo: bundles.LogInfo{Kind: bundles.RekorV1, Name: log.Shard().Origin(), LogID: fmt.Sprintf("%x", log.Shard().LogID())}}
	for i, digest := range [][32]byte{zip, listing, file, sha256.Sum256([]byte("something else"))} {
		e := log.Add(alice.Body(digest))
		l.Entries = append(l.Entries, bundles.Entry{Index: uint64(i), Leaf: string(e.Body), LogIndex: e.LogIndex, IntegratedTime: e.IntegratedTime, SET: e.SET})
	}
	l.Checkpoint, l.Proof = log.Shard().Checkpoint(4), log.Shard().Multiproof(4, 0, 1, 2, 3)
	p := &bundles.Payload{Logs: []bundles.Log{l}, Manifest: bundles.Manifest{
		Created: "2026-01-02T03:04:05Z",
		Modules: []bundles.Module{{
			Path: "example.com/Upper", Version: "v1.0.0", Zip: fmt.Sprintf("%x", zip), Listing: fmt.Sprintf("%x", listing),
			Entries: []bundles.Ref{{Log: 0, Index: 0}, {Log: 0, Index: 1}},
		}},
		Artifacts: []bundles.Artifact{{Name: "..", SHA256: fmt.Sprintf("%x", file), Entries: []bundles.Ref{{Log: 0, Index: 2}}}},
	}}
	if edit != nil {
		edit(p)
	}
	var payload, frame bytes.Buffer
	if err := bundles.WritePayload(&payload, p); err != nil {
		t.Fatal(err)
	}
	if err := bundles.WriteFile(&frame, nil, bytes.NewReader(payload.Bytes()), int64(payload.Len())); err != nil {
		t.Fatal(err)
	}
	b, err := bundles.Open(bytes.NewReader(frame.Bytes()), int64(frame.Len()), bundles.OpenOptions{InsecureIgnoreSeals: true})
	if err != nil {
		t.Fatal(err)
	}
	m := &trust.Material{}
	key, err := keys.ParsePublic(log.Shard().PublicPEM())
	if err != nil {
		t.Fatal(err)
	}
	m.AddRekorKey(key)
	return b, m
}

// written exports a bundle and reads what is there.
func written(t *testing.T, b *bundles.Bundle) (map[string][]byte, error) {
	t.Helper()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	n, err := export.Sigstore(b, root)
	files := map[string][]byte{}
	walk := fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files[name], err = root.ReadFile(name)
		}
		return err
	})
	if walk != nil {
		t.Fatal(walk)
	}
	if err == nil && n != len(files) {
		t.Errorf("%d pieces, %d files", n, len(files))
	}
	return files, err
}

// Property: every Rekor entry is there, named by what it is of, and each verifies
// by itself, by the ordinary proof out of the multiproof.
func TestSigstore(t *testing.T) {
	b, m := sample(t, nil)
	files, err := written(t, b)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][32]byte{
		"example.com/!upper@v1.0.0.zip.0.sigstore.json": zip, "example.com/!upper@v1.0.0.listing.0.sigstore.json": listing,
		"artifacts/...0.sigstore.json": file, "others/0.3.sigstore.json": sha256.Sum256([]byte("something else")),
	}
	alice, err := keys.ParsePublic(testlog.NewSigner("alice").PEM)
	if err != nil {
		t.Fatal(err)
	}
	v, err := evidence.NewVerifier(m.Sigstore, alice)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		p, err := evidence.ReadBundle(data)
		if err != nil || len(p) != 1 || p[0].Claim.Digest != evidence.SHA256(want[name]) {
			t.Errorf("%s: %v, %v", name, p, err)
			continue
		}
		if _, err := v.Verify(&p[0].Entry, p[0].Claim); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("not there: %v", want)
	}
}

// Property: what is of a kind that is not read, and a checksum database's record,
// is passed over.
func TestPassedOver(t *testing.T) {
	b, _ := sample(t, func(p *bundles.Payload) {
		log, db := testlog.NewRekor("rekor.example"), testlog.NewSumDB("sum.example.org")
		id := db.Add(testModule, "h1:"+strings.Repeat("A", 43)+"=", "h1:"+strings.Repeat("A", 43)+"=")
		log.Add([]byte(`{"apiVersion":"0.0.1","kind":"helm","spec":{}}`))
		l := &p.Logs[0]
		l.Entries = []bundles.Entry{{Index: 0, Leaf: string(log.Shard().Leaf(0))}}
		l.Checkpoint, l.Proof = log.Shard().Checkpoint(1), log.Shard().Multiproof(1, 0)
		sums := bundles.Log{LogInfo: bundles.LogInfo{Kind: bundles.SumDB, Name: db.Name}, Checkpoint: db.Checkpoint(1), Proof: db.Multiproof(1, id)}
		sums.Entries = []bundles.Entry{{Index: id, Leaf: string(db.Leaf(id))}}
		p.Logs = append(p.Logs, sums)
		p.Manifest.Modules[0].Entries = []bundles.Ref{{Log: 0, Index: 0}, {Log: 1, Index: id}}
		p.Manifest.Artifacts = nil
	})
	if files, err := written(t, b); err != nil || len(files) > 0 {
		t.Errorf("%v, %v", files, err)
	}
}

// Property: of a log whose entries do not lead to its checkpoint nothing is
// written.
func TestBrokenLog(t *testing.T) {
	for name, edit := range map[string]func(l *bundles.Log){
		"another leaf":       func(l *bundles.Log) { l.Entries[0].Leaf += " " },
		"another checkpoint": func(l *bundles.Log) { l.Checkpoint = []byte("a\n4\nb\n\n") },
		"no checkpoint":      func(l *bundles.Log) { l.Checkpoint = []byte("x") },
		"another size":       func(l *bundles.Log) { l.Checkpoint = bytes.Replace(l.Checkpoint, []byte("\n4\n"), []byte("\n5\n"), 1) },
	} {
		b, _ := sample(t, func(p *bundles.Payload) { edit(&p.Logs[0]) })
		if files, err := written(t, b); err == nil || len(files) > 0 || !strings.Contains(err.Error(), "do not lead to the tree head") {
			t.Errorf("%s: %v, %v", name, len(files), err)
		}
	}
}
