package verify_test

import (
	"strings"
	"testing"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/internal/trust"
	"github.com/modseal/modseal/verify"
)

// signless leaves all of Rekor's entries out of the bundle.
func signless(w *world) {
	w.flags.Require = policy.RequireSumDB
	for _, m := range w.mods {
		w.drop(m.Path, "zip", "listing")
	}
}

// evil is a module with other content.
func evil(m mod) mod { return m.with(map[string]string{"evil.go": "package evil\n"}) }

// recordOf is the record's text for another h1.
func recordOf(m mod, h1 [32]byte) []byte {
	return []byte(strings.Replace(m.record(), sum(m.h1()), sum(h1), 1))
}

// Property: a record speaks of the module that its text names, and of no other,
// whatever the manifest says; and what a trusted database recorded is not
// overruled by anybody's signature.
func TestRecords(t *testing.T) {
	mismatch, notLogged := statuses{plain: verify.Mismatch}, statuses{plain: verify.NotLogged}
	replaced := func(body func(m mod) string) func(w *world) {
		return func(w *world) { w.leaf(plain, "record").body = []byte(body(w.mod(plain))) }
	}
	text := func(old, new string) func(w *world) {
		return replaced(func(m mod) string { return strings.ReplaceAll(m.record(), old, new) })
	}
	const none = "the bundle has no evidence for it"
	tell(t, signless, []lie{
		{"left out", func(w *world) { w.drop(plain, "record") }, notLogged, none},
		{"of another version", text("v1.0.0", "v1.1.0"), notLogged, none},
		{"of another module", text(plain, plain+"x"), notLogged, none},
		{"of the module in another case", text(plain, "example.com/Plain"), notLogged, none},
		{"two versions in one", replaced(func(m mod) string { return strings.Replace(m.record(), "v1.0.0/go.mod", "v1.1.0/go.mod", 1) }), notLogged, none},
		{"without the line of go.mod", replaced(func(m mod) string { first, _, _ := strings.Cut(m.record(), "\n"); return first + "\n" }), notLogged, none},
		{"with a third line", replaced(func(m mod) string { return m.record() + "\n" }), notLogged, none},
		{"no record", replaced(func(mod) string { return "" }), notLogged, none},
		{"of another h1", replaced(func(m mod) string { return string(recordOf(m, evil(m).h1())) }), mismatch, "content differs from the log"},
	})
	tell(t, asIs, []lie{
		{"of another h1, and a signer vouches for what is on disk", replaced(func(m mod) string { return string(recordOf(m, evil(m).h1())) }), mismatch, "content differs from the log"},
		{"of evil content, that is on disk, and nobody signed it", func(w *world) {
			m := evil(w.mod(plain))
			m.install(w, w.path("cache"))
			w.leaf(plain, "record").body = []byte(m.record())
			remove(w, w.path("project/go.sum"))
		}, mismatch, "content differs from what was signed"},
	})
	tell(t, func(w *world) { w.flags.Require = policy.RequireRekor }, []lie{
		{"of another h1, and only the signer is asked for", replaced(func(m mod) string { return string(recordOf(m, evil(m).h1())) }), mismatch, "content differs from the log"},
	})
}

// Property: two records of one module that contradict each other are a mismatch
// whichever is right and whichever comes first; two that agree are as good as
// one.
func TestTwoRecords(t *testing.T) {
	good := func(m mod) []byte { return []byte(m.record()) }
	bad := func(m mod) []byte { return recordOf(m, evil(m).h1()) }
	badMod := func(m mod) []byte {
		return []byte(strings.Replace(m.record(), sum(m.goModH1()), sum(goModH1("module evil\n")), 1))
	}
	two := func(first, second func(mod) []byte) func(w *world) {
		return func(w *world) {
			w.leaf(plain, "record").body = first(w.mod(plain))
			w.add("record", plain, second(w.mod(plain)))
		}
	}
	// a second database, which the enclave trusts or not
	database := func(body func(mod) []byte, trusted bool) func(w *world) {
		return func(w *world) {
			db := testlog.NewSumDB("a.example.org") // sorted before the other
			w.edit = func(p *payload) { addDatabase(p, db, w.mod(plain), body(w.mod(plain))) }
			if trusted {
				d, err := trust.ParseGOSUMDB(db.Key())
				if err != nil {
					w.Fatal(err)
				}
				w.request.Trust.SumDBs = append(w.request.Trust.SumDBs, *d)
			}
		}
	}
	verified, mismatch := statuses{plain: verify.Verified}, statuses{plain: verify.Mismatch}
	const differs = "content differs from the log"
	tell(t, signless, []lie{
		{"equal", two(good, good), verified, ""},
		{"good, then bad", two(good, bad), mismatch, differs},
		{"bad, then good", two(bad, good), mismatch, differs},
		{"good, then one of another go.mod", two(good, badMod), mismatch, "go.mod differs from the log"},
		{"good, then one of another version", two(good, func(m mod) []byte { return []byte(newMod(plain, "v1.1.0", evil(m).files).record()) }), verified, ""},
		{"of two databases, equal", database(good, true), verified, ""},
		{"of two databases, one bad", database(bad, true), mismatch, differs},
		{"of an unknown database, bad", database(bad, false), verified, ""},
	})
}

// addDatabase adds a checksum database of one record, before the one there is.
func addDatabase(p *payload, db *testlog.SumDB, m mod, body []byte) {
	id := db.AddRecord(m.Version, body)
	log := bundles.Log{
		LogInfo: bundles.LogInfo{Kind: bundles.SumDB, Name: db.Name}, Checkpoint: db.Checkpoint(1), Proof: db.Multiproof(1, id),
		Entries: []bundles.Entry{{Index: id, Leaf: string(body)}},
	}
	last := len(p.Logs) - 1 // is of the other database
	p.Logs = append(p.Logs[:last:last], log, p.Logs[last])
	for i := range p.Manifest.Modules {
		for j := range p.Manifest.Modules[i].Entries {
			if r := &p.Manifest.Modules[i].Entries[j]; r.Log == last {
				r.Log++
			}
		}
	}
}

// Property: an unproven record of a module counts for nothing, and is no reason
// to doubt a proven one of another log.
func TestUnprovenRecordBesideAProvenOne(t *testing.T) {
	w := newWorld(t)
	signless(w)
	db := testlog.NewSumDB("a.example.org")
	w.edit = func(p *payload) {
		addDatabase(p, db, w.mod(plain), recordOf(w.mod(plain), evil(w.mod(plain)).h1()))
		p.Logs[len(p.Logs)-2].Checkpoint = otherKey(t, w, "go.sum database tree\n1\n"+sum(goModH1(""))[3:]+"\n")
	}
	d, err := trust.ParseGOSUMDB(db.Key())
	if err != nil {
		t.Fatal(err)
	}
	w.request.Trust.SumDBs = append(w.request.Trust.SumDBs, *d)
	r := w.check()
	e := moduleIn(t, r, plain).Evidence
	if !r.OK || len(e) != 2 || e[0].Accepted || !e[1].Accepted {
		t.Errorf("ok %t, evidence %+v", r.OK, e)
	}
	if r.Logs[0].Proven || !r.Logs[1].Proven {
		t.Errorf("logs %+v", r.Logs)
	}
}
