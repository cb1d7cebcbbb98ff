package modhash_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modseal/modseal/internal/modhash"
)

// wide is a module with more files than one worker takes at once.
func wide() content {
	c := content{"go.mod": "module example.com/m\n"}
	for i := range 200 {
		c[fmt.Sprintf("d%02d/f%03d.go", i%7, i)] = strings.Repeat(fmt.Sprint(i), i*100)
	}
	return c
}

// The result does not depend on the number of workers, nor on how many modules are hashed at once, and all workers are
// free in the end.
func TestWorkers(t *testing.T) {
	c := wide()
	dir, zipPath := c.writeTree(t), writeZip(t, zipOf(t, c.entries()...))
	want, err := modhash.New(modhash.Options{Workers: 1}).Tree(t.Context(), dir, m)
	if err != nil {
		t.Fatal(err)
	}
	for _, workers := range []int{0, 1, 2, 8} {
		h := modhash.New(modhash.Options{Workers: workers})
		free := h.FreeWorkers()
		if workers == 0 && free != 2*runtime.GOMAXPROCS(0) || workers > 0 && free != workers {
			t.Errorf("%d workers for %d", free, workers)
		}
		err := h.Each(t.Context(), 8, func(ctx context.Context, i int) error {
			tree, err := h.Tree(ctx, dir, m)
			if err != nil {
				return err
			}
			z, err := h.Zip(ctx, zipPath, m)
			if err != nil {
				return err
			}
			if tree.Listing.H1() != want.Listing.H1() || z.Listing.H1() != want.Listing.H1() || tree.Bytes != want.Bytes {
				return fmt.Errorf("%d: another result", i)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		wantFree(t, h, free)
	}
}

// wantFree waits until all workers are free: a helper may still be about to find that there is nothing to do.
func wantFree(t *testing.T, h *modhash.Hasher, want int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); h.FreeWorkers() != want; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d workers are free, want %d", h.FreeWorkers(), want)
		}
	}
}

// However many calls there are, no more files are open at once than there are workers.
func TestWorkersAreTheBound(t *testing.T) {
	dir := wide().writeTree(t)
	const workers = 3
	h := modhash.New(modhash.Options{Workers: workers})
	var open, most atomic.Int64
	h.SetHooks(modhash.Hooks{
		BeforeOpen: func(string) error {
			n := open.Add(1)
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			runtime.Gosched()
			return nil
		},
		AfterClose: func() { open.Add(-1) },
	})
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := h.Tree(t.Context(), dir, m); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := most.Load(); n > workers || n < 2 {
		t.Errorf("%d files were open at once, with %d workers", n, workers)
	}
}

// A worker without a module of its own helps with the files of another one's: here every file is opened only once
// another one is, too.
func TestWorkersHelp(t *testing.T) {
	dir := wide().writeTree(t)
	h := modhash.New(modhash.Options{Workers: 2})
	var met atomic.Bool
	meet := make(chan struct{})
	h.SetHooks(modhash.Hooks{BeforeOpen: func(string) error {
		if met.Load() {
			return nil
		}
		select {
		case meet <- struct{}{}:
		case <-meet:
		case <-time.After(20 * time.Second):
			return errors.New("nobody helps")
		}
		met.Store(true)
		return nil
	}})
	if _, err := h.Tree(t.Context(), dir, m); err != nil {
		t.Fatal(err)
	}
}

