package snapshot_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
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
	// refused is why an enclave that has accepted the honest bundle refuses this one
	// (--state). "" is that it judges as without a memory: the heads are the honest ones.
	refused string
}

const (
	unproven = "the entries do not lead to the signed tree head"
	fine     = "" // nothing of the lie is in the bundle

	// A run that has seen two heads of a log says so.
	forkedDB    = "signed two histories"
	forkedRekor = "shows different people different trees"
)

// Property: whatever a log tells under its real key, a snapshot does not seal, and
// what was sealed all the same is not verified, unless it is true. Of a history that
// is true for all that an enclave sees, it is one that remembers which finds out.
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
				t.Logf("MATRIX | %s | %s | %s | - | - | - |", r.kind, r.lie, collected)
				return
			}
			looked, err := l.lookedAt(func(p *bundles.Payload, log *bundles.Log) { r.seal(l, p, log) })
			if r.status == verify.Unchecked { // no bundle can say this
				if err == nil || !strings.Contains(err.Error(), r.says) {
					t.Errorf("%v; want %q in it", err, r.says)
				}
				t.Logf("MATRIX | %s | %s | %s | no bundle | no bundle | no bundle |", r.kind, r.lie, collected)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			reports := map[string]*verify.Report{"self-check": looked.self, "enclave": looked.enclave}
			if r.refused == "" {
				reports["enclave that remembers"] = looked.remembering
			}
			for who, report := range reports {
				if report == nil {
					t.Fatalf("%s: %v", who, looked.err)
				}
				m := moduleOf(t, report, plain)
				if m.Status != r.status || !strings.Contains(m.Reason, r.says) || report.OK != (r.status == verify.Verified) {
					t.Errorf("%s: %s (%s), all %t; want %s, %q in it", who, m.Status, m.Reason, report.OK, r.status, r.says)
				}
			}
			r.mustBeRefused(t, looked)
			t.Logf("MATRIX | %s | %s | %s | %s | %s | %s |", r.kind, r.lie, collected, moduleOf(t, looked.self, plain).Status, moduleOf(t, looked.enclave, plain).Status, cmp.Or(r.refused, "the same"))
		})
	}
}

// mustBeRefused demands what an enclave that remembers says.
func (r row) mustBeRefused(t *testing.T, looked looked) {
	t.Helper()
	var refused *verify.RefusedError
	switch errors.As(looked.err, &refused); {
	case r.refused == "" && looked.err == nil:
		if remember := looked.remembering.Remember; r.status != verify.Verified && remember != nil && !reflect.DeepEqual(remember.Heads, looked.before.Heads) {
			t.Errorf("remembered: %+v, before: %+v", remember.Heads, looked.before.Heads)
		}
	case refused == nil || looked.remembering != nil || len(refused.Refusals) != 1 || refused.Refusals[0].Kind != r.refused:
		t.Errorf("enclave that remembers: %v; want %q", looked.err, r.refused)
	}
}

// collected takes the snapshot that is lied to.
func (r row) collected(t *testing.T) string {
	t.Helper()
	l := newLiar(t, r.kind)
	r.tell(l)
	s, err := snapshot.Take(context.Background(), l.asked())
	switch {
	case r.collect != fine:
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

// refused sets what an enclave that remembers says of all these.
func refused(why string, rows []row) []row {
	for i := range rows {
		rows[i].refused = why
	}
	return rows
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
			bundles.SumDB: {how, forkedDB}, bundles.RekorV1: {how, forkedRekor}, bundles.RekorV2: {how, "does not begin with the tree of"},
		}
	}
	head := func(more int) func(l *liar, _ *bundles.Payload, log *bundles.Log) {
		return func(l *liar, _ *bundles.Payload, log *bundles.Log) {
			h := l.twin(more, forked)
			log.Checkpoint = h.checkpoint(h.Size())
		}
	}
	rows := slices.Concat(
		refused(verify.RefusedFork, kinds("a fork of the same size", verify.Invalid, unproven, head(0), after(0))),
		refused(verify.RefusedUnproven, kinds("a fork that is larger", verify.Invalid, unproven, head(5), after(5))),
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
	return append(rows, refused(verify.RefusedFork, whole)...)
}

// resigned is a new signed entry timestamp over whatever an entry of Rekor v1 says.
func (l *liar) resigned(e bundles.Entry) []byte {
	s := l.rekor.Shard()
	return s.SET(testlog.Entry{Body: []byte(e.Leaf), IntegratedTime: e.IntegratedTime, LogID: s.LogID(), LogIndex: e.LogIndex})
}
