package verify_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/verify"
)

// remembering is an enclave that has accepted one bundle of a world. Each further
// bundle is of grown logs, since the world logs everything anew for it.
type remembering struct {
	*world
	first []byte // the bundle
	sizes map[bundles.Kind]uint64
}

func newRemembering(t *testing.T) *remembering {
	w := &remembering{world: newWorld(t), sizes: map[bundles.Kind]uint64{}}
	w.request.Now = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	w.request.State = &verify.State{}
	w.edit = func(p *bundles.Payload) {
		for _, l := range p.Logs {
			w.sizes[l.Kind] = l.Proof.Size
		}
	}
	w.first = w.bundle()
	w.accept(w.first)
	w.edit = nil
	return w
}

// judge verifies a bundle by what was accepted before; nil is a new one.
func (w *remembering) judge(b []byte) (*verify.Report, error) {
	w.Helper()
	w.request.Bundle = nil
	if b != nil {
		w.request.Bundle, w.request.BundleSize = bytes.NewReader(b), int64(len(b))
	}
	return w.try(context.Background())
}

// accept demands a pass, and remembers it.
func (w *remembering) accept(b []byte) *verify.Report {
	w.Helper()
	r, err := w.judge(b)
	if err != nil || !r.OK || r.Remember == nil {
		w.Fatalf("not accepted: %v", err)
	}
	w.request.State = r.Remember
	return r
}

// refuse demands a refusal for these reasons and no others.
func (w *remembering) refuse(b []byte, kinds ...string) *verify.RefusedError {
	w.Helper()
	r, err := w.judge(b)
	var refused *verify.RefusedError
	if r != nil || !errors.As(err, &refused) {
		w.Fatalf("%v, %v; want a refusal: %q", r, err, kinds)
	}
	var got []string
	for _, x := range refused.Refusals {
		got = append(got, x.Kind)
		if x.Log != "" && (x.Shown == "" || !strings.Contains(err.Error(), x.Log) || !strings.Contains(err.Error(), firstSignature(x.Shown))) {
			w.Errorf("no evidence in %+v or %v", x, err)
		}
	}
	if !slices.Equal(got, kinds) || refused.Hint() == "" {
		w.Fatalf("refused because of %q, want %q: %v", got, kinds, err)
	}
	return refused
}

func firstSignature(note string) string {
	_, signatures, _ := strings.Cut(note, "\n\n— ")
	line, _, _ := strings.Cut(signatures, "\n")
	return line
}

// proving adds the proofs from the trees of the first bundle to the next ones.
func (w *remembering) proving() {
	w.edit = func(p *bundles.Payload) {
		for i := range p.Logs {
			l := &p.Logs[i]
			l.Earlier = []bundles.Consistency{bundles.NewConsistency(w.sizes[l.Kind], w.tree(l.Kind).Consistency(w.sizes[l.Kind], l.Proof.Size))}
		}
	}
}

func (w *remembering) tree(k bundles.Kind) *testlog.Tree {
	if k == bundles.SumDB {
		return &w.db.Tree
	}
	return &w.rekor.Shard().Tree
}

func how(r *verify.Report) map[string]string {
	out := map[string]string{}
	for _, h := range r.State.Heads {
		out[h.Kind] = h.How
	}
	return out
}

// Property: the first bundle is accepted with nothing to compare it with. What it
// shows is remembered, and the same bundle is accepted ever after.
func TestStateFirst(t *testing.T) {
	w := newRemembering(t)
	s := w.request.State
	if len(s.Heads) != 2 || s.Heads[0].Kind != bundles.RekorV1 || s.Heads[1].Kind != bundles.SumDB || !s.Created.Equal(time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)) || s.Root != 0 {
		t.Errorf("%+v", s)
	}
	if head := w.rekor.Shard().Head(w.sizes[bundles.RekorV1]); !strings.HasPrefix(string(s.Heads[0].Checkpoint), w.rekor.Shard().CheckpointText(head)) {
		t.Errorf("%s", s.Heads[0].Checkpoint)
	}
	r := w.accept(w.first)
	if r.State.First || how(r)["rekor-v1"] != "same" || how(r)["sumdb"] != "same" {
		t.Errorf("%+v", r.State)
	}
	if !slices.EqualFunc(w.request.State.Heads, s.Heads, func(a, b verify.SeenHead) bool { return verify.CompareHeads(a, b) == 0 }) {
		t.Errorf("%+v", w.request.State)
	}
	w.request.State = nil
	if r, err := w.judge(w.first); err != nil || r.State != nil || r.Remember != nil {
		t.Errorf("without a state: %+v, %v", r, err)
	}
}

