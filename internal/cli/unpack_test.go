package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
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
func TestWriteWhole(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "dir")
	half := func(root *os.Root) error { return root.WriteFile("half", []byte("x"), 0o644) }
	ctx, cancel := context.WithCancel(context.Background())
	for name, c := range map[string]struct {
		ctx   context.Context
		write func(fresh string, root *os.Root) error
		want  error
	}{
		"disk full":   {context.Background(), func(_ string, root *os.Root) error { return errors.Join(half(root), syscall.ENOSPC) }, syscall.ENOSPC},
		"unproven":    {context.Background(), func(_ string, root *os.Root) error { return errors.Join(half(root), errUnproven) }, errUnproven},
		"interrupted": {ctx, func(_ string, root *os.Root) error { cancel(); return half(root) }, context.Canceled},
	} {
		if err := writeWhole(c.ctx, dir, 0o755, c.write); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if got := names(t, parent); len(got) > 0 {
			t.Errorf("%s: left %q", name, got)
		}
	}
	err := writeWhole(context.Background(), dir, 0o755, func(fresh string, root *os.Root) error {
		if info, err := os.Stat(fresh); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("others can look into it before it is done: %v, %v", info.Mode(), err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("whoever is killed now leaves a folder that is not complete: %v", err)
		}
		if err := root.WriteFile("../out", nil, 0o644); err == nil {
			t.Error("written outside of the folder")
		}
		return half(root)
	})
	if info, statErr := os.Stat(dir); err != nil || statErr != nil || info.Mode().Perm() != 0o755 || !slices.Equal(names(t, dir), []string{"half"}) {
		t.Errorf("%v, %v, %q", err, statErr, names(t, dir))
	}
}

// Property: what somebody puts in the folder's place meanwhile stays.
func TestWriteWholeSpoilsNothing(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "dir")
	err := writeWhole(context.Background(), dir, 0o755, func(string, *os.Root) error {
		return errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, "mine"), nil, 0o644))
	})
	if err == nil || !slices.Equal(names(t, dir), []string{"mine"}) || len(names(t, parent)) != 1 {
		t.Errorf("%v; %q in %q", err, names(t, dir), names(t, parent))
	}
}
