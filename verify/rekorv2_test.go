package verify_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/merkle"
	"github.com/modseal/modseal/verify"
)

// v2Log is the Rekor v2 of a payload.
func v2Log(p *payload) *bundles.Log {
	for i := range p.Logs {
		if p.Logs[i].Kind == bundles.RekorV2 {
			return &p.Logs[i]
		}
	}
	return nil
}

// Property: entries of a Rekor v2 count as those of a v1 do, if the log is
// trusted at its host and each signature was time-stamped by an authority that
// is trusted.
func TestRekorV2(t *testing.T) {
	checkpoint := func(make func(w *world, l *bundles.Log) []byte) func(w *world) {
		return func(w *world) {
			w.edit = func(p *payload) { l := v2Log(p); l.Checkpoint = make(w, l) }
		}
	}
	text := func(w *world) string { return testlog.CheckpointText(w.rekor2.Host, w.rekor2.Head(w.rekor2.Size())) }
	untrusted := func(w *world) { w.request.Trust.Sigstore = w.request.Trust.Sigstore[:1] }
	at := func(url string) func(w *world) { return func(w *world) { untrusted(w); w.trust2(url) } }
	both := func(change func(w *world, l *leaf)) func(w *world) {
		return func(w *world) { change(w, w.leaf(plain, "zip")); change(w, w.leaf(plain, "listing")) }
	}
	invalid := statuses{plain: verify.Invalid}
	tell(t, inRekorV2, []lie{
		{"not trusted", untrusted, all(verify.NotAllowed), `log "rekor2.example" is not trusted here`},
		{"trusted at another host", at("https://other.example"), all(verify.Invalid), `log "rekor2.example" does not verify`},
		{"trusted without a URL", at(""), all(verify.NotAllowed), "is not trusted here"},
		{"another root", checkpoint(func(w *world, _ *bundles.Log) []byte {
			return w.rekor2.SignNote(testlog.CheckpointText(w.rekor2.Host, merkle.Tree{Size: w.rekor2.Size(), Root: merkle.Hash{1}}))
		}), all(verify.Invalid), "the entries do not lead to the signed tree head"},
		{"another size", checkpoint(func(w *world, _ *bundles.Log) []byte {
			h := w.rekor2.Head(w.rekor2.Size())
			return w.rekor2.SignNote(testlog.CheckpointText(w.rekor2.Host, merkle.Tree{Size: h.Size + 1, Root: h.Root}))
		}), all(verify.Invalid), "the entries do not lead to the signed tree head"},
		{"signed in another name", checkpoint(func(w *world, _ *bundles.Log) []byte { return w.rekor2.SignNoteAs("other.example", text(w)) }), all(verify.Invalid), "does not verify"},
		{"unsigned", checkpoint(func(w *world, _ *bundles.Log) []byte { return []byte(text(w) + "\n") }), all(verify.Invalid), "does not verify"},
		{"called by another name", func(w *world) { w.edit = func(p *payload) { v2Log(p).Name = "other.example" } }, all(verify.Invalid), `log "other.example" does not verify`},
		{"called a Rekor v1", func(w *world) { w.edit = func(p *payload) { v2Log(p).Kind = bundles.RekorV1 } }, all(verify.NotLogged), "no evidence"},
		{"no time stamps", both(func(_ *world, l *leaf) { l.stamp = nil }), invalid, "RFC 3161 timestamp"},
		{"time stamps of something else", both(func(w *world, l *leaf) { l.stamp = w.tsa.Stamp([]byte("x"), testlog.Epoch()) }), invalid, "timestamps"},
		{"time stamps of a stranger", both(func(w *world, l *leaf) {
			digest := w.mod(plain).zipDigest()
			if l.what == "listing" {
				digest = w.mod(plain).h1()
			}
			l.stamp = testlog.NewTSA("stranger").Stamp(w.alice.Sign(digest), testlog.Epoch())
		}), invalid, "timestamps"},
		{"by a stranger", both(func(w *world, l *leaf) { w.log2(l, testlog.NewSigner("mallory")) }), statuses{plain: verify.NotAllowed}, "whom the policy does not name"},
		{"of Rekor v1's form", both(func(w *world, l *leaf) { l.body = w.alice.Body(w.mod(plain).zipDigest()) }), statuses{plain: verify.NotLogged}, "no evidence"},
		{"a statement", func(w *world) {
			w.drop(plain, "zip", "listing")
			w.log2(w.state(plain, w.alice, subjects(plain+"@v1.0.0", w.mod(plain), "both")...), w.alice)
		}, statuses{plain: verify.Verified}, ""},
		{"a statement without its envelope", func(w *world) {
			w.drop(plain, "zip", "listing")
			l := w.state(plain, w.alice, subjects(plain+"@v1.0.0", w.mod(plain), "both")...)
			w.log2(l, w.alice)
			l.envelope = nil
		}, statuses{plain: verify.Mismatch}, "content differs from what was signed"},
	})
}

