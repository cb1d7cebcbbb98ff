package modhash_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/internal/modhash"
)

// The module that most tests are about.
var m = module.Version{Path: "example.com/m", Version: "v1.2.3"}

const prefix = "example.com/m@v1.2.3/"

// A content is the files of a module: their names, and what is in them.
type content map[string]string

var small = content{
	"go.mod":          "module example.com/m\n",
	"LICENSE":         "do what you like\n",
	"m.go":            "package m\n",
	"empty.txt":       "",
	"sub/deep/a.go":   "package deep\n",
	"sub/deep/a b.go": "package deep // a space sorts before a dot\n",
	"sub-x/é.go":      "package x\n",
}

// An entry is one of a zip; edit may make its header lie.
type entry struct {
	name, body string
	edit       func(*zip.FileHeader)
}

// zipOf returns a zip with the entries in their order.
func zipOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	zw := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		if e.edit != nil {
			e.edit(h)
		}
		w, err := zw.CreateHeader(h)
		if err == nil {
			_, err = w.Write([]byte(e.body))
		}
		// A directory takes no bytes, not even none.
		if err != nil && !strings.HasSuffix(e.name, "/") {
			t.Fatal(err)
		}
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// entries returns the entries of a module's zip, sorted by name as little as a map is.
func (c content) entries() []entry {
	var list []entry
	for name, body := range c {
		list = append(list, entry{name: prefix + name, body: body})
	}
	return list
}

// with returns the zip of small and of more entries.
func with(t testing.TB, more ...entry) []byte { return zipOf(t, append(small.entries(), more...)...) }

// one returns an entry of the module m.
func one(name, body string) entry { return entry{name: prefix + name, body: body} }

// A rawEntry is written into a zip by hand, as it stands.
type rawEntry struct {
	name         string
	data         string // as it is in the zip
	method       uint16
	packed, size uint64 // as the zip says
	crc          uint32
	zip64        bool // sizes are in an extra field
}

// stored returns the entry of a file that is not compressed.
func stored(name, body string) rawEntry {
	n := uint64(len(body))
	return rawEntry{name: name, data: body, packed: n, size: n, crc: crc32.ChecksumIEEE([]byte(body))}
}

// rawZip returns a zip with exactly these entries.
func rawZip(entries ...rawEntry) []byte {
	le := binary.LittleEndian
	var b, index []byte
	for _, e := range entries {
		var extra []byte
		packed, size := uint32(e.packed), uint32(e.size)
		if e.zip64 {
			extra = le.AppendUint16(extra, 1)
			extra = le.AppendUint16(extra, 16)
			extra = le.AppendUint64(extra, e.size)
			extra = le.AppendUint64(extra, e.packed)
			packed, size = 0xffffffff, 0xffffffff
		}
		common := le.AppendUint16(nil, 45) // version needed
		common = le.AppendUint16(common, 0)
		common = le.AppendUint16(common, e.method)
		common = le.AppendUint32(common, 0) // time
		common = le.AppendUint32(common, e.crc)
		common = le.AppendUint32(common, packed)
		common = le.AppendUint32(common, size)
		common = le.AppendUint16(common, uint16(len(e.name)))
		common = le.AppendUint16(common, uint16(len(extra)))

		index = append(index, "PK\x01\x02-\x00"...)
		index = append(index, common...)
		index = append(index, make([]byte, 10)...) // comment, disk, attributes
		index = le.AppendUint32(index, uint32(len(b)))
		index = append(index, e.name...)
		index = append(index, extra...)

		b = append(b, "PK\x03\x04"...)
		b = append(b, common...)
		b = append(b, e.name...)
		b = append(b, extra...)
		b = append(b, e.data...)
	}
	at := len(b)
	b = append(b, index...)
	b = append(b, "PK\x05\x06\x00\x00\x00\x00"...)
	b = le.AppendUint16(b, uint16(len(entries)))
	b = le.AppendUint16(b, uint16(len(entries)))
	b = le.AppendUint32(b, uint32(len(index)))
	b = le.AppendUint32(b, uint32(at))
	return append(b, 0, 0)
}

// writeFile writes a file of a test and returns its path.
func writeFile(t testing.TB, path string, data []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// writeZip writes a zip into a folder of the test.
func writeZip(t testing.TB, data []byte) string {
	t.Helper()
	return writeFile(t, filepath.Join(t.TempDir(), "m.zip"), data)
}

// writeTree writes the files into a new folder and returns it.
func (c content) writeTree(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "m@v1.2.3")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	for name, body := range c {
		writeFile(t, filepath.Join(dir, filepath.FromSlash(name)), []byte(body))
	}
	return dir
}

// sparse writes a file of zeros that takes no space.
func sparse(t testing.TB, path string, size int64) string {
	t.Helper()
	f, err := os.Create(path)
	if err == nil {
		err = errors.Join(f.Truncate(size), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// problemsOf returns what is wrong according to err, which must be a RefusedError or a ContentError.
func problemsOf(t testing.TB, err error) []string {
	t.Helper()
	var refused *modhash.RefusedError
	var content *modhash.ContentError
	switch {
	case errors.As(err, &refused):
		var list []string
		for _, p := range refused.Problems {
			list = append(list, p.Error())
		}
		return list
	case errors.As(err, &content):
		return []string{content.Error()}
	}
	t.Fatalf("got error %v (%T), want a RefusedError", err, err)
	return nil
}

// wantProblem checks that err says that exactly this is wrong.
func wantProblem(t testing.TB, err error, want string) {
	t.Helper()
	if err == nil {
		t.Fatalf("accepted, want: %s", want)
	}
	if got := strings.Join(problemsOf(t, err), "\n"); got != want {
		t.Fatalf("wrong is\n\t%s\nwant\n\t%s", got, want)
	}
}
