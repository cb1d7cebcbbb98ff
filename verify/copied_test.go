package verify_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/dirhash"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/gomod"
	"github.com/modseal/modseal/internal/materialize"
	"github.com/modseal/modseal/verify"
)

// copied verifies copies of the world's modules, in a folder that is removed at the
// end of the test. Progress is told of the copying.
func (w *world) copied(progress func(verify.Progress)) (r *verify.Report, fresh string, err error) {
	w.Helper()
	if w.request.Bundle == nil {
		w.try(context.Background()) // makes it
	}
	if tell := progress; tell != nil { // which many goroutines call
		var mu sync.Mutex
		progress = func(p verify.Progress) {
			mu.Lock()
			defer mu.Unlock()
			tell(p)
		}
	}
	b, err := bundles.Open(w.request.Bundle, w.request.BundleSize, bundles.OpenOptions{Seals: w.request.Seals, InsecureIgnoreSeals: w.request.InsecureIgnoreSeals})
	if err != nil {
		return nil, "", err
	}
	if fresh, err = os.MkdirTemp(w.dir, "fresh"); err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { materialize.Remove(fresh) })
	root, err := os.OpenRoot(fresh)
	if err != nil {
		w.Fatal(err)
	}
	defer root.Close()
	request := w.request
	r, err = materialize.Cache(context.Background(), materialize.Request{
		Verify: request, Bundle: b, Fresh: fresh, Root: root, Name: "MADE", Progress: progress,
	})
	if err == nil {
		consistent(w, r)
	}
	return r, fresh, err
}

// agrees demands that the verdicts on copies are those on the originals, and that
// nothing in the report is named after the place of the copies.
func (w *world) agrees(t *testing.T, plain *verify.Report) {
	t.Helper()
	r, fresh, err := w.copied(nil)
	if err != nil {
		t.Errorf("copied: %v", err)
		return
	}
	for i, m := range r.Modules {
		p := plain.Modules[i]
		if m.Path != p.Path || m.Version != p.Version || m.Status != p.Status || m.Reason != p.Reason || m.Hint != p.Hint {
			t.Errorf("of the copy it is said that\n%s %s %s: %s\nand of the original that\n%s %s %s: %s", m.Path, m.Version, m.Status, m.Reason, p.Path, p.Version, p.Status, p.Reason)
		}
	}
	for path, text := range reported(t, w, r) {
		if strings.Contains(text, filepath.Base(fresh)) {
			t.Errorf("%s is reported by the place of its copy:\n%s", path, text)
		}
	}
	if r.OK != plain.OK || r.OK != (r.Project.Materialized == "MADE") {
		t.Errorf("ok %t of the copy, materialized %q; ok %t of the original", r.OK, r.Project.Materialized, plain.OK)
	}
}

// whole demands that every file of a module cache is proven: those of the modules
// by golang.org/x/mod's own hash, and there are no others.
func (w *world) whole(fresh string) {
	w.Helper()
	known := map[string]bool{}
	for _, m := range w.mods {
		tree := filepath.Join(fresh, m.tree())
		h1, err := dirhash.HashDir(tree, m.Version.String(), dirhash.Hash1)
		if err != nil || h1 != sum(m.h1()) {
			w.Errorf("%s: tree has %s, proven is %s (%v)", m.Path, h1, sum(m.h1()), err)
		}
		for name := range m.files {
			known[filepath.Join(m.tree(), filepath.FromSlash(name))] = true
		}
		zip := filepath.Join("cache/download", m.download(".zip"))
		known[zip] = true
		if h1, err := dirhash.HashZip(filepath.Join(fresh, zip), dirhash.Hash1); err != nil || h1 != sum(m.h1()) {
			w.Errorf("%s: zip has %s, proven is %s (%v)", m.Path, h1, sum(m.h1()), err)
		}
		for suffix, want := range map[string]string{
			".mod": m.goMod(), ".ziphash": sum(m.h1()), ".info": fmt.Sprintf(`{"Version":%q}`, m.Version.Version),
		} {
			name := filepath.Join("cache/download", m.download(suffix))
			known[name] = true
			if got, err := os.ReadFile(filepath.Join(fresh, name)); err != nil || string(got) != want {
				w.Errorf("%s: %q, %v; want %q", name, got, err, want)
			}
		}
	}
	err := filepath.WalkDir(fresh, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == fresh {
			return err
		}
		rel, _ := filepath.Rel(fresh, name)
		info, err := d.Info()
		if !d.IsDir() && !known[rel] || info.Mode().Perm()&0o222 != 0 {
			w.Errorf("%s is there, %v", rel, info.Mode())
		}
		return err
	})
	if err != nil {
		w.Error(err)
	}
}

// Property: the copies of an honest world are a whole module cache, read-only, and
// what was copied is left as it was.
func TestCopied(t *testing.T) {
	w := newWorld(t)
	w.agrees(t, w.check())
	r, fresh, err := w.copied(nil)
	if err != nil || !r.OK {
		t.Fatal(err)
	}
	w.whole(fresh)
	w.agrees(t, w.check())
}

