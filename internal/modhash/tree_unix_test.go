//go:build unix && !aix

package modhash_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/modseal/modseal/internal/modhash"
)

// What is not a regular file is refused and named, all of it, wherever it leads; reading never waits for it. dirhash
// hashes what the links lead to.
func TestTreeIrregular(t *testing.T) {
	outside := writeFile(t, filepath.Join(t.TempDir(), "outside.go"), []byte("package outside\n"))
	tests := map[string]struct {
		make func(dir string) error
		want string
	}{
		"link to a file in it":   {symlink("m.go", "n.go"), `"n.go": symbolic link`},
		"link out of it":         {symlink(outside, "n.go"), `"n.go": symbolic link`},
		"link to a folder in it": {symlink("deep", "sub/link"), `"sub/link": symbolic link`},
		"link to its folder":     {symlink(".", "sub/loop"), `"sub/loop": symbolic link`},
		"link to nowhere":        {symlink("nowhere", "n.go"), `"n.go": symbolic link`},
		"link for a file": {func(dir string) error {
			name := filepath.Join(dir, "m.go")
			return errors.Join(os.Rename(name, outside+"2"), os.Symlink(outside+"2", name))
		}, `"m.go": symbolic link`},
		"named pipe": {mknod(syscall.S_IFIFO, "sub/pipe.go"), `"sub/pipe.go": named pipe`},
		"socket":     {mknod(syscall.S_IFSOCK, "sub/socket.go"), `"sub/socket.go": socket`},
		"all at once": {func(dir string) error {
			return errors.Join(mknod(syscall.S_IFIFO, "z.go")(dir), symlink("m.go", "b.go")(dir),
				symlink("x", "sub/deep/x")(dir), mknod(syscall.S_IFSOCK, "sub/s")(dir))
		}, "\"b.go\": symbolic link\n\"sub/deep/x\": symbolic link\n\"sub/s\": socket\n\"z.go\": named pipe"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			ways(t, func(t *testing.T, newHasher func(modhash.Options) *modhash.Hasher) {
				dir := small.writeTree(t)
				if err := test.make(dir); err != nil {
					t.Fatal(err)
				}
				_, err := newHasher(modhash.Options{}).Tree(t.Context(), dir, m)
				wantProblem(t, err, test.want)
				wantProblem(t, newHasher(modhash.Options{}).CopyTree(t.Context(), dir, m, into(t.TempDir())), test.want)
			})
		})
	}
}

func symlink(to, name string) func(dir string) error {
	return func(dir string) error { return os.Symlink(to, filepath.Join(dir, name)) }
}

func mknod(kind uint32, name string) func(dir string) error {
	return func(dir string) error { return syscall.Mknod(filepath.Join(dir, name), kind|0o666, 0) }
}

// A file or folder that becomes something else between being listed and being opened is not followed, and not waited
// for.
func TestTreeReplacedWhileRead(t *testing.T) {
	elsewhere := content{"a.go": "package elsewhere\n"}.writeTree(t)
	tests := map[string]struct {
		folder  bool // replaces the folder sub, or else the file a.go
		replace func(dir string) error
		want    string
	}{
		"file by a pipe":             {false, mknod(syscall.S_IFIFO, "sub/a.go"), `"sub/a.go": not a regular file`},
		"file by a socket":           {false, mknod(syscall.S_IFSOCK, "sub/a.go"), `"sub/a.go": not a regular file`},
		"file by a link":             {false, symlink("b.go", "sub/a.go"), `"sub/a.go": symbolic link`},
		"file by a link out of it":   {false, symlink(filepath.Join(elsewhere, "a.go"), "sub/a.go"), `"sub/a.go": symbolic link`},
		"folder by a link":           {true, symlink("other", "sub"), `"sub": symbolic link`},
		"folder by a link out of it": {true, symlink(elsewhere, "sub"), `"sub": symbolic link`},
		"folder by a pipe":           {true, mknod(syscall.S_IFIFO, "sub"), `"sub": not a folder`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			ways(t, func(t *testing.T, newHasher func(modhash.Options) *modhash.Hasher) {
				if name == "folder by a pipe" && strings.HasSuffix(t.Name(), "os.Root") {
					t.Skip("os.Root.OpenRoot waits for a writer; no system that we need it for has such pipes")
				}
				dir := content{"sub/a.go": "package a\n", "sub/b.go": "package a\n"}.writeTree(t)
				replace := func(what string) error {
					return errors.Join(os.RemoveAll(filepath.Join(dir, what)), test.replace(dir))
				}
				h := newHasher(modhash.Options{Workers: 1})
				if test.folder {
					writeFile(t, filepath.Join(dir, "other", "a.go"), nil)
					h.SetHooks(modhash.Hooks{BeforeChild: func(name string) error {
						return ifName(name, "sub", func() error { return replace("sub") })
					}})
				} else {
					h.SetHooks(modhash.Hooks{BeforeOpen: func(name string) error {
						return ifName(name, "a.go", func() error { return replace("sub/a.go") })
					}})
				}
				done := make(chan error, 1)
				go func() {
					_, err := h.Tree(t.Context(), dir, m)
					done <- err
				}()
				select {
				case err := <-done:
					wantProblem(t, err, test.want)
				case <-time.After(20 * time.Second):
					t.Fatal("waits")
				}
			})
		})
	}
}

// The folder or zip itself may not be a symbolic link either; what leads to it may.
func TestLinkItself(t *testing.T) {
	base := t.TempDir()
	dir, zipPath := small.writeTree(t), writeZip(t, with(t))
	if err := errors.Join(os.Symlink(dir, filepath.Join(base, "tree")), os.Symlink(zipPath, filepath.Join(base, "zip")),
		os.Symlink(filepath.Dir(dir), filepath.Join(base, "cache")), syscall.Mkfifo(filepath.Join(base, "pipe"), 0o666)); err != nil {
		t.Fatal(err)
	}
	ways(t, func(t *testing.T, newHasher func(modhash.Options) *modhash.Hasher) {
		h := newHasher(modhash.Options{})
		for _, end := range []string{"", "/", "//", "/."} {
			_, err := h.Tree(t.Context(), filepath.Join(base, "tree")+end, m)
			wantProblem(t, err, "the tree itself: symbolic link")
		}
		if _, err := h.Tree(t.Context(), filepath.Join(base, "cache", filepath.Base(dir)), m); err != nil {
			t.Error(err)
		}
		_, err := h.Tree(t.Context(), filepath.Join(base, "pipe"), m)
		wantProblem(t, err, "the tree itself: not a folder")
		_, err = h.Zip(t.Context(), filepath.Join(base, "zip"), m)
		wantProblem(t, err, "the zip itself: symbolic link")
		_, _, err = h.Digest(t.Context(), filepath.Join(base, "pipe"))
		wantProblem(t, err, "the zip itself: named pipe")
	})
}
