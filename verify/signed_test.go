package verify_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/verify"
)

// Property: an entry counts if it is by a signer whom the policy names, and all
// that the log and the signer signed of it verifies. One by somebody else is not
// allowed; one that says it is by a named signer and isn't is invalid.
func TestSignedEntries(t *testing.T) {
	mallory := testlog.NewSigner("mallory")
	// both entries of a module are changed
	bodies := func(make func(digest [32]byte) []byte) func(w *world) {
		return func(w *world) {
			w.leaf(plain, "zip").body = make(w.mod(plain).zipDigest())
			w.leaf(plain, "listing").body = make(w.mod(plain).h1())
		}
	}
	entries := func(lie func(e *bundles.Entry)) func(w *world) {
		return func(w *world) { w.leaf(plain, "zip").lie, w.leaf(plain, "listing").lie = lie, lie }
	}
	edited := func(old, new string) func(w *world) {
		return func(w *world) {
			for _, what := range []string{"zip", "listing"} {
				l := w.leaf(plain, what)
				if !strings.Contains(string(l.body), old) {
					w.Fatalf("no %q in %s", old, l.body)
				}
				l.body = []byte(strings.Replace(string(l.body), old, new, 1))
			}
		}
	}
	invalid, notAllowed, notLogged := statuses{plain: verify.Invalid}, statuses{plain: verify.NotAllowed}, statuses{plain: verify.NotLogged}
	const nothing = "the bundle has no evidence for it"
	alice := testlog.NewSigner("alice")
	tell(t, recordless, []lie{
		{"key that nobody named", bodies(mallory.Body), notAllowed, "whom the policy does not name"},
		{"signature by another key", bodies(func(d [32]byte) []byte { return testlog.HashedRekord(d, mallory.Sign(d), alice.PEM) }), invalid, "signature"},
		{"signature over another digest", bodies(func(d [32]byte) []byte { return testlog.HashedRekord(d, alice.Sign([32]byte{}), alice.PEM) }), invalid, "signature"},
		{"no signature", bodies(func(d [32]byte) []byte { return testlog.HashedRekord(d, nil, alice.PEM) }), invalid, ""},
		{"timestamp of another entry", func(w *world) {
			zip, listing := w.leaf(plain, "zip"), w.leaf(plain, "listing")
			var first []byte
			zip.lie = func(e *bundles.Entry) { first = e.SET }
			listing.lie = func(e *bundles.Entry) { e.SET = first }
			w.drop(plain, "zip")
		}, invalid, ""},
		{"timestamp flipped", entries(func(e *bundles.Entry) { e.SET[len(e.SET)-1] ^= 1 }), invalid, ""},
		{"no timestamp", entries(func(e *bundles.Entry) { e.SET = nil }), invalid, ""},
		{"another time", entries(func(e *bundles.Entry) { e.IntegratedTime++ }), invalid, ""},
		{"no time", entries(func(e *bundles.Entry) { e.IntegratedTime = 0 }), invalid, ""},
		{"another log index", entries(func(e *bundles.Entry) { e.LogIndex++ }), invalid, ""},
		{"one by another, one invalid", func(w *world) { // the worst of it is said
			w.leaf(plain, "listing").body = mallory.Body(w.mod(plain).h1())
			w.leaf(plain, "zip").lie = func(e *bundles.Entry) { e.SET = nil }
		}, invalid, ""},
		{"of kind dsse", edited(`"kind":"hashedrekord"`, `"kind":"dsse"`), notLogged, nothing},
		{"of kind intoto", edited(`"kind":"hashedrekord"`, `"kind":"intoto"`), notLogged, nothing},
		{"of another version", edited(`"apiVersion":"0.0.1"`, `"apiVersion":"0.0.2"`), notLogged, nothing},
		{"digest of another algorithm", edited(`"algorithm":"sha256"`, `"algorithm":"sha512"`), notLogged, nothing},
		{"not canonical", edited(`{"apiVersion"`, `{ "apiVersion"`), notLogged, nothing},
		{"not canonical behind its digest", edited(`"signature":{`, `"signature": {`), notLogged, nothing},
		{"over a digest that begins in the same way", func(w *world) {
			for _, what := range []string{"zip", "listing"} {
				digest := map[string][32]byte{"zip": w.mod(plain).zipDigest(), "listing": w.mod(plain).h1()}[what]
				digest[31]++
				w.leaf(plain, what).body = w.alice.Body(digest)
			}
			w.edit = func(p *payload) { described(p, plain).Entries = nil }
		}, notLogged, nothing},
		{"a member twice", edited(`"kind":"hashedrekord"`, `"kind":"hashedrekord","kind":"hashedrekord"`), notLogged, nothing},
		{"no JSON", edited(`{"apiVersion"`, `"apiVersion"`), notLogged, nothing},
		{"left out", func(w *world) { w.drop(plain, "zip", "listing") }, notLogged, nothing},
		{"not in the manifest", func(w *world) {
			w.edit = func(p *payload) { described(p, plain).Entries = nil }
		}, statuses{plain: verify.Verified}, ""}, // entries are found by what they say
	})
}

