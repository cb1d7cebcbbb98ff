package modhash_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/modseal/modseal/internal/modhash"
)

// A vendor folder's files are hashed wherever something else lies beside them, which is named. A file whose line ends
// alone are not the wanted ones is told from one that is changed, whichever way they were turned.
func TestVendor(t *testing.T) {
	ways(t, func(t *testing.T, newHasher func(modhash.Options) *modhash.Hasher) {
		dir := t.TempDir()
		long := strings.Repeat("a line of text\n", 40_000) // more than one read, and than one buffer
		crlf := func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }
		disk := map[string][2]string{ // what is there, and what is wanted
			"a/same.go":    {"x\n", "x\n"},
			"a/to_crlf.go": {crlf(long), long},
			"a/to_lf.go":   {long, crlf(long)},
			"a/mixed.go":   {"x\r\ny\n", "x\ny\n"},
			"a/cr.go":      {"x\ry\r\r\n\r", "x\ry\r\n\r"},
			"a/changed.go": {"x\r\n", "y\n"},
			"a/none.go":    {"x", "y"},
			"a/empty.go":   {"", "\n"},
			"a/extra.go":   {"x\r\n", ""},
			"top.go":       {"x\r\n", "x\n"},
		}
		for name, d := range disk {
			writeFile(t, filepath.Join(dir, filepath.FromSlash(name)), []byte(d[0]))
		}
		for i := range 60 {
			if err := os.Symlink("same.go", filepath.Join(dir, "a", fmt.Sprintf("link%02d.go", i))); err != nil {
				t.Fatal(err)
			}
		}
		r, err := newHasher(modhash.Options{}).Vendor(t.Context(), dir, func(name string) ([32]byte, bool) {
			return sha256.Sum256([]byte(disk[name][1])), name != "a/extra.go"
		})
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"a/cr.go", "a/mixed.go", "a/to_crlf.go", "a/to_lf.go", "top.go"}; !slices.Equal(r.Endings, want) {
			t.Errorf("line endings: %q, want %q", r.Endings, want)
		}
		if len(r.Files) != len(disk) {
			t.Errorf("%d files, want %d", len(r.Files), len(disk))
		}
		for _, f := range r.Files {
			if f.SHA256 != sha256.Sum256([]byte(disk[f.Name][0])) {
				t.Errorf("%s: hash of something else", f.Name)
			}
		}
		if len(r.Wrong) != 50 || r.More != 10 || r.Wrong[0].Path != "a/link00.go" || r.Wrong[0].Problem != "symbolic link" {
			t.Errorf("%d wrong, %d more: %v", len(r.Wrong), r.More, r.Wrong[0])
		}
	})
}
