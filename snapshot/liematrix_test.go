package snapshot_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/merkle"
	"github.com/modseal/modseal/snapshot"
	"github.com/modseal/modseal/verify"
)

// A row of the matrix is one lie of one log, under its real key: told to a
// snapshot, and sealed into a bundle by somebody who did not look.
type row struct {
	lie  string
	kind bundles.Kind

	tell    func(l *liar)
	collect string // in the snapshot's error; "" is a bundle in which the lie is not

	seal   func(l *liar, p *bundles.Payload, log *bundles.Log)
	status verify.Status // of the module lied about, for self-check and enclave; Unchecked is no bundle
	says   string
}

const (
	unproven = "the entries do not lead to the signed tree head"
	fine     = "" // nothing of the lie is in the bundle
	// Of the heads that came with records the newest is taken. Those that are older are
	// not compared with it: the record itself is proven in it.
	otherHead = "the head of the twin, in which the records are proven"
)

// Property: whatever a log tells under its real key, a snapshot does not seal, and
// what was sealed all the same is not verified, unless it is true.
func TestMatrixOfLies(t *testing.T) {
	for _, r := range slices.Concat(forks(), splits(), leaves(), heads(), places()) {
		t.Run(r.lie+"/"+string(r.kind), func(t *testing.T) {
			t.Parallel()
			l := newLiar(t, r.kind)
			l.take()
			if e := l.enclave(); !e.OK {
				t.Fatalf("the honest world is not verified: %v", e.Counts)
			}
			collected := "-"
			if r.tell != nil {
				collected = r.collected(t)
			}
			if r.seal == nil {
				t.Logf("MATRIX | %s | %s | %s | - | - |", r.kind, r.lie, collected)
				return
			}
			self, enclave, err := l.lookedAt(func(p *bundles.Payload, log *bundles.Log) { r.seal(l, p, log) })
			if r.status == verify.Unchecked { // no bundle can say this
				if err == nil || !strings.Contains(err.Error(), r.says) {
					t.Errorf("%v; want %q in it", err, r.says)
				}
				t.Logf("MATRIX | %s | %s | %s | no bundle | no bundle |", r.kind, r.lie, collected)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for who, report := range map[string]*verify.Report{"self-check": self, "enclave": enclave} {
				m := moduleOf(t, report, plain)
				if m.Status != r.status || !strings.Contains(m.Reason, r.says) || report.OK != (r.status == verify.Verified) {
					t.Errorf("%s: %s (%s), all %t; want %s, %q in it", who, m.Status, m.Reason, report.OK, r.status, r.says)
				}
			}
			t.Logf("MATRIX | %s | %s | %s | %s | %s |", r.kind, r.lie, collected, moduleOf(t, self, plain).Status, moduleOf(t, enclave, plain).Status)
		})
	}
}

// collected takes the snapshot that is lied to.
func (r row) collected(t *testing.T) string {
	t.Helper()
	l := newLiar(t, r.kind)
	r.tell(l)
	s, err := snapshot.Take(context.Background(), l.asked())
	switch {
	case r.collect != fine && r.collect != otherHead:
		if err == nil || s != nil || !strings.Contains(err.Error(), r.collect) {
			t.Errorf("the snapshot: %v; want %q in it", err, r.collect)
		}
		l.left()
		return "error: " + r.collect
	case err != nil:
		t.Errorf("the snapshot: %v", err)
	default:
		if e := l.enclave(); !e.OK {
			t.Errorf("what was sealed is not verified: %v", e.Counts)
		}
		if r.collect == otherHead {
			return "sealed: " + otherHead
		}
		for i, log := range l.bundle().Logs {
			if h := l.honest().Head(log.Proof.Size); !bytes.Contains(log.Checkpoint, []byte(l.honest().sign(h))) {
				t.Errorf("log %d: the head %q is not an honest one", i, log.Checkpoint)
			}
		}
	}
	return "sealed without it"
}

// kinds makes a row of a lie for each kind of log.
func kinds(lie string, status verify.Status, says string, seal func(l *liar, p *bundles.Payload, log *bundles.Log), tell map[bundles.Kind]told) []row {
	var out []row
	for _, kind := range []bundles.Kind{bundles.SumDB, bundles.RekorV1, bundles.RekorV2} {
		r := row{lie: lie, kind: kind, seal: seal, status: status, says: says}
		if t, ok := tell[kind]; ok {
			r.tell, r.collect = t.how, t.says
		}
		out = append(out, r)
	}
	return out
}

// told is how a snapshot is told a lie, and what it says.
type told struct {
	how  func(l *liar)
	says string
}

// serve lets another history answer where a path has one of these parts.
func serve(h *history, l *liar, parts ...string) {
	l.front = func(w http.ResponseWriter, r *http.Request) {
		if slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(r.URL.Path+" ", part) }) {
			h.ServeHTTP(w, r)
			return
		}
		l.own().ServeHTTP(w, r)
	}
}