// Work ends soon after its context does, with the context's cause, and leaves nothing open.
func TestCancel(t *testing.T) {
	c := wide()
	c["large"] = strings.Repeat("0123456789abcdef", 1<<17) // 2 MiB
	dir, zipPath := c.writeTree(t), writeZip(t, zipOf(t, c.entries()...))
	large := writeZip(t, bytes.Repeat([]byte("x"), 4<<20))
	calls := map[string]func(context.Context, *modhash.Hasher) error{
		"tree":   func(ctx context.Context, h *modhash.Hasher) error { _, err := h.Tree(ctx, dir, m); return err },
		"folder": func(ctx context.Context, h *modhash.Hasher) error { _, err := h.Folder(ctx, dir); return err },
		"zip":    func(ctx context.Context, h *modhash.Hasher) error { _, err := h.Zip(ctx, zipPath, m); return err },
		"digest": func(ctx context.Context, h *modhash.Hasher) error { _, _, err := h.Digest(ctx, large); return err },
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			before := openFiles(t)
			ctx, cancel := context.WithCancelCause(t.Context())
			why := errors.New("enough")
			var read atomic.Int64
			h := modhash.New(modhash.Options{Workers: 2, Progress: func(n int64) {
				if read.Add(n); read.Load() > 100<<10 {
					cancel(why)
				}
			}})
			if err := call(ctx, h); !errors.Is(err, why) {
				t.Errorf("got %v", err)
			}
			// Each worker may finish the buffer that it was at.
			if n := read.Load(); n > 1<<20 {
				t.Errorf("%d bytes were read", n)
			}
			if err := call(ctx, h); !errors.Is(err, why) {
				t.Errorf("with a context that has ended: %v", err)
			}
			wantFree(t, h, 2)
			if after := openFiles(t); after > before {
				t.Errorf("%d files were open, now %d", before, after)
			}
			if err := call(t.Context(), h); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// openFiles returns the number of the process's open files where the system tells, or 0.
func openFiles(t *testing.T) int {
	t.Helper()
	list, _ := os.ReadDir("/proc/self/fd")
	return len(list)
}

// A refused tree leaves nothing open either.
func TestRefusedLeavesNothingOpen(t *testing.T) {
	c := wide()
	c["d03/con"] = ""
	dir := c.writeTree(t)
	h := modhash.New(modhash.Options{Workers: 4})
	before := openFiles(t)
	for range 5 {
		_, err := h.Tree(t.Context(), dir, m)
		problemsOf(t, err)
	}
	wantFree(t, h, 4)
	if after := openFiles(t); after > before {
		t.Errorf("%d files were open, now %d", before, after)
	}
}

// A module with very many names, of which one is read at a time, lets the next one in when it is done, accepted or not.
func TestWideModulesTakeTurns(t *testing.T) {
	dir := wide().writeTree(t)
	long := strings.Repeat("x", 3000)
	h := modhash.New(modhash.Options{Workers: 2})
	h.SetHooks(modhash.Hooks{AfterList: func(list []fs.DirEntry) []fs.DirEntry {
		for _, e := range list {
			if e.Name() == "go.mod" { // in the root only
				return append(list, slices.Repeat([]fs.DirEntry{fakeFolder(long)}, 1000)...)
			}
		}
		return list
	}})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := h.Each(ctx, 4, func(ctx context.Context, i int) error {
		_, err := h.Tree(ctx, dir, m)
		if problems := problemsOf(t, err); len(problems) != 1 || !strings.Contains(problems[0], "can't be read") {
			t.Errorf("wrong is %q", problems)
		}
		return ctx.Err()
	})
	if err != nil {
		t.Error(err)
	}
}

type fakeFolder string

func (f fakeFolder) Name() string             { return string(f) }
func (fakeFolder) IsDir() bool                { return true }
func (fakeFolder) Type() fs.FileMode          { return fs.ModeDir }
func (fakeFolder) Info() (fs.FileInfo, error) { return nil, fs.ErrNotExist }

// Each calls once for each number; the first error ends it.
func TestEach(t *testing.T) {
	h := modhash.New(modhash.Options{Workers: 3})
	var calls [100]atomic.Int64
	count := func(_ context.Context, i int) error { calls[i].Add(1); return nil }
	if err := h.Each(t.Context(), len(calls), count); err != nil {
		t.Fatal(err)
	}
	for i := range calls {
		if n := calls[i].Load(); n != 1 {
			t.Errorf("%d calls for %d", n, i)
		}
	}
	broken := errors.New("broken")
	var n atomic.Int64
	err := h.Each(t.Context(), 1000, func(ctx context.Context, i int) error {
		n.Add(1)
		if i == 5 {
			return broken
		}
		if i > 5 {
			<-ctx.Done() // and the others get to know
		}
		return nil
	})
	if !errors.Is(err, broken) || n.Load() > 10 {
		t.Errorf("%v after %d calls", err, n.Load())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	called := func(context.Context, int) error { t.Error("called"); return nil }
	if err := h.Each(ctx, 1, called); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := h.Each(t.Context(), 0, nil); err != nil {
		t.Error(err)
	}
}

// Progress hears of every byte: the content of trees and zips, and the zips' own.
func TestProgress(t *testing.T) {
	c := wide()
	data := zipOf(t, c.entries()...)
	dir, zipPath := c.writeTree(t), writeZip(t, data)
	var n, size atomic.Int64
	for _, body := range c {
		size.Add(int64(len(body)))
	}
	h := modhash.New(modhash.Options{Progress: func(k int64) { n.Add(k) }})
	tree, err := h.Tree(t.Context(), dir, m)
	if err != nil || n.Swap(0) != size.Load() || tree.Bytes != size.Load() {
		t.Errorf("tree: %v", err)
	}
	if _, err := h.Zip(t.Context(), zipPath, m); err != nil || n.Swap(0) != size.Load()+int64(len(data)) {
		t.Errorf("zip: %v", err)
	}
	if _, _, err := h.Digest(t.Context(), zipPath); err != nil || n.Swap(0) != int64(len(data)) {
		t.Errorf("digest: %v", err)
	}
}

// A folder that holds very many files is read without holding all of their names at once, and by all workers.
func TestManyFiles(t *testing.T) {
	dir := t.TempDir()
	first := writeFile(t, filepath.Join(dir, "0000"), []byte("x"))
	for i := 1; i < 2000; i++ {
		if err := os.Link(first, filepath.Join(dir, fmt.Sprintf("%04d", i))); err != nil {
			t.Skip(err)
		}
	}
	got, err := modhash.New(modhash.Options{}).Tree(t.Context(), dir, m)
	if err != nil || got.Files != 2000 || got.Bytes != 2000 {
		t.Errorf("%v, %v", got, err)
	}
}
