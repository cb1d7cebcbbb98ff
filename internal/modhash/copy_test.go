package modhash_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/modseal/modseal/internal/modhash"
)

// into makes the files of a copy in a folder.
func into(dir string) modhash.Create {
	return func(name string) (*os.File, error) {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return nil, err
		}
		return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o444)
	}
}

// nowhere takes what is written, for copies of which only the size matters.
func nowhere(string) (*os.File, error) { return os.OpenFile(os.DevNull, os.O_WRONLY, 0) }

// Copies of a tree and of a zip, and what is unpacked of a zip, hash to what the originals do.
func TestCopies(t *testing.T) {
	ways(t, func(t *testing.T, newHasher func(modhash.Options) *modhash.Hasher) {
		h := newHasher(modhash.Options{Workers: 3})
		module := content{"large.bin": strings.Repeat("0123456789abcdef", 1<<16)}
		for name, body := range small {
			module[name] = body
		}
		dir, file := module.writeTree(t), writeZip(t, zipOf(t, module.entries()...))
		want, err := h.Zip(t.Context(), file, m)
		if err != nil {
			t.Fatal(err)
		}
		for name, do := range map[string]func(to string) error{
			"tree":     func(to string) error { return h.CopyTree(t.Context(), dir, m, into(to)) },
			"unpacked": func(to string) error { return h.Unzip(t.Context(), file, m, into(to)) },
		} {
			to := t.TempDir()
			if err := do(to); err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if got, err := h.Tree(t.Context(), to, m); err != nil || got.Listing.H1() != want.Listing.H1() {
				t.Errorf("%s: %v, %v", name, got, err)
			}
		}
		to := t.TempDir()
		if err := h.CopyZip(t.Context(), file, func() (*os.File, error) { return into(to)("z") }); err != nil {
			t.Fatal(err)
		}
		if got, _, err := h.Digest(t.Context(), filepath.Join(to, "z")); err != nil || got != want.Digest {
			t.Errorf("zip: %v, %v", got, err)
		}
	})
}

// A zip that is refused for its names is not begun to be unpacked; one that lies about its content is refused on the way.
func TestUnzipRefuses(t *testing.T) {
	h := modhash.New(modhash.Options{})
	for name, entries := range map[string][]entry{
		"out of the folder":  {{name: prefix + "../out.go", body: "x"}},
		"of another module":  {{name: "example.com/other@v1.0.0/x.go", body: "x"}},
		"differ in case":     {one("a.go", "x"), one("A.go", "x")},
		"go.mod is too big":  {one("go.mod", strings.Repeat(" ", modhash.MaxGoMod+1))},
		"name is not a file": {one("dir/", "")},
	} {
		created := false
		err := h.Unzip(t.Context(), writeZip(t, with(t, entries...)), m, func(string) (*os.File, error) {
			created = true
			return nil, errors.New("created")
		})
		var refused *modhash.RefusedError
		if !errors.As(err, &refused) || created {
			t.Errorf("%s: %v, created %t", name, err, created)
		}
	}
	lie := writeZip(t, rawZip(func() rawEntry { e := stored("a.go", "package a"); e.name = prefix + "a.go"; e.crc++; return e }()))
	var refused *modhash.RefusedError
	if err := h.Unzip(t.Context(), lie, m, into(t.TempDir())); !errors.As(err, &refused) {
		t.Errorf("wrong checksum: %v", err)
	}
}

// The limits of copies are those of what is hashed.
func TestCopyLimits(t *testing.T) {
	h := modhash.New(modhash.Options{})
	dir := t.TempDir()
	sparse(t, filepath.Join(dir, "a"), modhash.MaxContent)
	if err := h.CopyTree(t.Context(), dir, m, nowhere); err != nil {
		t.Errorf("tree at the limit: %v", err)
	}
	sparse(t, filepath.Join(dir, "b"), 1)
	wantProblem(t, h.CopyTree(t.Context(), dir, m, nowhere), "files of the tree have more than 524288000 bytes")

	zip := sparse(t, filepath.Join(t.TempDir(), "z"), modhash.MaxZip)
	copyZip := func() error {
		return h.CopyZip(t.Context(), zip, func() (*os.File, error) { return nowhere("") })
	}
	if err := copyZip(); err != nil {
		t.Errorf("zip at the limit: %v", err)
	}
	sparse(t, zip, modhash.MaxZip+1)
	var wrong *modhash.ContentError
	if err := copyZip(); !errors.As(err, &wrong) {
		t.Errorf("zip above the limit: %v", err)
	}
}

// That a copy can't be written is told apart from that there is something wrong with what is copied.
func TestCopyUnwritten(t *testing.T) {
	h := modhash.New(modhash.Options{})
	dir, file := small.writeTree(t), writeZip(t, zipOf(t, small.entries()...))
	readOnly := func(string) (*os.File, error) { return os.Open(os.DevNull) }
	for name, create := range map[string]modhash.Create{"not made": into(filepath.Join(file, "x")), "not written": readOnly} {
		for what, err := range map[string]error{
			"tree":     h.CopyTree(t.Context(), dir, m, create),
			"unpacked": h.Unzip(t.Context(), file, m, create),
			"zip":      h.CopyZip(t.Context(), file, func() (*os.File, error) { return create("z") }),
		} {
			var unwritten *modhash.WriteError
			if !errors.As(err, &unwritten) {
				t.Errorf("%s %s: %v", what, name, err)
			}
		}
	}
	if err := h.CopyTree(t.Context(), dir+"x", m, nowhere); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no tree: %v", err)
	}
}
