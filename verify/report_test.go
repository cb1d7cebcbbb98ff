package verify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/modseal/modseal/verify"
)

// Property: a report names the files that differ from what is proven, the first
// twenty by name, if the bundle has the listing that is proven.
func TestDifferences(t *testing.T) {
	diff := func(do func(w *world)) *verify.ModuleReport {
		w := newWorld(t)
		do(w)
		return moduleIn(t, w.check(), plain)
	}
	change := func(w *world) {
		write(w, w.unpacked(plain, "plain.go"), "package evil\n")
		write(w, w.unpacked(plain, "extra.go"), "package evil\n")
		remove(w, w.unpacked(plain, "LICENSE"))
	}
	want := []verify.Difference{{File: "LICENSE", Kind: "missing"}, {File: "extra.go", Kind: "extra"}, {File: "plain.go", Kind: "changed"}}
	for name, prepare := range map[string]func(w *world){"all": asIs, "records": signless, "signers": recordless} {
		if m := diff(func(w *world) { prepare(w); change(w) }); !slices.Equal(m.Differences, want) || m.MoreDiffs != 0 {
			t.Errorf("with evidence of %s: %+v and %d more, want %+v", name, m.Differences, m.MoreDiffs, want)
		}
	}
	if m := diff(func(w *world) { change(w); w.listings = false }); m.Status != verify.Mismatch || m.Differences != nil {
		t.Errorf("without listings: %+v", m)
	}
	// a zip that is attested is a listing of its own
	if m := diff(func(w *world) { recordless(w); w.drop(plain, "listing"); w.listings = false; change(w) }); !slices.Equal(m.Differences, want) {
		t.Errorf("by the attested zip: %+v", m.Differences)
	}
	if m := diff(func(w *world) { write(w, w.download(plain, ".zip"), string(evil(w.mod(plain)).zip())) }); !slices.Equal(m.Differences, []verify.Difference{{File: "evil.go", Kind: "extra"}}) {
		t.Errorf("zip beside the tree: %+v", m.Differences)
	}
	for _, n := range []int{20, 21, 25} {
		m := diff(func(w *world) {
			for i := range n {
				write(w, w.unpacked(plain, fmt.Sprintf("new/%02d.go", i)), "package evil\n")
			}
		})
		if len(m.Differences) != 20 || m.MoreDiffs != n-20 || m.Differences[19].File != "new/19.go" {
			t.Errorf("%d files: %+v and %d more", n, m.Differences, m.MoreDiffs)
		}
	}
}

// Property: equal inputs give the same report, byte for byte, with any number of
// workers, and also when nothing is right.
func TestSameReportEachTime(t *testing.T) {
	for _, do := range []func(w *world){asIs, func(w *world) {
		for _, m := range w.mods {
			write(w, w.unpacked(m.Path, "evil.go"), "package evil\n")
		}
		w.attest(evil(w.mod(plain)), w.alice)
	}} {
		w := newWorld(t)
		do(w)
		var first []byte
		for _, workers := range []int{0, 1, 8, 1} {
			w.request.Workers = workers
			b, err := json.Marshal(w.check())
			if err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = b
			}
			if !bytes.Equal(b, first) {
				t.Errorf("with %d workers:\n%s\nbefore:\n%s", workers, b, first)
			}
		}
	}
}

// Property: when the context ends, before or in the middle of the work, there is
// its error and no report.
func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	w := newWorld(t)
	w.before(cancel)
	if r, err := w.try(ctx); r != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("in the middle: %v, %v", r, err)
	}
	w.request.Progress = nil
	if r, err := w.try(ctx); r != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("before: %v, %v", r, err)
	}
}

// Property: progress adds up: the total once, then each module, and all bytes of
// what is hashed.
func TestProgress(t *testing.T) {
	w := newWorld(t)
	var modules, total, hashed atomic.Int64
	var want int64
	w.request.Progress = func(p verify.Progress) {
		modules.Add(int64(p.Modules))
		total.Add(int64(p.Total))
		hashed.Add(p.Bytes)
	}
	for _, m := range w.mods {
		want += int64(len(m.zip()))
		for _, data := range m.files {
			want += int64(len(data))
		}
	}
	w.check()
	if modules.Load() != 5 || total.Load() != 5 || hashed.Load() != want {
		t.Errorf("%d modules of %d, %d bytes of %d", modules.Load(), total.Load(), hashed.Load(), want)
	}
}
