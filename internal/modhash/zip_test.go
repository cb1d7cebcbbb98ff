package modhash_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	modzip "golang.org/x/mod/zip"

	"github.com/modseal/modseal/internal/modhash"
)

// A module's zip and its unpacked tree have the same listing, whose SHA-256 is what dirhash computes for either.
func TestZipAndTreeAgree(t *testing.T) {
	zipPath, dir := writeZip(t, with(t)), small.writeTree(t)
	h := modhash.New(modhash.Options{})
	z, err := h.Zip(t.Context(), zipPath, m)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := h.Tree(t.Context(), dir, m)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(z.Listing.Bytes(), tree.Listing.Bytes()) {
		t.Errorf("listing of the zip\n%s\nof the tree\n%s", z.Listing.Bytes(), tree.Listing.Bytes())
	}
	fromZip, _ := dirhash.HashZip(zipPath, dirhash.Hash1)
	fromDir, _ := dirhash.HashDir(dir, m.String(), dirhash.Hash1)
	if got := z.Listing.H1().String(); got != fromZip || got != fromDir {
		t.Errorf("h1 is %s; HashZip says %s, HashDir %s", got, fromZip, fromDir)
	}
	if sha256.Sum256(z.Listing.Bytes()) != [32]byte(z.Listing.H1()) {
		t.Error("h1 is not the SHA-256 of the listing")
	}
	if z.Listing.Module() != m || z.Listing.Len() != len(small) || tree.Files != len(small) {
		t.Errorf("module %v, %d and %d files", z.Listing.Module(), z.Listing.Len(), tree.Files)
	}
	goMod := sha256.Sum256([]byte(small["go.mod"]))
	if z.GoMod == nil || tree.GoMod == nil || *z.GoMod != goMod || *tree.GoMod != goMod {
		t.Error("wrong hash of go.mod")
	}
	data, _ := os.ReadFile(zipPath)
	if z.Digest != sha256.Sum256(data) || z.Size != int64(len(data)) {
		t.Error("wrong digest or size of the zip")
	}
	if d, n, err := h.Digest(t.Context(), zipPath); err != nil || d != z.Digest || n != z.Size {
		t.Errorf("Digest: %v, %d, %v", d, n, err)
	}
}

// What does not concern the files of a module changes the digest of its zip and not its h1: a comment, what stands
// before or after the zip, compression, zip64, another order.
func TestZipSameContent(t *testing.T) {
	plain := with(t)
	want, err := modhash.New(modhash.Options{}).Zip(t.Context(), writeZip(t, plain), m)
	if err != nil {
		t.Fatal(err)
	}
	var uncompressed []entry
	var raw, raw64 []rawEntry
	for _, e := range small.entries() {
		r := stored(e.name, e.body)
		raw = append(raw, r)
		r.zip64 = true
		raw64 = append(raw64, r)
		e.edit = func(h *zip.FileHeader) { h.Method = zip.Store; h.SetMode(0o755) }
		uncompressed = append(uncompressed, e)
	}
	tests := map[string][]byte{
		"comment":           append(plain[:len(plain)-2:len(plain)-2], "\x05\x00hello"...),
		"data before":       append([]byte("#!/bin/sh\n"), plain...),
		"data after":        append(bytes.Clone(plain), "trailer"...),
		"stored, with mode": zipOf(t, uncompressed...),
		"no descriptors":    rawZip(raw...),
		"zip64 sizes":       rawZip(raw64...),
	}
	for name, data := range tests {
		t.Run(name, func(t *testing.T) {
			path := writeZip(t, data)
			got, err := modhash.New(modhash.Options{}).Zip(t.Context(), path, m)
			if err != nil {
				t.Fatal(err)
			}
			if got.Listing.H1() != want.Listing.H1() {
				t.Errorf("h1 is %v, want %v", got.Listing.H1(), want.Listing.H1())
			}
			if got.Digest == want.Digest {
				t.Error("the digest is the same for other bytes")
			}
			if err := modzip.Unzip(t.TempDir(), m, path); err != nil {
				t.Errorf("the go command refuses it: %v", err)
			}
		})
	}
}

