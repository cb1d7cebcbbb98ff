package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// names are what a folder holds.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// Property: a folder is there whole or not at all, whatever goes wrong on the
// way, and what is written for it is not left beside it.
func TestNewFolder(t *testing.T) {
	for _, place := range []string{"dir", "some/parent/dir"} {
		parent := t.TempDir()
		dir := filepath.Join(parent, place)
		ctx, cancel := context.WithCancel(context.Background())
		for _, c := range []string{"given up", "interrupted", "done"} {
			n, err := beginFolder(dir)
			if err != nil {
				t.Fatal(err)
			}
			if err := n.root.WriteFile("half", []byte("x"), 0o644); err != nil {
				t.Fatal(err)
			}
			if info, err := os.Stat(n.temp); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("others can look into it before it is done: %v, %v", info.Mode(), err)
			}
			if got := names(t, parent); len(got) != 1 || got[0] != filepath.Base(n.temp) {
				t.Errorf("whoever is killed now leaves a folder that is not complete: %q", got)
			}
			if err := n.root.WriteFile("../out", nil, 0o644); err == nil {
				t.Error("written outside of the folder")
			}
			switch c {
			case "interrupted":
				cancelled, cancel := context.WithCancel(ctx)
				cancel()
				if err := n.finish(cancelled); !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			case "done":
				if err := n.finish(ctx); err != nil {
					t.Error(err)
				}
			}
			n.discard()
			if got := names(t, parent); c != "done" && len(got) > 0 {
				t.Errorf("%s: left %q", c, got)
			}
		}
		cancel()
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm() != 0o755 || !slices.Equal(names(t, dir), []string{"half"}) || len(names(t, parent)) != 1 {
			t.Errorf("%v, %q in %q", err, names(t, dir), names(t, parent))
		}
	}
}

// Property: an empty folder is replaced; what somebody puts into its place
// meanwhile stays.
func TestNewFolderSpoilsNothing(t *testing.T) {
	for _, mine := range []bool{true, false} {
		parent := t.TempDir()
		dir := filepath.Join(parent, "dir")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		n, err := beginFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{}
		if mine {
			want = []string{"mine"}
			if err := os.WriteFile(filepath.Join(dir, "mine"), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		err = n.finish(context.Background())
		n.discard()
		if (err == nil) == mine || !slices.Equal(names(t, dir), want) || len(names(t, parent)) != 1 {
			t.Errorf("%v; %q in %q", err, names(t, dir), names(t, parent))
		}
	}
}
