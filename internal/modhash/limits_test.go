package modhash_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/modseal/modseal/internal/modhash"
)

// Every limit holds at the limit, and not one over.

func TestZipFileLimit(t *testing.T) {
	h := modhash.New(modhash.Options{})
	at := sparse(t, filepath.Join(t.TempDir(), "at.zip"), modhash.MaxZip)
	over := sparse(t, filepath.Join(t.TempDir(), "over.zip"), modhash.MaxZip+1)
	const tooLarge = "zip has 524288001 bytes or more; the limit is 524288000"
	if _, n, err := h.Digest(t.Context(), at); err != nil || n != modhash.MaxZip {
		t.Errorf("Digest at the limit: %d, %v", n, err)
	}
	_, _, err := h.Digest(t.Context(), over)
	wantProblem(t, err, tooLarge)
	_, err = h.Zip(t.Context(), at, m)
	wantProblem(t, err, "not a zip: zip: not a valid zip file")
	_, err = h.Zip(t.Context(), over, m)
	wantProblem(t, err, tooLarge)
	if _, n, err := modhash.ZipDigest(t.Context(), io.LimitReader(zeros{}, modhash.MaxZip)); err != nil || n != modhash.MaxZip {
		t.Errorf("ZipDigest at the limit: %d, %v", n, err)
	}
	_, _, err = modhash.ZipDigest(t.Context(), zeros{})
	wantProblem(t, err, tooLarge)
}

// The sizes that a zip declares count before anything is inflated. At the limit, what is wrong with this zip is that
// there is not as much in it as it says.
func TestZipContentLimit(t *testing.T) {
	half := stored(prefix+"a", "")
	half.size = modhash.MaxContent / 2
	other := half
	other.name = prefix + "b"
	h := modhash.New(modhash.Options{})
	_, err := h.Zip(t.Context(), writeZip(t, rawZip(half, other)), m)
	wantProblem(t, err, "\"a\": content can't be read: unexpected EOF\n\"b\": content can't be read: unexpected EOF")
	other.size++
	_, err = h.Zip(t.Context(), writeZip(t, rawZip(half, other)), m)
	wantProblem(t, err, "files in the zip have more than 524288000 bytes")
}

func TestTreeContentLimit(t *testing.T) {
	dir := t.TempDir()
	sparse(t, filepath.Join(dir, "a"), modhash.MaxContent/2)
	sparse(t, filepath.Join(dir, "b"), modhash.MaxContent/2)
	h := modhash.New(modhash.Options{})
	if got, err := h.Tree(t.Context(), dir, m); err != nil || got.Bytes != modhash.MaxContent {
		t.Errorf("at the limit: %v, %v", got, err)
	}
	sparse(t, filepath.Join(dir, "c"), 1)
	_, err := h.Tree(t.Context(), dir, m)
	wantProblem(t, err, "files of the tree have more than 524288000 bytes")
}

func TestRootFileLimits(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine: nothing for the race detector to find")
	}
	for name, limit := range map[string]int64{"go.mod": modhash.MaxGoMod, "LICENSE": modhash.MaxLicense} {
		tooLarge := fmt.Sprintf("%q: has %d bytes; the limit for %s is %d", name, limit+1, name, limit)
		data := make([]byte, limit+1)
		h := modhash.New(modhash.Options{})
		if _, err := h.Zip(t.Context(), writeZip(t, zipOf(t, one(name, string(data[1:])))), m); err != nil {
			t.Errorf("zip with %s at the limit: %v", name, err)
		}
		_, err := h.Zip(t.Context(), writeZip(t, zipOf(t, one(name, string(data)))), m)
		wantProblem(t, err, tooLarge)

		dir := t.TempDir()
		sparse(t, filepath.Join(dir, name), limit)
		writeFile(t, filepath.Join(dir, "sub", name), data) // only the one at the root is limited
		if _, err := h.Tree(t.Context(), dir, m); err != nil {
			t.Errorf("tree with %s at the limit: %v", name, err)
		}
		sparse(t, filepath.Join(dir, name), limit+1)
		_, err = h.Tree(t.Context(), dir, m)
		wantProblem(t, err, tooLarge)
		if _, err := h.Folder(t.Context(), dir); err != nil {
			t.Errorf("a folder has no such limit: %v", err)
		}
	}
}

