//go:build unix

package sumdb

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A named pipe in a cache isn't waited for.
func TestCachePipe(t *testing.T) {
	db := newDB(t, "")
	db.grow(5)
	dir := t.TempDir()
	name := cacheFile(dir, "lookup/example.com/!mod3@v1.2.3")
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(name, 0o666); err != nil {
		t.Skip(err)
	}
	if r, err := db.client(Options{GoCacheDir: dir}).Lookup(background(), testModule(3)); err != nil || r.ID != 3 {
		t.Errorf("%+v, %v", r, err)
	}
}
