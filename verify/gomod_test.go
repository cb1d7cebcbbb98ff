package verify_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/verify"
)

// recordless leaves all records out of the bundle, so that Rekor's evidence has
// to do alone.
func recordless(w *world) {
	w.flags.Require = policy.RequireRekor
	for _, m := range w.mods {
		w.drop(m.Path, "record")
	}
}

// Property: a module's .mod file decides what else is built. It is the one that
// the checksum database recorded or, without a record, the go.mod in the proven
// content, or what stands for it where there is none.
func TestModFile(t *testing.T) {
	changed := func(path string) func(*world) {
		return func(w *world) {
			write(w, w.download(path, ".mod"), w.mod(path).goMod()+"\nrequire example.com/evil v1.0.0\n")
		}
	}
	const byRecord, byContent = "the checksum database's record", "the go.mod in the proven content"
	lies := func(by string) []lie {
		return []lie{
			{"changed", changed(plain), statuses{plain: verify.Mismatch}, by},
			{"changed behind an escaped path", changed(upper), statuses{upper: verify.Mismatch}, by},
			{"changed where the zip has none", changed(bare), statuses{bare: verify.Mismatch}, by},
			{"changed where an old version has none", changed(old), statuses{old: verify.Mismatch}, by},
			{"white space changed", func(w *world) { write(w, w.download(plain, ".mod"), w.mod(plain).goMod()+"\n") }, statuses{plain: verify.Mismatch}, by},
			{"empty", func(w *world) { write(w, w.download(plain, ".mod"), "") }, statuses{plain: verify.Mismatch}, by},
			{"a link", func(w *world) { link(w, w.download(plain, ".mod")) }, statuses{plain: verify.Mismatch}, "symbolic link"},
			{"a folder", func(w *world) { remove(w, w.download(plain, ".mod")); mkdir(w, w.download(plain, ".mod")) }, statuses{plain: verify.Mismatch}, "a directory"},
			{"larger than the go command reads", func(w *world) { grow(w, w.download(plain, ".mod"), 16<<20+1) }, statuses{plain: verify.NotOnDisk}, "16777216"},
			{"missing", func(w *world) { remove(w, w.download(plain, ".mod")) }, statuses{plain: verify.Verified}, ""},
		}
	}
	t.Run("by record", func(t *testing.T) { tell(t, asIs, lies(byRecord)) })
	t.Run("by content", func(t *testing.T) { tell(t, recordless, lies(byContent)) })
}

func grow(t testing.TB, name string, size int64) {
	t.Helper()
	if err := os.Truncate(name, size); err != nil {
		t.Fatal(err)
	}
}

// Property: a record's go.mod h1 counts even if the content has another go.mod.
func TestRecordOfAnotherGoMod(t *testing.T) {
	tell(t, asIs, []lie{{"go.mod h1 in the record", func(w *world) {
		l := w.leaf(plain, "record")
		l.body = []byte(strings.Replace(string(l.body), sum(w.mod(plain).goModH1()), sum(goModH1("module evil\n")), 1))
	}, statuses{plain: verify.Mismatch}, "go.mod differs from the log"}})
}

// Property: a line of go.sum that contradicts what is proven is a mismatch; one
// that is missing is the go command's to refuse.
func TestGoSum(t *testing.T) {
	edit := func(old, new func(m mod) string) func(w *world) {
		return func(w *world) {
			replaceIn(w, w.path("project/go.sum"), old(w.mod(plain)), new(w.mod(plain)))
		}
	}
	h1 := func(m mod) string { return sum(m.h1()) }
	goMod := func(m mod) string { return sum(m.goModH1()) }
	other := func(mod) string { return sum(goModH1("module evil\n")) }
	none := func(mod) string { return "" }
	record := func(m mod) string { return m.record() }
	mismatch := statuses{plain: verify.Mismatch}
	tell(t, asIs, []lie{
		{"h1", edit(h1, other), mismatch, "go.sum contradicts the log"},
		{"h1 of go.mod", edit(goMod, other), mismatch, "go.sum contradicts the log"},
		{"two h1, the wrong one first", edit(record, func(m mod) string { return m.Path + " v1.0.0 " + other(m) + "\n" + m.record() }), mismatch, "go.sum contradicts the log"},
		{"two h1, the right one first", edit(record, func(m mod) string { return m.record() + m.Path + " v1.0.0 " + other(m) + "\n" }), nil, ""},
		{"no line", edit(record, none), nil, ""},
		{"no go.sum", func(w *world) { remove(w, w.path("project/go.sum")) }, nil, ""},
	})
}

// unpruned makes the project one of before go 1.17, whose dependency set is
// computed from the go.mod files of its dependencies.
func unpruned(w *world) {
	replaceIn(w, w.path("project/go.mod"), "go 1.21", "go 1.16")
}

// replaceIn changes one place in a file.
func replaceIn(t testing.TB, name, old, new string) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil || strings.Count(string(b), old) != 1 {
		t.Fatalf("%q in %s: %v", old, b, err)
	}
	write(t, name, strings.Replace(string(b), old, new, 1))
}

// before runs do after the dependency set was read and before modules are hashed.
func (w *world) before(do func()) {
	w.request.Progress = func(p verify.Progress) {
		if p.Total > 0 {
			do()
		}
	}
}

// Property: the dependency set is computed from the very go.mod files that are
// verified: one that changes in between is a mismatch, even if it is right then.
func TestGoModChangesAfterItWasRead(t *testing.T) {
	const says = "go.mod changed while it was read"
	evil := func(w *world) string { return w.mod(plain).goMod() + "// more\n" }
	tell(t, unpruned, []lie{
		{"to what is proven", func(w *world) {
			write(w, w.download(plain, ".mod"), evil(w))
			w.before(func() { write(w, w.download(plain, ".mod"), w.mod(plain).goMod()) })
		}, statuses{plain: verify.Mismatch}, says},
		{"from what is proven", func(w *world) {
			w.before(func() { write(w, w.download(plain, ".mod"), evil(w)) })
		}, statuses{plain: verify.Mismatch}, says},
		{"and is taken away", func(w *world) {
			write(w, w.download(plain, ".mod"), evil(w))
			w.before(func() { remove(w, w.download(plain, ".mod")) })
		}, statuses{plain: verify.Mismatch}, says},
	})
	flat := func(w *world) { unpruned(w); flatZips(w) }
	tell(t, flat, []lie{{"in a zip", func(w *world) {
		name := w.path("zips/" + filepath.Base(w.mod(plain).tree()) + ".zip")
		write(w, name, string(w.mod(plain).with(map[string]string{"go.mod": evil(w)}).zip()))
		w.before(func() { write(w, name, string(w.mod(plain).zip())) })
	}, statuses{plain: verify.Mismatch}, says}})
}