// Property: a bundle whose logs are proven to extend what was seen is accepted,
// and remembered in its place; the one before is then too old.
func TestStateExtended(t *testing.T) {
	w := newRemembering(t)
	w.proving()
	second := w.bundle()
	r := w.accept(second)
	if how(r)["rekor-v1"] != "extended" || how(r)["sumdb"] != "extended" || len(w.request.State.Heads) != 2 {
		t.Errorf("%+v, %+v", r.State, w.request.State)
	}
	w.accept(second)
	refused := w.refuse(w.first, verify.RefusedRollback, verify.RefusedRollback)
	for _, x := range refused.Refusals {
		if x.Seen == "" || x.Seen == x.Shown {
			t.Errorf("%+v", x)
		}
	}
}

// Property: a grown log without a proof, or with one that does not prove it, is
// refused, though all modules would be proven.
func TestStateUnproven(t *testing.T) {
	w := newRemembering(t)
	w.refuse(nil, verify.RefusedUnproven, verify.RefusedUnproven)
	lies := map[string]func(w *remembering, l *bundles.Log){
		"a hash changed": func(w *remembering, l *bundles.Log) { l.Earlier[0].Proof[0][3] ^= 1 },
		"from another size": func(w *remembering, l *bundles.Log) {
			l.Earlier = []bundles.Consistency{bundles.NewConsistency(w.sizes[l.Kind]-1, w.tree(l.Kind).Consistency(w.sizes[l.Kind]-1, l.Proof.Size))}
		},
		"of another log": func(w *remembering, l *bundles.Log) {
			other := testlog.NewSumDB("other.example")
			for range l.Proof.Size {
				other.AddRecord(w.mods[0].Version, []byte("x"))
			}
			l.Earlier = []bundles.Consistency{bundles.NewConsistency(w.sizes[l.Kind], other.Consistency(w.sizes[l.Kind], l.Proof.Size))}
		},
	}
	for name, lie := range lies {
		for _, kind := range []bundles.Kind{bundles.RekorV1, bundles.SumDB} {
			w := newRemembering(t)
			w.proving()
			honest := w.edit
			w.edit = func(p *bundles.Payload) {
				honest(p)
				for i := range p.Logs {
					if p.Logs[i].Kind == kind {
						lie(w, &p.Logs[i])
					}
				}
			}
			if e := w.refuse(nil, verify.RefusedUnproven); e.Refusals[0].Seen == "" {
				t.Errorf("%s: %v", name, e)
			}
		}
	}
}

// Property: a log that rewrote what was seen is told as a fork: at the same size
// by the two heads, at a larger one by a proof from what it was rewritten to.
func TestStateFork(t *testing.T) {
	for _, grown := range []uint64{0, 1, 7} {
		w := newRemembering(t)
		size := w.sizes[bundles.SumDB]
		fork := testlog.NewSumDB(w.db.Name)
		for i := range size {
			leaf := w.db.Leaf(i)
			if i == size-1 {
				leaf = []byte("another record\n")
			}
			fork.AddRecord(w.mods[0].Version, leaf)
		}
		for range grown {
			fork.AddRecord(w.mods[0].Version, []byte("new\n"))
		}
		b := open(t, w.first)
		p := payloadOf(t, b)
		for i := range p.Logs {
			if l := &p.Logs[i]; l.Kind == bundles.SumDB {
				l.Checkpoint, l.Proof = fork.Checkpoint(size+grown), fork.Multiproof(size+grown, l.Proof.Indexes...)
				if grown > 0 {
					l.Earlier = []bundles.Consistency{bundles.NewConsistency(size, fork.Consistency(size, size+grown))}
				}
			}
		}
		e := w.refuse(w.sealed(p), verify.RefusedFork)
		if x := e.Refusals[0]; x.Log != w.db.Name || !strings.Contains(x.Shown, "go.sum database tree") || !strings.Contains(x.Seen, "go.sum database tree") || x.Seen == x.Shown {
			t.Errorf("%+v", x)
		}
	}
}

