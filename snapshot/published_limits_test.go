package snapshot

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/modseal/modseal/internal/evidence"
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

// Property: a file has so many log entries, and so many time stamps, which count for each
// entry that has them.
func TestAttestationCosts(t *testing.T) {
	stamped := evidence.Published{Entry: evidence.Entry{Timestamps: make([][]byte, 2)}}
	for unit, c := range map[string]struct {
		one evidence.Published
		max int
	}{"log entries": {evidence.Published{}, maxAttestationProofs}, "time stamps": {stamped, maxAttestationProofs / 2}} {
		var sum costs
		for range c.max / 2 {
			sum.take([]evidence.Published{c.one, c.one})
		}
		if err := sum.exceeded("file"); err != nil {
			t.Errorf("at the limit: %v", err)
		}
		sum.take([]evidence.Published{c.one})
		if err := sum.exceeded("file"); !errors.Is(err, limit.ErrExceeded) || !strings.Contains(err.Error(), "file: more than 2000 "+unit) {
			t.Errorf("one over: %v", err)
		}
	}
}