// Each zip has one thing wrong. It is refused, and that thing is named. The go command refuses it as well, but for the
// cases that doc.go lists.
func TestZipLies(t *testing.T) {
	const onlyOurs = true
	mode := func(mode fs.FileMode) func(*zip.FileHeader) {
		return func(h *zip.FileHeader) { h.SetMode(mode) }
	}
	badCRC := stored(prefix+"a.go", "package a\n")
	badCRC.crc++
	longer := stored(prefix+"a.go", "package a\n")
	longer.size--
	shorter := stored(prefix+"a.go", "package a\n")
	shorter.size++
	huge := stored(prefix+"a.go", "")
	huge.size, huge.zip64 = 1<<63, true
	twoHuge := stored(prefix+"b.go", "")
	twoHuge.size = modhash.MaxContent/2 + 1
	twoHuge2 := twoHuge
	twoHuge2.name = prefix + "c.go"
	strange := stored(prefix+"a.go", "package a\n")
	strange.method = 99
	cut := with(t)
	tests := []struct {
		name     string
		zip      []byte
		want     string
		onlyOurs bool
	}{
		{"two entries with one name", with(t, one("m.go", "package evil\n")), `"m.go": more than one entry`, false},
		{"two names but for case", with(t, one("M.go", "package m\n")), ``, false},
		{"two names but for case, not ASCII", with(t, one("sub-x/É.go", "package x\n")), ``, false},
		{"two names but for the Kelvin sign", with(t, one("k", ""), one("\u212a", "")), ``, false},
		{"two folders but for case", with(t, one("Sub/deep/b.go", "")), ``, false},
		{"file and folder", with(t, one("m.go/x", "")), ``, false},
		{"no prefix", with(t, entry{name: "a.go"}), `"a.go": name does not begin with "example.com/m@v1.2.3/"`, false},
		{"prefix of another version", with(t, entry{name: "example.com/m@v1.2.4/a.go"}),
			`"example.com/m@v1.2.4/a.go": name does not begin with "example.com/m@v1.2.3/"`, false},
		{"absolute", with(t, one("/etc/passwd", "")),
			`"/etc/passwd": not a valid file name in a module: empty path element`, false},
		{"dot dot", with(t, one("../a.go", "")), `"../a.go": not a valid file name in a module: invalid path element ".."`, false},
		{"dot dot inside", with(t, one("sub/../../a.go", "")),
			`"sub/../../a.go": not a valid file name in a module: invalid path element ".."`, false},
		{"dot", with(t, one("./a.go", "")), `"./a.go": not a valid file name in a module: invalid path element "."`, false},
		{"two slashes", with(t, one("sub//a.go", "")), `"sub//a.go": not a valid file name in a module: double slash`, false},
		{"backslash", with(t, one(`sub\a.go`, "")), `"sub\\a.go": not a valid file name in a module: invalid char '\\'`, false},
		{"new line", with(t, one("a\nb.go", "")), `"a\nb.go": not a valid file name in a module: invalid char '\n'`, false},
		{"no UTF-8", with(t, one("a\xff.go", "")), `"a\xff.go": not a valid file name in a module: invalid UTF-8`, false},
		{"Windows device", with(t, one("sub/con.go", "")),
			`"sub/con.go": not a valid file name in a module: "con" disallowed as path element component on Windows`, false},
		{"go.mod below the root", with(t, one("sub/go.mod", "")), `"sub/go.mod": go.mod below the root of the module`, false},
		{"GO.MOD", zipOf(t, one("GO.MOD", "")), `"GO.MOD": go.mod is not in lower case`, false},
		{"wrong checksum", rawZip(badCRC), `"a.go": content can't be read: zip: checksum error`, false},
		{"more content than declared", rawZip(longer), `"a.go": content can't be read: zip: not a valid zip file`, false},
		{"less content than declared", rawZip(shorter), `"a.go": content can't be read: unexpected EOF`, false},
		{"negative size", rawZip(huge), `files in the zip have more than 524288000 bytes`, false},
		{"too large together", rawZip(twoHuge, twoHuge2), `files in the zip have more than 524288000 bytes`, false},
		{"unknown compression", rawZip(strange), `"a.go": content can't be read: zip: unsupported compression algorithm`, false},
		{"truncated", cut[:len(cut)-30], `not a zip: zip: not a valid zip file`, false},
		{"truncated at the start", cut[10:], ``, false},
		{"empty file", nil, `not a zip: zip: not a valid zip file`, false},

		{"folder", with(t, one("sub/", "")), `"sub/": entry for a directory: it would count for the h1 of the zip, ` +
			`and not for that of its unpacked tree`, onlyOurs},
		{"folder of the module", with(t, one("", "")), `entry for a directory: it would count for the h1 of the zip, ` +
			`and not for that of its unpacked tree`, onlyOurs},
		{"symbolic link", with(t, entry{prefix + "a.go", "m.go", mode(fs.ModeSymlink | 0o777)}),
			`"a.go": entry says that it is a symbolic link`, onlyOurs},
		{"named pipe", with(t, entry{prefix + "a.go", "", mode(fs.ModeNamedPipe | 0o666)}),
			`"a.go": entry says that it is a named pipe`, onlyOurs},
		{"no entries", zipOf(t), `no files`, onlyOurs},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := writeZip(t, test.zip)
			result, err := modhash.New(modhash.Options{}).Zip(t.Context(), path, m)
			if result != nil || err == nil {
				t.Fatal("accepted")
			}
			if problems := problemsOf(t, err); test.want != "" {
				wantProblem(t, err, test.want)
			} else if len(problems) != 1 {
				t.Errorf("wrong is %q, want one thing", problems)
			}
			goErr := modzip.Unzip(t.TempDir(), m, path)
			if test.onlyOurs != (goErr == nil) {
				t.Errorf("the go command says: %v", goErr)
			}
		})
	}
}

