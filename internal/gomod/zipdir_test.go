package gomod

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// zipsOf makes a directory of zips, and opens it.
func zipsOf(t *testing.T, files map[string]string) (*ZipDir, string, error) {
	t.Helper()
	dir := t.TempDir()
	writeTree(t, dir, files)
	z, err := OpenZipDir(dir)
	return z, dir, err
}

// A module's zip and go.mod are found in each layout, and where the zip has no go.mod,
// the file that a proxy would serve takes its place.
func TestZipDirLayouts(t *testing.T) {
	const gomod = "module example.com/A\n\nrequire example.com/b v1.0.0\n"
	m := mod("example.com/A", "v1.0.0")
	withMod := zipOf(t, map[string]string{"example.com/A@v1.0.0/a.go": "package a\n", "example.com/A@v1.0.0/go.mod": gomod})
	without := zipOf(t, map[string]string{"example.com/A@v1.0.0/a.go": "package a\n", "example.com/A@v1.0.0/sub/go.mod": "module x\n"})
	for _, tc := range []struct {
		name, zip, gomod string
		files            map[string]string
	}{
		{"proxy", "example.com/!a/@v/v1.0.0.zip", "module one\n",
			map[string]string{"example.com/!a/@v/v1.0.0.zip": withMod, "example.com/!a/@v/v1.0.0.mod": "module one\n"}},
		{"module cache", "cache/download/example.com/!a/@v/v1.0.0.zip", "module two\n",
			map[string]string{"cache/download/example.com/!a/@v/v1.0.0.zip": withMod, "cache/download/example.com/!a/@v/v1.0.0.mod": "module two\n"}},
		{"proxy without .mod", "example.com/!a/@v/v1.0.0.zip", gomod,
			map[string]string{"example.com/!a/@v/v1.0.0.zip": withMod}},
		{"flat", "any name.zip", gomod, map[string]string{"any name.zip": withMod, "other.txt": "", "dir.zip/x": ""}},
		{"flat, no go.mod in it", "x.zip", "module example.com/A\n", map[string]string{"x.zip": without}},
		{"mixed", "x.zip", "module three\n",
			map[string]string{"x.zip": withMod, "example.com/!a/@v/v1.0.0.mod": "module three\n"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			z, dir, err := zipsOf(t, tc.files)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := z.Zip(m); err != nil || got != filepath.Join(dir, filepath.FromSlash(tc.zip)) {
				t.Errorf("zip: got %s, %v", got, err)
			}
			if got, err := z.GoMod(m); err != nil || string(got) != tc.gomod {
				t.Errorf("go.mod: got %q, %v; want %q", got, err, tc.gomod)
			}
			for _, other := range []string{"v1.0.1", "v1.0.0-pre"} {
				if _, err := z.Zip(mod(m.Path, other)); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s: %v", other, err)
				}
				if _, err := z.GoMod(mod(m.Path, other)); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s: %v", other, err)
				}
			}
			if _, err := z.Zip(mod("../x", "v1.0.0")); err == nil || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a name that leads out: %v", err)
			}
		})
	}
}

// What a flat zip claims is the beginning of its first name; a file without such a name is
// set aside, and told.
func TestZipDirClaims(t *testing.T) {
	for name, claim := range map[string]string{
		"example.com/a@v1.0.0/x":       "example.com/a@v1.0.0",
		"example.com/a@v1.0.0/x@y/z":   "example.com/a@v1.0.0",
		"example.com/a@v2.0.0/x":       "", // path needs /v2
		"example.com/a@v1.0/x":         "",
		"example.com/a@v1.0.0":         "", // no file
		"../a@v1.0.0/x":                "",
		"example.com/!a@v1.0.0/x":      "", // names in zips are not escaped
		"x":                            "",
		"":                             "",
		strings.Repeat("a", 65535):     "",
		"@/":                           "",
		"example.com/a/../b@v1.0.0/x":  "",
		"example.com/a@v1.0.0\x00/x":   "",
		"gopkg.in/yaml.v3@v3.0.1/LICE": "gopkg.in/yaml.v3@v3.0.1",
	} {
		z, dir, err := zipsOf(t, map[string]string{"f.zip": zipOf(t, map[string]string{name: ""})})
		if err != nil {
			t.Fatal(err)
		}
		file, got := filepath.Join(dir, "f.zip"), ""
		for m := range z.index {
			got = m.String()
		}
		if got != claim {
			t.Errorf("%.50q claims %q, want %q", name, got, claim)
		}
		if ignored := len(z.Ignored()) == 1 && z.Ignored()[0] == file; ignored != (claim == "") {
			t.Errorf("%.50q: ignored is %v", name, z.Ignored())
		}
	}
	for _, data := range []string{"", "PK", "PK\x05\x06" + strings.Repeat("\x00", 18), "PK\x03\x04", strings.Repeat("x", 100),
		"PK\x03\x04" + strings.Repeat("\xff", 26) + "example.com/a@v1.0.0/x"} {
		if z, _, err := zipsOf(t, map[string]string{"f.zip": data}); err != nil || len(z.index) > 0 || len(z.Ignored()) != 1 {
			t.Errorf("%q: %v, %v", data, z, err)
		}
	}
}

