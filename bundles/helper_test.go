package bundles_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/mod/module"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/testlog"
)

// listingOf is a small listing of a module, and its digest.
func listingOf(m module.Version) (digest, listing string) {
	listing = fmt.Sprintf("%x  %s@%s/go.mod\n", sha256.Sum256([]byte(m.Path)), m.Path, m.Version)
	sum := sha256.Sum256([]byte(listing))
	return hex.EncodeToString(sum[:]), listing
}

func hexOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// sample is a payload of two logs, a checksum database and a Rekor shard, of
// which every second leaf is carried, and of five modules. The same each time.
func sample(listings bool) *bundles.Payload {
	db, rekor := testlog.NewSumDB("sum.example.org"), testlog.NewRekor("rekor.example")
	sums := bundles.Log{LogInfo: bundles.LogInfo{Kind: bundles.SumDB, Name: db.Name}}
	shard := bundles.Log{LogInfo: bundles.LogInfo{Kind: bundles.RekorV1, Name: rekor.Shard().Origin(), LogID: hex.EncodeToString(first(rekor.Shard().LogID()))}}
	p := &bundles.Payload{Manifest: bundles.Manifest{Created: "2026-01-02T03:04:05Z", Projects: []bundles.Project{{Module: "example.com/main", Go: "1.26"}}}}
	byDigest := map[string][]byte{}
	var indexes []uint64
	for i := range uint64(10) {
		m := module.Version{Path: fmt.Sprintf("example.com/m%d", i), Version: "v1.0.0"}
		digest, listing := listingOf(m)
		id := db.Add(m, "h1:"+digest[:43]+"=", "h1:"+digest[1:44]+"=")
		e := rekor.Add(testlog.NewSigner("alice").Body(sha256.Sum256([]byte(m.Path))))
		if i%2 != 0 {
			continue
		}
		indexes, byDigest[digest] = append(indexes, i), []byte(listing)
		shard.Entries = append(shard.Entries, bundles.Entry{Index: e.Index, Leaf: string(e.Body), LogIndex: e.LogIndex, IntegratedTime: e.IntegratedTime, SET: e.SET})
		sums.Entries = append(sums.Entries, bundles.Entry{Index: id, Leaf: string(db.Leaf(id))})
		p.Manifest.Modules = append(p.Manifest.Modules, bundles.Module{
			Path: m.Path, Version: m.Version, Zip: hexOf(m.Path), Listing: digest, LeftOut: int(i),
			Entries: []bundles.Ref{{Log: 0, Index: i}, {Log: 1, Index: i}},
		})
	}
	shard.Checkpoint, shard.Proof = rekor.Shard().Checkpoint(10), rekor.Shard().Multiproof(10, indexes...)
	sums.Checkpoint, sums.Proof = db.Checkpoint(10), db.Multiproof(10, indexes...)
	p.Logs = []bundles.Log{shard, sums} // rekor-v1 sorts before sumdb
	if listings {
		p.Listing = func(digest string) ([]byte, error) {
			if b, ok := byDigest[digest]; ok {
				return b, nil
			}
			return nil, errors.New("no such listing")
		}
	}
	return p
}

// since is the sample with proofs from earlier trees of its checksum database.
func since(sizes ...uint64) *bundles.Payload {
	p := sample(false)
	db := testlog.NewSumDB("sum.example.org")
	for i := range uint64(10) {
		m := module.Version{Path: fmt.Sprintf("example.com/m%d", i), Version: "v1.0.0"}
		digest, _ := listingOf(m)
		db.Add(m, "h1:"+digest[:43]+"=", "h1:"+digest[1:44]+"=")
	}
	for _, size := range sizes {
		p.Logs[1].Earlier = append(p.Logs[1].Earlier, bundles.NewConsistency(size, db.Consistency(size, 10)))
	}
	return p
}

func first(b [32]byte) []byte { return b[:] }

