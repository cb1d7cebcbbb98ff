package gomod

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A workspace that the go command refuses is refused, and one that it takes is taken.
func TestWorkspaceRefusalOracle(t *testing.T) {
	base := map[string]string{
		"here/go.work":   "go 1.21\nuse ./a\nuse ./b\n",
		"here/a/go.mod":  "module example.com/a\ngo 1.20\nrequire example.com/d v1.0.0\n",
		"here/b/go.mod":  "module example.com/b\ngo 1.21\n",
		"here/x/go.mod":  "module example.com/x\ngo 1.16\n",
		"other/go.mod":   "module example.com/other\ngo 1.21\n",
		"here/a/alt.mod": "module example.com/a\ngo 1.20\n",
	}
	tests := []struct {
		name, file, text string // what is appended to a file, or takes its place after "="
		flag, gowork     string
		want             string // of our message; "" is none
	}{
		{name: "as it is"},
		{name: "readonly", flag: "-mod=readonly"},
		{name: "mod", flag: "-mod=mod", want: "-mod=mod can't be used in a workspace"},
		{name: "modfile", flag: "-modfile=a/alt.mod", want: "-modfile can't be used in a workspace"},
		{name: "nothing used", file: "go.work", text: "=go 1.21\n", want: "no module is used"},
		{name: "no go line", file: "go.work", text: "=use ./a\n"},
		{name: "no go line, newer module", file: "go.work", text: "=use ./b\n", want: "needs go 1.21, and the workspace is of go 1.18"},
		{name: "newer module", file: "b/go.mod", text: "=module example.com/b\ngo 1.21.1\n", want: "needs go 1.21.1, and the workspace is of go 1.21"},
		{name: "newer module before 1.21", file: "go.work", text: "=go 1.18\nuse ./a\n"},
		{name: "outside", file: "go.work", text: "use ../other\n"},
		{name: "no go.mod", file: "go.work", text: "use ./none\n", want: "none, which is used: "},
		{name: "one directory twice", file: "go.work", text: "use ./x/../a\n", want: "is used twice"},
		{name: "one path twice", file: "x/go.mod", text: "=module example.com/a\n", want: `module "example.com/a" is used twice`},
		{name: "reserved path", file: "x/go.mod", text: "=module toolchain\n", want: "reserved"},
		{name: "no module line", file: "x/go.mod", text: "=go 1.20\n", want: "no module line"},
		{name: "unknown directive", file: "go.work", text: "require example.com/d v1.0.0\n", want: "unknown directive"},
		{name: "unknown block", file: "go.work", text: "exclude (\n)\n", want: "unknown block"},
		{name: "two go lines", file: "go.work", text: "go 1.21\n", want: "repeated go statement"},
		{name: "bad go line", file: "go.work", text: "=go 1\nuse ./a\n", want: "invalid go version"},
		{name: "bad tool", file: "x/go.mod", text: "tool \"a b\"\n", want: "tool \"a b\""},
		{name: "tool", file: "x/go.mod", text: "tool example.com/d/cmd\n"},
		{name: "replaces what is used", file: "go.work", text: "replace example.com/a => ./x\n", want: "is used and replaced at all versions"},
		{name: "replaces a version of what is used", file: "go.work", text: "replace example.com/a v1.0.0 => ./x\n"},
		{name: "replaced by go.work", file: "go.work", text: "replace example.com/d => ./x\n"},
		{name: "two replacements in go.work", file: "go.work", text: "replace example.com/d => ./x\nreplace example.com/d => ./a\n", want: "two replacements"},
		{name: "short version in go.work", file: "go.work", text: "replace example.com/d v1 => ./x\n"},
		{name: "one replacement", file: "x/go.mod", text: "replace example.com/d => ../b\n"},
		{name: "the same replacement", file: "x/go.mod", text: "replace example.com/d => ../b\nreplace example.com/y => example.com/d v1.0.0\n"},
		{name: "another replacement", file: "x/go.mod", text: "replace example.com/y => ../b\n", want: "conflicting replacements of example.com/y: example.com/d@v1.0.0 (in "},
		{name: "another replacement that is overridden", file: "x/go.mod", text: "replace example.com/z => ../b\n"},
		{name: "replaces a version", file: "x/go.mod", text: "replace example.com/d v1.0.0 => ../b\n"},
		{name: "a module of none", gowork: "none/go.work", want: "no such file"},
		{name: "elsewhere", gowork: "other/my.work"},
		{name: "not absolute", gowork: "./go.work", want: "is not an absolute path"},
	}
	for _, tt := range tests {
		w := newGoWorld(t)
		w.publish(mod("example.com/d", "v1.0.0"), "", nil)
		w.sub = "here"
		dir := t.TempDir()
		files := map[string]string{"other/my.work": "go 1.21\nuse ../here/a\n", "here/a/a.go": "package a\n"}
		for name, data := range base {
			files[name] = data
		}
		if strings.HasPrefix(tt.file, "x/") {
			files["here/go.work"] += "use ./x\nreplace example.com/z => ./a\n"
			files["here/a/go.mod"] += "replace example.com/y => example.com/d v1.0.0\nreplace example.com/z => ./no\n"
		}
		if text, ok := strings.CutPrefix(tt.text, "="); ok {
			files["here/"+tt.file] = text
		} else if tt.file != "" {
			files["here/"+tt.file] += text
		}
		writeTree(t, dir, files)
		req := Request{Dir: filepath.Join(dir, "here"), Env: Env{GOFLAGS: tt.flag, GOMODCACHE: w.cache().Root}}
		args := []string{"list", "-m", "all"}
		if tt.flag != "" {
			args = []string{"list", tt.flag, "-m", "all"}
		}
		if tt.gowork != "" {
			req.Env.GOWORK = tt.gowork
			if !strings.HasPrefix(tt.gowork, ".") {
				req.Env.GOWORK = filepath.Join(dir, tt.gowork)
			}
			w.env = []string{"GOWORK=" + req.Env.GOWORK}
		}
		_, stderr, goErr := w.runIn(dir, args...)
		_, err := Load(req)
		if (err == nil) != (goErr == nil) || (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q; the go command: %v\n%s", tt.name, err, tt.want, goErr, stderr)
		}
	}
}

