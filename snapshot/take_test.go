package snapshot_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/snapshot"
	"github.com/modseal/modseal/verify"
)

// Property: a snapshot asks for each module and digest once, and what it writes
// is verified by an enclave that trusts the same logs, signer and sealer.
func TestTake(t *testing.T) {
	w := newWorld(t)
	s := w.take()
	r := w.enclave()
	if !r.OK || r.Counts["verified"] != 3 || len(r.Bundle.SealedBy) != 1 || r.Bundle.Created.Format("15:04:05.000") != "04:05:06.000" || len(r.Bundle.Projects) != 1 || r.Bundle.Projects[0].Module != "example.com/project" {
		t.Errorf("enclave: ok %t, counts %v, bundle %+v", r.OK, r.Counts, r.Bundle)
	}
	for _, m := range r.Modules {
		if len(m.Evidence) != 3 {
			t.Errorf("%s: evidence %+v", m.Path, m.Evidence)
		}
	}
	if len(s.Logs) != 2 || s.Logs[0].Kind != bundles.RekorV1 || s.Logs[1].Name != w.db.Name || !slices.Equal(s.Entries, []int{6, 3}) {
		t.Errorf("logs %+v with %v entries", s.Logs, s.Entries)
	}
	if s.Nodes == 0 || s.Size != int64(len(read(t, s.Output))) || !s.Reports[0].OK || len(s.LeftOut)+len(s.Failed)+s.Private != 0 || len(s.Counts) == 0 {
		t.Errorf("summary %+v", s)
	}
	if want := []string{"hash modules", "look up in sum.example.org", "search Rekor", "retrieve entries", "check and seal"}; !slices.Equal(w.phases, want) {
		t.Errorf("phases %q, want %q", w.phases, want)
	}
	if got, want := counted(w.db.Requests()), map[string]int{"/latest": 1, "/lookup/": 3, "/tile/": 1}; !maps.Equal(got, want) {
		t.Errorf("requests to the database: %v, want %v", got, want)
	}
	if got, want := counted(w.rekor.Requests()), map[string]int{"/api/v1/log": 2, "/api/v1/index/retrieve": 6, "/api/v1/log/entries/retrieve": 1}; !maps.Equal(got, want) {
		t.Errorf("requests to Rekor: %v, want %v", got, want)
	}
	if info, err := os.Stat(s.Output); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("%v, %v", info, err)
	}
}

// Property: equal inputs, equal file, however many requests are under way at once
// and whatever was fetched before.
func TestReproducible(t *testing.T) {
	var first []byte
	w := newWorld(t)
	w.rekor.HeadSize = nil
	for _, parallel := range []int{1, 16} {
		for _, cache := range []string{"", w.path("fetched"), w.path("fetched")} {
			w.request.Parallel, w.request.CacheDir = parallel, cache
			w.take()
			b := read(t, w.request.Output)
			if first == nil {
				first = b
			}
			if !bytes.Equal(b, first) {
				t.Errorf("with %d requests at once, cache %q: the file differs", parallel, cache)
			}
		}
	}
}

// Property: without listings, and without Rekor, there is less in it and the rest
// is the same.
func TestLess(t *testing.T) {
	w := newWorld(t)
	w.request.Listings, w.request.RekorURL, w.flags.Require = false, "", "sumdb"
	s := w.take()
	if b := w.bundle(); len(s.Logs) != 1 || b.Manifest.Listings || len(b.Logs) != 1 || !w.enclave().OK {
		t.Errorf("logs %+v, manifest %+v", s.Logs, b.Manifest)
	}
	if asked := w.rekor.Requests(); len(asked) != 0 {
		t.Errorf("Rekor was asked: %q", asked)
	}
}

// Property: an unsealed bundle is written when that is asked for, and no enclave
// takes it for a sealed one. A sealer that fails writes nothing.
func TestUnsealed(t *testing.T) {
	w := newWorld(t)
	w.request.Seal = nil
	w.take()
	b := read(t, w.request.Output)
	r, err := verify.Check(context.Background(), verify.Request{
		Dir: w.project(), World: w.request.World, Bundle: bytes.NewReader(b), BundleSize: int64(len(b)), Trust: w.request.Trust, Policy: policy.FromFlags(w.flags),
	})
	if r != nil || !errors.Is(err, bundles.ErrUnsealed) {
		t.Errorf("%v, %v; want ErrUnsealed", r, err)
	}
	w = newWorld(t)
	broken := errors.New("the token was pulled out")
	w.request.Seal = func(bundles.Digests) ([]byte, error) { return nil, broken }
	if err := w.fail(); !errors.Is(err, broken) {
		t.Error(err)
	}
}

// Property: what can't be written is said so, leaves nothing, and what was there
// before stays as it was.
func TestOutput(t *testing.T) {
	w := newWorld(t)
	w.request.Output = w.path("out/nowhere/deps.modseal")
	if err := w.fail(); !strings.Contains(err.Error(), "output: ") || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	w.request.Output = w.path("out")
	if err := w.fail(); !strings.Contains(err.Error(), "output: ") {
		t.Errorf("a folder: %v", err)
	}
	w.request.Output = w.path("out/keep/deps.modseal")
	if err := w.fail(); !strings.Contains(err.Error(), "output: ") {
		t.Errorf("below a file: %v", err)
	}
	w.request.Output = w.path("out/deps.modseal")
	write(t, w.request.Output, "what was there before")
	w.request.Trust = &verify.Material{}
	if _, err := snapshot.Take(context.Background(), w.asked()); err == nil {
		t.Error("a snapshot of logs that nobody trusts")
	}
	w.left("deps.modseal")
	if b := read(t, w.request.Output); string(b) != "what was there before" {
		t.Errorf("it is overwritten: %.40q", b)
	}
}

// Property: a folder that can't be written to is an error that names it.
func TestReadOnlyOutput(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("permissions do not bind the superuser")
	}
	w := newWorld(t)
	if err := os.Chmod(w.path("out"), 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(w.path("out"), 0o755) })
	if err := w.fail(); !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), w.path("out")) {
		t.Error(err)
	}
}

// Property: a project that needs no modules gives no bundle, and a workspace of
// none does not either.
func TestNothingToTake(t *testing.T) {
	w := newWorld(t)
	write(t, w.path("project/go.mod"), "module example.com/project\n\ngo 1.21\n")
	if err := w.fail(); !errors.Is(err, verify.ErrNothing) {
		t.Error(err)
	}
	w = newWorld(t)
	write(t, w.path("project/go.work"), "go 1.21\n")
	if err := w.fail(); !strings.Contains(err.Error(), "workspace") {
		t.Error(err)
	}
	w = newWorld(t)
	if err := os.RemoveAll(w.path("cache")); err != nil {
		t.Fatal(err)
	}
	if err := w.fail(); !strings.Contains(err.Error(), "not in the module cache") {
		t.Error(err)
	}
}
