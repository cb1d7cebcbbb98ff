package atomicfile_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/modseal/modseal/internal/atomicfile"
)

func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

// Property: a file is replaced whole, and when writing fails halfway it is as it
// was, with nothing beside it.
func TestWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "file")
	if err := atomicfile.WriteBytes(name, []byte("first")); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err := atomicfile.Write(name, func(w io.Writer) error {
		if _, err := w.Write(make([]byte, 3<<20)); err != nil {
			return err
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if got, err := os.ReadFile(name); err != nil || string(got) != "first" {
		t.Errorf("after a failure: %d bytes, %v", len(got), err)
	}
	if err := atomicfile.WriteBytes(name, []byte("second")); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(name); string(got) != "second" {
		t.Errorf("after the second: %q", got)
	}
	if got := files(t, dir); len(got) != 1 {
		t.Errorf("left behind: %q", got)
	}
	if info, _ := os.Stat(name); info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v", info.Mode())
	}
}

// Property: a folder that can't be written to is an error, not a lost file.
func TestNowhere(t *testing.T) {
	if err := atomicfile.WriteBytes(filepath.Join(t.TempDir(), "none", "file"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

// Property: whether a file can be made in a folder is known before, also in one that is to be
// made; and nothing is left of the trial.
func TestWritable(t *testing.T) {
	dir := t.TempDir()
	if err := atomicfile.WriteBytes(filepath.Join(dir, "file"), nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "link")); err != nil {
		t.Skip("no symbolic links: ", err)
	}
	for name, ok := range map[string]bool{".": true, "new": true, "new/er/est": true, "file": false, "file/in/it": false, "link": false, "link/in/it": false} {
		if err := atomicfile.Writable(filepath.Join(dir, name)); (err == nil) != ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := files(t, dir); len(got) != 2 {
		t.Errorf("left behind: %q", got)
	}
}
