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
			if p.Pruned && (m.GoModOnly || m.GoModRead != "") || !p.Pruned && m.GoModRead == "" {
				t.Errorf("%+v of a project that is pruned: %v", m, p.Pruned)
			}
		case !filepath.IsAbs(m.LocalDir) || m.Version != "":
			t.Errorf("%+v", m)
		}
	}
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