// dirhash hashes one of two entries with the same name, and which one of them is unpacked is another matter. This is
// why the rules come first.
func TestZipDuplicateWouldHash(t *testing.T) {
	good := zipOf(t, one("a.go", "package a // good\n"))
	both := zipOf(t, one("a.go", "package a // evil\n"), one("a.go", "package a // good\n"))
	oneLine, err := modhash.New(modhash.Options{}).Zip(t.Context(), writeZip(t, good), m)
	if err != nil {
		t.Fatal(err)
	}
	line := string(oneLine.Listing.Bytes())
	goodTwice := modhash.H1(sha256.Sum256([]byte(line + line))).String()
	if h, err := dirhash.HashZip(writeZip(t, both), dirhash.Hash1); err != nil || h != goodTwice {
		t.Fatalf("dirhash has changed: %v, %v", h, err)
	}
	_, err = modhash.New(modhash.Options{}).Zip(t.Context(), writeZip(t, both), m)
	wantProblem(t, err, `"a.go": more than one entry`)
}

// All that is wrong is named, in order, up to a bound; how much more there is is counted.
func TestZipNamesAllProblems(t *testing.T) {
	var bad []entry
	for i := range 60 {
		bad = append(bad, one(fmt.Sprintf("x%02d/../y", i), ""))
	}
	_, err := modhash.New(modhash.Options{}).Zip(t.Context(), writeZip(t, with(t, bad...)), m)
	problems := problemsOf(t, err)
	var refused *modhash.RefusedError
	if errors.As(err, &refused); len(problems) != 50 || refused.More != 10 || refused.Module != m {
		t.Fatalf("%d problems and %d more of %v", len(problems), refused.More, refused.Module)
	}
	for i, p := range refused.Problems {
		if want := fmt.Sprintf("x%02d/../y", i); p.Path != want {
			t.Errorf("problem %d is about %q, want %q", i, p.Path, want)
		}
	}
	if !strings.HasSuffix(err.Error(), "; and 10 more") {
		t.Errorf("message does not say that there are more: %s", err)
	}
}

