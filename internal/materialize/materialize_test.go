package materialize

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/mod/module"
)

// Property: no file of a module is a program, but for those of a toolchain that the
// go command runs; nobody can write to any.
func TestMode(t *testing.T) {
	toolchain := module.Version{Path: "golang.org/toolchain", Version: "v0.0.1-go1.26.0.linux-amd64"}
	for name, want := range map[string]fs.FileMode{
		"bin/go": 0o555, "bin/gofmt": 0o555, "pkg/tool/linux_amd64/link": 0o555, "lib/wasm/go_js_wasm_exec": 0o555,
		"VERSION": 0o444, "src/bin/x": 0o444, "lib/wasm/wasm_exec.js": 0o444, "misc/go_js_wasm_exec": 0o444, "pkg/include/x.h": 0o444,
	} {
		if got := mode(toolchain, name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		if got := mode(module.Version{Path: "example.com/m", Version: "v1.0.0"}, name); got != 0o444 {
			t.Errorf("%s of another module: %v", name, got)
		}
	}
}

// Property: what nobody can write to is removed all the same, and links in it are not
// followed.
func TestRemove(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "outside")
	dir := filepath.Join(t.TempDir(), "dir")
	err := errors.Join(
		os.Mkdir(outside, 0o755), os.WriteFile(filepath.Join(outside, "x"), nil, 0o444),
		os.MkdirAll(filepath.Join(dir, "a/b"), 0o755), os.WriteFile(filepath.Join(dir, "a/b/x"), nil, 0o444),
		os.Symlink(outside, filepath.Join(dir, "a/link")), readOnly(dir), os.Chmod(dir, 0o555), os.Chmod(outside, 0o555),
	)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "a/b")); err != nil || info.Mode().Perm() != 0o555 {
		t.Errorf("%v, %v", info, err)
	}
	if err := Remove(dir); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if info, err := os.Stat(outside); err != nil || info.Mode().Perm() != 0o555 {
		t.Errorf("%v, %v", info, err)
	}
	if err := errors.Join(Remove(dir), os.Chmod(outside, 0o755)); err != nil {
		t.Error(err)
	}
}