// Of sum files that contradict each other, the go command takes the first line of
// go.work.sum, and where that file has none it demands that all agree. That they do not is
// told in each case.
func TestWorkspaceSumsOracle(t *testing.T) {
	w := newGoWorld(t)
	d := mod("example.com/d", "v1.0.0")
	w.publish(d, "", nil)
	project := map[string]string{
		"go.work":  "go 1.21\nuse ./a\nuse ./b\n",
		"a/go.mod": "module example.com/a\ngo 1.21\nrequire example.com/d v1.0.0\n",
		"b/go.mod": "module example.com/b\ngo 1.21\nrequire example.com/d v1.0.0\n",
		"a/a.go":   "package a\n\nimport _ \"example.com/d\"\n",
	}
	truth := w.download(project)[d].Sum
	line := func(sum string) string { return fmt.Sprintf("example.com/d v1.0.0 %s\n", sum) }
	lie := h1("lie")
	for _, tt := range []struct {
		work, a, b string
		ok         bool // to the go command
		sum, file  string
		differ     string
	}{
		{"", "", "", true, "", "", ""},
		{line(truth), "", "", true, truth, "go.work.sum", ""},
		{"", line(truth), "", true, truth, "a/go.sum", ""},
		{"", "", line(truth), true, truth, "b/go.sum", ""},
		{line(truth), line(truth), line(truth), true, truth, "go.work.sum", ""},
		{line(lie), "", "", false, lie, "go.work.sum", ""},
		{"", line(lie), "", false, lie, "a/go.sum", ""},
		{"", "", line(lie), false, lie, "b/go.sum", ""},
		{line(truth), line(lie), "", true, truth, "go.work.sum", "go.work.sum, a/go.sum"},
		{line(lie), line(truth), line(truth), false, lie, "go.work.sum", "go.work.sum, a/go.sum, b/go.sum"},
		{line(truth) + line(lie), "", "", true, truth, "go.work.sum", "go.work.sum"},
		{line(lie) + line(truth), "", "", false, lie, "go.work.sum", "go.work.sum"},
		{"", line(truth), line(lie), false, truth, "a/go.sum", "a/go.sum, b/go.sum"},
		{"", line(lie), line(truth), false, lie, "a/go.sum", "a/go.sum, b/go.sum"},
		{"", line(truth) + line(lie), "", false, truth, "a/go.sum", "a/go.sum"},
	} {
		project["go.work.sum"], project["a/go.sum"], project["b/go.sum"] = tt.work, tt.a, tt.b
		_, stderr, err := w.run(project, "list", "-deps", "./a")
		if (err == nil) != tt.ok || !tt.ok && !strings.Contains(stderr, "checksum mismatch") {
			t.Errorf("%+v: the go command: %v\n%s", tt, err, stderr)
		}
		p, err := w.load(project, Request{})
		if err != nil {
			t.Fatal(err)
		}
		if m := p.Modules[0]; m.Sum != tt.sum || m.SumFile != tt.file || m.SumsDiffer != tt.differ {
			t.Errorf("%+v: %+v", tt, m)
		}
		want := tt.differ != ""
		if got := len(p.Sums.Conflicts()) > 0; got != want || len(p.Sums.Lookup(d)) > 1 != want {
			t.Errorf("%+v: conflicts %v, sums %v", tt, p.Sums.Conflicts(), p.Sums.Lookup(d))
		}
	}
}

