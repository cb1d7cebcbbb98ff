package snapshot_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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

// require writes a project of these modules of the world, and gives its folder.
func (w *world) require(name string, paths ...string) string {
	w.Helper()
	var goMod, goSum strings.Builder
	fmt.Fprintf(&goMod, "module example.com/%s\n\ngo 1.21\n\nrequire (\n", name)
	for _, path := range paths {
		fmt.Fprintf(&goMod, "\t%s v1.0.0\n", path)
		goSum.WriteString(w.mod(path).goSum())
	}
	write(w, w.path(name+"/go.mod"), goMod.String()+")\n")
	write(w, w.path(name+"/go.sum"), goSum.String())
	return w.path(name)
}

// projects are the main modules in the manifest.
func (w *world) projects() []string {
	w.Helper()
	var out []string
	for _, p := range w.bundle().Manifest.Projects {
		out = append(out, p.String())
	}
	return out
}

// Property: of several projects each module is asked about once, however many have it;
// each project is verified by itself.
func TestSeveralProjects(t *testing.T) {
	w := newWorld(t)
	dirs := []string{w.require("a", plain, upper), w.require("b", corp, plain), w.require("c", plain), w.require("d", plain, upper, corp)}
	w.request.Dirs = dirs
	s := w.take()
	if got, want := counted(w.db.Requests()), map[string]int{"/latest": 1, "/lookup/": 3, "/tile/": 1}; !maps.Equal(got, want) {
		t.Errorf("requests to the database: %v, want %v", got, want)
	}
	if got, want := counted(w.rekor.Requests()), map[string]int{"/api/v1/log": 2, "/api/v1/index/retrieve": 6, "/api/v1/log/entries/retrieve": 1}; !maps.Equal(got, want) {
		t.Errorf("requests to Rekor: %v, want %v", got, want)
	}
	if s.Modules != 3 || s.Proven != 3 || len(s.Reports) != 4 || len(s.Projects) != 4 || !slices.Equal(s.Entries, []int{6, 3}) {
		t.Errorf("%d modules, %d proven, %d reports, %d projects, %d entries", s.Modules, s.Proven, len(s.Reports), len(s.Projects), s.Entries)
	}
	for i, r := range s.Reports {
		if !r.OK || r.Project.Dir != dirs[i] || len(r.Notes) != 1 { // that nobody has sealed it yet
			t.Errorf("self-check of %s: ok %t, %q", r.Project.Dir, r.OK, r.Notes)
		}
	}
	if got, want := w.projects(), []string{`"example.com/a"`, `"example.com/b"`, `"example.com/c"`, `"example.com/d"`}; !slices.Equal(got, want) {
		t.Errorf("made of %q", got)
	}
	file := read(t, s.Output)
	for i, want := range []int{2, 2, 1, 3} {
		w.request.Dirs = []string{dirs[i]}
		if r := w.enclave(); !r.OK || r.Counts["verified"] != want || len(r.Notes) != 0 {
			t.Errorf("%s: ok %t, %v, %q", dirs[i], r.OK, r.Counts, r.Notes)
		}
	}
	w.request.Dirs = []string{w.require("e", plain)}
	if r := w.enclave(); !r.OK || len(r.Notes) != 1 || r.Notes[0] != `the bundle was made of 4 projects: "example.com/a", "example.com/b", "example.com/c" and 1 more, not of this project` {
		t.Errorf("another project: ok %t, %q", r.OK, r.Notes)
	}
	// the order in which they are given is no matter, nor is one that adds nothing
	slices.Reverse(dirs)
	w.request.Dirs = dirs
	if w.take(); !bytes.Equal(read(t, w.request.Output), file) {
		t.Error("another order gives another file")
	}
}

// Property: a project counts once by whatever name, and two of one main module are one
// in the manifest if their go lines are.
func TestProjectTwice(t *testing.T) {
	w := newWorld(t)
	a := w.require("a", plain)
	write(t, w.path("a/sub/x.go"), "package sub\n")
	if err := os.Symlink("a", w.path("link")); err != nil {
		t.Skip("no symbolic links: ", err)
	}
	write(t, w.path("ws/go.work"), "go 1.21\n\nuse (\n\t./x\n\t./y\n)\n")
	for _, name := range []string{"x", "y"} {
		write(t, w.path("ws/"+name+"/go.mod"), "module example.com/"+name+"\n\ngo 1.21\n\nrequire "+upper+" v1.0.0\n")
		write(t, w.path("ws/"+name+"/go.sum"), w.mod(upper).goSum())
	}
	for name, c := range map[string]struct {
		dirs     []string
		reports  int
		projects []string
	}{
		"the same twice":               {[]string{a, a}, 1, []string{`"example.com/a"`}},
		"by a link, and from inside":   {[]string{a, w.path("link"), w.path("a/sub"), w.path("link/sub")}, 1, []string{`"example.com/a"`}},
		"a workspace from two modules": {[]string{w.path("ws/x"), a, w.path("ws/y"), w.path("ws")}, 2, []string{"a workspace of example.com/x, example.com/y", `"example.com/a"`}},
	} {
		w.request.Dirs = c.dirs
		s := w.take()
		if got := w.projects(); len(s.Reports) != c.reports || len(s.Projects) != c.reports || !slices.Equal(got, c.projects) {
			t.Errorf("%s: %d reports, %q", name, len(s.Reports), got)
		}
	}
	write(t, w.path("copy/go.mod"), string(read(t, w.path("a/go.mod"))))
	write(t, w.path("copy/go.sum"), string(read(t, w.path("a/go.sum"))))
	w.request.Dirs = []string{a, w.path("copy")}
	if s := w.take(); len(s.Reports) != 2 || len(w.projects()) != 1 {
		t.Errorf("a copy of it: %d reports, %q", len(s.Reports), w.projects())
	}
	write(t, w.path("copy/go.mod"), strings.Replace(string(read(t, w.path("a/go.mod"))), "go 1.21", "go 1.20", 1))
	if s := w.take(); len(s.Reports) != 2 || len(w.projects()) != 2 {
		t.Errorf("with another go line: %d reports, %q", len(s.Reports), w.projects())
	}
}

