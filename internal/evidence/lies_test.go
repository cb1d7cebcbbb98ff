package evidence_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/merkle"
)

// kindLie is an entry of a kind in which one thing is a lie, made by the site's
// log, which signs it all the same.
type kindLie struct {
	name string
	of   []string // kinds
	make func(s *site, kind string, alice *testlog.Signer) *evidence.Entry
	want string // in the message
}

func statements() []string { return []string{dsseV1, intotoV1, dsseV2} }

func clone(e *bundles.Envelope) *bundles.Envelope {
	c := *e
	return &c
}

// after changes an honest entry after it was logged.
func after(change func(s *site, e *evidence.Entry)) func(s *site, kind string, alice *testlog.Signer) *evidence.Entry {
	return func(s *site, kind string, alice *testlog.Signer) *evidence.Entry {
		e := s.honest(kind, alice)
		change(s, e)
		return e
	}
}

func tellKinds(t *testing.T, lies []kindLie) {
	t.Helper()
	alice := testlog.NewSigner("alice")
	for _, l := range lies {
		for _, kind := range l.of {
			s := newSite(t, alice, testlog.NewSigner("bob"))
			if _, err := s.verify(s.honest(kind, alice)); err != nil {
				t.Fatalf("%s: an honest entry: %v", kind, err)
			}
			got, err := s.verify(l.make(s, kind, alice))
			if got != nil || err == nil || !strings.Contains(err.Error(), l.want) {
				t.Errorf("%s of %s: %+v, %v; want %q", l.name, kind, got, err, l.want)
			}
		}
	}
}

// Property: what was signed, and by whom, is as the body says, and the envelope
// beside it is the very one that was logged.
func TestLiesOfEachKind(t *testing.T) {
	mallory := testlog.NewSigner("mallory")
	other := sha256.Sum256([]byte("another module"))
	tellKinds(t, []kindLie{
		{"signature of something else", kinds(), func(s *site, kind string, alice *testlog.Signer) *evidence.Entry {
			elsewhere := alice.Envelope(statement(other))
			switch kind {
			case artifactV1:
				return s.entry(kind, testlog.HashedRekord(digest(), alice.Sign(other), alice.PEM), nil, alice.Sign(other))
			case artifactV2:
				return s.entry(kind, testlog.HashedRekordV2(digest(), alice.Sign(other), alice.PEM), nil, alice.Sign(other))
			}
			e := clone(elsewhere)
			e.Payload = statement(digest())
			b := map[string]func(*bundles.Envelope) []byte{dsseV1: alice.DSSE, intotoV1: alice.Intoto, dsseV2: alice.DSSEV2}[kind](e)
			return s.entry(kind, b, e, e.Signature)
		}, "signature"},
		{"signature by another known key", kinds(), func(s *site, kind string, alice *testlog.Signer) *evidence.Entry {
			bob := testlog.NewSigner("bob")
			signed, e := body(kind, alice, digest())
			changed := bytes.Replace(signed, inBody(kind, alice.PEM), inBody(kind, bob.PEM), 1)
			if bytes.Equal(changed, signed) {
				s.Fatalf("%s: no key in %s", kind, signed)
			}
			sig := alice.Sign(digest())
			if e != nil {
				sig = e.Signature
			}
			return s.entry(kind, changed, e, sig)
		}, "signature"},
		{"a key that is not known", kinds(), func(s *site, kind string, _ *testlog.Signer) *evidence.Entry { return s.honest(kind, mallory) }, ""},
		{"payload hash of another statement", statements(), func(s *site, kind string, alice *testlog.Signer) *evidence.Entry {
			e, wrong := alice.Envelope(statement(digest())), alice.Envelope(statement(other))
			wrong.Signature = e.Signature
			b := map[string]func(*bundles.Envelope) []byte{dsseV1: alice.DSSE, intotoV1: alice.Intoto, dsseV2: alice.DSSEV2}[kind](wrong)
			return s.entry(kind, b, e, e.Signature)
		}, ""},
		{"another payload", statements(), after(func(s *site, e *evidence.Entry) {
			e.Envelope = clone(e.Envelope)
			e.Envelope.Payload = statement(other)
		}), ""},
		{"another envelope, as well signed", statements(), after(func(s *site, e *evidence.Entry) {
			e.Envelope = testlog.NewSigner("alice").Envelope(statement(other))
		}), ""},
		{"another signature in the envelope", statements(), after(func(s *site, e *evidence.Entry) {
			e.Envelope = clone(e.Envelope)
			e.Envelope.Signature = testlog.NewSigner("bob").Envelope(e.Envelope.Payload).Signature
		}), ""},
		{"no signature in the envelope", statements(), after(func(s *site, e *evidence.Entry) {
			e.Envelope = clone(e.Envelope)
			e.Envelope.Signature = nil
		}), ""},
		{"another payload type", statements(), after(func(s *site, e *evidence.Entry) {
			e.Envelope = clone(e.Envelope)
			e.Envelope.PayloadType = "text/plain"
		}), "no in-toto statement"},
		{"an envelope that is not its own", []string{artifactV1}, after(func(s *site, e *evidence.Entry) {
			e.Envelope = testlog.NewSigner("alice").Envelope(statement(digest()))
		}), "not about an envelope"},
		{"an envelope beside a signed artifact", []string{artifactV2}, after(func(s *site, e *evidence.Entry) {
			e.Envelope = testlog.NewSigner("alice").Envelope(statement(digest()))
		}), ""},
	})
}