// Property: what is written to the originals once they were copied has no part in
// the verdict, and what is written before is judged.
func TestWrittenAroundCopying(t *testing.T) {
	w := newWorld(t)
	n := 0
	r, fresh, err := w.copied(func(p verify.Progress) {
		if n += p.Modules; p.Modules > 0 && n == len(w.mods) {
			write(w, w.unpacked(plain, "plain.go"), "package evil\n")
			write(w, w.download(upper, ".mod"), "module evil\n")
		}
	})
	if err != nil || !r.OK {
		t.Fatalf("%v, %+v", err, r)
	}
	w.whole(fresh)
	if w.check().OK {
		t.Error("the originals were not changed")
	}
	r, _, err = w.copied(nil)
	if err != nil || r.OK || moduleIn(t, r, plain).Status != verify.Mismatch || moduleIn(t, r, upper).Status != verify.Mismatch {
		t.Errorf("%v, %+v", err, r)
	}
}

// Property: when the dependency set of the copies is not the one that was copied, there
// is no report: not when a module would be missing, and not when one would be there
// that nobody verified.
func TestSetChangesWhileItIsCopied(t *testing.T) {
	line := plain + " v1.0.0\n"
	for name, c := range map[string]struct {
		prepare func(w *world)
		change  func(w *world)
	}{
		"one less":        {asIs, func(w *world) { replaceIn(w, w.path("project/go.mod"), "\t"+line, "") }},
		"one more":        {func(w *world) { replaceIn(w, w.path("project/go.mod"), "\t"+line, "") }, func(w *world) { w.replace("require " + line) }},
		"another version": {asIs, func(w *world) { replaceIn(w, w.path("project/go.mod"), line, plain+" v1.1.0\n") }},
		"one replaced":    {asIs, func(w *world) { w.replace("replace " + plain + " => " + bare + " v0.3.0") }},
		"one a directory": {asIs, func(w *world) { w.replace("replace " + plain + " => ./x") }},
		"from vendor":     {asIs, func(w *world) { write(w, w.path("project/vendor/modules.txt"), "") }},
		"graph grows": {unpruned, func(w *world) {
			write(w, w.download(plain, ".mod"), w.mod(plain).goMod()+"require example.com/x v1.0.0\n")
		}},
		"graph falls away": {cyclic, func(w *world) { write(w, w.download("example.com/top", ".mod"), "module example.com/top\n") }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c.prepare(w)
			r, _, err := w.copied(func(p verify.Progress) {
				if p.Total > 0 {
					c.change(w)
				}
			})
			var vendor *gomod.InconsistentVendorError
			if !errors.Is(err, verify.ErrChanged) && !errors.As(err, &vendor) {
				t.Errorf("%v, %+v", err, r)
			}
		})
	}
}

// Property: what can't be written is no verdict on a module.
func TestCopyCanNotBeWritten(t *testing.T) {
	w := newWorld(t)
	n := 0
	_, _, err := w.copied(func(p verify.Progress) {
		if n += p.Total; p.Total == 0 || n > len(w.mods) {
			return
		}
		dirs, _ := filepath.Glob(filepath.Join(w.dir, "fresh*"))
		for _, m := range w.mods {
			write(w, filepath.Join(dirs[0], m.tree()), "in the way")
		}
	})
	if err == nil || !strings.Contains(err.Error(), "file exists") {
		t.Error(err)
	}
}

// flip makes one file of the cache after the other evil and good again, until it is
// told to stop: half of them in place, so that they are cut off for a moment, half
// of them at once, by renaming.
func (w *world) flip(stop <-chan struct{}) {
	files := []struct{ name, good, evil string }{
		{w.unpacked(plain, "plain.go"), w.mod(plain).files["plain.go"], "package evil\n"},
		{w.unpacked(bare, "bare.go"), w.mod(bare).files["bare.go"], "package evil\n"},
		{w.download(upper, ".mod"), w.mod(upper).goMod(), "module evil\n"},
		{w.download(pseudo, ".zip"), string(w.mod(pseudo).zip()), string(evil(w.mod(pseudo)).zip())},
	}
	put := func(inPlace bool, name, data string) {
		to := name
		if !inPlace {
			to = w.path("next")
		}
		err := os.WriteFile(to, []byte(data), 0o644)
		if err == nil && !inPlace {
			err = os.Rename(to, name)
		}
		if err != nil {
			w.Error(err)
		}
	}
	for i := 0; ; i++ {
		f, inPlace := files[i%len(files)], i%(2*len(files)) < len(files)
		put(inPlace, f.name, f.evil)
		put(inPlace, f.name, f.good)
		select {
		case <-stop:
			return
		default:
		}
	}
}

// Property: whatever a writer does to the old cache, and whenever, a pass means that
// every byte of the new one is proven.
func TestWriterRaces(t *testing.T) {
	w := newWorld(t)
	w.check()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		w.flip(stop)
	}()
	defer func() { <-stopped }()
	defer close(stop)
	passed, refused := 0, 0
	for round := 0; round < 60 || round < 2000 && (passed == 0 || refused == 0); round++ {
		r, fresh, err := w.copied(nil)
		switch {
		case err != nil:
			t.Fatalf("round %d: %v", round, err)
		case r.OK:
			passed++
			w.whole(fresh)
		default:
			refused++
		}
		materialize.Remove(fresh)
	}
	t.Logf("%d passed, %d refused", passed, refused)
	if passed == 0 || refused == 0 {
		t.Errorf("%d passed, %d refused: nothing was raced", passed, refused)
	}
}
