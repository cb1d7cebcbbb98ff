package verify_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/verify"
)

// waitingFile is a bundle that can't be read until all modules were hashed.
type waitingFile struct {
	io.ReaderAt
	hashed chan struct{}
}

func (f waitingFile) ReadAt(p []byte, off int64) (int, error) {
	select {
	case <-f.hashed:
		return f.ReaderAt.ReadAt(p, off)
	case <-time.After(20 * time.Second):
		return 0, errors.New("no module is hashed before the bundle is read")
	}
}

// Property: modules are hashed while the bundle is opened, and get the verdicts that they
// get else; how many there are is known before any is hashed.
func TestHashedAhead(t *testing.T) {
	w := newWorld(t)
	var total, bytesOfAll, seen atomic.Int64
	w.request.Progress = func(p verify.Progress) {
		if total.Add(int64(p.Total)) == 0 {
			t.Error("progress before the number of modules was told")
		}
		bytesOfAll.Add(p.Bytes)
	}
	w.check()
	if total.Load() != int64(len(w.mods)) {
		t.Errorf("%d modules, want %d", total.Load(), len(w.mods))
	}
	f := waitingFile{w.request.Bundle, make(chan struct{})}
	w.request.Bundle = f
	w.request.Progress = func(p verify.Progress) {
		if p.Bytes > 0 && seen.Add(p.Bytes) == bytesOfAll.Load() {
			close(f.hashed)
		}
	}
	if r := w.check(); !r.OK || seen.Load() != bytesOfAll.Load() {
		t.Errorf("ok %t, %d bytes were hashed, want %d", r.OK, seen.Load(), bytesOfAll.Load())
	}
}

// Property: when the bundle is refused, hashing has ended before Check does.
func TestHashedAheadOfNothing(t *testing.T) {
	w := newWorld(t)
	begun, end, returned := make(chan struct{}), make(chan struct{}), make(chan error)
	var once sync.Once
	w.request.Progress = func(p verify.Progress) {
		if p.Bytes > 0 {
			once.Do(func() { close(begun) })
			<-end
		}
	}
	w.request.Bundle, w.request.BundleSize = waitingFile{strings.NewReader("no bundle"), begun}, 9
	go func() {
		_, err := w.try(context.Background())
		returned <- err
	}()
	<-begun
	select {
	case err := <-returned:
		t.Fatalf("a module is still being hashed after %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	close(end)
	if err := <-returned; !errors.Is(err, bundles.ErrDamaged) {
		t.Error(err)
	}
}

// Property: what is hashed ahead, and kept, does not grow with the time that the bundle
// takes.
func TestMostAhead(t *testing.T) {
	w := newWorld(t)
	for _, workers := range []int{1, 2} {
		w.request.Workers = workers
		for most, want := range map[int64][2]int{1: {1, workers}, 1 << 20: {len(w.mods), len(w.mods)}} {
			if n, err := verify.HashedAhead(context.Background(), w.request, most); n < want[0] || n > want[1] || err != nil {
				t.Errorf("%d workers, %d bytes: %d modules, %v; want %v", workers, most, n, err, want)
			}
		}
	}
}