// inBody is how a kind's body has a PEM key.
func inBody(kind string, file []byte) []byte {
	if isV2(kind) {
		lines := strings.Split(strings.TrimSpace(string(file)), "\n")
		return []byte(strings.Join(lines[1:len(lines)-1], ""))
	}
	return must(json.Marshal(file))
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

// Property: which log it was, where in it, and that its key was valid at that
// time, is as the enclave's trust and the log's signatures say.
func TestLiesAboutTheLog(t *testing.T) {
	v2 := []string{artifactV2, dsseV2}
	shard := func(s *site, e *evidence.Entry, text string) []byte {
		if e.V2 {
			return s.v2.SignNote(text)
		}
		return s.v1.Shard().SignNote(text)
	}
	text := func(s *site, e *evidence.Entry, tree merkle.Tree) string {
		if e.V2 {
			return testlog.CheckpointText(hostV2, tree)
		}
		return s.v1.Shard().CheckpointText(tree)
	}
	window := func(start, end time.Time) func(s *site, kind string, alice *testlog.Signer) *evidence.Entry {
		return func(s *site, kind string, alice *testlog.Signer) *evidence.Entry {
			log := s.log(kind)
			log.ValidityPeriodStart, log.ValidityPeriodEnd = start, end
			return s.honest(kind, alice)
		}
	}
	tellKinds(t, []kindLie{
		{"logged before the log's key was valid", v2, window(stamped().Add(time.Second), time.Time{}), "the log's key is valid only from 2026-01-01T00:05:01Z"},
		{"logged after the log's key was valid", v2, window(testlog.Epoch(), stamped().Add(-time.Second)), "the log's key was valid only until 2026-01-01T00:04:59Z"},
		{"logged before the log's key was valid", []string{artifactV1, dsseV1, intotoV1}, window(testlog.Epoch().Add(time.Hour), time.Time{}), "the log's key is valid only from 2026-01-01T01:00:00Z"},
		{"logged after the log's key was valid", []string{artifactV1, dsseV1, intotoV1}, window(testlog.Epoch().AddDate(-1, 0, 0), testlog.Epoch()), "the log's key was valid only until 2026-01-01T00:00:00Z"},
		{"another log's key", kinds(), func(s *site, kind string, alice *testlog.Signer) *evidence.Entry {
			s.log(kind).PublicKey = testlog.NewRekorV2("other.example").PublicKey()
			return s.honest(kind, alice)
		}, ""},
		{"a log that is not trusted", kinds(), func(s *site, kind string, alice *testlog.Signer) *evidence.Entry {
			s.trust.logs = nil
			return s.honest(kind, alice)
		}, "not enough verified log entries"},
		{"a log without a URL", v2, func(s *site, kind string, alice *testlog.Signer) *evidence.Entry {
			s.log(kind).BaseURL = ""
			return s.honest(kind, alice)
		}, "baseUrl"},
		{"a log of another host", v2, func(s *site, kind string, alice *testlog.Signer) *evidence.Entry {
			s.log(kind).BaseURL = "https://other.example"
			return s.honest(kind, alice)
		}, ""},
		{"log ID of the other log", kinds(), after(func(s *site, e *evidence.Entry) {
			if e.LogID = s.v2.LogID(); e.V2 {
				e.LogID = s.v1.Shard().LogID()
			}
		}), ""},
		{"the other generation", kinds(), after(func(s *site, e *evidence.Entry) { e.V2 = !e.V2 }), "unsupported kind of Rekor entry"},
		{"another index", kinds(), after(func(s *site, e *evidence.Entry) { e.Inclusion.Index-- }), ""},
		{"an index above any tree", kinds(), after(func(s *site, e *evidence.Entry) { e.Inclusion.Index = math.MaxUint64 }), "leaf 18446744073709551615"},
		{"a node changed", kinds(), after(func(s *site, e *evidence.Entry) {
			e.Inclusion.Path = slices.Clone(e.Inclusion.Path)
			e.Inclusion.Path[0][3] ^= 1
		}), ""},
		{"a node less", kinds(), after(func(s *site, e *evidence.Entry) { e.Inclusion.Path = e.Inclusion.Path[1:] }), ""},
		{"another root beside the proof", kinds(), after(func(s *site, e *evidence.Entry) { e.Inclusion.Tree.Root[0] ^= 1 }), ""},
		{"another size beside the proof", kinds(), after(func(s *site, e *evidence.Entry) { e.Inclusion.Tree.Size++ }), ""},
		{"checkpoint of another root", kinds(), after(func(s *site, e *evidence.Entry) {
			e.Checkpoint = shard(s, e, text(s, e, merkle.Tree{Size: e.Inclusion.Tree.Size, Root: merkle.Hash{1}}))
		}), ""},
		{"checkpoint of another size and this root", kinds(), after(func(s *site, e *evidence.Entry) {
			e.Checkpoint = shard(s, e, text(s, e, merkle.Tree{Size: e.Inclusion.Tree.Size + 1, Root: e.Inclusion.Tree.Root}))
		}), ""},
		{"checkpoint that nobody signed", kinds(), after(func(s *site, e *evidence.Entry) {
			e.Checkpoint = []byte(text(s, e, e.Inclusion.Tree) + "\n")
		}), ""},
		{"checkpoint signed in another name", v2, after(func(s *site, e *evidence.Entry) {
			e.Checkpoint = s.v2.SignNoteAs("other.example", text(s, e, e.Inclusion.Tree))
		}), ""},
		{"checkpoint of another origin", v2, after(func(s *site, e *evidence.Entry) {
			e.Checkpoint = s.v2.SignNote(testlog.CheckpointText("other.example", e.Inclusion.Tree))
		}), ""},
		{"no checkpoint", kinds(), after(func(s *site, e *evidence.Entry) { e.Checkpoint = nil }), "checkpoint empty"},
		{"no signed entry timestamp", []string{artifactV1, dsseV1, intotoV1}, after(func(s *site, e *evidence.Entry) { e.SET = nil }), "without a signed entry timestamp"},
		{"no signed entry timestamp but a time stamp", []string{artifactV1, dsseV1, intotoV1}, after(func(s *site, e *evidence.Entry) {
			sig := testlog.NewSigner("alice").Sign(digest())
			if e.Envelope != nil {
				sig = e.Envelope.Signature
			}
			e.SET, e.Timestamps = nil, [][]byte{s.tsa.Stamp(sig, stamped())}
		}), "without a signed entry timestamp"},
	})
}

// Property: the window of a log's key is closed at both ends, for both
// generations of Rekor.
func TestLogKeyAtTheEdgeOfItsWindow(t *testing.T) {
	alice := testlog.NewSigner("alice")
	for _, kind := range kinds() {
		s := newSite(t, alice)
		e := s.honest(kind, alice)
		at := stamped()
		if !isV2(kind) {
			at = time.Unix(e.IntegratedTime, 0)
		}
		s.log(kind).ValidityPeriodStart, s.log(kind).ValidityPeriodEnd = at, at
		if _, err := s.verify(e); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// Property: an entry of Rekor v2 needs a time stamp of its own signature by a
// trusted authority, and the earliest one that verifies is its time.
func TestTimestamps(t *testing.T) {
	alice := testlog.NewSigner("alice")
	stranger, second := testlog.NewTSA("stranger"), testlog.NewTSA("second")
	for _, kind := range []string{artifactV2, dsseV2} {
		for _, c := range []struct {
			name   string
			stamps func(s *site, sig []byte) [][]byte
			want   time.Time // zero: refused
		}{
			{"none", func(*site, []byte) [][]byte { return nil }, time.Time{}},
			{"of another signature", func(s *site, _ []byte) [][]byte { return [][]byte{s.tsa.Stamp([]byte("other"), stamped())} }, time.Time{}},
			{"of an authority that is not trusted", func(s *site, sig []byte) [][]byte { return [][]byte{stranger.Stamp(sig, stamped())} }, time.Time{}},
			{"no time stamp", func(*site, []byte) [][]byte { return [][]byte{[]byte("junk")} }, time.Time{}},
			{"before the authority's certificate", func(s *site, sig []byte) [][]byte {
				return [][]byte{s.tsa.Stamp(sig, time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC))}
			}, time.Time{}},
			{"of two authorities", func(s *site, sig []byte) [][]byte {
				return [][]byte{s.tsa.Stamp(sig, stamped().Add(time.Minute)), second.Stamp(sig, stamped())}
			}, stamped()},
			{"a stranger's, which is earlier, and a good one", func(s *site, sig []byte) [][]byte {
				return [][]byte{stranger.Stamp(sig, stamped().Add(-time.Hour)), s.tsa.Stamp(sig, stamped())}
			}, stamped()},
			{"32", func(s *site, sig []byte) [][]byte {
				return append(slices.Repeat([][]byte{[]byte("junk")}, 31), s.tsa.Stamp(sig, stamped()))
			}, stamped()},
			{"33", func(s *site, sig []byte) [][]byte {
				return append(slices.Repeat([][]byte{[]byte("junk")}, 32), s.tsa.Stamp(sig, stamped()))
			}, time.Time{}},
		} {
			s := newSite(t, alice)
			s.trustTSA(s.tsa, second)
			e := s.honest(kind, alice)
			claim, err := e.Claim()
			if err != nil {
				t.Fatal(err)
			}
			e.Timestamps = c.stamps(s, claim.Signature)
			got, err := s.verify(e)
			if (err == nil) == c.want.IsZero() || err == nil && got.Time != c.want {
				t.Errorf("%s, time stamps: %s: %+v, %v; want %s", kind, c.name, got, err, c.want)
			}
		}
	}
}

// Property: a certificate must have been valid at the proven time, and be of an
// authority that is trusted.
func TestCertificatesOfEachKind(t *testing.T) {
	for _, kind := range kinds() {
		for name, by := range map[string]func(s *site) *testlog.Signer{
			"no longer valid": func(s *site) *testlog.Signer {
				return s.ca.Issue("bob@example.com", "https://issuer.example", testlog.Epoch().Add(-time.Hour))
			},
			"not yet valid": func(s *site) *testlog.Signer {
				return s.ca.Issue("bob@example.com", "https://issuer.example", testlog.Epoch().Add(time.Hour))
			},
			"of another authority": func(*site) *testlog.Signer {
				return testlog.NewCA("other").Issue("bob@example.com", "https://issuer.example", testlog.Epoch())
			},
		} {
			s := newSite(t)
			if got, err := s.verify(s.honest(kind, by(s))); err == nil {
				t.Errorf("%s, certificate %s: %+v", kind, name, got)
			}
		}
		s := newSite(t)
		e := s.honest(kind, s.holder())
		s.trust.cas = nil
		if got, err := s.verify(e); err == nil {
			t.Errorf("%s, no authority: %+v", kind, got)
		}
	}
}

// Property: witnesses' cosignatures on a checkpoint don't matter to who signed
// the entry, before or after the log's own signature.
func TestCosignedCheckpoints(t *testing.T) {
	alice := testlog.NewSigner("alice")
	for _, kind := range kinds() {
		s := newSite(t, alice)
		e := s.honest(kind, alice)
		text, own, _ := bytes.Cut(e.Checkpoint, []byte("\n\n"))
		cosignature := testlog.NewWitness("witness.example").Cosignature(string(text)+"\n", 1767225600)
		for _, signatures := range []string{cosignature + string(own), string(own) + cosignature, cosignature + string(own) + cosignature} {
			e.Checkpoint = fmt.Appendf(nil, "%s\n\n%s", text, signatures)
			if _, err := s.verify(e); err != nil {
				t.Errorf("%s: %v in %s", kind, err, e.Checkpoint)
			}
		}
		e.Checkpoint = fmt.Appendf(nil, "%s\n\n%s", text, cosignature)
		if got, err := s.verify(e); err == nil {
			t.Errorf("%s, a witness alone: %+v", kind, got)
		}
	}
}
