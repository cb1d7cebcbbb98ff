package snapshot

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func listingNumber(i int) []byte {
	return fmt.Appendf(nil, "listing %d %s\n", i, strings.Repeat("x", i%7))
}

// Property: what was put comes out again by its digest, from memory and from the file,
// with whatever room in memory; no more than that is in memory, and nothing of it is
// left, not even while it is in use.
func TestSpool(t *testing.T) {
	const n = 50
	total := 0
	for i := range n {
		total += len(listingNumber(i))
	}
	for _, room := range []int{0, 1, 20, 100, total - 1, total, total + 1} {
		dir := t.TempDir()
		s := newSpool(filepath.Join(dir, "deps.modseal"), room)
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				for range 2 { // the second time is no matter
					if err := s.put(sha256.Sum256(listingNumber(i)), listingNumber(i)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if len(s.buf) > max(room, 40) || (s.f != nil) != (room < total) || s.written+int64(len(s.buf)) != int64(total) {
			t.Errorf("room for %d: %d in memory, %d in a file: %t", room, len(s.buf), s.written, s.f != nil)
		}
		if left, err := os.ReadDir(dir); err != nil || runtime.GOOS != "windows" && len(left) > 0 {
			t.Errorf("room for %d: %v in the folder, %v", room, left, err)
		}
		for i := range n {
			sum := sha256.Sum256(listingNumber(i))
			got, err := s.get(hex.EncodeToString(sum[:]))
			if err != nil || !bytes.Equal(got, listingNumber(i)) {
				t.Errorf("room for %d: listing %d is %q, %v", room, i, got, err)
			}
		}
		for _, digest := range []string{"", "ab", strings.Repeat("g", 64), strings.Repeat("ab", 32)} {
			if got, err := s.get(digest); err == nil {
				t.Errorf("%q is %q", digest, got)
			}
		}
		for range 2 {
			if err := s.close(); err != nil {
				t.Error(err)
			}
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("room for %d: %v is left, %v", room, left, err)
		}
	}
	var none *spool
	if err := none.close(); err != nil {
		t.Error(err)
	}
}

// Property: a file that can't be made or written to is an error of the output.
func TestSpoolCannotBeWritten(t *testing.T) {
	put := func(s *spool, i int) error { return s.put(sha256.Sum256(listingNumber(i)), listingNumber(i)) }
	s := newSpool(filepath.Join(t.TempDir(), "nowhere", "deps.modseal"), 1)
	if err := put(s, 1); err == nil || !strings.HasPrefix(err.Error(), "output: open ") {
		t.Errorf("no folder: %v", err)
	}
	s = newSpool(filepath.Join(t.TempDir(), "deps.modseal"), 1)
	if err := put(s, 1); err != nil {
		t.Fatal(err)
	}
	if err := s.f.Close(); err != nil { // as if the disk were gone
		t.Fatal(err)
	}
	if err := put(s, 2); err == nil || !strings.HasPrefix(err.Error(), "output: write ") {
		t.Errorf("no disk: %v", err)
	}
}
