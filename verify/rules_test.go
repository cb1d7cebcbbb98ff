package verify_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/verify"
)

// also has bob attest everything beside alice.
func also(w *world) {
	for _, m := range w.mods {
		w.attest(m, testlog.NewSigner("bob"))
	}
}

// leave keeps of a module those signed leaves alone that are of the kinds given
// to their signers, such as "zip alice".
func (w *world) leave(path string, keep ...string) {
	for _, l := range w.leaves {
		if l.of != path || l.what == "record" {
			continue
		}
		l.dropped = true
		for _, who := range []string{"alice", "bob"} {
			s := testlog.NewSigner(who)
			digest := w.mod(path).zipDigest()
			if l.what == "listing" {
				digest = w.mod(path).h1()
			}
			if string(l.body) == string(s.Body(digest)) && slices.Contains(keep, l.what+" "+who) {
				l.dropped = false
			}
		}
	}
}

// Property: two signers who each vouched for one of zip and listing are two, if
// the tree is the zip's content. One who vouched for both is one.
func TestThresholdAcrossZipAndListing(t *testing.T) {
	bob := testlog.NewSigner("bob")
	keep := func(what ...string) func(w *world) { return func(w *world) { w.leave(plain, what...) } }
	evilTree := func(w *world) { write(w, w.unpacked(plain, "evil.go"), "package evil\n") }
	notAllowed, mismatch := statuses{plain: verify.NotAllowed}, statuses{plain: verify.Mismatch}
	verified := statuses{plain: verify.Verified}
	tell(t, func(w *world) {
		also(w)
		w.rules = rulesOf("{signed-by: [alice, bob], threshold: 2}", "alice", "bob")
	}, []lie{
		{"one each", keep("zip alice", "listing bob"), verified, ""},
		{"zip by both", keep("zip alice", "zip bob"), verified, ""},
		{"listing by both", keep("listing alice", "listing bob"), verified, ""},
		{"both by one", keep("zip alice", "listing alice"), notAllowed, "requires entries signed by 2 of alice, bob"},
		{"one alone", keep("zip bob"), notAllowed, "requires entries signed by 2 of alice, bob"},
		{"a stranger's beside one", func(w *world) {
			keep("zip alice")(w)
			w.attest(w.mod(plain), testlog.NewSigner("mallory"))
		}, notAllowed, "requires entries signed by 2 of alice, bob"},
		{"zip by one, another tree by the other", func(w *world) {
			keep("zip alice")(w)
			evilTree(w)
			w.add("listing", plain, bob.Body(evil(w.mod(plain)).h1()))
			w.drop(plain, "record")
		}, mismatch, "the unpacked tree is not the content of the zip, which is attested"},
		{"zip by both, another tree by one", func(w *world) {
			keep("zip alice", "zip bob")(w)
			evilTree(w)
			w.add("listing", plain, bob.Body(evil(w.mod(plain)).h1()))
			w.drop(plain, "record")
		}, mismatch, "the unpacked tree is not the content of the zip, which is attested"},
		{"zip by both, no tree and another zip", func(w *world) {
			keep("zip alice", "zip bob")(w)
			w.drop(plain, "record")
			remove(w, w.cached(w.mod(plain).tree()))
			write(w, w.download(plain, ".zip"), string(evil(w.mod(plain)).zip()))
		}, mismatch, "content differs from what was signed"},
		{"statement over the zip by one, listing by the other", func(w *world) {
			keep("listing bob")(w)
			w.state(plain, w.alice, subjects(plain+"@v1.0.0", w.mod(plain), "zip")...)
		}, verified, ""},
		{"the same, under another name", func(w *world) {
			keep("listing bob")(w)
			w.state(plain, w.alice, subjects(bare+"@v0.3.0", w.mod(plain), "zip")...)
		}, notAllowed, "requires entries signed by 2 of alice, bob"},
	})
}