// Two files that claim one module are an error that names both, wherever they are.
func TestZipDirAmbiguous(t *testing.T) {
	data := zipOf(t, map[string]string{"example.com/a@v1.0.0/go.mod": "module example.com/a\n"})
	m := mod("example.com/a", "v1.0.0")
	const proxy, cache = "example.com/a/@v/v1.0.0.zip", "cache/download/example.com/a/@v/v1.0.0.zip"
	for _, pair := range [][2]string{{"1.zip", "2.zip"}, {proxy, "1.zip"}, {cache, "1.zip"}, {proxy, cache}} {
		z, dir, err := zipsOf(t, map[string]string{pair[0]: data, pair[1]: data})
		if err == nil {
			_, err = z.Zip(m)
		}
		e, ok := errors.AsType[*AmbiguousZipError](err)
		if !ok || e.Module != m || e.Files[0] != filepath.Join(dir, pair[0]) || e.Files[1] != filepath.Join(dir, pair[1]) {
			t.Errorf("%v: got %v", pair, err)
		}
	}
}

// A link in place of a file is refused in each layout; a link to the directory is not.
func TestZipDirLinks(t *testing.T) {
	data := zipOf(t, map[string]string{"example.com/a@v1.0.0/go.mod": "module example.com/a\n"})
	m := mod("example.com/a", "v1.0.0")
	for _, name := range []string{"x.zip", "example.com/a/@v/v1.0.0.zip", "cache/download/example.com/a/@v/v1.0.0.zip", "example.com/a/@v/v1.0.0.mod"} {
		dir := t.TempDir()
		writeTree(t, dir, map[string]string{"target": data, "d/" + name: ""})
		link := filepath.Join(dir, "d", filepath.FromSlash(name))
		if err := os.Remove(link); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(dir, "target"), link); err != nil {
			t.Skip("NOT CHECKED: no symbolic links here:", err)
		}
		z, err := OpenZipDir(filepath.Join(dir, "d"))
		if err == nil {
			_, err = z.GoMod(m)
		}
		if e, ok := errors.AsType[*NotRegularError](err); !ok || e.Path != link {
			t.Errorf("%s: got %v", name, err)
		}
	}
	dir := t.TempDir()
	writeTree(t, dir, map[string]string{"d/x.zip": data})
	if err := os.Symlink("d", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	z, err := OpenZipDir(filepath.Join(dir, "link"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Zip(m); err != nil {
		t.Errorf("directory behind a link: %v", err)
	}
}

// Limits hold at the limit and not one over; a zip's go.mod is read once or not at all.
func TestZipDirLimits(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine: nothing for the race detector to find")
	}
	files := map[string]string{}
	for i := range 10 {
		files[fmt.Sprintf("%d.zip", i)] = ""
	}
	dir := t.TempDir()
	writeTree(t, dir, files)
	for limit, ok := range map[int]bool{10: true, 9: false} {
		if _, err := openZipDir(dir, limit); (err == nil) != ok {
			t.Errorf("10 files with a limit of %d: %v", limit, err)
		}
	}

	m := mod("example.com/a", "v1.0.0")
	const name = "example.com/a@v1.0.0/go.mod"
	for size, ok := range map[int]bool{maxGoMod: true, maxGoMod + 1: false} {
		data := []byte(zipOf(t, map[string]string{name: strings.Repeat("\n", size)}))
		if _, err := zippedGoMod(bytes.NewReader(data), int64(len(data)), m); (err == nil) != ok {
			t.Errorf("go.mod of %d bytes: %v", size, err)
		}
	}

	z, zdir, err := zipsOf(t, map[string]string{"example.com/a/@v/v1.0.0.zip": ""})
	if err != nil {
		t.Fatal(err)
	}
	for size, ok := range map[int64]bool{maxZipFile: true, maxZipFile + 1: false} {
		if err := os.Truncate(filepath.Join(zdir, "example.com/a/@v/v1.0.0.zip"), size); err != nil {
			t.Fatal(err)
		}
		// At the limit the file is looked into, and is no zip.
		if _, err := z.GoMod(m); errors.Is(err, zip.ErrFormat) != ok {
			t.Errorf("zip of %d bytes: %v", size, err)
		}
	}

	var twice bytes.Buffer
	w := zip.NewWriter(&twice)
	for range 2 {
		if _, err := w.Create(name); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	if _, err := zippedGoMod(bytes.NewReader(twice.Bytes()), int64(twice.Len()), m); err == nil {
		t.Error("a zip with two go.mod files of one name")
	}

	// Each file with a name of 60,000 bytes: 279 of them make a directory of 16 MiB less
	// some, 280 more than that.
	for count, ok := range map[int]bool{270: true, 285: false} {
		var big bytes.Buffer
		w := zip.NewWriter(&big)
		for i := range count {
			if _, err := w.Create(fmt.Sprintf("%060000d", i)); err != nil {
				t.Fatal(err)
			}
		}
		w.Close()
		if _, err := zippedGoMod(bytes.NewReader(big.Bytes()), int64(big.Len()), m); (err == nil) != ok {
			t.Errorf("directory of %d long names: %v", count, err)
		}
	}
}

// A metered reader gives exactly what it may.
func TestMeteredReader(t *testing.T) {
	for limit, ok := range map[int64]bool{10: true, 9: false} {
		r := &meteredReader{r: strings.NewReader("0123456789"), left: limit}
		_, err1 := r.ReadAt(make([]byte, 4), 6)
		_, err2 := r.ReadAt(make([]byte, 6), 0)
		if err1 != nil || (err2 == nil) != ok {
			t.Errorf("limit %d: %v, %v", limit, err1, err2)
		}
	}
}
