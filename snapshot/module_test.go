package snapshot_test

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
type mod struct {
	module.Version
	files map[string]string
}

func newMod(path string, files ...string) mod {
	m := mod{module.Version{Path: path, Version: "v1.0.0"}, map[string]string{"go.mod": "module " + path + "\n", "x.go": "package x\n"}}
	for _, name := range files {
		m.files[name] = "package x // " + name + "\n"
	}
	return m
}

func (m mod) listing() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(m.files)) {
		fmt.Fprintf(&b, "%x  %s/%s\n", sha256.Sum256([]byte(m.files[name])), m, name)
	}
	return b.String()
}

func (m mod) h1() [32]byte { return sha256.Sum256([]byte(m.listing())) }

func (m mod) goModH1() [32]byte {
	return sha256.Sum256(fmt.Appendf(nil, "%x  go.mod\n", sha256.Sum256([]byte(m.files["go.mod"]))))
}

func sum(h [32]byte) string { return "h1:" + base64.StdEncoding.EncodeToString(h[:]) }

// goSum is what go.sum has of the module.
func (m mod) goSum() string {
	return fmt.Sprintf("%s v1.0.0 %s\n%s v1.0.0/go.mod %s\n", m.Path, sum(m.h1()), m.Path, sum(m.goModH1()))
}

func (m mod) zip() []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(m.files)) {
		w, err := z.Create(m.String() + "/" + name)
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

// publish lays the module out as a module proxy does.
func (m mod) publish(t testing.TB, proxy string) {
	t.Helper()
	path, err := module.EscapePath(m.Path)
	if err != nil {
		t.Fatal(err)
	}
	base := filepath.Join(proxy, path, "@v", m.Version.Version)
	write(t, base+".zip", string(m.zip()))
	write(t, base+".mod", m.files["go.mod"])
	write(t, base+".info", `{"Version":"v1.0.0","Time":"2026-01-01T00:00:00Z"}`)
}

// install lays it out as the go command does in its cache.
func (m mod) install(t testing.TB, cache string) {
	t.Helper()
	m.publish(t, filepath.Join(cache, "cache/download"))
	path, err := module.EscapePath(m.Path)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range m.files {
		write(t, filepath.Join(cache, path+"@v1.0.0", name), data)
	}
}

func write(t testing.TB, name, data string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
