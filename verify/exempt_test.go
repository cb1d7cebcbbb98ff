package verify_test

import (
	"strings"
	"testing"
	"time"

	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/verify"
)

const exemptRules = `signers: {alice: {key: alice.pub}}
rules:
  - {modules: "*", require: {all-of: [sumdb, {signed-by: alice}]}}
exempt: [{modules: example.com/plain, reason: its author is on a boat, until: 2026-03-01}]
`

// exempted is a world in which alice did not vouch for plain, which the policy
// exempts; its record is there.
func exempted(w *world) {
	w.rules = exemptRules
	w.request.Now = time.Date(2026, 2, 15, 0, 0, 0, 0, time.UTC)
	w.drop(plain, "zip", "listing")
}

// Property: an exemption lets a module pass whose evidence is not enough, while
// it holds. It never hides content that is other than what was logged or vouched
// for, nor a go.sum or go.mod that contradicts it, nor a module that is not
// there.
func TestExemptions(t *testing.T) {
	exempt, mismatch, notAllowed := statuses{plain: verify.Exempt}, statuses{plain: verify.Mismatch}, statuses{plain: verify.NotAllowed}
	recordGone := func(w *world) { w.drop(plain, "record") }
	evilTree := func(w *world) { write(w, w.unpacked(plain, "evil.go"), "package evil\n") }
	evilZip := func(w *world) { write(w, w.download(plain, ".zip"), string(evil(w.mod(plain)).zip())) }
	goMod := func(w *world) {
		write(w, w.download(plain, ".mod"), w.mod(plain).goMod()+"// more\n")
	}
	both := func(all ...func(w *world)) func(w *world) {
		return func(w *world) {
			for _, f := range all {
				f(w)
			}
		}
	}
	goSum := func(old func(m mod) [32]byte) func(w *world) {
		return func(w *world) {
			replaceIn(w, w.path("project/go.sum"), sum(old(w.mod(plain))), sum(goModH1("module evil\n")))
		}
	}
	noGoSum := func(w *world) { remove(w, w.path("project/go.sum")) }
	now := func(date string) func(w *world) {
		return func(w *world) {
			d, err := time.Parse(time.RFC3339, date)
			if err != nil {
				w.Fatal(err)
			}
			w.request.Now = d
		}
	}
	h1, modH1 := mod.h1, mod.goModH1
	tell(t, exempted, []lie{
		{"as it is", asIs, exempt, "exempt until 2026-03-01: its author is on a boat"},
		{"without a record", recordGone, exempt, "exempt until"},
		{"on its last day", now("2026-03-01T23:59:59Z"), exempt, "exempt until"},
		{"the day after", now("2026-03-02T00:00:00Z"), notAllowed, "requires both"},
		{"at no moment", func(w *world) { w.request.Now = time.Time{} }, notAllowed, "requires both"},
		{"with enough evidence", func(w *world) { w.attest(w.mod(plain), w.alice) }, statuses{plain: verify.Verified}, ""},
		{"a stranger's signature", func(w *world) { w.attest(w.mod(plain), testlog.NewSigner("mallory")) }, exempt, "exempt until"},

		{"changed tree", evilTree, mismatch, "content differs from the log"},
		{"changed tree, which alice did not vouch for", both(recordGone, evilTree, func(w *world) {
			w.add("listing", plain, w.alice.Body(w.mod(plain).h1()))
		}), mismatch, "content differs from what was signed"},
		{"changed tree that go.sum contradicts", both(recordGone, evilTree, func(w *world) { remove(w, w.download(plain, ".zip")) }), mismatch, "go.sum contradicts the log"},
		{"go.sum has another h1", goSum(h1), mismatch, "go.sum contradicts the log"},
		{"go.sum has another h1, no record", both(recordGone, goSum(h1)), mismatch, "go.sum contradicts the log"},
		{"go.sum has another h1 of go.mod", goSum(modH1), mismatch, "go.sum contradicts the log"},
		{"go.sum has another h1 of go.mod, no record", both(recordGone, goSum(modH1)), mismatch, "go.sum contradicts the log"},
		{"changed go.mod", goMod, mismatch, "the checksum database's record"},
		{"changed go.mod, no record", both(recordGone, goMod), mismatch, "the go.mod in its content"},
		{"another zip beside the tree", evilZip, mismatch, "the zip holds other content than the unpacked tree\nzip:"},
		{"another zip beside the tree, no record", both(recordGone, noGoSum, evilZip), mismatch, "the zip holds other content than the unpacked tree\nzip:"},
		{"no tree and no zip", func(w *world) {
			remove(w, w.cached(w.mod(plain).tree()))
			remove(w, w.download(plain, ".zip"))
		}, statuses{plain: verify.NotOnDisk}, "neither its zip nor its unpacked tree"},
		{"no module at all", func(w *world) { write(w, w.unpacked(plain, "sub/go.mod"), "module x\n") }, mismatch, ""},
	})
}

// Property: where nothing contradicts it, an exempt module may be anything: that
// is what an exemption is.
func TestExemptWithoutEvidence(t *testing.T) {
	w := newWorld(t)
	exempted(w)
	w.drop(plain, "record")
	remove(w, w.path("project/go.sum"))
	m := evil(w.mod(plain))
	remove(w, w.cached(w.mod(plain).tree()))
	m.install(w, w.path("cache"))
	r := w.check()
	lie{want: statuses{plain: verify.Exempt}, says: "exempt until"}.judge(t, r)
	if m := moduleIn(t, r, plain); !strings.Contains(m.Rule, "exemption 1") || len(m.OnDisk) == 0 {
		t.Errorf("%+v", m)
	}
}

// Property: a denial is not exempt.
func TestDeniedIsNotExempt(t *testing.T) {
	w := newWorld(t)
	exempted(w)
	w.rules = strings.Replace(exemptRules, "rules:\n", "rules:\n  - {modules: example.com/plain, deny: it is bad}\n", 1)
	lie{want: statuses{plain: verify.NotAllowed}, says: "it is bad"}.judge(t, w.check())
}

// Property: of a module of which only go.mod is read, an exemption hides as
// little.
func TestExemptGoModOnly(t *testing.T) {
	tell(t, func(w *world) {
		cyclic(w)
		w.rules = strings.Replace(exemptRules, plain, self, 1)
		w.request.Now = time.Date(2026, 2, 15, 0, 0, 0, 0, time.UTC)
		w.drop(self, "zip", "listing")
		w.edit = func(p *payload) { described(p, self).Listing = "" }
	}, []lie{
		{"as it is", asIs, statuses{self: verify.Exempt}, "exempt until"},
		{"without a record", func(w *world) { w.drop(self, "record") }, statuses{self: verify.Exempt}, "exempt until"},
		{"changed", func(w *world) {
			w.before(func() { write(w, w.download(self, ".mod"), "module example.com/project // more\n") })
		}, statuses{self: verify.Mismatch}, ""},
		{"go.sum has another h1, no record", func(w *world) {
			w.drop(self, "record")
			write(w, w.path("project/go.sum"), self+" v0.0.1/go.mod "+sum(goModH1("module evil\n"))+"\n")
		}, statuses{self: verify.Mismatch}, "go.sum contradicts the log"},
		{"taken away", func(w *world) { w.before(func() { remove(w, w.download(self, ".mod")) }) }, statuses{self: verify.NotOnDisk}, "its go.mod is not in the module cache"},
	})
}