// Property: of a log that the bundle lacks, or that no trusted key signed in it,
// what was seen is kept.
func TestStateAbsent(t *testing.T) {
	w := newRemembering(t)
	seen := w.request.State
	w.flags.Require = "rekor"
	p := payloadOf(t, open(t, w.first))
	for i := range p.Manifest.Modules {
		m := &p.Manifest.Modules[i]
		m.Entries = slices.DeleteFunc(m.Entries, func(r bundles.Ref) bool { return p.Logs[r.Log].Kind == bundles.SumDB })
	}
	without := *p
	without.Logs = slices.DeleteFunc(slices.Clone(p.Logs), func(l bundles.Log) bool { return l.Kind == bundles.SumDB })
	unsigned := *p
	unsigned.Logs = slices.Clone(p.Logs)
	unsigned.Logs[1].Checkpoint = otherKey(t, w.world, textOf(p.Logs[1].Checkpoint))
	for name, p := range map[string]*bundles.Payload{"lacking": &without, "unsigned": &unsigned} {
		r := w.accept(w.sealed(p))
		if how(r)["sumdb"] != "absent" || how(r)["rekor-v1"] != "same" || len(w.request.State.Heads) != 2 || verify.CompareHeads(w.request.State.Heads[1], seen.Heads[1]) != 0 {
			t.Errorf("%s: %+v, %+v", name, r.State, w.request.State)
		}
	}
}

// Property: heads of which the entries are not proven are compared, and are not
// remembered.
func TestStateOfLogsThatAreNotProven(t *testing.T) {
	w := newRemembering(t)
	seen := w.request.State
	w.flags.Require = "rekor"
	w.proving()
	honest := w.edit
	w.edit = func(p *bundles.Payload) {
		honest(p)
		for i := range p.Logs {
			if l := &p.Logs[i]; l.Kind == bundles.SumDB {
				l.Entries[0].Leaf += " "
			}
		}
	}
	r := w.accept(nil)
	if len(r.Remember.Heads) != 2 || verify.CompareHeads(r.Remember.Heads[1], seen.Heads[1]) != 0 || verify.CompareHeads(r.Remember.Heads[0], seen.Heads[0]) == 0 {
		t.Errorf("%+v", r.Remember)
	}
	w.edit = func(p *bundles.Payload) {
		honest(p)
		for i := range p.Logs {
			if l := &p.Logs[i]; l.Kind == bundles.SumDB {
				l.Entries[0].Leaf, l.Earlier = l.Entries[0].Leaf+" ", nil
			} else { // what was accepted last is larger
				l.Earlier = []bundles.Consistency{bundles.NewConsistency(w.tree(l.Kind).Size()-1, w.tree(l.Kind).Consistency(w.tree(l.Kind).Size()-1, w.tree(l.Kind).Size()))}
			}
		}
	}
	w.refuse(nil, verify.RefusedUnproven, verify.RefusedUnproven)
}

// Property: a bundle that a trusted sealer dates before one that was accepted is
// refused. A time that is to come is not remembered, nor is one that nobody
// sealed.
func TestStateTime(t *testing.T) {
	w := newRemembering(t)
	dated := func(created string) []byte {
		p := payloadOf(t, open(t, w.first))
		p.Manifest.Created = created
		return w.sealed(p)
	}
	w.refuse(dated("2026-02-03T04:05:05Z"), verify.RefusedOlderBundle)
	w.accept(dated("2026-02-03T04:05:06Z"))
	w.accept(dated("2026-02-03T04:05:07Z"))
	w.refuse(w.first, verify.RefusedOlderBundle)
	w.accept(dated("2027-01-01T00:00:00Z"))
	if !w.request.State.Created.Equal(w.request.Now) {
		t.Errorf("%v", w.request.State.Created)
	}
	w.sealers, w.request.InsecureIgnoreSeals = nil, true
	for _, created := range []string{"2026-02-28T00:00:00Z", "2026-02-01T00:00:00Z"} {
		before := w.request.State.Created
		w.accept(dated(created))
		if !w.request.State.Created.Equal(before) {
			t.Errorf("%s: %v", created, w.request.State.Created)
		}
	}
}

// Property: a state whose head the trusted key did not sign is of no use; that is
// not the bundle's fault.
func TestStateOfOtherTrust(t *testing.T) {
	w := newRemembering(t)
	w.request.State.Heads[1].Checkpoint = otherKey(t, w.world, textOf(w.request.State.Heads[1].Checkpoint))
	r, err := w.judge(w.first)
	var refused *verify.RefusedError
	if r != nil || !errors.Is(err, verify.ErrState) || errors.As(err, &refused) {
		t.Errorf("%v, %v", r, err)
	}
}