// Where the workspace's files may be links, the project is what they lead to; and what lies
// in the tree is told by the folder of go.work, whatever modules lie outside of it.
func TestWorkspaceInTree(t *testing.T) {
	work := t.TempDir()
	writeTree(t, work, map[string]string{
		"here/go.work": "go 1.21\nuse ./a\nuse ../other\n",
		"here/a/go.mod": "module example.com/a\ngo 1.21\nrequire (\n in v0.0.0\n out v0.0.0\n beside v0.0.0\n example.com/other v0.0.0\n elsewhere v0.0.0\n)\n" +
			"replace (\n in => ./in\n out => ../../other/out\n beside => ../../other\n example.com/other => ../../other\n)\n",
		"other/go.mod": "module example.com/other\ngo 1.21\n", "other/out/go.mod": "module out\n", "here/a/in/go.mod": "module in\n",
		"here/a/sub/x": "", "here/elsewhere/go.mod": "module elsewhere\n",
	})
	goWork := filepath.Join(work, "here", "go.work")
	if err := os.WriteFile(goWork, []byte("go 1.21\nuse ./a\nuse ../other\nreplace elsewhere => ./elsewhere\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	p, err := Load(Request{Dir: filepath.Join(work, "here", "a", "sub"), Env: Env{GOMODCACHE: work}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{"in": true, "out": false, "beside": false, "elsewhere": true}
	for _, m := range p.Modules {
		if in, ok := want[m.Path]; !ok || m.InTree != in || m.GoModOnly {
			t.Errorf("%+v", m)
		}
	}
	mains := []MainModule{{"example.com/a", filepath.Join(work, "here", "a"), "1.21"}, {"example.com/other", filepath.Join(work, "other"), "1.21"}}
	if len(p.Modules) != len(want) || p.Work != goWork || p.Dir != filepath.Dir(goWork) || !slices.Equal(p.Mains, mains) || p.Main != "" || p.ModFile != "" {
		t.Errorf("%d modules of %+v", len(p.Modules), p)
	}
}

// A workspace holds each of its limits, and not one more.
func TestWorkspaceLimits(t *testing.T) {
	uses := func(n int) []byte {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "use ./m%d\n", i)
		}
		return []byte(b.String())
	}
	if w, err := parseWork("/go.work", uses(maxMains)); err != nil || len(w.use) != maxMains {
		t.Errorf("at the limit: %v", err)
	}
	if _, err := parseWork("/go.work", uses(maxMains+1)); err == nil || !strings.Contains(err.Error(), "more than 10000 modules") {
		t.Errorf("one over: %v", err)
	}
	for size, ok := range map[int]bool{maxUseName: true, maxUseName + 1: false} {
		if _, err := parseWork("/go.work", []byte("use ./"+strings.Repeat("x", size-2)+"\n")); (err == nil) != ok {
			t.Errorf("directory of %d bytes: %v", size, err)
		}
	}
	for size, ok := range map[int]bool{maxGoWork: true, maxGoWork + 1: false} {
		dir := t.TempDir()
		text := "go 1.21\nuse ./a\n//"
		writeTree(t, dir, map[string]string{"go.work": text + strings.Repeat("x", size-len(text)), "a/go.mod": "module a\n"})
		if _, err := Load(Request{Dir: dir}); (err == nil) != ok {
			t.Errorf("go.work of %d bytes: %v", size, err)
		}
	}
}

