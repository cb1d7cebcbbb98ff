package verify_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/module"
)

// A mod is a module: the files of its zip, by their names without path@version/.
// What is derived from it here follows go.dev/ref/mod, not the code under test.
type mod struct {
	module.Version
	files map[string]string
}

func newMod(path, version string, files map[string]string) mod {
	return mod{module.Version{Path: path, Version: version}, files}
}

// with is the same module with other files; "" removes one.
func (m mod) with(files map[string]string) mod {
	m.files = maps.Clone(m.files)
	for name, data := range files {
		m.files[name] = data
		if data == "" {
			delete(m.files, name)
		}
	}
	return m
}

func (m mod) names() []string { return slices.Sorted(maps.Keys(m.files)) }

// listing is the pre-image of the module's h1.
func (m mod) listing() string {
	var b strings.Builder
	for _, name := range m.names() {
		fmt.Fprintf(&b, "%x  %s/%s\n", sha256.Sum256([]byte(m.files[name])), m, name)
	}
	return b.String()
}

func (m mod) h1() [32]byte { return sha256.Sum256([]byte(m.listing())) }

// goMod is what a proxy serves as its go.mod: one line, if it has none.
func (m mod) goMod() string {
	if data, ok := m.files["go.mod"]; ok {
		return data
	}
	return "module " + m.Path + "\n"
}

func (m mod) goModH1() [32]byte { return goModH1(m.goMod()) }

func goModH1(data string) [32]byte {
	return sha256.Sum256(fmt.Appendf(nil, "%x  go.mod\n", sha256.Sum256([]byte(data))))
}

// sum is a hash as go.sum has it.
func sum(h [32]byte) string { return "h1:" + base64.StdEncoding.EncodeToString(h[:]) }

// record is what a checksum database has of the module.
func (m mod) record() string {
	return fmt.Sprintf("%s %s %s\n%s %s/go.mod %s\n", m.Path, m.Version.Version, sum(m.h1()), m.Path, m.Version.Version, sum(m.goModH1()))
}

// zip is the module's zip, the same bytes each time.
func (m mod) zip() []byte { return m.zipped(zip.Deflate) }

// stored is a zip of other bytes with the same content.
func (m mod) stored() []byte { return m.zipped(zip.Store) }

func (m mod) zipped(method uint16) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range m.names() {
		w, err := z.CreateHeader(&zip.FileHeader{Name: m.String() + "/" + name, Method: method})
		if err == nil {
			_, err = w.Write([]byte(m.files[name]))
		}
		if err != nil {
			panic(err)
		}
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func (m mod) zipDigest() [32]byte { return sha256.Sum256(m.zip()) }

// escaped is the module's path and version as they stand in file names.
func (m mod) escaped() (path, version string) {
	path, err := module.EscapePath(m.Path)
	if err == nil {
		version, err = module.EscapeVersion(m.Version.Version)
	}
	if err != nil {
		panic(err)
	}
	return path, version
}

// download names a file of the module below cache/download, by its suffix.
func (m mod) download(suffix string) string {
	path, version := m.escaped()
	return path + "/@v/" + version + suffix
}

// tree names the folder in which the module is unpacked.
func (m mod) tree() string {
	path, version := m.escaped()
	return path + "@" + version
}

// install lays the module out as the go command does in its cache.
func (m mod) install(t testing.TB, cache string) {
	t.Helper()
	write(t, filepath.Join(cache, "cache/download", m.download(".zip")), string(m.zip()))
	write(t, filepath.Join(cache, "cache/download", m.download(".mod")), m.goMod())
	m.unpack(t, cache)
}

func (m mod) unpack(t testing.TB, cache string) {
	t.Helper()
	for name, data := range m.files {
		write(t, filepath.Join(cache, m.tree(), name), data)
	}
}

// write writes a file, and the folders that it is in.
func write(t testing.TB, name, data string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
}

func remove(t testing.TB, name string) {
	t.Helper()
	if _, err := os.Lstat(name); err != nil {
		t.Fatal(err) // it is the test that is wrong
	}
	if err := os.RemoveAll(name); err != nil {
		t.Fatal(err)
	}
}

// link replaces a file or folder by a symbolic link to where it was moved.
func link(t testing.TB, name string) {
	t.Helper()
	if err := os.Rename(name, name+".moved"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(name+".moved", name); err != nil {
		t.Skip("no symbolic links here: ", err)
	}
}

func rename(t testing.TB, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}