// With so many entries the zip has zip64 records at its end.
func TestZipEntriesLimit(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine: nothing for the race detector to find")
	}
	entries := make([]rawEntry, modhash.MaxEntries+1)
	for i := range entries {
		entries[i] = stored(fmt.Sprintf("%s%06x", prefix, i), "")
	}
	h := modhash.New(modhash.Options{})
	got, err := h.Zip(t.Context(), writeZip(t, withZip64End(rawZip(entries[1:]...), modhash.MaxEntries)), m)
	if err != nil || got.Listing.Len() != modhash.MaxEntries {
		t.Fatalf("at the limit: %v", err)
	}
	tooMany := "zip has 131073 entries; the limit is 131072"
	over := rawZip(entries...)
	_, err = h.Zip(t.Context(), writeZip(t, withZip64End(over, modhash.MaxEntries+1)), m)
	wantProblem(t, err, tooMany)
	// The number of entries in the old record at the end is modulo 1<<16, and archive/zip reads as many as there are.
	_, err = h.Zip(t.Context(), writeZip(t, over), m)
	wantProblem(t, err, tooMany)
	// archive/zip would make room for as many as there could be.
	_, err = h.Zip(t.Context(), writeZip(t, withZip64End(over, 1<<40)), m)
	wantProblem(t, err, "zip has 1099511627776 entries; the limit is 131072")

	b := got.Listing.Bytes()
	if l, err := modhash.ParseListing(b); err != nil || l.H1() != got.Listing.H1() {
		t.Errorf("listing at the limit: %v", err)
	}
	_, err = modhash.ParseListing(append(b, line("", prefix+"x")...))
	if want := "listing has 131073 lines; the limit is 131072"; err == nil || err.Error() != want {
		t.Errorf("listing above the limit: %v", err)
	}
}

// withZip64End replaces the end record of a zip by one that refers to a zip64 record.
func withZip64End(data []byte, entries uint64) []byte {
	le := binary.LittleEndian
	end := bytes.Clone(data[len(data)-22:])
	size, at := uint64(le.Uint32(end[12:])), uint64(le.Uint32(end[16:]))
	b := bytes.Clone(data[:len(data)-22])
	where := uint64(len(b))
	b = append(b, "PK\x06\x06"...)
	b = le.AppendUint64(b, 44)
	b = append(b, make([]byte, 12)...)
	for _, v := range []uint64{entries, entries, size, at} {
		b = le.AppendUint64(b, v)
	}
	b = append(b, "PK\x06\x07\x00\x00\x00\x00"...)
	b = le.AppendUint64(b, where)
	b = le.AppendUint32(b, 1)
	for i := 8; i < 20; i++ {
		end[i] = 0xff
	}
	return append(b, end...)
}

// The central directory is measured by what it says about itself, and by what is read of it.
func TestZipDirectoryLimit(t *testing.T) {
	const perEntry = 46 + len(prefix) + 3
	filled := func(total int) []byte {
		var entries []entry
		for left := total; left > 0; {
			comment := min(left-perEntry, 65535)
			if next := left - perEntry - comment; next > 0 && next < perEntry {
				comment -= perEntry
			}
			entries = append(entries, entry{name: fmt.Sprintf("%s%03d", prefix, len(entries)), edit: func(h *zip.FileHeader) {
				h.Comment, h.Method = strings.Repeat("c", comment), zip.Store
			}})
			left -= perEntry + comment
		}
		return zipOf(t, entries...)
	}
	h := modhash.New(modhash.Options{})
	if _, err := h.Zip(t.Context(), writeZip(t, filled(modhash.MaxDirectory)), m); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	over := filled(modhash.MaxDirectory + 1)
	_, err := h.Zip(t.Context(), writeZip(t, over), m)
	wantProblem(t, err, "central directory has 16777217 bytes; the limit is 16777216")

	// archive/zip finds the directory by its end and size, or by its start if there is an entry, and does not stop
	// where the size says.
	binary.LittleEndian.PutUint32(over[len(over)-10:], 100)
	if _, err := zip.NewReader(bytes.NewReader(over), int64(len(over))); err != nil {
		t.Fatalf("archive/zip has changed: %v", err)
	}
	_, err = h.Zip(t.Context(), writeZip(t, over), m)
	wantProblem(t, err, "central directory is larger than the zip says")
}