// All go.mod files of a workspace, and all its sum files, may have so many bytes and not one
// more; the go.mod files so many lines too.
func TestWorkspaceBytes(t *testing.T) {
	dir := t.TempDir()
	const goMods, sums = len("module a\n") + len("module bb\n"), 30
	writeTree(t, dir, map[string]string{
		"a/go.mod": "module a\n", "b/go.mod": "module bb\n",
		"a/go.sum": strings.Repeat("\n", 10), "b/go.sum": strings.Repeat("\n", 10), "go.work.sum": strings.Repeat("\n", 10),
	})
	w, err := parseWork(filepath.Join(dir, "go.work"), []byte("use ./a\nuse ./b\n"))
	if err != nil || w.maxBytes != maxMainBytes {
		t.Fatal(err, w.maxBytes)
	}
	for size, ok := range map[int]bool{goMods: true, goMods - 1: false} {
		w.maxBytes = size
		if _, err := w.readMains(); (err == nil) != ok || !ok && !strings.Contains(err.Error(), "go.mod files of more than 18 bytes in all") {
			t.Errorf("go.mod files within %d bytes: %v", size, err)
		}
	}
	w.maxBytes = goMods
	if w.maxLines != maxMainLines {
		t.Error(w.maxLines)
	}
	for lines, ok := range map[int]bool{2: true, 1: false} {
		w.maxLines = lines
		if _, err := w.readMains(); (err == nil) != ok || !ok && !strings.Contains(err.Error(), "go.mod files of more than 1 lines in all") {
			t.Errorf("go.mod files within %d lines: %v", lines, err)
		}
	}
	for size, ok := range map[int]bool{sums: true, sums - 1: false} {
		w.maxBytes = size
		if _, err := w.readSums(); (err == nil) != ok || !ok && !strings.Contains(err.Error(), "more than 29 bytes in all") {
			t.Errorf("sum files within %d bytes: %v", size, err)
		}
	}
}

// Text of a go.work file reaches a terminal only escaped and cut.
func TestWorkspaceHostileText(t *testing.T) {
	for _, text := range []string{
		"go 1.21\n\x1b[31m x\n",
		"use \"./\\x1b[31m\"\n",
		"use \"\"\n",
		"use ./a\nreplace example.com/\x1b[31m => ./x\n",
		"use ./a\nreplace \"example.com/\\x1b[31m\" => \"./\\x1b[31m\"\n",
		"go \x1b[31m\n",
		"toolchain \x1b[31m\n",
		"use ./a\nreplace example.com/a => ./\x1b[31m\nreplace example.com/a => ./\x1b[32m\n",
		"use ./" + strings.Repeat("x", 1<<16) + "\n",
		"use ./a\n" + strings.Repeat("x", 1<<16) + " x\n",
	} {
		dir := t.TempDir()
		writeTree(t, dir, map[string]string{"go.work": text, "a/go.mod": "module example.com/a\n\x1b[31m x\n"})
		_, err := Load(Request{Dir: dir, Env: Env{GOMODCACHE: dir}})
		if err == nil || strings.ContainsRune(err.Error(), 0x1b) || len(err.Error()) > 1000 {
			t.Errorf("%.60q: %.2000v", text, err)
		}
	}
}

// A workspace's graph ends although it has circles, and holds the limit of the steps in
// which it settles.
func TestSettleLimits(t *testing.T) {
	gomods := map[string]string{
		"example.com/a@v1.0.0": "module example.com/a\ngo 1.17\nrequire example.com/b v1.1.0\n",
		"example.com/a@v1.1.0": "module example.com/a\ngo 1.17\nrequire example.com/b v1.1.0\n",
		"example.com/b@v1.0.0": "module example.com/b\ngo 1.17\n",
		"example.com/b@v1.1.0": "module example.com/b\ngo 1.17\nrequire example.com/a v1.1.0\nrequire example.com/b v1.0.0\n",
	}
	graph := func(steps int) *graph {
		g := fakeGraph(t, gomods, "example.com/a@v1.0.0", "example.com/b@v1.0.0")
		g.mains.work = &workFile{dir: "/"}
		g.mains.list[0].goVersion = "1.17"
		g.limits.steps = steps
		return g
	}
	exact := 0
	for g := graph(0); g.load() != nil; g = graph(exact) {
		if exact++; exact > 1000 {
			t.Fatal("does not settle")
		}
	}
	if err := graph(exact - 1).load(); err == nil || !strings.Contains(err.Error(), "does not settle") {
		t.Errorf("%d steps: %v", exact-1, err)
	}
	g := graph(exact)
	if err := g.load(); err != nil || g.selected["example.com/a"] != "v1.1.0" || g.selected["example.com/b"] != "v1.1.0" {
		t.Errorf("%d steps: %v, %v", exact, err, g.selected)
	}
	if exact < 4 {
		t.Errorf("%d steps: nothing had to settle", exact)
	}
}

// A go.mod of a module that is needed and not at hand is told, in a workspace too.
func TestWorkspaceMissing(t *testing.T) {
	dir := t.TempDir()
	writeTree(t, dir, map[string]string{"go.work": "go 1.21\nuse ./a\n", "a/go.mod": "module a\ngo 1.21\nrequire example.com/d v1.0.0\n"})
	_, err := Load(Request{Dir: dir, Env: Env{GOMODCACHE: filepath.Join(dir, "cache")}})
	if e, ok := errors.AsType[*MissingGoModError](err); !ok || len(e.Modules) != 1 || e.Modules[0] != mod("example.com/d", "v1.0.0") {
		t.Errorf("got %v", err)
	}
}
