package export_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/export"
)

// carrying is a bundle of these modules; what each file holds is its own name.
func carrying(t *testing.T, modules ...string) *bundles.Bundle {
	t.Helper()
	b, _ := sample(t, func(p *bundles.Payload) {
		content := map[string]string{}
		add := func(data string) bundles.Content {
			digest := fmt.Sprintf("%x", sha256.Sum256([]byte(data)))
			content[digest] = data
			return bundles.Content{Size: int64(len(data)), SHA256: digest}
		}
		p.Manifest.Modules = nil
		for _, m := range modules {
			path, version, _ := strings.Cut(m, "@")
			zip := add("zip of " + m)
			p.Manifest.Modules = append(p.Manifest.Modules, bundles.Module{Path: path, Version: version, Zip: zip.SHA256, Carried: &bundles.Carried{
				Info: add(fmt.Sprintf("{\"Version\":%q}\n", version)), Mod: add("go.mod of " + m), Zip: zip.Size,
			}})
		}
		p.Manifest.Sort()
		p.Carry = func(f bundles.CarriedFile) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(content[f.SHA256])), nil
		}
	})
	return b
}

func root(t *testing.T, dir string) *os.Root {
	t.Helper()
	r, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// Property: the tree is a module proxy's: escaped names, which keep apart what
// differs in case alone, and lists of the versions without pseudo-versions, in
// the order of versions.
func TestModules(t *testing.T) {
	const pseudo = "v0.0.0-20240102030405-abcdefabcdef"
	b := carrying(t, "example.com/Upper@v1.2.0-RC1", "example.com/upper@v1.2.0", "example.com/upper@v1.10.0", "example.com/upper@v1.9.0", "example.com/upper/sub@"+pseudo)
	dir := t.TempDir()
	n, err := export.Modules(context.Background(), b, root(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	err = fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			data, readErr := os.ReadFile(filepath.Join(dir, name))
			got[name], err = string(data), readErr
		}
		return err
	})
	want := map[string]string{
		"example.com/!upper/@v/list": "v1.2.0-RC1\n", "example.com/upper/@v/list": "v1.2.0\nv1.9.0\nv1.10.0\n", "example.com/upper/sub/@v/list": "",
	}
	size := int64(0)
	for base, m := range map[string]string{
		"example.com/!upper/@v/v1.2.0-!r!c1": "example.com/Upper@v1.2.0-RC1", "example.com/upper/@v/v1.2.0": "example.com/upper@v1.2.0",
		"example.com/upper/@v/v1.10.0": "example.com/upper@v1.10.0", "example.com/upper/@v/v1.9.0": "example.com/upper@v1.9.0", "example.com/upper/sub/@v/" + pseudo: "example.com/upper/sub@" + pseudo,
	} {
		_, version, _ := strings.Cut(m, "@")
		want[base+".zip"], want[base+".mod"], want[base+".info"] = "zip of "+m, "go.mod of "+m, fmt.Sprintf("{\"Version\":%q}\n", version)
		size += int64(len(want[base+".zip"]) + len(want[base+".mod"]) + len(want[base+".info"]))
	}
	if err != nil || !maps.Equal(got, want) || !reflect.DeepEqual(n, export.Written{Modules: 5, Bytes: size}) {
		t.Errorf("%v, %+v: %q; want %q", err, n, got, want)
	}
}

// Property: no file is written over another, none outside of the folder, and
// none after the caller has had enough.
func TestModulesElsewhere(t *testing.T) {
	b := carrying(t, "example.com/m@v1.0.0")
	outside := t.TempDir()
	for name, c := range map[string]struct {
		prepare func(dir string) error
		want    error
	}{
		"a file is there": {func(dir string) error {
			return errors.Join(os.MkdirAll(filepath.Join(dir, "example.com/m/@v"), 0o755), os.WriteFile(filepath.Join(dir, "example.com/m/@v/v1.0.0.mod"), nil, 0o644))
		}, fs.ErrExist},
		"a link leads out":              {func(dir string) error { return os.Symlink(outside, filepath.Join(dir, "example.com")) }, nil},
		"a file in the way of a folder": {func(dir string) error { return os.WriteFile(filepath.Join(dir, "example.com"), nil, 0o644) }, nil},
	} {
		dir := t.TempDir()
		if err := c.prepare(dir); err != nil {
			t.Fatal(err)
		}
		_, err := export.Modules(context.Background(), b, root(t, dir))
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if out, err := os.ReadDir(outside); err != nil || len(out) > 0 {
		t.Errorf("outside: %v, %v", out, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	dir := t.TempDir()
	if _, err := export.Modules(ctx, b, root(t, dir)); !errors.Is(err, context.Canceled) || len(entries(t, dir)) > 0 {
		t.Errorf("cancelled: %v", err)
	}
	if n, err := export.Modules(context.Background(), carrying(t), root(t, dir)); err != nil || n.Modules != 0 {
		t.Errorf("of nothing: %+v, %v", n, err)
	}
}

func entries(t *testing.T, dir string) map[string]bool {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, e := range all {
		out[e.Name()] = true
	}
	return out
}
