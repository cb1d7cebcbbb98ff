package verify_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/internal/testtuf"
	"github.com/modseal/modseal/merkle"
	"github.com/modseal/modseal/verify"
)

// severalHeads is the first bundle with its Rekor at more tree sizes, at each the
// entries that were there.
func (w *remembering) severalHeads(sizes ...uint64) *bundles.Payload {
	p := payloadOf(w, open(w, w.first))
	shard, whole := w.rekor.Shard(), p.Logs[0]
	var logs []bundles.Log
	for _, size := range sizes {
		l := whole
		n := slices.IndexFunc(whole.Entries, func(e bundles.Entry) bool { return e.Index >= size })
		l.Entries, l.Checkpoint = whole.Entries[:n], shard.Checkpoint(size)
		l.Proof = shard.Multiproof(size, whole.Proof.Indexes[:n]...)
		logs = append(logs, l)
	}
	for i := range p.Manifest.Modules {
		for k := range p.Manifest.Modules[i].Entries {
			p.Manifest.Modules[i].Entries[k].Log += len(sizes)
		}
	}
	p.Logs = append(logs, p.Logs...)
	return p
}

// Property: of a log that a bundle shows at several sizes without proofs between
// them, all heads are remembered, and each must be extended from then on; a head
// that is new among them is refused. With proofs only the last is remembered.
func TestStateSeveralHeads(t *testing.T) {
	w := newRemembering(t)
	p := w.severalHeads(5, 9)
	several := w.sealed(p)
	w.refuse(several, verify.RefusedUnproven, verify.RefusedUnproven) // 5 and 9 were not seen
	w.request.State = &verify.State{}
	w.accept(several)
	w.accept(several)
	if len(w.request.State.Heads) != 4 {
		t.Fatalf("%+v", w.request.State)
	}
	w.accept(w.first)
	if len(w.request.State.Heads) != 4 {
		t.Fatalf("%+v", w.request.State)
	}
	w.refuse(w.sealed(w.severalHeads(5, 7)), verify.RefusedUnproven)
	seen := w.request.State

	last := &p.Logs[2]
	shard := w.rekor.Shard()
	for _, size := range []uint64{5, 9} {
		last.Earlier = append(last.Earlier, bundles.NewConsistency(size, shard.Consistency(size, last.Proof.Size)))
	}
	w.accept(w.sealed(p))
	if len(w.request.State.Heads) != 2 {
		t.Errorf("%+v", w.request.State)
	}
	w.request.State = &verify.State{}
	w.accept(w.sealed(p))
	if len(w.request.State.Heads) != 2 {
		t.Errorf("at first use: %+v", w.request.State)
	}

	// a head among those that were seen turns out to be of another tree
	w.request.State = seen
	fork := merkle.Tree{Size: 5, Root: merkle.Hash{1}}
	w.request.State.Heads = slices.Clone(seen.Heads)
	for i, h := range w.request.State.Heads {
		if strings.Contains(string(h.Checkpoint), "\n5\n") {
			w.request.State.Heads[i].Checkpoint = shard.SignNote(shard.CheckpointText(fork))
		}
	}
	w.refuse(w.sealed(p), verify.RefusedFork)
	w.refuse(several, verify.RefusedFork, verify.RefusedUnproven)
}

// Property: a bundle that leads to an older TUF root than one before it did is
// refused, also one that leaves the chain out, which is judged by the pinned root.
func TestStateRoot(t *testing.T) {
	w := &remembering{world: newWorld(t)}
	r := anchored(w.world)
	w.request.Anchor.Fallback = testlog.TrustedRoot(testlog.TrustedLog{Shard: w.rekor.Shard()})
	w.request.State = &verify.State{}
	second := w.accept(w.bundle())
	if second.Remember.Root != 2 {
		t.Fatalf("%+v", second.Remember)
	}
	w.request.State = &verify.State{Root: 2}
	w.edit = nil
	without := w.bundle()
	if e := w.refuse(without, verify.RefusedOlderRoot); !strings.Contains(e.Error(), "version 1 of the TUF root, and version 2 was trusted before") {
		t.Error(e)
	}
	w.request.State = &verify.State{Root: 1}
	w.accept(without)
	r.Rotate(tufRoles(month(6)), "a", "b")
	r.Publish(testtuf.State{Target: testlog.TrustedRoot(testlog.TrustedLog{Shard: w.rekor.Shard()}), Timestamp: month(4)})
	w.carry(r.Chain(1))
	w.request.State = &verify.State{Root: 2}
	third := w.bundle()
	if got := w.accept(third); got.Remember.Root != 3 {
		t.Errorf("%+v", got.Remember)
	}
	w.request.State = &verify.State{Root: 4}
	w.refuse(third, verify.RefusedOlderRoot)
	w.request.Anchor, w.request.Trust = nil, w.material() // trusted by other means
	w.request.State = &verify.State{Root: 4}
	if got := w.accept(third); got.Remember.Root != 4 {
		t.Errorf("%+v", got.Remember)
	}
}
