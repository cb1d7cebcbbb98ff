package verify_test

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/verify"
)

// stated is a world in which plain has nothing but alice's statement over its
// zip and its h1.
func stated(w *world) {
	recordless(w)
	w.drop(plain, "zip", "listing")
	w.state(plain, w.alice, subjects(plain+"@v1.0.0", w.mod(plain), "both")...)
}

// restate replaces the statement.
func restate(by string, make func(m mod) []testlog.Subject) func(w *world) {
	return func(w *world) {
		w.drop(plain, "statement")
		w.state(plain, testlog.NewSigner(by), make(w.mod(plain))...)
	}
}

func named(name, what string) func(m mod) []testlog.Subject {
	return func(m mod) []testlog.Subject { return subjects(name, m, what) }
}

// Property: a statement counts for a module if it has the zip's digest or the
// h1 under the module's name, whatever kind of entry holds it and whatever else
// it is about.
func TestStatements(t *testing.T) {
	const purl = "pkg:golang/" + plain + "@v1.0.0"
	verified, notAllowed, notLogged := statuses{plain: verify.Verified}, statuses{plain: verify.NotAllowed}, statuses{plain: verify.NotLogged}
	const unnamed = "but not under the name of " + plain + "@v1.0.0"
	join := func(all ...func(m mod) []testlog.Subject) func(m mod) []testlog.Subject {
		return func(m mod) (out []testlog.Subject) {
			for _, f := range all {
				out = append(out, f(m)...)
			}
			return out
		}
	}
	older := func(m mod) []testlog.Subject {
		h1 := m.h1()
		return []testlog.Subject{{Name: purl, Digest: map[string]string{"goModuleH1": hex.EncodeToString(h1[:])}}}
	}
	sha512 := func(m mod) []testlog.Subject {
		return []testlog.Subject{{Name: purl, Digest: map[string]string{"sha512": strings.Repeat("5e", 64)}}}
	}
	other := func(name string) func(m mod) []testlog.Subject {
		return func(m mod) []testlog.Subject { return subjects(name, evil(m), "both") }
	}
	noTree := func(w *world) { remove(w, w.cached(w.mod(plain).tree())) }
	noZip := func(w *world) { remove(w, w.download(plain, ".zip")) }
	tell(t, stated, []lie{
		{"by its package URL", restate("alice", named(purl, "both")), verified, ""},
		{"over the zip alone", restate("alice", named(purl, "zip")), verified, ""},
		{"over the zip alone, no tree", func(w *world) { restate("alice", named(purl, "zip"))(w); noTree(w) }, verified, ""},
		{"over the h1 alone", restate("alice", named(purl, "h1")), verified, ""},
		{"over the h1 alone, no tree", func(w *world) { restate("alice", named(purl, "h1"))(w); noTree(w) }, verified, ""},
		{"over the h1 alone, no zip", func(w *world) { restate("alice", named(purl, "h1"))(w); noZip(w) }, verified, ""},
		{"over the h1 by its older name", restate("alice", older), verified, ""},
		{"among other subjects", restate("alice", join(named("example.com/x@v1.0.0", "zip"), other("a file"), named(purl, "both"))), verified, ""},
		{"zip under its name, h1 under another", restate("alice", join(named(purl, "zip"), named("the tree", "h1"))), verified, ""},
		{"h1 under its name, zip under another", restate("alice", join(named("the zip", "zip"), named(purl, "h1"))), verified, ""},
		{"in an intoto entry", func(w *world) {
			l := w.leaf(plain, "statement")
			l.body = w.alice.Intoto(l.envelope)
		}, verified, ""},
		{"not in the manifest", func(w *world) { w.edit = func(p *payload) { described(p, plain).Entries = nil } }, verified, ""},

		{"under another module's name", restate("alice", named(bare+"@v1.0.0", "both")), notAllowed, unnamed},
		{"under another version's", restate("alice", named(plain+"@v1.0.1", "both")), notAllowed, unnamed},
		{"under the name of a package in it", restate("alice", named(purl+"#sub", "both")), notAllowed, unnamed},
		{"under the path alone", restate("alice", named(plain, "both")), notAllowed, unnamed},
		{"under no name", restate("alice", named("", "both")), notAllowed, unnamed},
		{"its digests under another name, other digests under its own", restate("alice", join(named("x", "both"), other(purl))), notAllowed, unnamed},
		{"by another digest algorithm", restate("alice", sha512), notLogged, "no evidence"},
		{"by a stranger", restate("mallory", named(purl, "both")), notAllowed, "whom the policy does not name"},
		{"by a stranger beside it", func(w *world) {
			w.state(plain, testlog.NewSigner("mallory"), subjects(purl, w.mod(plain), "both")...)
		}, verified, ""},
		{"of other content", restate("alice", other(purl)), statuses{plain: verify.Mismatch}, "content differs from what was signed"},
		{"of other content, under another name", restate("alice", other(bare+"@v0.3.0")), notAllowed, "nothing that counts"},
		{"without its envelope", func(w *world) { w.leaf(plain, "statement").envelope = nil }, notLogged, "no evidence"},
		{"in another's envelope", func(w *world) {
			w.leaf(plain, "statement").envelope = testlog.NewSigner("mallory").Envelope(w.leaf(plain, "statement").envelope.Payload)
		}, statuses{plain: verify.Invalid}, "signature"},
		{"in an envelope of another statement", func(w *world) {
			l := w.leaf(plain, "statement")
			l.envelope = w.alice.Envelope(testlog.Statement("another", subjects(purl, w.mod(plain), "both")...))
		}, statuses{plain: verify.Invalid}, ""},
		{"in an envelope of another type", func(w *world) {
			l := w.leaf(plain, "statement")
			c := *l.envelope
			l.envelope, c.PayloadType = &c, "application/json"
		}, notLogged, "no evidence"},
		{"without a signed entry timestamp", func(w *world) {
			w.leaf(plain, "statement").lie = func(e *bundles.Entry) { e.SET = nil }
		}, statuses{plain: verify.Invalid}, "signed entry timestamp"},
	})
}

