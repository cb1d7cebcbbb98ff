package gomod

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A story of testdata/load is a txtar file: the first lines say what it shows, then come
// the files. Three have a meaning of their own:
//
//	request   lines of a name and a value: dir, mod, modfile, zips, or a field of Env
//	want      the dependency set, as describe writes it
//	error     the error, and after "hint: " the hint that goes with it
//
// $WORK stands for the directory in which the files are laid out. The module cache is
// $WORK/cache, the project is $WORK/project unless the request says otherwise.
func TestLoad(t *testing.T) {
	stories, err := filepath.Glob("testdata/load/*.txtar")
	if err != nil || len(stories) < 40 {
		t.Fatalf("%d stories, %v", len(stories), err)
	}
	for _, story := range stories {
		t.Run(strings.TrimSuffix(filepath.Base(story), ".txtar"), func(t *testing.T) {
			work, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			files := map[string]string{}
			for name, data := range readTxtar(t, story) {
				files[name] = strings.ReplaceAll(data, "$WORK", work)
			}
			want, wantErr := files["want"], files["error"]
			req := requestOf(t, work, files)
			delete(files, "want")
			delete(files, "error")
			delete(files, "request")
			writeTree(t, work, files)
			if req.Zips != nil {
				if req.Zips, err = OpenZipDir(req.Zips.root); err != nil {
					t.Fatal(err)
				}
			}

			p, err := Load(req)
			if err != nil {
				if got := describeError(err); got != wantErr {
					t.Fatalf("got error:\n%swant:\n%s%s", got, want, wantErr)
				}
				return
			}
			if got := describe(p); wantErr != "" || got != want {
				t.Errorf("got:\n%swant:\n%s%s", got, want, wantErr)
			}
		})
	}
}

// requestOf reads the request of a story.
func requestOf(t *testing.T, work string, files map[string]string) Request {
	t.Helper()
	req := Request{Dir: filepath.Join(work, "project"), Env: Env{GOMODCACHE: filepath.Join(work, "cache")}}
	for line := range strings.Lines(files["request"]) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch name {
		case "dir":
			req.Dir = filepath.Join(work, value)
		case "mod":
			req.Mod = value
		case "modfile":
			req.ModFile = value
		case "zips":
			req.Zips = &ZipDir{root: filepath.Join(work, value)}
		case "GOFLAGS":
			req.Env.GOFLAGS = value
		case "GOWORK":
			req.Env.GOWORK = value
		case "GO111MODULE":
			req.Env.GO111MODULE = value
		default:
			t.Fatalf("request has no %q", name)
		}
	}
	return req
}

func describeError(err error) string {
	text := err.Error() + "\n"
	if e, ok := errors.AsType[*UnsupportedError](err); ok {
		text += "hint: " + e.Hint + "\n"
	}
	if e, ok := errors.AsType[*MissingGoModError](err); ok {
		text += "hint: " + e.Hint + "\n"
	}
	return text
}

// describe writes a project, a line for each module.
func describe(p *Project) string {
	var b strings.Builder
	if p.Work == "" {
		fmt.Fprintf(&b, "main %s", p.Main)
	} else {
		fmt.Fprintf(&b, "work %s of ", p.Work)
		var mains []string
		for _, m := range p.Mains {
			main := m.Path
			if m.GoVersion != "" {
				main += " go " + m.GoVersion
			}
			mains = append(mains, main)
		}
		b.WriteString(strings.Join(mains, ", ") + ";")
	}
	if p.GoVersion != "" {
		fmt.Fprintf(&b, " go %s", p.GoVersion)
	}
	if p.Toolchain != "" {
		fmt.Fprintf(&b, " toolchain %s", p.Toolchain)
	}
	fmt.Fprintf(&b, " -mod=%s", p.Mod)
	if p.Pruned {
		fmt.Fprint(&b, " pruned")
	}
	for _, m := range p.Modules {
		b.WriteString("\n" + describeModule(m))
	}
	return b.String() + "\n"
}

