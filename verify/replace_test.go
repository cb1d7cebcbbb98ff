package verify_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/modseal/modseal/verify"
)

// replace adds a directive to the project's go.mod.
func (w *world) replace(directive string) {
	w.Helper()
	name := w.path("project/go.mod")
	b, err := os.ReadFile(name)
	if err != nil {
		w.Fatal(err)
	}
	write(w, name, string(b)+directive+"\n")
}

// Property: a module that is taken from a directory is listed as local. It passes
// if the directory is, all links followed, in the source tree, and the policy
// allows that; one outside never passes.
func TestLocalModules(t *testing.T) {
	source := func(w *world, dir string) {
		write(w, filepath.Join(dir, "go.mod"), "module example.com/plain\n")
	}
	for _, c := range []struct {
		name    string
		prepare func(w *world) (to string)
		inTree  bool
		dir     string // as it is reported: inside, relative
	}{
		{"in the tree", func(w *world) string { source(w, w.path("project/local/plain")); return "./local/plain" }, true, "local/plain"},
		{"in the tree by an absolute name", func(w *world) string { source(w, w.path("project/local")); return w.path("project/local") }, true, "local"},
		{"beside the tree", func(w *world) string { source(w, w.path("beside")); return "../beside" }, false, ""},
		{"beside the tree in a folder of a similar name", func(w *world) string { source(w, w.path("project2")); return "../project2" }, false, ""},
		{"a link out of the tree", func(w *world) string {
			source(w, w.path("beside"))
			if err := os.Symlink(w.path("beside"), w.path("project/local")); err != nil {
				w.Skip(err)
			}
			return "./local"
		}, false, ""},
		{"nowhere", func(*world) string { return "./nowhere" }, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, allow := range []bool{true, false} {
				w := newWorld(t)
				w.replace("replace example.com/plain => " + c.prepare(w))
				w.flags.AllowLocal = allow
				r := w.check()
				m := moduleIn(t, r, plain)
				want := allow && c.inTree
				if m.Status != verify.Local || m.OK != want || r.OK != want || m.Replaces != plain+"@v1.0.0" || m.Version != "" || m.Reason == "" {
					t.Errorf("allowed %t: report ok %t, %+v", allow, r.OK, m)
				}
				if outside := strings.Contains(m.Reason, "outside of the source tree"); outside != !c.inTree {
					t.Errorf("reason %q", m.Reason)
				}
				if c.inTree && m.Dir != c.dir || !c.inTree && !filepath.IsAbs(m.Dir) {
					t.Errorf("dir %q, want %q", m.Dir, c.dir)
				}
				if len(m.Evidence)+len(m.OnDisk) != 0 || r.Counts["local"] != 1 || r.Counts["verified"] != 4 {
					t.Errorf("%+v, counts %v", m, r.Counts)
				}
			}
		})
	}
}

// Property: a module that is replaced by another module is read nowhere; the
// other one is what is verified, and the report says in whose place.
func TestReplacedModule(t *testing.T) {
	fork := newMod("example.com/fork", "v1.0.1", map[string]string{"go.mod": "module example.com/plain\n", "fork.go": "package plain\n"})
	forked := func(evidence bool) *world {
		w := newWorld(t)
		w.replace("replace example.com/plain => example.com/fork v1.0.1")
		remove(w, w.cached(w.mod(plain).tree()))
		remove(w, w.download(plain, ".zip"))
		w.mods = append(w.mods, fork)
		fork.install(t, w.path("cache"))
		if evidence {
			w.attest(fork, w.alice)
			w.add("record", fork.Path, []byte(fork.record()))
		}
		return w
	}
	judge := func(w *world, want verify.Status) {
		t.Helper()
		r := w.check()
		m := moduleIn(t, r, fork.Path)
		if m.Status != want || r.OK != (want == verify.Verified) || m.Replaces != plain+"@v1.0.0" || len(r.Modules) != 5 || r.Counts["verified"] < 4 {
			t.Errorf("%+v, counts %v", m, r.Counts)
		}
	}
	judge(forked(true), verify.Verified)
	judge(forked(false), verify.NotLogged) // evidence of what it replaces is not its own
	w := forked(true)
	write(w, w.cached(fork.tree()+"/fork.go"), "package evil\n")
	judge(w, verify.Mismatch)
}

// Property: two required modules that are replaced by one are one module.
func TestTwoReplacedByOne(t *testing.T) {
	w := newWorld(t)
	w.replace("replace example.com/pseudo => example.com/plain v1.0.0")
	r := w.check()
	if !r.OK || len(r.Modules) != 4 || moduleIn(t, r, plain).Status != verify.Verified {
		t.Errorf("counts %v", r.Counts)
	}
}
