package snapshot

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/modseal/modseal/internal/limit"
)

// Property: a folder holds so many attestations and a file so many bytes, and one
// more is an error that says so.
func TestAttestationLimits(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.sigstore", "b.jsonl", "no.json", "c.sigstore.json"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("1234567"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	all, err := attestationFiles([]string{dir, dir}, 3) // of each
	if err != nil || len(all) != 6 || all[0] != filepath.Join(dir, "a.sigstore") {
		t.Errorf("%q, %v", all, err)
	}
	if all, err := attestationFiles([]string{dir}, 2); !errors.Is(err, limit.ErrExceeded) || !strings.Contains(err.Error(), "more than 2 files") {
		t.Errorf("%q, %v", all, err)
	}
	for max, ok := range map[int64]bool{6: false, 7: true} {
		if data, err := readAttestations(all[0], max); (err == nil) != ok || !ok && !errors.Is(err, limit.ErrExceeded) {
			t.Errorf("at most %d bytes: %q, %v", max, data, err)
		}
	}
}