// Property: a module of which one project reads go.mod alone and another all of it
// counts in full, whichever comes first; one that a folder replaces in one project and
// not in another is both.
func TestGoModAloneInOneProject(t *testing.T) {
	w := newWorld(t)
	asks := newMod("example.com/asks")
	asks.files["go.mod"] = "module example.com/asks\n\ngo 1.16\n\nrequire example.com/plain v1.0.0\n"
	asks.install(t, w.path("cache"))
	w.db.Add(asks.Version, sum(asks.h1()), sum(asks.goModH1()))
	w.attest(asks, w.alice)
	w.mods = append(w.mods, asks)
	w.flags.Require = policy.RequireSumDB // no signature is over a go.mod
	// before go 1.17 every go.mod of the graph is read
	graph := w.require("graph", asks.Path)
	write(t, w.path("graph/go.mod"), `module example.com/graph

go 1.16

require (
	example.com/asks v1.0.0
	example.com/plain v1.0.1
)

replace example.com/plain v1.0.1 => ../local
`)
	write(t, w.path("local/go.mod"), "module example.com/plain\n")
	full := w.require("full", plain)
	for name, c := range map[string]struct {
		dirs                     []string
		zip                      bool
		modules, proven, entries int
	}{
		"go.mod alone": {[]string{graph}, false, 3, 2, 4}, // with the folder
		"first":        {[]string{graph, full}, true, 3, 2, 6},
		"last":         {[]string{full, graph}, true, 3, 2, 6},
	} {
		w.request.Dirs = c.dirs
		s := w.take()
		m := w.bundle().Manifest
		i := slices.IndexFunc(m.Modules, func(d bundles.Module) bool { return d.Path == plain })
		if i < 0 || (m.Modules[i].Zip != "") != c.zip || len(m.Modules) != 2 || s.Modules != c.modules || s.Proven != c.proven || s.Entries[0]+s.Entries[1] != c.entries {
			t.Errorf("%s: %+v, %d modules, %d proven, entries %v", name, m.Modules, s.Modules, s.Proven, s.Entries)
		}
		for _, dir := range c.dirs {
			w.request.Dirs = []string{dir}
			r := w.enclave()
			at := slices.IndexFunc(r.Modules, func(m verify.ModuleReport) bool { return m.Path == plain && m.Version != "" })
			if r.Modules[at].Status != verify.Verified || r.Modules[at].GoModOnly != (dir == graph) {
				t.Errorf("%s: %s has %+v", name, dir, r.Modules[at])
			}
		}
	}
}