// Property: however many entries of others there are over a digest, and whatever
// is wrong with them, they neither hide the one that counts nor take its place.
func TestFloodOfEntries(t *testing.T) {
	w := newWorld(t)
	recordless(w)
	m := w.mod(plain)
	good := w.leaf(plain, "listing")
	w.drop(plain, "zip", "listing")
	for i := range 40 {
		mallory := testlog.NewSigner(fmt.Sprintf("mallory %d", i))
		w.add("listing", plain, mallory.Body(m.h1()))
		w.add("listing", plain, testlog.HashedRekord(m.h1(), mallory.Sign(m.h1()), w.alice.PEM))
		if i == 20 {
			w.add("listing", plain, good.body)
		}
	}
	r := w.check()
	accepted := 0
	for _, e := range moduleIn(t, r, plain).Evidence {
		if e.Accepted {
			accepted++
		} else if e.Why == "" {
			t.Errorf("%+v is not accepted without a reason", e)
		}
	}
	if !r.OK || accepted != 1 || len(moduleIn(t, r, plain).Evidence) != 81 {
		t.Errorf("ok %t, %d accepted of %d", r.OK, accepted, len(moduleIn(t, r, plain).Evidence))
	}
}

// Property: each of the two digests that are attested proves by itself what it
// can: the listing all forms of the module, the zip itself and the tree with the
// same content.
func TestWhatIsSigned(t *testing.T) {
	only := func(what string, do func(w *world)) func(w *world) {
		return func(w *world) {
			w.drop(plain, map[string]string{"zip": "listing", "listing": "zip"}[what])
			do(w)
		}
	}
	noTree := func(w *world) { remove(w, w.cached(w.mod(plain).tree())) }
	noZip := func(w *world) { remove(w, w.download(plain, ".zip")) }
	evilZip := func(w *world) { write(w, w.download(plain, ".zip"), string(evil(w.mod(plain)).zip())) }
	stored := func(w *world) { write(w, w.download(plain, ".zip"), string(w.mod(plain).stored())) }
	evilTree := func(w *world) { write(w, w.unpacked(plain, "evil.go"), "package evil\n") }
	verified, mismatch := statuses{plain: verify.Verified}, statuses{plain: verify.Mismatch}
	const signed, unlike = "content differs from what was signed", "the unpacked tree is not the content of the zip, which is attested"
	tell(t, recordless, []lie{
		{"zip, as it is", only("zip", func(*world) {}), verified, ""},
		{"zip, no tree", only("zip", noTree), verified, ""},
		{"zip, changed tree", only("zip", evilTree), mismatch, unlike},
		{"zip, changed tree and zip", only("zip", func(w *world) { evilTree(w); evilZip(w) }), mismatch, signed},
		{"zip, evil zip beside a good tree", only("zip", evilZip), mismatch, signed},
		{"zip, no tree, evil zip", only("zip", func(w *world) { noTree(w); evilZip(w) }), mismatch, signed},
		{"zip, no tree, other bytes of the same content", only("zip", func(w *world) { noTree(w); stored(w) }), mismatch, signed},
		{"zip, tree alone", only("zip", noZip), statuses{plain: verify.NotOnDisk}, "only its zip is attested, and that is not in the module cache"},
		{"listing, as it is", only("listing", func(*world) {}), verified, ""},
		{"listing, no tree", only("listing", noTree), verified, ""},
		{"listing, tree alone", only("listing", noZip), verified, ""},
		{"listing, no tree, other bytes of the same content", only("listing", func(w *world) { noTree(w); stored(w) }), verified, ""},
		{"listing, changed tree", only("listing", evilTree), mismatch, signed},
		{"listing, evil zip beside a good tree", only("listing", evilZip), mismatch, "the zip holds other content"},
		{"listing, no tree, evil zip", only("listing", func(w *world) { noTree(w); evilZip(w) }), mismatch, signed},
	})
}