func write(t testing.TB, p *bundles.Payload) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := bundles.WritePayload(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// framed is a bundle file.
func framed(t testing.TB, payload []byte, seals ...[]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := bundles.WriteFile(&b, seals, bytes.NewReader(payload), int64(len(payload))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// open opens a bundle whatever its seals are worth.
func open(file []byte) (*bundles.Bundle, error) {
	return bundles.Open(bytes.NewReader(file), int64(len(file)), bundles.OpenOptions{InsecureIgnoreSeals: true})
}

// file is one of an archive.
type file struct {
	name string
	data []byte
}

// unpack gives the files of a payload.
func unpack(t testing.TB, payload []byte) []file {
	t.Helper()
	var files []file
	r := tar.NewReader(bytes.NewReader(decompress(t, payload)))
	for {
		h, err := r.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file{h.Name, data})
	}
}

// archive is the canonical tar of files, whatever they are.
func archive(t testing.TB, files []file) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f.name, Size: int64(len(f.data)), Mode: 0o644, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func compress(t testing.TB, data []byte, o ...zstd.EOption) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil, append([]zstd.EOption{zstd.WithEncoderConcurrency(1)}, o...)...)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll(data, nil)
}

func decompress(t testing.TB, data []byte) []byte {
	t.Helper()
	r, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	out, err := r.DecodeAll(data, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// repacked is a bundle, without seals, of these files.
func repacked(t testing.TB, files []file) []byte {
	t.Helper()
	return framed(t, compress(t, archive(t, files)))
}

// at finds a file by its name.
func at(t testing.TB, files []file, name string) *file {
	t.Helper()
	i := slices.IndexFunc(files, func(f file) bool { return f.name == name })
	if i < 0 {
		t.Fatalf("no file %s", name)
	}
	return &files[i]
}

// relisted brings the manifest's list of files up to date, so that a lie in one
// of them is the only one.
func relisted(t testing.TB, files []file) []file {
	t.Helper()
	return edited(t, files, func(m *bundles.Manifest) {
		for i := range m.Files {
			data := at(t, files, m.Files[i].Name).data
			m.Files[i].Size, m.Files[i].SHA256 = int64(len(data)), hexOf(string(data))
		}
	})
}

// edited changes the manifest, in its canonical encoding, unchecked.
func edited(t testing.TB, files []file, edit func(m *bundles.Manifest)) []file {
	t.Helper()
	files = slices.Clone(files)
	m, err := bundles.DecodeManifest(files[0].data)
	if err != nil {
		t.Fatal(err)
	}
	edit(m)
	if files[0].data, err = bundles.EncodeManifest(m); err != nil {
		t.Fatal(err)
	}
	return files
}

// wantDamaged demands the right error, and only the right one.
func wantDamaged(t testing.TB, what string, b *bundles.Bundle, err error) {
	t.Helper()
	if b != nil || !errors.Is(err, bundles.ErrDamaged) || errors.Is(err, bundles.ErrUnsealed) || errors.Is(err, bundles.ErrVersion) {
		t.Errorf("%s: accepted: %v; error: %v; want ErrDamaged", what, b != nil, err)
	}
}

func digestOf(t testing.TB, r io.Reader) string {
	t.Helper()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// atLimits demands that a payload is read and written at each of these limits, and not
// below.
func atLimits(t *testing.T, p *bundles.Payload, limits map[string]int64) {
	t.Helper()
	file := framed(t, write(t, p))
	o := bundles.OpenOptions{InsecureIgnoreSeals: true}
	for name, n := range limits {
		if _, err := bundles.OpenWithLimit(bytes.NewReader(file), int64(len(file)), o, name, n); err != nil {
			t.Errorf("%s at the limit: %v", name, err)
		}
		b, err := bundles.OpenWithLimit(bytes.NewReader(file), int64(len(file)), o, name, n-1)
		wantDamaged(t, name+" over the limit", b, err)
		if err := bundles.WriteWithLimit(io.Discard, p, name, n); err != nil {
			t.Errorf("writing %s at the limit: %v", name, err)
		}
		if err := bundles.WriteWithLimit(io.Discard, p, name, n-1); err == nil {
			t.Errorf("%s: written over the limit", name)
		}
	}
}