// Property: projects whose go.sum files have different hashes of a module are refused,
// both files named, before anything is asked for.
func TestProjectsContradictEachOther(t *testing.T) {
	for what, of := range map[string]func(m mod) string{
		"content": func(m mod) string { return m.Path + " v1.0.0 " + sum(m.h1()) },
		"go.mod":  func(m mod) string { return m.Path + " v1.0.0/go.mod " + sum(m.goModH1()) },
	} {
		w := newWorld(t)
		w.request.Dirs = []string{w.require("a", plain, upper), w.require("b", plain), w.require("c", plain)}
		line := of(w.mod(plain))
		lie := line[:strings.LastIndex(line, " ")+1] + sum([32]byte{1})
		write(t, w.path("b/go.sum"), strings.Replace(string(read(t, w.path("b/go.sum"))), line, lie, 1))
		e := incomplete(t, w.fail(), true, plain)
		for _, want := range []string{what + ": ", "projects contradict each other", w.path("a/go.sum"), w.path("b/go.sum"), sum([32]byte{1})} {
			if !strings.Contains(e.Error(), want) {
				t.Errorf("%s: %v, want %q", what, e, want)
			}
		}
		if strings.Contains(e.Error(), w.path("c/go.sum")) || len(w.db.Requests())+len(w.rekor.Requests()) > 0 {
			t.Errorf("%s: %v, after %d requests", what, e, len(w.db.Requests()))
		}
		w.request.Dirs = []string{w.path("b")} // alone it is the evidence that speaks against it
		if err := w.fail(); !strings.Contains(err.Error(), "go.sum contradicts the log") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Property: what is wrong with one of several projects names its folder, and nothing is
// written; what one project can't have by itself it can't have among others.
func TestOneOfSeveralProjectsIsWrong(t *testing.T) {
	w := newWorld(t)
	good, empty := w.require("good", plain), w.require("empty")
	for name, c := range map[string]struct {
		dir  string
		says string
	}{
		"no project":       {w.path("nowhere"), "no go.mod in "},
		"unreadable":       {w.path("bad"), "go.mod:1"},
		"not in the cache": {w.path("absent"), "absent@v1.0.0"},
		"not logged":       {w.path("unlogged"), "the bundle has no evidence for it"},
	} {
		write(t, w.path("bad/go.mod"), "nonsense\n")
		write(t, w.path("absent/go.mod"), "module example.com/p\n\ngo 1.21\n\nrequire example.com/absent v1.0.0\n")
		write(t, w.path("unlogged/go.mod"), "module example.com/p\n\ngo 1.21\n\nrequire example.com/unlogged v1.0.0\n")
		newMod("example.com/unlogged").install(t, w.path("cache"))
		w.request.Dirs = []string{good, c.dir, empty}
		if err := w.fail(); !strings.Contains(err.Error(), c.says) || name != "not in the cache" && name != "not logged" && !strings.HasPrefix(err.Error(), c.dir+": ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.request.Dirs = []string{good, empty}
	if s := w.take(); len(s.Reports) != 1 || len(w.projects()) != 2 || s.Modules != 1 {
		t.Errorf("with a project that needs nothing: %d reports, %q", len(s.Reports), w.projects())
	}
	if err := os.Remove(w.request.Output); err != nil {
		t.Fatal(err)
	}
	w.request.Dirs = []string{empty, w.require("empty2")}
	if err := w.fail(); !errors.Is(err, verify.ErrNothing) {
		t.Errorf("projects that need nothing: %v", err)
	}
	w.request.Dirs, w.request.Toolchains = nil, []string{"go1.26.8.linux-amd64"}
	if err := w.fail(); !strings.Contains(err.Error(), "toolchains without a project") {
		t.Errorf("a toolchain alone: %v", err)
	}
}

// Property: what the evidence contradicts in one project alone is refused by the
// self-check, which names it.
func TestSelfCheckOfEachProject(t *testing.T) {
	w := newWorld(t)
	w.request.Dirs = []string{w.require("a", plain), w.require("b", plain, upper)}
	line := upper + " v1.0.0 " + sum(w.mod(upper).h1())
	write(t, w.path("b/go.sum"), strings.Replace(string(read(t, w.path("b/go.sum"))), line, upper+" v1.0.0 "+sum([32]byte{1}), 1))
	e := incomplete(t, w.fail(), true, upper)
	if !strings.Contains(e.Error(), w.path("b")+": mismatch: go.sum contradicts the log") {
		t.Error(e)
	}
}

// Property: a bundle of several projects that carries the modules carries those of all,
// each once, and the enclave needs no other files.
func TestSeveralProjectsCarried(t *testing.T) {
	w := newWorld(t)
	w.request.Dirs, w.request.WithModules, w.request.SumDBTiles = []string{w.require("a", plain, upper), w.require("b", corp, plain)}, true, true
	s := w.take()
	b := w.bundle()
	n := 0
	for _, err := range b.Manifest.CarriedFiles() {
		if n++; err != nil {
			t.Fatal(err)
		}
	}
	if n != 9 || s.Carried == 0 {
		t.Errorf("%d files, %d bytes", n, s.Carried)
	}
}

// Property: artifacts beside several projects are proven once.
func TestSeveralProjectsAndArtifacts(t *testing.T) {
	w := newWorld(t)
	w.request.Dirs = []string{w.require("a", plain), w.require("b", upper)}
	w.rekor.Add(w.alice.Body([32]byte{7}))
	w.request.Artifacts = []verify.Artifact{{Name: "tool", Digests: []verify.Digest{{Algorithm: "sha256", Hex: "07" + strings.Repeat("00", 31)}}}}
	w.request.Artifacts[0].Digests[0].Hex = fmt.Sprintf("%x", [32]byte{7})
	w.flags.Require = policy.RequireRekor
	s := w.take()
	if s.Artifacts != 1 || s.Modules != 2 || s.Proven != 3 || len(s.Reports) != 2 {
		t.Errorf("%d artifacts, %d modules, %d proven", s.Artifacts, s.Modules, s.Proven)
	}
	if _, err := snapshot.Take(context.Background(), w.asked()); err != nil {
		t.Error(err)
	}
}