// Property: an entry that the manifest lists for a module and that is over other
// content says that this is not what was vouched for, if the signer counts.
func TestSignedOtherContent(t *testing.T) {
	other := func(by *testlog.Signer, digest func(m mod) [32]byte) func(w *world) {
		return func(w *world) {
			w.drop(plain, "zip", "listing")
			w.add("listing", plain, by.Body(digest(w.mod(plain))))
		}
	}
	h1 := func(m mod) [32]byte { return evil(m).h1() }
	unrelated := func(mod) [32]byte { return sha256sum([]byte("a release of something else")) }
	alice, mallory := testlog.NewSigner("alice"), testlog.NewSigner("mallory")
	tell(t, recordless, []lie{
		{"by a named signer", other(alice, h1), statuses{plain: verify.Mismatch}, "content differs from what was signed"},
		{"of something else, by a named signer", other(alice, unrelated), statuses{plain: verify.Mismatch}, "content differs from what was signed"},
		{"by another", other(mallory, h1), statuses{plain: verify.NotAllowed}, "whom the policy does not name"},
		{"with a bad signature", func(w *world) {
			w.drop(plain, "zip", "listing")
			w.add("listing", plain, testlog.HashedRekord(h1(w.mod(plain)), mallory.Sign(h1(w.mod(plain))), alice.PEM))
		}, statuses{plain: verify.Invalid}, "signature"},
		{"beside entries over what is there", func(w *world) {
			w.add("listing", plain, alice.Body(h1(w.mod(plain)))) // an older attestation, say
		}, statuses{plain: verify.Verified}, ""},
	})
	t.Run("where a record is enough", func(t *testing.T) {
		tell(t, func(w *world) { w.flags.Require = policy.RequireAny }, []lie{
			{"by a named signer", other(alice, h1), statuses{plain: verify.Verified}, ""},
		})
	})
}

// Property: an attestation of one version or module does not stand for another:
// with everything of plain replaced by what was attested for another, the names
// in the content give it away.
func TestReplayedAttestation(t *testing.T) {
	v2 := newMod(plain, "v1.1.0", worldMods()[3].files)
	tell(t, recordless, []lie{
		{"zip of another version", func(w *world) {
			remove(w, w.cached(w.mod(plain).tree()))
			write(w, w.download(plain, ".zip"), string(v2.zip()))
			w.attest(mod{w.mod(plain).Version, v2.files}, w.alice)
			w.add("zip", plain, w.alice.Body(v2.zipDigest()))
			w.add("listing", plain, w.alice.Body(v2.h1()))
		}, statuses{plain: verify.Mismatch}, "does not begin with"},
		{"tree of another version", func(w *world) {
			v2 := v2.with(map[string]string{"plain.go": "package plain // v1.1.0\n"})
			write(w, w.unpacked(plain, "plain.go"), v2.files["plain.go"])
			remove(w, w.download(plain, ".zip"))
			w.drop(plain, "zip", "listing")
			w.add("listing", plain, w.alice.Body(v2.h1()))
		}, statuses{plain: verify.Mismatch}, "content differs from what was signed"},
	})
}