// Property: the report says of a Rekor v2 what it says of any log, and of its
// entries the time that was stamped.
func TestReportOfARekorV2(t *testing.T) {
	w := newWorld(t)
	inRekorV2(w)
	r := w.check()
	if len(r.Logs) != 1 || r.Logs[0].Kind != "rekor-v2" || !r.Logs[0].Proven || r.Logs[0].Size != w.rekor2.Size() || r.Logs[0].Name != "rekor2.example" {
		t.Errorf("%+v", r.Logs)
	}
	for _, e := range moduleIn(t, r, plain).Evidence {
		if !e.Time.Equal(testlog.Epoch().Add(time.Minute)) || e.Log != "rekor2.example" {
			t.Errorf("%+v", e)
		}
	}
}

// Property: entries in two logs are two for a rule that asks for two, and two
// entries in one log are not, at however many tree sizes they are proven.
func TestTwoLogs(t *testing.T) {
	const require = "{signed-by: alice, logs: 2}"
	tell(t, func(w *world) {
		w.trust2("https://rekor2.example")
		for _, m := range w.mods {
			w.log2(w.leaf(m.Path, "listing"), w.alice) // the zip stays in Rekor v1
		}
		w.rules = rulesOf(require, "alice")
	}, []lie{
		{"one alone", func(w *world) { w.drop(plain, "zip") }, statuses{plain: verify.NotAllowed}, "in 2 logs"},
		{"the other alone", func(w *world) { w.drop(plain, "listing") }, statuses{plain: verify.NotAllowed}, "in 2 logs"},
		{"one of them not trusted", func(w *world) { w.request.Trust.Sigstore = w.request.Trust.Sigstore[:1] }, all(verify.NotAllowed), ""},
	})
	w := newWorld(t)
	w.trust2("https://rekor2.example")
	for _, l := range w.leaves {
		if l.what != "record" {
			w.log2(l, w.alice)
		}
	}
	w.rules = rulesOf(require, "alice")
	w.edit = func(p *payload) { // the same shard at a smaller size too, for the first entry alone
		l := *v2Log(p)
		first := l.Entries[0].Index
		size := first + 1
		l.Entries, l.Proof, l.Checkpoint = l.Entries[:1], w.rekor2.Multiproof(size, first), w.rekor2.Checkpoint(size)
		for i := range p.Manifest.Modules {
			for k := range p.Manifest.Modules[i].Entries {
				p.Manifest.Modules[i].Entries[k].Log++
			}
		}
		p.Logs = append([]bundles.Log{l}, p.Logs...)
	}
	r := w.check()
	lie{want: all(verify.NotAllowed), says: "in 2 logs"}.judge(t, r)
	if len(r.Logs) != 3 || !r.Logs[0].Proven || !r.Logs[1].Proven || r.Logs[0].Size >= r.Logs[1].Size {
		t.Errorf("%+v", r.Logs)
	}
}

// Property: k of n witnesses must have cosigned the checkpoint, of whichever
// kind the log is. One who cosigned another checkpoint did not.
func TestWitnesses(t *testing.T) {
	a, b, c := testlog.NewWitness("a.example"), testlog.NewWitness("b.example"), testlog.NewWitness("c.example")
	by := func(all ...*testlog.Witness) func(w *world) {
		return func(w *world) {
			w.cosign = func(text string) string {
				var lines strings.Builder
				for _, x := range all {
					lines.WriteString(x.Cosignature(text, 1767225600))
				}
				return lines.String()
			}
		}
	}
	ofOther := func(w *world) {
		w.cosign = func(text string) string {
			return a.Cosignature(text, 1) + b.Cosignature(strings.Replace(text, "\n", "x\n", 1), 1)
		}
	}
	rules := func(require string) string {
		return fmt.Sprintf("witnesses: {a: {vkey: %q}, b: {vkey: %q}, c: {vkey: %q}}\n", a.VKey(), b.VKey(), c.VKey()) + rulesOf(require, "alice")
	}
	notAllowed := all(verify.NotAllowed)
	for name, x := range map[string]struct {
		prepare func(w *world)
		require string
	}{
		"Rekor v2":          {inRekorV2, "{signed-by: alice, witnesses: {of: [a, b, c], threshold: 2}}"},
		"Rekor v1":          {recordless, "{signed-by: alice, witnesses: {of: [a, b, c], threshold: 2}}"},
		"checksum database": {func(w *world) { signless(w) }, "{any-of: [{sumdb: sum.example.org, witnesses: {of: [a, b, c], threshold: 2}}, {all-of: [sumdb, {signed-by: alice}]}]}"},
	} {
		t.Run(name, func(t *testing.T) {
			tell(t, func(w *world) { x.prepare(w); w.rules = rules(x.require); by(a, b)(w) }, []lie{
				{"two others", by(c, a), nil, ""},
				{"nobody", by(), notAllowed, ""},
				{"one", by(a), notAllowed, ""},
				{"one, twice", by(a, a), notAllowed, ""},
				{"one, and a stranger", by(a, testlog.NewWitness("d.example")), notAllowed, ""},
				{"one, and one of another checkpoint", ofOther, notAllowed, ""},
			})
		})
	}
	w := newWorld(t)
	inRekorV2(w)
	w.rules = rules("{signed-by: alice, witnesses: {of: [a, b, c], threshold: 2}}")
	by(a)(w)
	r := w.check()
	lie{want: notAllowed, says: "rekor2.example is cosigned by 1 of 2 witnesses: a"}.judge(t, r)
	if fmt.Sprint(r.Logs[0].Witnesses) != "[a]" {
		t.Errorf("witnesses %q", r.Logs[0].Witnesses)
	}
}
