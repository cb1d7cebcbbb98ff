package evidence_test

import (
	"bytes"
	"crypto/sha256"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/internal/trust"
	"github.com/modseal/modseal/merkle"
)

// logged is an honest log of ten entries; the one of interest is in the middle.
type logged struct {
	log   *testlog.Rekor
	entry testlog.Entry
}

func logBody(body []byte) *logged {
	l := &logged{log: testlog.NewRekor("rekor.example")}
	l.log.Add([]byte("of the shard before")) // so that log index and index differ
	l.log.Rotate()
	filler := testlog.NewSigner("filler")
	for i := range byte(10) {
		if i == 5 {
			l.entry = l.log.Add(body)
			continue
		}
		l.log.Add(filler.Body([32]byte{i}))
	}
	return l
}

// evidence is the entry as it is proven in the tree of that size.
func (l *logged) evidence(size uint64) *evidence.Entry {
	s, e := l.log.Shard(), l.entry
	return &evidence.Entry{
		Body: e.Body, LogID: e.LogID, LogIndex: e.LogIndex, IntegratedTime: e.IntegratedTime, SET: e.SET,
		Inclusion: s.Inclusion(e.Index, size), Checkpoint: s.Checkpoint(size),
	}
}

func publicKey(t testing.TB, file []byte) *keys.Public {
	t.Helper()
	k, err := keys.ParsePublic(file)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// material trusts logs by their keys.
func material(t testing.TB, shards ...*testlog.Shard) root.TrustedMaterialCollection {
	t.Helper()
	var m trust.Material
	for _, s := range shards {
		m.AddRekorKey(publicKey(t, s.PublicPEM()))
	}
	return m.Sigstore
}

func verifier(t testing.TB, m root.TrustedMaterial, known ...*testlog.Signer) *evidence.Verifier {
	t.Helper()
	var all []*keys.Public
	for _, s := range known {
		all = append(all, publicKey(t, s.PEM))
	}
	v, err := evidence.NewVerifier(m, all...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func verify(t testing.TB, v *evidence.Verifier, e *evidence.Entry) (*evidence.Signed, error) {
	t.Helper()
	h, err := e.Claim()
	if err != nil {
		t.Fatal(err)
	}
	return v.Verify(e, h)
}

// Property: an honest entry by a known key verifies, in each tree that it is in,
// and gives the time at which the log took it in.
func TestVerifyByKey(t *testing.T) {
	alice, bob := testlog.NewSigner("alice"), testlog.NewSigner("bob")
	l := logBody(alice.Body(digest()))
	v := verifier(t, material(t, l.log.Shard()), bob, alice)
	for size := uint64(6); size <= 10; size++ {
		s, err := verify(t, v, l.evidence(size))
		if err != nil || s.Certificate != nil || s.Time != time.Unix(l.entry.IntegratedTime, 0).UTC() {
			t.Errorf("in a tree of %d: %+v, %v", size, s, err)
		}
	}
}

// entryLie is a change to an honest entry.
type entryLie struct {
	name string
	lie  func(e *evidence.Entry)
	want string // in the message
}

// refuseLies demands that each lie about the honest entry alone is refused.
func (l *logged) refuseLies(t *testing.T, by *testlog.Signer, lies []entryLie) {
	t.Helper()
	v := verifier(t, material(t, l.log.Shard()), by)
	for _, c := range lies {
		e := l.evidence(10)
		e.SET, e.Checkpoint, e.Inclusion.Path = bytes.Clone(e.SET), bytes.Clone(e.Checkpoint), slices.Clone(e.Inclusion.Path)
		if _, err := verify(t, v, e); err != nil {
			t.Fatal(err)
		}
		c.lie(e)
		s, err := verify(t, v, e)
		if s != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %+v, %v; want %q", c.name, s, err, c.want)
		}
	}
}

// sign makes the log sign the timestamp of something that it never logged.
func (l *logged) sign(e *evidence.Entry) {
	e.SET = l.log.Shard().SET(testlog.Entry{Body: e.Body, LogID: e.LogID, LogIndex: e.LogIndex, IntegratedTime: e.IntegratedTime})
}

// Property: what was signed, by whom, and that it was logged, is as the body
// says, even if the log's key signs otherwise.
func TestLiesInTheBody(t *testing.T) {
	alice, mallory := testlog.NewSigner("alice"), testlog.NewSigner("mallory")
	other := sha256.Sum256([]byte("another module"))
	honest := logBody(alice.Body(digest()))
	honest.refuseLies(t, alice, []entryLie{
		{"signature of another digest", func(e *evidence.Entry) {
			e.Body = testlog.HashedRekord(digest(), alice.Sign(other), alice.PEM)
			honest.sign(e)
		}, "signature"},
		{"another digest", func(e *evidence.Entry) {
			e.Body = testlog.HashedRekord(other, alice.Sign(digest()), alice.PEM)
			honest.sign(e)
		}, "signature"},
		{"another key", func(e *evidence.Entry) {
			e.Body = testlog.HashedRekord(digest(), alice.Sign(digest()), mallory.PEM)
			honest.sign(e)
		}, ""},
		{"an entry that was not logged", func(e *evidence.Entry) {
			e.Body = alice.Body(other)
			honest.sign(e)
		}, "does not match expected root"},
	})
}

// Property: the log's timestamp is over all that it is said to be over, and must
// be there.
func TestLiesAboutTheTimestamp(t *testing.T) {
	alice := testlog.NewSigner("alice")
	honest := logBody(alice.Body(digest()))
	honest.refuseLies(t, alice, []entryLie{
		{"no SET", func(e *evidence.Entry) { e.SET = nil }, "without a signed entry timestamp"},
		{"a changed SET", func(e *evidence.Entry) { e.SET[20] ^= 1 }, "not enough verified log entries"},
		{"the SET of another entry", func(e *evidence.Entry) { e.SET = honest.log.Add([]byte("more")).SET }, "not enough verified log entries"},
		{"another time", func(e *evidence.Entry) { e.IntegratedTime++ }, "not enough verified log entries"},
		{"no time", func(e *evidence.Entry) { e.IntegratedTime = 0; honest.sign(e) }, "not enough verified log entries"},
		{"another log index", func(e *evidence.Entry) { e.LogIndex++ }, "not enough verified log entries"},
		{"a log index above int64", func(e *evidence.Entry) { e.LogIndex = math.MaxInt64 + 1 }, "log index 9223372036854775808"},
	})
}

// Property: the proof leads to the root, and the root is of the checkpoint that
// the log signed, of that size.
func TestLiesInTheProof(t *testing.T) {
	alice := testlog.NewSigner("alice")
	honest := logBody(alice.Body(digest()))
	shard, wrongRoot := honest.log.Shard(), merkle.Tree{Size: 10, Root: merkle.Hash{1}}
	honest.refuseLies(t, alice, []entryLie{
		{"another index", func(e *evidence.Entry) { e.Inclusion.Index++ }, "root"},
		{"an index above the tree", func(e *evidence.Entry) { e.Inclusion.Index = 10 }, ""},
		{"an index above any tree", func(e *evidence.Entry) { e.Inclusion.Index = math.MaxUint64 }, "leaf 18446744073709551615"},
		{"a changed node", func(e *evidence.Entry) { e.Inclusion.Path[1][0] ^= 1 }, "root"},
		{"a node less", func(e *evidence.Entry) { e.Inclusion.Path = e.Inclusion.Path[1:] }, ""},
		{"a node more", func(e *evidence.Entry) { e.Inclusion.Path = append(e.Inclusion.Path, merkle.Hash{}) }, ""},
		{"another root", func(e *evidence.Entry) { e.Inclusion.Tree.Root[0] ^= 1 }, "root"},
		{"checkpoint of a smaller tree", func(e *evidence.Entry) { e.Checkpoint = shard.Checkpoint(9) }, "does not match signed tree head"},
		{"checkpoint of another root", func(e *evidence.Entry) { e.Checkpoint = shard.SignNote(shard.CheckpointText(wrongRoot)) }, "does not match signed tree head"},
		{"checkpoint of another size and this root", func(e *evidence.Entry) {
			e.Checkpoint = shard.SignNote(shard.CheckpointText(merkle.Tree{Size: 11, Root: e.Inclusion.Tree.Root}))
		}, "the checkpoint is not of a tree of 10 leaves"},
		{"a changed checkpoint", func(e *evidence.Entry) { e.Checkpoint[len(e.Checkpoint)-8] ^= 1 }, ""},
		{"no checkpoint", func(e *evidence.Entry) { e.Checkpoint = nil }, "checkpoint empty"},
		{"checkpoint of another log", func(e *evidence.Entry) {
			e.Checkpoint = honest.log.Shards()[0].SignNote(shard.CheckpointText(e.Inclusion.Tree))
		}, "signature on checkpoint did not verify"},
		{"another log ID", func(e *evidence.Entry) { e.LogID = honest.log.Shards()[0].LogID() }, "not enough verified log entries"},
	})
}

// Property: what counts is who is trusted, of logs and of signers.
func TestVerifyTrust(t *testing.T) {
	alice, bob := testlog.NewSigner("alice"), testlog.NewSigner("bob")
	l := logBody(alice.Body(digest()))
	e, shards := l.evidence(10), l.log.Shards()
	for name, c := range map[string]struct {
		v    *evidence.Verifier
		want string
	}{
		"nobody":          {verifier(t, material(t)), "not enough verified log entries"},
		"no log":          {verifier(t, material(t), alice), "not enough verified log entries"},
		"another log":     {verifier(t, material(t, shards[0]), alice), "not enough verified log entries"},
		"no signer":       {verifier(t, material(t, shards[1])), ""},
		"another signer":  {verifier(t, material(t, shards[1]), bob), ""},
		"everybody alike": {verifier(t, material(t, shards...), bob, alice), "OK"},
	} {
		s, err := verify(t, c.v, e)
		if (err == nil) != (c.want == "OK") || (err == nil) != (s != nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %+v, %v; want %q", name, s, err, c.want)
		}
	}
}

// Property: an entry verifies only with what its own body says.
func TestVerifyOtherBody(t *testing.T) {
	alice := testlog.NewSigner("alice")
	l := logBody(alice.Body(digest()))
	other := sha256.Sum256([]byte("another module"))
	h, err := (&evidence.Entry{Body: alice.Body(other)}).Claim()
	if err != nil {
		t.Fatal(err)
	}
	if s, err := verifier(t, material(t, l.log.Shard()), alice).Verify(l.evidence(10), h); err == nil {
		t.Errorf("verified as %+v", s)
	}
}

// authority is the trust in a CA.
type authority struct {
	root.BaseTrustedMaterial
	ca *testlog.CA
}

func (a *authority) FulcioCertificateAuthorities() []root.CertificateAuthority {
	return []root.CertificateAuthority{&root.FulcioCertificateAuthority{Root: a.ca.Certificate, ValidityPeriodStart: a.ca.Certificate.NotBefore}}
}

// Property: a certificate is verified as of the time at which its entry was
// logged, by the authorities that are trusted, and its identity comes out.
func TestVerifyByCertificate(t *testing.T) {
	ca, other := testlog.NewCA("ca"), testlog.NewCA("other")
	signer := ca.Issue("bob@example.com", "https://issuer.example", testlog.Epoch())
	l := logBody(signer.Body(digest()))
	logs := material(t, l.log.Shard())
	v := verifier(t, append(slices.Clone(logs), &authority{ca: ca}))
	s, err := verify(t, v, l.evidence(10))
	if err != nil || s.Certificate == nil || s.Certificate.SubjectAlternativeName != "bob@example.com" || s.Certificate.Issuer != "https://issuer.example" {
		t.Fatalf("%+v, %v", s, err)
	}
	for name, m := range map[string]root.TrustedMaterialCollection{
		"no authority":      logs,
		"another authority": append(slices.Clone(logs), &authority{ca: other}),
		"no log":            {&authority{ca: ca}},
	} {
		if s, err := verify(t, verifier(t, m), l.evidence(10)); err == nil {
			t.Errorf("%s: %+v", name, s)
		}
	}
	for name, from := range map[string]time.Time{"too early": testlog.Epoch().Add(time.Minute), "too late": testlog.Epoch().Add(-time.Hour)} {
		l := logBody(ca.Issue("bob@example.com", "https://issuer.example", from).Body(digest()))
		if s, err := verify(t, verifier(t, append(material(t, l.log.Shard()), &authority{ca: ca})), l.evidence(10)); err == nil {
			t.Errorf("logged %s for its certificate: %+v", name, s)
		}
	}
	// that its key is known makes no certificate good
	known := &testlog.Signer{PEM: publicPEM(t, &signer.Key.PublicKey)}
	if s, err := verify(t, verifier(t, logs, known), l.evidence(10)); err == nil {
		t.Errorf("a certificate of nobody: %+v", s)
	}
}

// Property: where a CT log is trusted, a certificate needs a timestamp of one.
func TestVerifyNeedsSCT(t *testing.T) {
	ca := testlog.NewCA("ca")
	l := logBody(ca.Issue("bob@example.com", "https://issuer.example", testlog.Epoch()).Body(digest()))
	var public trust.Material
	if err := public.AddPublicGood(); err != nil {
		t.Fatal(err)
	}
	m := append(append(material(t, l.log.Shard()), &authority{ca: ca}), public.Sigstore...)
	if s, err := verify(t, verifier(t, m), l.evidence(10)); err == nil || !strings.Contains(err.Error(), "SCT") && !strings.Contains(err.Error(), "signed certificate timestamp") {
		t.Errorf("%+v, %v", s, err)
	}
}

// Property: an entry leaves as a Sigstore bundle that reads again, and that has
// the log entry in it; a key's signature does without one.
func TestSigstoreBundles(t *testing.T) {
	alice := testlog.NewSigner("alice")
	l := logBody(alice.Body(digest()))
	file, err := l.evidence(10).MarshalSigstore()
	if err != nil {
		t.Fatal(err)
	}
	var b bundle.Bundle
	if err := b.UnmarshalJSON(file); err != nil || !b.HasInclusionProof() || !b.HasInclusionPromise() || b.MediaType != evidence.BundleMediaType {
		t.Errorf("%s: %v", file, err)
	}
	again, err := l.evidence(10).MarshalSigstore()
	if err != nil || !bytes.Equal(file, again) || bytes.Count(file, []byte("\n")) != 1 {
		t.Errorf("not reproducible, or not one line: %s", again)
	}
	if _, err := (&evidence.Entry{Body: []byte("{}")}).MarshalSigstore(); err == nil {
		t.Error("an entry of no kind was marshalled")
	}
	d := digest()
	if _, err := evidence.KeyBundle(publicKey(t, alice.PEM), d[:31], nil); err == nil {
		t.Error("a digest of 31 bytes was taken")
	}
}