// signed lets the log sign this head where it gives its newest.
func (l *liar) signed(head func(h *history) merkle.Tree) {
	h := l.honest()
	tree := head(h)
	note := h.sign(tree)
	l.front = func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		l.own().ServeHTTP(answer, r)
		a := &testlog.Answer{Status: answer.Code, Body: answer.Body.Bytes()}
		switch r.URL.Path {
		case "/latest", "/checkpoint":
			a.Body = note
		case "/api/v1/log":
			a.EditJSON(func(v any) any {
				v.(map[string]any)["treeSize"], v.(map[string]any)["rootHash"], v.(map[string]any)["signedTreeHead"] = tree.Size, fmt.Sprintf("%x", tree.Root[:]), string(note)
				return v
			})
		}
		send(w, a.Status, a.Body)
	}
}

func forks() []row {
	// a history without a leaf of strangers, after an honest one was seen: in the
	// cache, or by a publisher
	after := func(more int) map[bundles.Kind]told {
		how := func(l *liar) {
			l.request.CacheDir = l.path("fetched")
			l.take()
			if err := os.Remove(l.request.Output); err != nil {
				l.Fatal(err)
			}
			serve(l.twin(more, forked), l, "")
		}
		return map[bundles.Kind]told{
			bundles.SumDB: {how, "signed two histories"}, bundles.RekorV1: {how, "does not lead to the head"}, bundles.RekorV2: {how, "does not begin with the tree of"},
		}
	}
	head := func(more int) func(l *liar, _ *bundles.Payload, log *bundles.Log) {
		return func(l *liar, _ *bundles.Payload, log *bundles.Log) {
			h := l.twin(more, forked)
			log.Checkpoint = h.checkpoint(h.Size())
		}
	}
	rows := slices.Concat(
		kinds("a fork of the same size", verify.Invalid, unproven, head(0), after(0)),
		kinds("a fork that is larger", verify.Invalid, unproven, head(5), after(5)),
	)
	// A log that shows all the world one history, which lies about the module.
	evil := func(l *liar) *history {
		at := l.index(plain)
		other := map[bundles.Kind][]byte{
			bundles.SumDB:   []byte(strings.Replace(l.mod(plain).goSum(), sum(l.mod(plain).h1()), sum([32]byte{1}), 1)),
			bundles.RekorV1: testlog.NewSigner("mallory").Body(l.mod(plain).h1()), bundles.RekorV2: testlog.NewSigner("mallory").BodyV2(l.mod(plain).h1()),
		}[l.kind]
		zip := string(l.alice.Body(l.mod(plain).zipDigest()))
		return l.twin(0, func(i uint64, leaf []byte) []byte {
			if i == at || string(leaf) == zip {
				return other
			}
			return leaf
		})
	}
	rewritten := func(l *liar, p *bundles.Payload, log *bundles.Log) {
		h := evil(l)
		for i := range log.Entries {
			log.Entries[i].Leaf = string(h.Leaf(log.Entries[i].Index))
			if l.kind == bundles.RekorV1 {
				log.Entries[i].SET = l.resigned(log.Entries[i])
			}
		}
		log.Proof, log.Checkpoint = h.Multiproof(h.Size(), log.Proof.Indexes...), h.checkpoint(h.Size())
	}
	all := func(l *liar) { serve(evil(l), l, "") }
	whole := kinds("a history for all that lies about the module", verify.NotAllowed, "whom the policy does not name", rewritten, map[bundles.Kind]told{
		bundles.SumDB: {all, "the self-check found what the evidence contradicts"}, bundles.RekorV1: {all, "modules lack evidence"}, bundles.RekorV2: {all, "does not begin with the tree of"},
	})
	whole[0].status, whole[0].says = verify.Mismatch, "content differs from the log"
	return append(rows, whole...)
}