// Property: who must sign the listing does, and who must sign the zip does, and
// neither stands for a tree that the other did not vouch for.
func TestTreeThatNobodyVouchedFor(t *testing.T) {
	bob := testlog.NewSigner("bob")
	evilTree := func(w *world) {
		write(w, w.unpacked(plain, "evil.go"), "package evil\n")
		w.drop(plain, "record")
	}
	mismatch := statuses{plain: verify.Mismatch}
	for _, require := range []string{
		"{all-of: [{signed-by: alice, of: zip}, {signed-by: bob, of: listing}]}",
		"{all-of: [{signed-by: alice}, {signed-by: bob}]}",
		"{signed-by: alice, of: zip}",
		"{signed-by: alice}",
		"{any-of: [sumdb, {signed-by: alice, of: zip}]}",
	} {
		t.Run(require, func(t *testing.T) {
			signers := []string{"alice"}
			if strings.Contains(require, "bob") {
				signers = append(signers, "bob")
			}
			tell(t, func(w *world) { also(w); w.rules = rulesOf(require, signers...) }, []lie{
				{"tree that bob vouched for, zip that alice did", func(w *world) {
					w.leave(plain, "zip alice")
					evilTree(w)
					w.add("listing", plain, bob.Body(evil(w.mod(plain)).h1()))
				}, mismatch, "the unpacked tree is not the content of the zip, which is attested"},
				{"tree that nobody vouched for", func(w *world) {
					w.leave(plain, "zip alice", "zip bob")
					evilTree(w)
					w.add("listing", plain, bob.Body(w.mod(plain).h1()))
				}, mismatch, ""},
			})
		})
	}
}

// Property: the zip that was compared with the tree is the very one for whose
// bytes there is evidence, even if it changes in between.
func TestZipThatChangesBetweenReadings(t *testing.T) {
	w := newWorld(t)
	recordless(w)
	w.drop(plain, "listing")
	w.request.Workers = 1
	bad := evil(w.mod(plain))
	bad.unpack(t, w.path("cache"))
	name, size := w.download(plain, ".zip"), int64(len(w.mod(plain).zip()))
	swapped := false
	w.request.Progress = func(p verify.Progress) {
		if p.Bytes == size && !swapped { // its bytes have been hashed
			swapped = true
			write(t, name+".new", string(bad.zip()))
			rename(t, name+".new", name)
		}
	}
	r := w.check()
	lie{want: statuses{plain: verify.Mismatch}, says: "changed while it was read"}.judge(t, r)
	if !swapped {
		t.Error("the zip was not changed")
	}
}

// Property: each rule decides about its own modules, the first that matches,
// and none about the others.
func TestRulesByModule(t *testing.T) {
	const rules = `signers: {alice: {key: alice.pub}, bob: {key: bob.pub}}
rules:
  - {modules: example.com/bare, deny: it is abandoned}
  - {modules: example.com/plain, require: {signed-by: bob}}
  - {modules: "example.com/Upper,example.com/old@v2.0.0+incompatible", require: sumdb}
  - {modules: example.com/pseudo, require: {all-of: [sumdb, {signed-by: alice, of: listing}]}}
`
	w := newWorld(t)
	w.rules = rules
	r := w.check()
	for path, want := range map[string]struct {
		status     verify.Status
		says, rule string
	}{
		bare:   {verify.NotAllowed, "it is abandoned", "rule 1 (line 4)"},
		plain:  {verify.NotAllowed, "signed by bob", "rule 2 (line 5)"},
		upper:  {verify.Verified, "", "rule 3 (line 6)"},
		old:    {verify.Verified, "", "rule 3 (line 6)"},
		pseudo: {verify.Verified, "", "rule 4 (line 7)"},
	} {
		m := moduleIn(t, r, path)
		if m.Status != want.status || !strings.Contains(m.Reason, want.says) || m.Rule != want.rule {
			t.Errorf("%s: %s by %q: %s", path, m.Status, m.Rule, m.Reason)
		}
	}
	w.rules = strings.Replace(rules, "  - {modules: example.com/pseudo, require: {all-of: [sumdb, {signed-by: alice, of: listing}]}}\n", "  - {modules: example.com/x, require: {signed-by: alice}}\n", 1)
	lie{want: statuses{pseudo: verify.NotAllowed}, says: "no rule of the policy is for it"}.judge(t, w.check())
}

