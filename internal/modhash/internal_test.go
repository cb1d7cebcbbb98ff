package modhash

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"
)

// The entries of a tree and the bytes of their names have limits, which count over all of its folders.
func TestAdmitLimits(t *testing.T) {
	dirEntries := func(n int, name string) []fs.DirEntry {
		list := make([]fs.DirEntry, n)
		for i := range list {
			list[i] = namedEntry(name)
		}
		return list
	}
	newTree := func() *tree { return &tree{crew: New(Options{}).newCrew(t.Context())} }
	many := newTree()
	if err := many.admit("", dirEntries(MaxEntries, "a")); err != nil {
		t.Errorf("entries at the limit: %v", err)
	}
	if err := many.admit("sub/", dirEntries(1, "")); err == nil || err.Error() != "tree has more than 131072 files and folders" {
		t.Errorf("one more: %v", err)
	}
	long := newTree()
	if err := long.admit("sub/", dirEntries(4, strings.Repeat("a", MaxDirectory/4-len("sub/")))); err != nil {
		t.Errorf("names at the limit: %v", err)
	}
	if err := long.admit("", dirEntries(1, "a")); err == nil ||
		err.Error() != "names of the tree's files have more than 16777216 bytes" {
		t.Errorf("one more: %v", err)
	}
}

type namedEntry string

func (e namedEntry) Name() string             { return string(e) }
func (namedEntry) IsDir() bool                { return false }
func (namedEntry) Type() fs.FileMode          { return 0 }
func (namedEntry) Info() (fs.FileInfo, error) { return nil, nil }

// Of modules with very many names, one at a time is read; the next one waits for it, but not when its work has ended.
func TestAdmitWide(t *testing.T) {
	wide := []fs.DirEntry{namedEntry(strings.Repeat("a", wideNames+1))}
	h := New(Options{})
	first := &tree{crew: h.newCrew(t.Context())}
	if err := first.admit("", wide); err != nil {
		t.Fatal(err)
	}
	if err := first.admit("", wide); err != nil { // has its turn already
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	second := &tree{crew: h.newCrew(ctx)}
	if err := second.admit("", wide); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("the second one: %v", err)
	}
	first.leave()
	third := &tree{crew: h.newCrew(t.Context())}
	if err := third.admit("", wide); err != nil {
		t.Errorf("after the first one has left: %v", err)
	}
}

// What was opened must be what Lstat saw: on systems where a symbolic link can't be refused while opening, one that
// took a file's place would be followed.
func TestSameAsSeen(t *testing.T) {
	dir := t.TempDir()
	seen, other := filepath.Join(dir, "seen"), filepath.Join(dir, "other")
	for _, name := range []string{seen, other} {
		if err := errors.Join(os.Mkdir(name, 0o777), os.WriteFile(filepath.Join(name, "a.go"), nil, 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	for opened, want := range map[string]bool{seen: true, other: false} {
		info, err := os.Lstat(seen)
		f, err := openRoot(info, err, func() (*os.Root, error) { return os.OpenRoot(opened) })
		if ok := err == nil; ok != want {
			t.Errorf("folder %s: %v", opened, err)
		}
		if f != nil {
			f.Close()
		}
		info, err1 := os.Lstat(filepath.Join(seen, "a.go"))
		file, err2 := os.Open(filepath.Join(opened, "a.go"))
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		_, _, err = sameFile(file, info)
		if ok := err == nil; ok != want {
			t.Errorf("file in %s: %v", opened, err)
		}
		file.Close()
	}
}

// A listing that would be too large is not made: every listing that there is can be parsed.
func TestNewListingLimit(t *testing.T) {
	m := module.Version{Path: "example.com/m", Version: "v1.2.3"}
	line := lineSize(namePrefix(m), "")
	files := make([]File, 64)
	for i := range files {
		name := string(rune('0'+i)) + strings.Repeat("x", MaxListing/64-line-1)
		files[i] = File{Name: name}
	}
	l, err := newListing(m, append([]File(nil), files...))
	if err != nil || len(l.text) != MaxListing {
		t.Fatalf("at the limit: %v", err)
	}
	files[63].Name += "x"
	if _, err := newListing(m, files); err == nil || err.Error() != "listing would have 67108865 bytes; the limit is 67108864" {
		t.Errorf("above the limit: %v", err)
	}
}

// Two names have the same key if and only if they are equal but for case, for every letter that there is.
func TestFold(t *testing.T) {
	byKey := map[string]rune{}
	for r := rune(1); r <= 0x1ffff; r++ { // beyond, nothing has cases
		if 0xd800 <= r && r < 0xe000 {
			continue // no characters
		}
		key := fold("x" + string(r))
		if other, ok := byKey[key]; ok {
			if !strings.EqualFold(string(other), string(r)) {
				t.Fatalf("%q and %q have the same key", other, r)
			}
		} else {
			byKey[key] = r
		}
		for _, other := range []string{strings.ToUpper(string(r)), strings.ToLower(string(r)), strings.ToTitle(string(r))} {
			if strings.EqualFold(other, string(r)) != (fold("x"+other) == key) {
				t.Fatalf("%q and %q have keys %q and %q", r, other, key, fold("x"+other))
			}
		}
	}
}