func TestListingLimit(t *testing.T) {
	_, err := modhash.ParseListing(make([]byte, modhash.MaxListing))
	if err == nil || strings.Contains(err.Error(), "limit") {
		t.Errorf("at the limit: %v", err)
	}
	_, err = modhash.ParseListing(make([]byte, modhash.MaxListing+1))
	if want := "listing has 67108865 bytes; the limit is 67108864"; err == nil || err.Error() != want {
		t.Errorf("above the limit: %v", err)
	}
}

func TestDepthLimit(t *testing.T) {
	name := strings.Repeat("d/", modhash.MaxDepth) + "a.go"
	h := modhash.New(modhash.Options{})
	tree, err := h.Tree(t.Context(), content{name: ""}.writeTree(t), m)
	if err != nil {
		t.Fatalf("tree at the limit: %v", err)
	}
	if _, err := h.Zip(t.Context(), writeZip(t, zipOf(t, one(name, ""))), m); err != nil {
		t.Errorf("zip at the limit: %v", err)
	}
	if _, err := modhash.ParseListing(tree.Listing.Bytes()); err != nil {
		t.Errorf("listing at the limit: %v", err)
	}
	name = "d/" + name
	var e *modhash.ContentError
	_, err = h.Tree(t.Context(), content{name: ""}.writeTree(t), m)
	if !errors.As(err, &e) || e.Problem != "folder nested more than 200 deep" || e.Path != strings.TrimSuffix(name, "/a.go") {
		t.Errorf("tree above the limit: %v", err)
	}
	_, err = h.Zip(t.Context(), writeZip(t, zipOf(t, one(name, ""))), m)
	if !errors.As(err, &e) || e.Problem != "nested more than 200 folders deep" || e.Path != name {
		t.Errorf("zip above the limit: %v", err)
	}
	if l, err := modhash.ParseListing([]byte(line("", prefix+name))); err == nil {
		t.Errorf("listing above the limit: %v", l)
	}
}

// Entries that share their compressed bytes would make a small zip a long read: here each is as long as the zip. At the
// limit, what is wrong with this zip is what is compressed.
func TestZipOverlapLimit(t *testing.T) {
	const size = 1000
	zipWith := func(packed uint64) []byte {
		a := rawEntry{name: prefix + "a", method: zip.Deflate, packed: packed}
		data := rawZip(a)
		return append(make([]byte, size-len(data)), data...)
	}
	h := modhash.New(modhash.Options{})
	_, err := h.Zip(t.Context(), writeZip(t, zipWith(size)), m)
	if p := problemsOf(t, err); len(p) != 1 || !strings.HasPrefix(p[0], `"a": content can't be read`) {
		t.Errorf("at the limit: %q", p)
	}
	_, err = h.Zip(t.Context(), writeZip(t, zipWith(size+1)), m)
	wantProblem(t, err, "entries of the zip overlap")
}

// A name of many letters and slashes does not take long to check: here 200 names of 64 kB each.
func TestLongNamesAreFast(t *testing.T) {
	var entries []rawEntry
	for i := range 200 {
		dirs := strings.Repeat(fmt.Sprintf("/%0300d", i), modhash.MaxDepth)
		entries = append(entries, stored(fmt.Sprintf("%sx%03d%s", prefix, i, dirs), ""))
	}
	start := time.Now()
	if _, err := modhash.New(modhash.Options{}).Zip(t.Context(), writeZip(t, rawZip(entries...)), m); err != nil {
		t.Error(err)
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("took %v", d)
	}
}