// resigned is a new signed entry timestamp over whatever an entry of Rekor v1 says.
func (l *liar) resigned(e bundles.Entry) []byte {
	s := l.rekor.Shard()
	return s.SET(testlog.Entry{Body: []byte(e.Leaf), IntegratedTime: e.IntegratedTime, LogID: s.LogID(), LogIndex: e.LogIndex})
}

// splits show different histories to different requests.
func splits() []row {
	two := func(l *liar) { // to publishers
		e := l.blobV2(l.mod(plain).zipDigest())
		h, twin := l.honest(), l.twin(0, forked)
		e.Inclusion, e.Checkpoint = twin.Inclusion(e.Inclusion.Index, h.Size()), twin.checkpoint(h.Size())
		good := *e
		good.Inclusion, good.Checkpoint = h.Inclusion(e.Inclusion.Index, h.Size()), h.checkpoint(h.Size())
		l.publish("good.sigstore.json", l.file(&good))
		l.publish("twin.sigstore.json", l.file(e))
	}
	rows := kinds("two heads of one size", verify.Unchecked, "sorted", both(0), map[bundles.Kind]told{
		bundles.SumDB:   {func(l *liar) { serve(l.twin(0, forked), l, "/latest") }, "signed two histories"},
		bundles.RekorV1: {func(l *liar) { serve(l.twin(0, forked), l, retrieve) }, "does not lead to the head"},
		bundles.RekorV2: {two, "shows different people different trees"},
	})
	return slices.Concat(rows, kinds("two heads of two sizes, of which neither begins with the other", verify.Verified, "", both(1), map[bundles.Kind]told{
		bundles.SumDB:   {func(l *liar) { serve(l.twin(5, forked), l, "/latest", "/tile/") }, otherHead},
		bundles.RekorV1: {func(l *liar) { serve(l.twin(5, forked), l, "/api/v1/log ", proof) }, "does not lead to the head"},
		bundles.RekorV2: {func(l *liar) { serve(l.twin(5, forked), l, "checkpoint") }, fine}, // it has no tiles for it: as published
	}))
}

// both seals the entries at two heads, of which the other is so much larger. Each
// head is signed, and each entry in it true. Heads are compared by those who have
// seen others: a snapshot its cache, an enclave what it has seen before.
func both(more int) func(l *liar, p *bundles.Payload, log *bundles.Log) {
	return func(l *liar, p *bundles.Payload, log *bundles.Log) {
		h := l.twin(more, forked)
		other := *log
		other.Proof, other.Checkpoint = h.Multiproof(h.Size(), log.Proof.Indexes...), h.checkpoint(h.Size())
		p.Logs = append(p.Logs, other)
		for i := range p.Manifest.Modules {
			m := &p.Manifest.Modules[i]
			for _, r := range slices.Clone(m.Entries) {
				m.Entries = append(m.Entries, bundles.Ref{Log: 1, Index: r.Index})
			}
		}
		p.Manifest.Sort()
	}
}
