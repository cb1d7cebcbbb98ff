package gomod

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

// Whatever the main module's go.mod and those of its dependencies say, Load ends with an
// error or with a set in which each module is told once, in order, and has a name in a
// module cache or a directory.
func FuzzLoad(f *testing.F) {
	stories, err := filepath.Glob("testdata/load/*.txtar")
	if err != nil || len(stories) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, story := range stories {
		files := readTxtar(f, story)
		f.Add([]byte(files["project/go.mod"]), []byte(files["cache/cache/download/example.com/a/@v/v1.0.0.mod"]))
	}
	f.Add([]byte("module m\nmodule n\ngo 1.21\ngo 1.22\nrequire "+strings.Repeat("(\n", 1000)), []byte(strings.Repeat("(", 1000)))
	f.Add([]byte("module m\nrequire (\n"+strings.Repeat("example.com/a v1.0.0\n", 1000)+")\n"), []byte("module example.com/a\n"+strings.Repeat("require example.com/A v1.0.0\n", 1000)))
	dir := f.TempDir()
	cache := &Cache{Root: filepath.Join(dir, "cache")}
	dep, err := cache.Mod(mod("example.com/a", "v1.0.0"))
	if err != nil {
		f.Fatal(err)
	}
	writeTree(f, dir, map[string]string{"project/x": "", "cache/cache/download/example.com/a/@v/x": ""})
	f.Fuzz(func(t *testing.T, gomod, depmod []byte) {
		for name, data := range map[string][]byte{filepath.Join(dir, "project", "go.mod"): gomod, dep: depmod} {
			if err := os.WriteFile(name, data, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		p, err := Load(Request{Dir: filepath.Join(dir, "project"), Cache: cache, Env: Env{GOWORK: "off"}})
		if err != nil {
			if text := err.Error(); strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				t.Errorf("message has control characters: %q", text)
			}
			return
		}
		checkProject(t, p, cache)
		if again, err := modfile.Parse("go.mod", gomod, canonicalOnly); err != nil || again.Module.Mod.Path != p.Main {
			t.Errorf("main module is %q: %v", p.Main, err)
		}
	})
}

func checkProject(t *testing.T, p *Project, cache *Cache) {
	t.Helper()
	if !slices.IsSortedFunc(p.Modules, compareModules) || p.Sums == nil {
		t.Errorf("not in order: %+v", p)
	}
	for i, m := range p.Modules {
		if i > 0 && compareModules(p.Modules[i-1], m) == 0 {
			t.Errorf("twice: %+v", m)
		}
		if m.Required.Path == "" || m.Required.Version == "" || m.GoModOnly && m.Direct {
			t.Errorf("%+v", m)
		}
		switch {
		case m.LocalDir == "":
			name, err := cache.Tree(mod(m.Path, m.Version))
			if err != nil || !strings.HasPrefix(name, cache.Root) {
				t.Errorf("%+v: %s, %v", m, name, err)
			}
			if p.Pruned && (m.GoModOnly || m.GoModRead != "") || !p.Pruned && m.GoModRead == "" && (p.Work == "" || m.GoModOnly) {
				t.Errorf("%+v of a project that is pruned: %v", m, p.Pruned)
			}
		case !filepath.IsAbs(m.LocalDir) || m.Version != "":
			t.Errorf("%+v", m)
		}
	}
}

// Whatever go.work, the go.mod of a module that it uses and its sums say, Load ends with an
// error or with a set in which each module is told once and none is a main module, and of
// each path at most one version's content.
func FuzzWorkspace(f *testing.F) {
	f.Add([]byte("go 1.21\nuse ./a\n"), []byte("module example.com/a\n"), []byte(""))
	f.Add([]byte("go 1.21\ntoolchain go1.22.1\nuse (\n\t./a\n\t./b // comment\n)\nreplace example.com/x v1.0.0 => ./x\n"),
		[]byte("module example.com/a\ngo 1.17\nrequire example.com/b v1.0.0\nrequire example.com/x v1.0.0\n"), []byte("example.com/b v1.0.0 h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"))
	f.Add([]byte("use ./a\nuse ./b\nreplace example.com/c => example.com/b v1.1.0\ngodebug default=go1.21\n"),
		[]byte("module example.com/m\nrequire example.com/c v1.0.0\nreplace example.com/d => ../x\nexclude example.com/b v1.0.0\n"), []byte("x\n"))
	f.Add([]byte("use \"./a\"\nuse `../f/b`\nreplace example.com/d v1.0.0 => ../b\n"), []byte("module example.com/b\nreplace example.com/d => ./d\n"), []byte(""))
	dir := f.TempDir()
	cache := &Cache{Root: filepath.Join(dir, "cache")}
	writeTree(f, dir, map[string]string{
		"b/go.mod": "module example.com/other\ngo 1.17\nrequire example.com/b v1.1.0\nreplace example.com/d v1.0.0 => ../x\n", "a/x": "", "x/go.mod": "",
		"cache/cache/download/example.com/b/@v/v1.0.0.mod": "module example.com/b\nrequire example.com/d v1.0.0\n",
		"cache/cache/download/example.com/b/@v/v1.1.0.mod": "module example.com/b\ngo 1.17\nrequire example.com/d v1.1.0\nrequire example.com/e v1.0.0\n",
		"cache/cache/download/example.com/d/@v/v1.1.0.mod": "module example.com/d\nrequire example.com/a v1.0.0\n",
	})
	f.Fuzz(func(t *testing.T, work, gomod, sums []byte) {
		for name, data := range map[string][]byte{"go.work": work, "a/go.mod": gomod, "a/go.sum": sums} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		p, err := Load(Request{Dir: dir, Cache: cache})
		if err != nil {
			if text := err.Error(); strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				t.Errorf("message has control characters: %q", text)
			}
			return
		}
		checkProject(t, p, cache)
		seen := map[string]bool{}
		for _, m := range p.Mains {
			if seen[m.Path] || !filepath.IsAbs(m.Dir) {
				t.Errorf("%+v", p.Mains)
			}
			seen[m.Path] = true
		}
		again, err := modfile.ParseWork("go.work", work, nil)
		if err != nil || len(again.Use) != len(p.Mains) || p.Work == "" {
			t.Errorf("%d main modules: %v", len(p.Mains), err)
		}
		for _, m := range p.Modules {
			if m.GoModOnly {
				continue
			}
			if path := m.Required.Path; seen[path] {
				t.Errorf("%s is a main module, or there twice", path)
			} else if m.LocalDir == "" && m.Required.Path == m.Path {
				seen[path] = true
			}
		}
	})
}

// Splitting GOFLAGS never fails on what has no quotes, and keeps every word of it.
func FuzzFlags(f *testing.F) {
	for _, s := range []string{"", "-mod=mod -x", `"-modfile=a b.mod"`, `'`, "-overlay=x -mod=", "-C=/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		words, err := splitQuoted(s)
		if !strings.ContainsAny(s, `"'`) {
			want := strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" \t\r\n", r) })
			if err != nil || !slices.Equal(words, want) {
				t.Errorf("%q: got %q, %v", s, words, err)
			}
		}
		flags, err := Env{GOFLAGS: s}.Flags()
		if err == nil && checkMod("", flags.Mod) != nil {
			t.Errorf("%q: %+v", s, flags)
		}
	})
}
