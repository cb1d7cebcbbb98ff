package modhash

import (
	"encoding/binary"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// dirent is an entry as getdents64 gives it, with room behind the name.
func dirent(name string, kind byte) []byte {
	b := append(make([]byte, direntName), name+"\x00\x00\x00"...)
	binary.NativeEndian.PutUint16(b[direntLen:], uint16(len(b)))
	b[direntType] = kind
	return b
}

// What is listed is what os.ReadDir lists, also where the file system does not say what an entry is; one that went away
// is not there.
func TestLister(t *testing.T) {
	dir := t.TempDir()
	for i := range 700 { // more than one call gives
		if err := os.WriteFile(filepath.Join(dir, strings.Repeat("x", 100)+string(rune('a'+i%26))+strings.Repeat("y", i/26)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{
		os.Mkdir(filepath.Join(dir, "folder"), 0o700), os.Symlink("nowhere", filepath.Join(dir, "link")), syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(dir, folderFlags, 0)
	if err != nil {
		t.Fatal(err)
	}
	l := newLister(fd, dir)
	defer l.Close()
	got := map[string]fs.FileMode{}
	calls := 0
	var unknown []byte
	for ; ; calls++ {
		entries, err := l.list()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			got[e.Name()] = e.Type()
			unknown = append(unknown, dirent(e.Name(), unix.DT_UNKNOWN)...)
		}
	}
	if calls < 2 || len(got) != len(want) {
		t.Fatalf("%d entries in %d calls, want %d", len(got), calls, len(want))
	}
	asked, err := l.parse(append(unknown, dirent("gone", unix.DT_UNKNOWN)...))
	if err != nil || len(asked) != len(want) {
		t.Fatalf("of an unknown kind: %d, %v", len(asked), err)
	}
	for _, e := range want {
		if kind, ok := got[e.Name()]; !ok || kind != e.Type() {
			t.Errorf("%s is %v, want %v", e.Name(), kind, e.Type())
		}
		if i := slices.IndexFunc(asked, func(a fs.DirEntry) bool { return a.Name() == e.Name() }); i < 0 || asked[i].Type() != e.Type() {
			t.Errorf("%s, of an unknown kind", e.Name())
		}
	}
}

// What the system never gives is an error, and reads nothing beyond its end.
func TestBadDirents(t *testing.T) {
	good := dirent("name", unix.DT_REG)
	lied := func(n uint16) []byte {
		b := slices.Clone(good)
		binary.NativeEndian.PutUint16(b[direntLen:], n)
		return b
	}
	unended := dirent("name", unix.DT_REG)[:direntName+4]
	binary.NativeEndian.PutUint16(unended[direntLen:], uint16(len(unended)))
	for name, b := range map[string][]byte{
		"cut": good[:len(good)-1], "cut in its head": good[:10], "no length": lied(0), "shorter than its head": lied(direntName),
		"longer than there is": lied(uint16(len(good)) + 1), "no name": dirent("", unix.DT_REG), "no end of the name": unended, "the second is cut": append(slices.Clone(good), good[:5]...),
	} {
		if entries, err := (lister{-1}).parse(b); err == nil {
			t.Errorf("%s: %v", name, entries)
		}
	}
	entries, err := (lister{-1}).parse(slices.Concat(dirent(".", unix.DT_DIR), good, dirent("..", unix.DT_DIR), dirent("whiteout", unix.DT_WHT)))
	if err != nil || len(entries) != 2 || entries[0].Name() != "name" || !entries[0].Type().IsRegular() || entries[1].Type() != fs.ModeIrregular {
		t.Errorf("%v, %v", entries, err)
	}
}