func describeModule(m Module) string {
	words := []string{m.Path}
	if m.LocalDir != "" {
		words = append(words, "dir", m.LocalDir, "out of tree")
		if m.InTree {
			words[len(words)-1] = "in tree"
		}
	}
	if m.Version != "" {
		words = append(words, m.Version)
	}
	if m.Required != mod(m.Path, m.Version) {
		words = append(words, "for", m.Required.String())
	}
	if m.Direct {
		words = append(words, "direct")
	}
	if m.GoModOnly {
		words = append(words, "go.mod only")
	}
	if m.Sum != "" {
		words = append(words, "sum="+m.Sum[3:7])
	}
	if m.GoModSum != "" {
		words = append(words, "go.mod="+m.GoModSum[3:7])
	}
	if m.SumsDiffer != "" {
		words = append(words, "differs in "+m.SumsDiffer)
	}
	if m.GoModRead != "" {
		words = append(words, "read")
	}
	return strings.Join(words, " ")
}

// Text of a go.mod file reaches a terminal only escaped and cut.
func TestLoadHostileText(t *testing.T) {
	for _, text := range []string{
		"module p\n\x1b[31m x\n",
		"module p\nrequire \x1b[31m v1.0.0\n",
		"module p\nrequire \"example.com/\\x1b[31m\" v1.0.0\n",
		"module p\nrequire example.com/a v1.0.0\x1b[31m\n",
		"module p\ngo \x1b[31m\n",
		"module p\nreplace example.com/a => example.com/b \x1b[31m\n",
		"module \"\\x1b[31m\"\n",
		"module p\nrequire example.com/a v1.0.0\nreplace example.com/a => \"./\\x1b[31m\"\n",
		"module p\nrequire example.com/b v1.0.0\nreplace example.com/b => \"\\x1b[31m\" v1.0.0\n",
		"module p\n" + strings.Repeat("x", 1<<16) + " x\n",
		"module p\nrequire example.com/" + strings.Repeat("x", 1<<16) + " v1\n",
	} {
		dir := t.TempDir()
		writeTree(t, dir, map[string]string{"go.mod": text})
		_, err := Load(Request{Dir: dir, Env: Env{GOMODCACHE: dir}})
		if err == nil || strings.ContainsRune(err.Error(), 0x1b) || len(err.Error()) > 1000 {
			t.Errorf("%.60q: %.2000v", text, err)
		}
	}
}

// Whether a directory lies in the project is decided after links are followed, on both
// sides, and not by the names.
func TestInTree(t *testing.T) {
	work := t.TempDir()
	writeTree(t, work, map[string]string{
		"project/go.mod": "module p\ngo 1.21\n" +
			"require (\n in v0.0.0\n out v0.0.0\n self v0.0.0\n prefix v0.0.0\n through v0.0.0\n)\n" +
			"replace (\n in => ./in\n out => ./out\n self => ./\n prefix => ../project2\n through => ../link/in\n)\n",
		"project/in/go.mod": "",
		"project2/go.mod":   "",
	})
	for link, target := range map[string]string{"project/out": "../project2", "link": "project"} {
		if err := os.Symlink(target, filepath.Join(work, link)); err != nil {
			t.Skip("NOT CHECKED: no symbolic links here:", err)
		}
	}
	for _, dir := range []string{"project", "link"} {
		p, err := Load(Request{Dir: filepath.Join(work, dir)})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]bool{"in": true, "out": false, "self": true, "prefix": false, "through": true}
		for _, m := range p.Modules {
			if m.InTree != want[m.Path] || !filepath.IsAbs(m.LocalDir) || m.Version != "" {
				t.Errorf("in %s: %+v", dir, m)
			}
		}
		if len(p.Modules) != len(want) || p.Dir != filepath.Join(work, dir) {
			t.Errorf("in %s: %d modules of %s", dir, len(p.Modules), p.Dir)
		}
	}
}

