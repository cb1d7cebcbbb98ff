package snapshot_test

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/modseal/modseal/internal/testlog"
)

// files are those below a folder.
func files(t testing.TB, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Property: what was fetched is not fetched again: the next snapshot asks for
// the heads, and for what is new.
func TestSecondSnapshot(t *testing.T) {
	w := newWorld(t)
	w.request.CacheDir = w.path("fetched")
	w.rekor.HeadSize = func(e testlog.Entry) uint64 { return e.Index + 1 }
	w.take()
	first := read(t, w.request.Output)
	w.db.Requests()
	w.rekor.Requests()
	w.take()
	if got, want := counted(w.db.Requests()), map[string]int{"/latest": 1}; !maps.Equal(got, want) {
		t.Errorf("requests to the database: %v, want %v", got, want)
	}
	if got, want := counted(w.rekor.Requests()), map[string]int{"/api/v1/log": 2, "/api/v1/index/retrieve": 6, "/api/v1/log/proof": 6}; !maps.Equal(got, want) {
		t.Errorf("requests to Rekor: %v, want %v", got, want)
	}
	if !bytes.Equal(first, read(t, w.request.Output)) {
		t.Error("the file differs")
	}
	// one module more, in logs that have grown
	m := newMod("example.com/more")
	m.install(t, w.path("cache"))
	write(t, w.path("project/go.mod"), string(read(t, w.path("project/go.mod")))+"require "+m.Path+" v1.0.0\n")
	w.db.Add(m.Version, sum(m.h1()), sum(m.goModH1()))
	w.attest(m, w.alice)
	w.take()
	if got, want := counted(w.db.Requests()), map[string]int{"/latest": 1, "/lookup/": 1, "/tile/": 1}; !maps.Equal(got, want) {
		t.Errorf("requests to the database for one more: %v, want %v", got, want)
	}
	if got := counted(w.rekor.Requests())["/api/v1/log/entries/retrieve"]; got != 1 {
		t.Errorf("%d requests for entries for one more, want 1", got)
	}
	if r := w.enclave(); !r.OK || r.Counts["verified"] != 4 {
		t.Errorf("counts %v", r.Counts)
	}
}

// Property: what is damaged in the cache, cut or exchanged is fetched again, and
// the bundle is the same.
func TestDamagedCache(t *testing.T) {
	w := newWorld(t)
	w.request.CacheDir = w.path("fetched")
	w.take()
	first := read(t, w.request.Output)
	for what, damage := range map[string]func(b []byte) []byte{
		"empty":   func([]byte) []byte { return nil },
		"cut":     func(b []byte) []byte { return b[:len(b)/2] },
		"flipped": func(b []byte) []byte { b[len(b)*2/3] ^= 1; return b },
		"longer":  func(b []byte) []byte { return append(make([]byte, 9<<20), b...) },
	} {
		for _, name := range files(t, w.path("fetched")) {
			write(t, name, string(damage(read(t, name))))
		}
		w.rekor.Requests()
		w.take()
		if n := counted(w.rekor.Requests())["/api/v1/log/entries/retrieve"]; n == 0 {
			t.Errorf("%s: no entry was fetched again", what)
		}
		if !bytes.Equal(first, read(t, w.request.Output)) {
			t.Errorf("%s: the file differs", what)
		}
	}
	// the file of one entry under the name of another, and of a database that is not this one
	names := files(t, w.path("fetched/rekor"))
	write(t, names[0], string(read(t, names[1])))
	w.rekor.Requests()
	w.take()
	if n := counted(w.rekor.Requests())["/api/v1/log/entries/retrieve"]; n != 1 {
		t.Errorf("exchanged: %d requests for entries, want 1", n)
	}
	if !bytes.Equal(first, read(t, w.request.Output)) {
		t.Error("exchanged: the file differs")
	}
}

// Property: a cache that can't be written to costs requests and nothing else.
func TestUnusableCache(t *testing.T) {
	w := newWorld(t)
	write(t, w.path("file"), "")
	w.request.CacheDir = w.path("file/cache")
	w.take()
	w.take()
	if n := counted(w.rekor.Requests())["/api/v1/log/entries/retrieve"]; n != 2 {
		t.Errorf("%d requests for entries, want one each time", n)
	}
	if b, err := os.ReadFile(w.path("file")); err != nil || len(b) != 0 {
		t.Errorf("%q, %v", b, err)
	}
}