// A message does not grow with a hostile name.
func TestLongNamesAreCut(t *testing.T) {
	long := strings.Repeat("é", 30000)
	tests := map[string]entry{
		"name":         one(long+"\n", ""),
		"dots":         one(strings.Repeat(".", 60000), ""),
		"not a module": {name: long},
	}
	for name, e := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := modhash.New(modhash.Options{}).Zip(t.Context(), writeZip(t, with(t, e)), m)
			if problemsOf(t, err); len(err.Error()) > 1000 {
				t.Errorf("message has %d bytes: %.300s…", len(err.Error()), err)
			}
		})
	}
}

// The module itself must be one.
func TestNotAModule(t *testing.T) {
	for _, bad := range []module.Version{
		{},
		{Path: "example.com/m"},
		{Path: "example.com/m", Version: "v1.2"},
		{Path: "example.com/m", Version: "v1.2.3+meta"},
		{Path: "example.com/m", Version: "v2.0.0"},
		{Path: "example.com/m/v2", Version: "v1.0.0"},
		{Path: "../m", Version: "v1.2.3"},
	} {
		h := modhash.New(modhash.Options{})
		if _, err := h.Zip(t.Context(), writeZip(t, with(t)), bad); len(problemsOf(t, err)) != 1 {
			t.Errorf("zip of %v: %v", bad, err)
		}
		if _, err := h.Tree(t.Context(), small.writeTree(t), bad); len(problemsOf(t, err)) != 1 {
			t.Errorf("tree of %v: %v", bad, err)
		}
	}
}

// No file is not the same as a bad file.
func TestZipMissing(t *testing.T) {
	h := modhash.New(modhash.Options{})
	missing := filepath.Join(t.TempDir(), "m.zip")
	if _, err := h.Zip(t.Context(), missing, m); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Zip: %v", err)
	}
	if _, _, err := h.Digest(t.Context(), missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Digest: %v", err)
	}
	_, err := h.Zip(t.Context(), t.TempDir(), m)
	wantProblem(t, err, "the zip itself: folder")
}

// A zip that is changed while it is read is refused, even when neither its size nor its modification time tells. One
// that is merely touched is read again.
func TestZipChangedWhileRead(t *testing.T) {
	noise := make([]byte, 2<<20)
	for i := range noise {
		noise[i] = byte(i * i >> 3 * i >> 7)
	}
	large := zipOf(t, entry{prefix + "a", string(noise), func(h *zip.FileHeader) { h.Method = zip.Store }})
	longer := append(bytes.Clone(large), 0)
	old := time.Now().Add(-time.Hour)
	rewrite := func(path string) error {
		return errors.Join(os.WriteFile(path, large, 0o666), os.Chtimes(path, old, old))
	}
	tests := map[string]struct {
		change func(path string) error
		times  int
		ok     bool
	}{
		"not at all":           {func(string) error { return nil }, 1, true},
		"appended":             {func(path string) error { return os.WriteFile(path, longer, 0o666) }, 1, false},
		"cut off":              {func(path string) error { return os.Truncate(path, int64(len(large))-1) }, 1, false},
		"time":                 {func(path string) error { return os.Chtimes(path, old, old.Add(time.Second)) }, 1, false},
		"rewritten":            {rewrite, 1, true},
		"rewritten repeatedly": {rewrite, 1000, false},
		"another link":         {func(path string) error { return os.Link(path, path+".link") }, 1, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if runtime.GOOS == "windows" && name == "rewritten repeatedly" {
				t.Skip("no time of change")
			}
			path := writeZip(t, large)
			if err := os.Chtimes(path, old, old); err != nil {
				t.Fatal(err)
			}
			left, read := test.times, int64(0)
			h := modhash.New(modhash.Options{Workers: 1, Progress: func(n int64) {
				if read += n; read <= 1<<20 || left == 0 {
					return
				}
				read = 0
				left--
				if err := test.change(path); err != nil {
					t.Error(err)
				}
			}})
			got, err := h.Zip(t.Context(), path, m)
			if !test.ok {
				wantProblem(t, err, "zip changed while it was read")
				return
			}
			if err != nil || got.Digest != sha256.Sum256(large) || got.Listing.Len() != 1 {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}
