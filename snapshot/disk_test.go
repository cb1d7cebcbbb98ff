//go:build unix

package snapshot_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// nobody is a user without rights, in the place of root.
const nobody = 65534

// open lets every user write to everything of the world, and none but the world's
// to what is named.
func (w *world) open(readOnly ...string) {
	w.Helper()
	modes := map[string]os.FileMode{w.dir: 0o777, filepath.Dir(w.dir): 0o755}
	for _, name := range []string{"out", "fetched"} {
		_ = filepath.WalkDir(w.path(name), func(path string, _ os.DirEntry, err error) error {
			modes[path] = 0o777
			return err
		})
	}
	for _, name := range readOnly {
		modes[name] = 0o555
	}
	for name, mode := range modes {
		if err := os.Chmod(name, mode); err != nil && !errors.Is(err, os.ErrNotExist) {
			w.Fatal(err)
		}
	}
	w.Cleanup(func() {
		for _, name := range readOnly {
			_ = os.Chmod(name, 0o755)
		}
	})
}

// Property: an output that can't be written, because its folder is read-only or
// the disk is full, is an error that says so, and what was there before is as it
// was. A cache that can't be written to makes no difference but requests.
func TestNowhereToWrite(t *testing.T) {
	const before = "the bundle of last week"
	for name, c := range map[string]struct {
		readOnly []string // folders, made if need be
		full     string
		kept     bool   // something is kept in the cache
		says     string // "" for a bundle
	}{
		"undisturbed":                             {nil, "", true, ""},
		"output folder read-only":                 {[]string{"out"}, "", true, "output: open "},
		"cache read-only":                         {[]string{"fetched"}, "", false, ""},
		"all of the cache read-only":              {[]string{"fetched", "fetched/sumdb", "fetched/rekor"}, "", false, ""},
		"disk full":                               {nil, "always", false, "output: write "},
		"cache's disk full":                       {nil, "at first", false, ""},
		"cache's disk full, and output read-only": {[]string{"out"}, "at first", false, "output: open "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := watch(t, sharded(t))
			s.take()
			want, all := read(t, s.request.Output), s.requests()
			write(t, s.request.Output, before)
			if err := os.RemoveAll(s.request.CacheDir); err != nil {
				t.Fatal(err)
			}
			var readOnly []string
			for _, dir := range append([]string{"fetched"}, c.readOnly...) {
				if err := os.MkdirAll(s.path(dir), 0o755); err != nil {
					t.Fatal(err)
				}
				readOnly = append(readOnly, s.path(dir))
			}
			readOnly = readOnly[1:]
			s.open(readOnly...)
			o := s.orders()
			o.User, o.Full, o.Report = nobody, c.full, ""
			said := s.obeyed(o)
			if (said == "") != (c.says == "") || !strings.HasPrefix(said, c.says) || c.says != "" && !strings.Contains(said, s.path("out")) {
				t.Errorf("said %q, want %q", said, c.says)
			}
			if c.says != "" {
				want = []byte(before)
			}
			if got := read(t, s.request.Output); !bytes.Equal(got, want) {
				t.Errorf("the output is %d bytes %.30q, want %d", len(got), got, len(want))
			}
			s.left("deps.modseal")
			if left := parts(t, s.dir); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
			if n := len(files(t, s.request.CacheDir)); (n > 0) != c.kept {
				t.Errorf("%d files are kept in the cache", n)
			}
			if n := s.requests(); n != all {
				t.Errorf("%d requests, want %d", n, all)
			}
		})
	}
}
