package snapshot_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/testlog"
)

// sharded makes a world whose Rekor has three shards: everything was attested in
// the first, a module once more in the second, and strangers use the third.
func sharded(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.rekor.Rotate()
	w.noise()
	w.attest(w.mod(plain), w.alice)
	w.noise()
	w.rekor.Rotate()
	w.noise()
	w.request.Trust = w.material()
	return w
}

// Property: each shard of which an entry is kept is a log of its own, with its
// own key, head and indexes; the others are not in the bundle.
func TestShards(t *testing.T) {
	w := sharded(t)
	s := w.take()
	shards := w.rekor.Shards()
	byName := map[string]int{}
	for i, l := range s.Logs {
		byName[l.Name] = s.Entries[i]
	}
	if want := map[string]int{shards[0].Origin(): 6, shards[1].Origin(): 2, w.db.Name: 3}; !maps.Equal(byName, want) {
		t.Errorf("entries by log: %v, want %v", byName, want)
	}
	if r := w.enclave(); !r.OK || len(r.Logs) != 3 {
		t.Errorf("enclave: counts %v, logs %+v", r.Counts, r.Logs)
	}
	for _, l := range w.bundle().Logs {
		if i := slices.IndexFunc(shards, func(s *testlog.Shard) bool { return s.Origin() == l.Name }); i >= 0 && l.Proof.Size != shards[i].Size() {
			t.Errorf("shard %d at size %d, want %d", i, l.Proof.Size, shards[i].Size())
		}
	}
}

// Property: an entry in a shard whose key is not trusted can't count, and does
// not keep the others from it: it is left out, whichever way the index names it,
// and that is said.
func TestUntrustedShard(t *testing.T) {
	for _, short := range []bool{false, true} {
		w := sharded(t)
		second := w.rekor.Shards()[1]
		w.request.Trust = w.material(0, 2)
		want := 2
		if short { // an entry that only the second shard has, named without it
			e := w.rekor.Add(testlog.NewSigner("bob").Body(w.mod(plain).h1()))
			w.rekor.AddToIndex(w.mod(upper).h1(), e.UUID[16:])
			w.request.Trust = w.material(0)
		}
		s := w.take()
		for _, l := range s.Logs {
			if l.Name == second.Origin() {
				t.Errorf("an untrusted shard is in the bundle: %+v", l)
			}
		}
		left, manifest := w.leftOut(s, plain)
		if short {
			want++
			if left, n := w.leftOut(s, upper); n != 1 || len(left) != 1 || !strings.Contains(left[0].Why, "in a shard whose key is not trusted") {
				t.Errorf("named without its shard: left out: %v", left)
			}
		}
		n := 0
		for _, l := range left {
			n += l.Count
			if l.Why != "in a shard whose key is not trusted" {
				t.Errorf("left out: %v", l)
			}
		}
		if n != want || manifest != want {
			t.Errorf("left out: %v, %d in the manifest, want %d", left, manifest, want)
		}
		if r := w.enclave(); !r.OK {
			t.Errorf("counts %v", r.Counts)
		}
	}
}

// Property: where nothing else vouches for a module, it is said that its entries
// are in a shard whose key is not trusted.
func TestOnlyInUntrustedShard(t *testing.T) {
	w := sharded(t)
	w.request.Trust = w.material(1, 2)
	e := incomplete(t, w.fail(), true, corp, upper)
	if text := e.Error(); strings.Count(text, "entries left out: 1 in a shard whose key is not trusted") != 4 {
		t.Error(text)
	}
	if e := w.retrievals(); e != 1 {
		t.Errorf("%d calls for entries, want 1 for those that can count", e)
	}
}

// Property: whatever heads entries are proven at, they are all brought to one
// with one consistency proof for each size.
func TestRebase(t *testing.T) {
	w := sharded(t)
	newest := map[string]uint64{} // size by shard
	for _, s := range w.rekor.Shards() {
		newest[s.TreeID()] = s.Size()
	}
	w.take()
	want := read(t, w.request.Output)
	w.rekor.Requests()
	for _, c := range []struct {
		name   string
		size   func(e testlog.Entry) uint64
		proofs int
	}{
		{"the newest", nil, 0},
		{"each at its own", func(e testlog.Entry) uint64 { return e.Index + 1 }, 8},
		{"each at the one after", func(e testlog.Entry) uint64 { return e.Index + 2 }, 6},           // two of them are the newest
		{"groups", func(e testlog.Entry) uint64 { return min(e.Index/4*4+4, newest[e.TreeID]) }, 2}, // the last of each shard is the newest
		{"all at the last but one", func(e testlog.Entry) uint64 { return newest[e.TreeID] - 1 }, 2},
	} {
		w.rekor.HeadSize = c.size
		w.take()
		if !slices.Equal(want, read(t, w.request.Output)) {
			t.Errorf("%s: the file differs from one with proofs at the newest head", c.name)
		}
		if n := counted(w.rekor.Requests())["/api/v1/log/proof"]; n != c.proofs {
			t.Errorf("%s: %d consistency proofs, want %d", c.name, n, c.proofs)
		}
	}
}

// Property: a log that grows while it is asked is proven at a head that has all
// entries.
func TestLogGrows(t *testing.T) {
	w := newWorld(t)
	sizes := map[bundles.Kind]uint64{bundles.RekorV1: w.rekor.Shard().Size(), bundles.SumDB: w.db.Size()}
	w.request.Parallel = 1
	w.request.Count = func(int64) { w.noise() } // after each lookup and each search
	w.take()
	for _, l := range w.bundle().Logs {
		if l.Proof.Size <= sizes[l.Kind] {
			t.Errorf("%s at size %d, was %d before", l.Name, l.Proof.Size, sizes[l.Kind])
		}
	}
	w.request.Count = nil
	if r := w.enclave(); !r.OK {
		t.Errorf("counts %v, logs %+v", r.Counts, r.Logs)
	}
}