// What was read as a go.mod is told by its hash, so that a caller needn't read again what
// may have changed meanwhile.
func TestGoModRead(t *testing.T) {
	work := t.TempDir()
	writeTree(t, work, map[string]string{
		"p/go.mod": "module p\nrequire example.com/a v1.0.0\n",
		"c/cache/download/example.com/a/@v/v1.0.0.mod": "module example.com/a\n",
	})
	// The h1 is that of the listing "<sha256 of the file>  go.mod\n".
	const want = "h1:NeOsx/KTizj35klXP3wYh3O0751aAtYrRoX+a6YAye8="
	p, err := Load(Request{Dir: filepath.Join(work, "p"), Cache: &Cache{Root: filepath.Join(work, "c")}})
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Modules[0].GoModRead; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A go.mod in the cache that is no regular file is not read; the project's own may be a
// link, as the go command allows.
func TestLoadLinks(t *testing.T) {
	work := t.TempDir()
	writeTree(t, work, map[string]string{
		"elsewhere/real.mod":                  "module p\nrequire example.com/a v1.0.0\n",
		"elsewhere/a.mod":                     "module example.com/a\n",
		"p/x":                                 "",
		"c/cache/download/example.com/a/@v/x": "",
	})
	link := filepath.Join(work, "c/cache/download/example.com/a/@v/v1.0.0.mod")
	for name, target := range map[string]string{filepath.Join(work, "p/go.mod"): "elsewhere/real.mod", link: "elsewhere/a.mod"} {
		if err := os.Symlink(filepath.Join(work, target), name); err != nil {
			t.Skip("NOT CHECKED: no symbolic links here:", err)
		}
	}
	_, err := Load(Request{Dir: filepath.Join(work, "p"), Cache: &Cache{Root: filepath.Join(work, "c")}})
	if e, ok := errors.AsType[*NotRegularError](err); !ok || e.Path != link {
		t.Errorf("got %v, want that %s is a link", err, link)
	}
}

// The search for go.work ends below GOROOT, as that of the go command.
func TestFindUp(t *testing.T) {
	dir := t.TempDir()
	writeTree(t, dir, map[string]string{"go.work": "", "goroot/src/cmd/x": "", "goroot/go.work/x": ""})
	start, goroot := filepath.Join(dir, "goroot", "src", "cmd"), filepath.Join(dir, "goroot")
	if got := findUp(start, "go.work", ""); got != filepath.Join(dir, "go.work") {
		t.Errorf("got %q", got)
	}
	if got := findUp(start, "go.work", goroot); got != "" {
		t.Errorf("got %q from beyond GOROOT", got)
	}
	if got := findUp(goroot, "go.work", goroot); got != filepath.Join(dir, "go.work") {
		t.Errorf("started in GOROOT: got %q", got)
	}
}

// A directory that depends on where the process runs is refused, and so is a module graph
// without a module cache.
func TestLoadNowhere(t *testing.T) {
	dir := t.TempDir()
	writeTree(t, dir, map[string]string{"go.mod": "module p\nrequire example.com/a v1.0.0\n", "empty/go.mod": "module q\n"})
	t.Chdir(dir)
	if _, err := Load(Request{Dir: "empty"}); err == nil {
		t.Error("a relative directory is accepted")
	}
	if _, err := Load(Request{Dir: dir}); err == nil || !strings.Contains(err.Error(), "no module cache") {
		t.Errorf("without a module cache: %v", err)
	}
}

// This repository's own go.mod has a set, all of it with sums.
func TestLoadThisRepository(t *testing.T) {
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	p, err := Load(Request{Dir: wd, Env: Env{GOWORK: "off"}, Mod: "readonly"})
	if err != nil {
		t.Fatal(err)
	}
	if p.Main != "github.com/modseal/modseal" || !p.Pruned || p.Dir != filepath.Dir(filepath.Dir(wd)) {
		t.Errorf("project %s in %s, pruned %v", p.Main, p.Dir, p.Pruned)
	}
	found := false
	for _, m := range p.Modules {
		found = found || m.Path == "golang.org/x/mod"
		if m.GoModSum == "" || m.LocalDir != "" {
			t.Errorf("%+v", m)
		}
	}
	if !found {
		t.Errorf("golang.org/x/mod is missing from %d modules", len(p.Modules))
	}
}