// Property: who may seal may not vouch for that: what a sealer's key signed and
// logged is not allowed, and not taken for something that does not verify.
func TestSealerIsNoSigner(t *testing.T) {
	for name, policy := range map[string]func(w *world){
		"flags": func(w *world) { w.flags.Sealers = w.flags.Signers; w.flags.Signers = nil },
		"file": func(w *world) {
			w.rules = rulesOf("{signed-by: bob}", "alice", "bob") + "seal: {by: alice}\n"
		},
	} {
		w := newWorld(t)
		recordless(w)
		policy(w)
		r := w.check()
		lie{want: all(verify.NotAllowed), says: "the policy does not name"}.judge(t, r)
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

// Property: a policy that is not there, or that says nothing, accepts nothing.
func TestNilPolicy(t *testing.T) {
	for name, p := range map[string]*verify.Policy{"nil": nil, "zero": {}} {
		w := newWorld(t)
		b := w.bundle()
		w.request.Bundle, w.request.BundleSize, w.request.Policy = strings.NewReader(string(b)), int64(len(b)), p
		r, err := verify.Check(context.Background(), w.request)
		if err != nil {
			t.Fatal(err)
		}
		consistent(t, r)
		for _, m := range r.Modules {
			if m.Status != verify.NotAllowed || m.OK || r.OK {
				t.Errorf("%s policy: %s is %s", name, m.Path, m.Status)
			}
		}
	}
}

// Property: windows in time are of the proven time of logging; one that is
// relative to the moment of judging holds only if there is such a moment.
func TestWindows(t *testing.T) {
	at := func(s string) func(w *world) {
		return func(w *world) {
			d, err := time.Parse(time.RFC3339, s)
			if err != nil {
				w.Fatal(err)
			}
			w.request.Now = d
		}
	}
	for require, c := range map[string]struct {
		now  func(w *world)
		want verify.Status
	}{
		"{signed-by: alice, logged-after: '2025-12-31T00:00:00Z'}":  {asIs, verify.Verified},
		"{signed-by: alice, logged-after: '2026-01-02T00:00:00Z'}":  {asIs, verify.NotAllowed},
		"{signed-by: alice, logged-before: '2026-01-02T00:00:00Z'}": {asIs, verify.Verified},
		"{signed-by: alice, logged-before: '2026-01-01T00:00:00Z'}": {asIs, verify.NotAllowed},
		"{signed-by: alice, logged-within: 720h}":                   {at("2026-01-30T00:00:00Z"), verify.Verified},
		"{signed-by: alice, logged-within: 696h}":                   {at("2026-02-03T00:00:00Z"), verify.NotAllowed},
		"{signed-by: alice, logged-within: 720h }":                  {asIs, verify.NotAllowed}, // no moment
		"{signed-by: alice, logged-within: 720h, threshold: 1}":     {at("2025-12-31T00:00:00Z"), verify.NotAllowed},
	} {
		w := newWorld(t)
		w.rules = rulesOf(require, "alice")
		c.now(w)
		lie{name: require, want: all(c.want), says: "logged"}.judge(t, w.check())
		if t.Failed() {
			t.Fatal(require)
		}
	}
}

// Property: how the policy decided is told of the modules that are asked for,
// and of no others, and changes nothing else.
func TestExplain(t *testing.T) {
	w := newWorld(t)
	w.rules = rulesOf("{all-of: [sumdb, {signed-by: [alice, bob]}]}", "alice", "bob")
	without := reported(t, w, w.check())
	asked := map[string]bool{}
	w.request.Workers = 1
	w.request.Explain = func(name string) bool { asked[name] = true; return name == plain+"@v1.0.0" }
	r := w.check()
	if len(asked) != 2*len(w.mods) { // by path, and by path@version
		t.Errorf("asked about %v", asked)
	}
	m := moduleIn(t, r, plain)
	text := strings.Join(m.Explain, "\n")
	for _, want := range []string{"rule 1 (line 6), modules *: met", "all-of: met", "sumdb: met", "signed-by [alice, bob]: met", "counted: listing in rekor.example - ", ", signed by alice", "1 of 1 signer: alice"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	m.Explain = nil
	for path, now := range reported(t, w, r) {
		if now != without[path] {
			t.Errorf("%s is reported as\n%s\nwithout:\n%s", path, now, without[path])
		}
	}
	w.leave(plain)
	w.drop(plain, "record")
	w.request.Bundle = nil
	if m := moduleIn(t, w.check(), plain); !strings.Contains(fmt.Sprint(m.Explain), "all-of: not met") {
		t.Errorf("of what is denied: %q", m.Explain)
	}
}
