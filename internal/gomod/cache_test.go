package gomod

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/module"
)

// A module's files have the names that the go command gives them.
func TestCacheNames(t *testing.T) {
	c := Cache{Root: filepath.FromSlash("/m")}
	for _, tc := range []struct {
		m          module.Version
		name, tree string // name without its ending
	}{
		{mod("example.com/a", "v1.2.3"), "/m/cache/download/example.com/a/@v/v1.2.3", "/m/example.com/a@v1.2.3"},
		{mod("github.com/BurntSushi/toml", "v1.0.0-RC1"), "/m/cache/download/github.com/!burnt!sushi/toml/@v/v1.0.0-!r!c1", "/m/github.com/!burnt!sushi/toml@v1.0.0-!r!c1"},
		{mod("example.com/a/v2", "v2.0.0"), "/m/cache/download/example.com/a/v2/@v/v2.0.0", "/m/example.com/a/v2@v2.0.0"},
		{mod("example.com/a", "v2.0.0+incompatible"), "/m/cache/download/example.com/a/@v/v2.0.0+incompatible", "/m/example.com/a@v2.0.0+incompatible"},
		{mod("gopkg.in/yaml.v3", "v3.0.1"), "/m/cache/download/gopkg.in/yaml.v3/@v/v3.0.1", "/m/gopkg.in/yaml.v3@v3.0.1"},
		{mod("gopkg.in/check.v1", "v0.0.0-20161208181325-20d25e280405"), "/m/cache/download/gopkg.in/check.v1/@v/v0.0.0-20161208181325-20d25e280405", "/m/gopkg.in/check.v1@v0.0.0-20161208181325-20d25e280405"},
	} {
		for ext, name := range map[string]func(module.Version) (string, error){
			".zip": c.Zip, ".mod": c.Mod, ".info": c.Info, ".ziphash": c.Ziphash, ".partial": c.Partial,
		} {
			if got, err := name(tc.m); err != nil || filepath.ToSlash(got) != tc.name+ext {
				t.Errorf("%s: got %s, %v; want %s", tc.m, got, err, tc.name+ext)
			}
		}
		if got, err := c.Tree(tc.m); err != nil || filepath.ToSlash(got) != tc.tree {
			t.Errorf("%s: got %s, %v; want %s", tc.m, got, err, tc.tree)
		}
		p := Proxy{Root: filepath.FromSlash("/p")}
		if got, err := p.Zip(tc.m); err != nil || filepath.ToSlash(got) != strings.Replace(tc.name, "/m/cache/download", "/p", 1)+".zip" {
			t.Errorf("%s: got %s, %v", tc.m, got, err)
		}
	}
}

// What can't be downloaded has no name in a cache; above all nothing that would lead out
// of it.
func TestCheckModule(t *testing.T) {
	long := "example.com/" + strings.Repeat("long/", 100) + "path"
	if err := CheckModule(mod(long, "v1.0.0")); err != nil {
		t.Errorf("long path: %v", err)
	}
	for _, m := range []module.Version{
		{},
		mod("example.com/a", ""),
		mod("example.com/../../etc", "v1.0.0"),
		mod("example.com/a", "v1.0.0/../../../x"),
		mod("/example.com/a", "v1.0.0"),
		mod("example.com/a/", "v1.0.0"),
		mod("example.com/a\x00", "v1.0.0"),
		mod("example.com/ä", "v1.0.0"),
		mod("nodot", "v1.0.0"),
		mod("go", "v1.21.0"),
		mod("example.com/a", "latest"),
		mod("example.com/a", "v1"),
		mod("example.com/a", "1.0.0"),
		mod("example.com/a", "v1.0.0+meta"),
		mod("example.com/a", "v2.0.0"),
		mod("example.com/a", "v1.0.0+incompatible"),
		mod("example.com/a", "v0.1.0+incompatible"),
		mod("example.com/a/v2", "v1.0.0"),
		mod("example.com/a/v2", "v2.0.0+incompatible"),
		mod("example.com/a/v1", "v1.0.0"),
		mod("gopkg.in/yaml.v3", "v2.0.0"),
		mod("gopkg.in/yaml", "v1.0.0"),
	} {
		if CheckModule(m) == nil {
			t.Errorf("%q is accepted", m)
		}
		if name, err := (Cache{Root: "/m"}).Tree(m); err == nil {
			t.Errorf("%q has the name %s", m, name)
		}
	}
}

// Only a regular file is read, however it is reached; the cache's root may be a link.
func TestRegularFile(t *testing.T) {
	dir := t.TempDir()
	writeTree(t, dir, map[string]string{"root/file": "data"})
	if err := os.Symlink("root", filepath.Join(dir, "link")); err != nil {
		t.Skip("NOT CHECKED: no symbolic links here:", err)
	}
	if err := os.Symlink("file", filepath.Join(dir, "root", "alias")); err != nil {
		t.Fatal(err)
	}
	if info, err := RegularFile(filepath.Join(dir, "link", "file")); err != nil || info.Size() != 4 {
		t.Errorf("behind a link: %v", err)
	}
	for name, is := range map[string]string{"root/alias": "a symbolic link", "root": "a directory", "link": "a symbolic link"} {
		_, err := RegularFile(filepath.Join(dir, name))
		if e, ok := errors.AsType[*NotRegularError](err); !ok || e.Is != is {
			t.Errorf("%s: got %v, want an error that it is %s", name, err, is)
		}
	}
	if _, err := RegularFile(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	for limit, ok := range map[int64]bool{4: true, 3: false} {
		if _, err := ReadRegular(filepath.Join(dir, "root", "file"), limit); (err == nil) != ok {
			t.Errorf("4 bytes with a limit of %d: %v", limit, err)
		}
	}
}
