package modhash_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/dirhash"

	"github.com/modseal/modseal/internal/modhash"
)

// ways runs a test of trees once for each way to read a folder.
func ways(t *testing.T, test func(t *testing.T, newHasher func(modhash.Options) *modhash.Hasher)) {
	t.Run("system", func(t *testing.T) { test(t, modhash.New) })
	t.Run("os.Root", func(t *testing.T) {
		test(t, func(o modhash.Options) *modhash.Hasher {
			h := modhash.New(o)
			h.UseRoot()
			return h
		})
	})
}

// Each change of a tree, and nothing else, is in the difference to what it was.
func TestTreeChanges(t *testing.T) {
	want, err := modhash.New(modhash.Options{}).Tree(t.Context(), small.writeTree(t), m)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(content)
		diff   string
	}{
		{"nothing", func(content) {}, ""},
		{"changed", func(c content) { c["m.go"] = "package n\n" }, "changed m.go"},
		{"emptied", func(c content) { c["m.go"] = "" }, "changed m.go"},
		{"missing", func(c content) { delete(c, "sub/deep/a.go") }, "missing sub/deep/a.go"},
		{"extra", func(c content) { c["sub/deep/b_test.go"] = "" }, "extra sub/deep/b_test.go"},
		{"hidden", func(c content) { c[".git/config"] = "" }, "extra .git/config"},
		{"go.mod below the root", func(c content) { c["sub/go.mod"] = "" }, "extra sub/go.mod"},
		{"swapped", func(c content) { c["m.go"], c["LICENSE"] = c["LICENSE"], c["m.go"] }, "changed LICENSE, changed m.go"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ways(t, func(t *testing.T, newHasher func(modhash.Options) *modhash.Hasher) {
				c := maps.Clone(small)
				test.change(c)
				dir := c.writeTree(t)
				// Empty folders don't count.
				if err := os.MkdirAll(filepath.Join(dir, "nothing", "in", "it"), 0o777); err != nil {
					t.Fatal(err)
				}
				got, err := newHasher(modhash.Options{}).Tree(t.Context(), dir, m)
				if err != nil {
					t.Fatal(err)
				}
				var diff []string
				for _, change := range modhash.Diff(want.Listing, got.Listing) {
					diff = append(diff, change.Kind.String()+" "+change.Name)
				}
				if s := strings.Join(diff, ", "); s != test.diff {
					t.Errorf("got %s, want %s", s, test.diff)
				}
				if h, err := dirhash.HashDir(dir, m.String(), dirhash.Hash1); err != nil || h != got.Listing.H1().String() {
					t.Errorf("h1 is %v, HashDir says %s, %v", got.Listing.H1(), h, err)
				}
			})
		})
	}
}

// A file with a name that a module can't have is refused, not left out.
func TestTreeNames(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no such names")
	}
	tests := map[string]string{
		"a:b.go":      `"a:b.go": not a valid file name in a module: invalid char ':'`,
		"a\nb.go":     `"a\nb.go": not a valid file name in a module: invalid char '\n'`,
		"con":         `"con": not a valid file name in a module: "con" disallowed as path element component on Windows`,
		"x./a.go":     `"x./a.go": not a valid file name in a module: trailing dot in path element`,
		"sub\\a.go":   `"sub\\a.go": not a valid file name in a module: invalid char '\\'`,
		"sub/…/a.go":  `"sub/…/a.go": not a valid file name in a module: invalid char '…'`,
		"a\xff/b/c.s": `"a\xff/b/c.s": not a valid file name in a module: invalid UTF-8`,
	}
	for name, want := range tests {
		c := maps.Clone(small)
		c[name] = ""
		_, err := modhash.New(modhash.Options{}).Tree(t.Context(), c.writeTree(t), m)
		wantProblem(t, err, want)
	}
}

// No tree is not the same as a bad tree, nor as an empty one.
func TestTreeMissing(t *testing.T) {
	ways(t, func(t *testing.T, newHasher func(modhash.Options) *modhash.Hasher) {
		h := newHasher(modhash.Options{})
		for _, dir := range []string{filepath.Join(t.TempDir(), "none"), ""} {
			if _, err := h.Tree(t.Context(), dir, m); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%q: %v", dir, err)
			}
		}
		_, err := h.Tree(t.Context(), t.TempDir(), m)
		wantProblem(t, err, "no files")
		_, err = h.Tree(t.Context(), writeZip(t, nil), m)
		wantProblem(t, err, "the tree itself: not a folder")
	})
}

