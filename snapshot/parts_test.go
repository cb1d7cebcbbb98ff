package snapshot_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modseal/modseal/snapshot"
)

// Property: what a killed run left half-written is no entry, no record, no tile and
// no bundle, and is in nobody's way. A later run removes it from the cache, but not
// while another may be at it.
func TestPartsAreNotResults(t *testing.T) {
	s := watch(t, newWorld(t))
	s.take()
	want, first := read(t, s.request.Output), s.requests()
	// as if the run had been killed within every write that it made
	for i, name := range append(files(t, s.request.CacheDir), s.request.Output) {
		temp := filepath.Join(s.request.CacheDir, "rekor", fmt.Sprintf(".modseal-%d.tmp", i))
		switch {
		case name == s.request.Output:
			temp = filepath.Join(filepath.Dir(name), ".modseal-123.tmp")
		case strings.Contains(name, "sumdb"):
			temp = filepath.Join(s.request.CacheDir, "sumdb", s.db.Name, fmt.Sprintf(".new-%d", i))
		}
		write(t, temp, string(read(t, name)[:10]))
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	left := parts(t, s.dir)
	if _, err := snapshot.Take(context.Background(), s.asked()); err != nil {
		t.Fatal(err)
	}
	if n := s.requests(); n != first {
		t.Errorf("%d requests, want %d as with an empty cache", n, first)
	}
	if !bytes.Equal(read(t, s.request.Output), want) {
		t.Error("the bundle differs")
	}
	if now := parts(t, s.dir); !slices.Equal(now, left) {
		t.Errorf("parts are left: %q, of %q", now, left)
	}

	var keep []string
	for i, name := range left {
		age := 25 * time.Hour
		if i%2 == 0 {
			age = 23 * time.Hour
		}
		if err := os.Chtimes(name, time.Time{}, time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 || !strings.HasPrefix(name, s.request.CacheDir) {
			keep = append(keep, name)
		}
	}
	other := filepath.Join(s.request.CacheDir, "rekor", ".modseal-1.tmp.mine")
	write(t, other, "")
	if err := os.Chtimes(other, time.Time{}, time.Now().Add(-25*time.Hour)); err != nil {
		t.Fatal(err)
	}
	for _, name := range files(t, s.request.CacheDir) { // so that there is something to write
		if !slices.Contains(left, name) && name != other {
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := snapshot.Take(context.Background(), s.asked()); err != nil {
		t.Fatal(err)
	}
	if now := parts(t, s.dir); !slices.Equal(now, keep) || len(read(t, other)) != 0 {
		t.Errorf("parts are left: %q, want %q", now, keep)
	}
}
