package verify_test

import (
	"bytes"
	"context"
	"errors"
	"io"
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
// get else; how many there are is known before any is hashed. When the bundle is refused,
// hashing has ended.
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
	w.request.Bundle, w.request.BundleSize = bytes.NewReader([]byte("no bundle")), 9
	var over atomic.Bool
	w.request.Progress = func(verify.Progress) {
		if over.Load() {
			t.Error("a module is hashed after the bundle was refused")
		}
	}
	if _, err := w.try(context.Background()); !errors.Is(err, bundles.ErrDamaged) {
		t.Error(err)
	}
	over.Store(true)
}

// Property: what is hashed ahead, and kept, does not grow with the time that the bundle
// takes.
func TestRoomAhead(t *testing.T) {
	w := newWorld(t)
	w.request.Workers = 1
	for room, want := range map[int64]int{1: 1, 1 << 20: len(w.mods)} {
		if n, err := verify.HashedAhead(context.Background(), w.request, room); n != want || err != nil {
			t.Errorf("%d bytes: %d modules, %v; want %d", room, n, err, want)
		}
	}
}