// Property: a statement over the zip vouches for the tree only if the tree is
// the zip's content, as a signature over the zip does.
func TestStatementsAndTheTree(t *testing.T) {
	name := plain + "@v1.0.0"
	evilTree := func(w *world) { write(w, w.unpacked(plain, "evil.go"), "package evil\n") }
	evilZip := func(w *world) { write(w, w.download(plain, ".zip"), string(evil(w.mod(plain)).zip())) }
	mismatch := statuses{plain: verify.Mismatch}
	const signed, unlike = "content differs from what was signed", "the unpacked tree is not the content of the zip, which is attested"
	tell(t, stated, []lie{
		{"zip, changed tree", func(w *world) { restate("alice", named(name, "zip"))(w); evilTree(w) }, mismatch, unlike},
		{"zip, evil zip", func(w *world) { restate("alice", named(name, "zip"))(w); evilZip(w) }, mismatch, signed},
		{"both, changed tree", evilTree, mismatch, unlike},
		{"both, changed tree and zip", func(w *world) { evilTree(w); evilZip(w) }, mismatch, signed},
		{"both, evil zip beside a good tree", evilZip, mismatch, "the zip holds other content than the unpacked tree, which is proven"},
		{"h1, changed tree", func(w *world) { restate("alice", named(name, "h1"))(w); evilTree(w) }, mismatch, signed},
	})
}

// Property: a statement about a thousand other things, which the manifest lists
// for a module, is told of once; and what it has under the module's name is found
// among them.
func TestStatementAboutMuchElse(t *testing.T) {
	for own, want := range map[bool]verify.Status{false: verify.NotAllowed, true: verify.Mismatch} {
		w := newWorld(t)
		stated(w)
		w.drop(plain, "statement")
		var all []testlog.Subject
		for i := range 1023 {
			all = append(all, testlog.Subject{Name: fmt.Sprintf("file %d", i), Digest: map[string]string{"sha256": fmt.Sprintf("%064x", i)}})
		}
		if own {
			all = append(all, testlog.Subject{Name: plain + "@v1.0.0", Digest: map[string]string{"sha256": fmt.Sprintf("%064x", 5000)}})
		}
		w.state(plain, w.alice, all...)
		m := moduleIn(t, w.check(), plain)
		if m.Status != want || len(m.Evidence) != 1 {
			t.Errorf("with a subject of its own %t: %s, %d pieces of evidence: %s", own, m.Status, len(m.Evidence), m.Reason)
		}
	}
}

// Property: a statement's predicate type and subject are in the report.
func TestReportOfAStatement(t *testing.T) {
	w := newWorld(t)
	stated(w)
	m := moduleIn(t, w.check(), plain)
	if len(m.Evidence) != 1 || m.Evidence[0].Of != "statement" || m.Evidence[0].PredicateType != provenance || !m.Evidence[0].Accepted || m.Evidence[0].Time.IsZero() {
		t.Errorf("%+v", m.Evidence)
	}
}