// What happens to a tree while it is read is seen, and is never taken for a tree that does not exist.
func TestTreeChangedWhileRead(t *testing.T) {
	large := strings.Repeat("0123456789abcdef", 64<<10) // 1 MiB
	at := func(dir string) string { return filepath.Join(dir, "sub", "a.go") }
	type hooks = modhash.Hooks
	tests := []struct {
		name  string
		hooks func(dir string) hooks
		want  string
	}{
		{"not at all", func(dir string) hooks { return hooks{BeforeOpen: func(string) error { return nil }} }, ""},
		{"file removed", func(dir string) hooks {
			return hooks{BeforeOpen: func(name string) error {
				return ifName(name, "a.go", func() error { return os.Remove(at(dir)) })
			}}
		}, `"sub/a.go": went away while the tree was read`},
		{"file became a folder", func(dir string) hooks {
			return hooks{BeforeOpen: func(name string) error {
				return ifName(name, "a.go", func() error { return errors.Join(os.Remove(at(dir)), os.Mkdir(at(dir), 0o777)) })
			}}
		}, `"sub/a.go": not a regular file`},
		{"folder removed", func(dir string) hooks {
			return hooks{BeforeChild: func(string) error { return os.RemoveAll(filepath.Join(dir, "sub")) }}
		}, `"sub": went away while the tree was read`},
		{"folder became a file", func(dir string) hooks {
			return hooks{BeforeChild: func(string) error {
				sub := filepath.Join(dir, "sub")
				return errors.Join(os.RemoveAll(sub), os.WriteFile(sub, nil, 0o666))
			}}
		}, `"sub": not a folder`},
		{"no permission", func(dir string) hooks {
			return hooks{BeforeOpen: func(name string) error {
				denied := &fs.PathError{Op: "open", Path: "a.go", Err: fs.ErrPermission}
				return ifName(name, "a.go", func() error { return denied })
			}}
		}, `"sub/a.go": can't be read: open a.go: permission denied`},
		{"listed twice", func(dir string) hooks {
			return hooks{AfterList: func(e []fs.DirEntry) []fs.DirEntry { return append(e, e...) }}
		}, "\"a.go\": listed twice, by a folder that is being changed\n" +
			`"sub/a.go": listed twice, by a folder that is being changed`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ways(t, func(t *testing.T, newHasher func(modhash.Options) *modhash.Hasher) {
				dir := content{"sub/a.go": "package a\n"}.writeTree(t)
				if test.name == "listed twice" {
					dir = content{"a.go": "", "sub/a.go": ""}.writeTree(t)
				}
				h := newHasher(modhash.Options{Workers: 1})
				h.SetHooks(test.hooks(dir))
				_, err := h.Tree(t.Context(), dir, m)
				if test.want == "" {
					if err != nil {
						t.Fatal(err)
					}
					return
				}
				if errors.Is(err, fs.ErrNotExist) {
					t.Error("as if there were no tree")
				}
				wantProblem(t, err, test.want)
				if test.name == "no permission" && !errors.Is(err, fs.ErrPermission) {
					t.Error("does not wrap fs.ErrPermission")
				}
			})
		})
	}
	sizes := map[string]func(path string) error{
		"grows":   func(path string) error { return os.WriteFile(path, []byte(large+"x"), 0o666) },
		"shrinks": func(path string) error { return os.Truncate(path, 300<<10) },
	}
	for name, change := range sizes {
		t.Run(name, func(t *testing.T) {
			ways(t, func(t *testing.T, newHasher func(modhash.Options) *modhash.Hasher) {
				dir := content{"sub/a.go": large}.writeTree(t)
				var once sync.Once
				h := newHasher(modhash.Options{Progress: func(int64) {
					once.Do(func() {
						if err := change(at(dir)); err != nil {
							t.Error(err)
						}
					})
				}})
				_, err := h.Tree(t.Context(), dir, m)
				wantProblem(t, err, `"sub/a.go": changed while it was read`)
			})
		})
	}
}

func ifName(name, want string, do func() error) error {
	if name != want {
		return nil
	}
	return do()
}

// A file or folder that can't be read is refused and named, along with all others.
func TestTreeUnreadable(t *testing.T) {
	if os.Getuid() <= 0 {
		t.Skip("this user may read everything; TestTreeChangedWhileRead has a hook instead")
	}
	dir := small.writeTree(t)
	for _, name := range []string{"m.go", "sub/deep", "sub-x/é.go"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.Chmod(path, 0); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Chmod(path, 0o777) })
	}
	_, err := modhash.New(modhash.Options{}).Tree(t.Context(), dir, m)
	if len(problemsOf(t, err)) != 3 || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v", err)
	}
}

// A folder that is not a module is hashed by the same rules; nothing about it is a module's.
func TestFolder(t *testing.T) {
	c := content{"modules.txt": "# a\n", "a.example/b/c.go": "package c\n", "a.example/LICENSE": "", "a.example/b/go.mod": ""}
	dir := c.writeTree(t)
	h := modhash.New(modhash.Options{})
	got, err := h.Folder(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range got.Files {
		names = append(names, f.Name)
	}
	size := int64(len(c["modules.txt"] + c["a.example/b/c.go"]))
	if want := slices.Sorted(maps.Keys(c)); !slices.Equal(names, want) || got.Bytes != size {
		t.Errorf("got %q, %d bytes; want %q", names, got.Bytes, want)
	}
	writeFile(t, filepath.Join(dir, "a.example", "LPT1"), nil)
	_, err = h.Folder(t.Context(), dir)
	wantProblem(t, err, `"a.example/LPT1": not a valid file name in a module: "LPT1" disallowed as path element component on Windows`)
	if got, err := h.Folder(t.Context(), t.TempDir()); err != nil || len(got.Files) != 0 {
		t.Errorf("empty folder: %v, %v", got, err)
	}
}
