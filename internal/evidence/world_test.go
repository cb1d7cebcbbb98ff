package evidence_test

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/internal/testlog"
)

// trusted is what an enclave trusts, each part of it by itself.
type trusted struct {
	root.BaseTrustedMaterial
	logs  map[string]*root.TransparencyLog
	cas   []root.CertificateAuthority
	stamp []root.TimestampingAuthority
}

func (m *trusted) RekorLogs() map[string]*root.TransparencyLog               { return m.logs }
func (m *trusted) FulcioCertificateAuthorities() []root.CertificateAuthority { return m.cas }
func (m *trusted) TimestampingAuthorities() []root.TimestampingAuthority     { return m.stamp }

// The kinds of entries that are read.
const (
	artifactV1 = "hashedrekord 0.0.1 of Rekor v1"
	dsseV1     = "dsse 0.0.1 of Rekor v1"
	intotoV1   = "intoto 0.0.2 of Rekor v1"
	artifactV2 = "hashedrekord 0.0.2 of Rekor v2"
	dsseV2     = "hashedrekord 0.0.2 of Rekor v2, over an envelope"
)

func kinds() []string { return []string{artifactV1, dsseV1, intotoV1, artifactV2, dsseV2} }

func isV2(kind string) bool        { return kind == artifactV2 || kind == dsseV2 }
func isStatement(kind string) bool { return kind != artifactV1 && kind != artifactV2 }

// A site is a log of each generation with authorities beside it. It logs
// whatever it is told and signs that it did, so that a lie in an entry is the
// only one.
type site struct {
	testing.TB
	v1  *testlog.Rekor
	v2  *testlog.RekorV2
	ca  *testlog.CA
	tsa *testlog.TSA

	trust *trusted
	known []*keys.Public
}

const hostV2 = "rekor2.example"

func newSite(t testing.TB, known ...*testlog.Signer) *site {
	s := &site{TB: t, v1: testlog.NewRekor("rekor.example"), v2: testlog.NewRekorV2(hostV2), ca: testlog.NewCA("ca"), tsa: testlog.NewTSA("tsa")}
	for _, k := range known {
		s.known = append(s.known, publicKey(t, k.PEM))
	}
	filler := testlog.NewSigner("filler")
	for i := range byte(5) {
		s.v1.Add(filler.Body([32]byte{i}))
		s.v2.Add(filler.BodyV2([32]byte{i}))
	}
	id1, id2 := s.v1.Shard().LogID(), s.v2.LogID()
	s.trust = &trusted{
		logs: map[string]*root.TransparencyLog{
			hex.EncodeToString(id1[:]): {ID: id1[:], HashFunc: crypto.SHA256, PublicKey: publicKey(t, s.v1.Shard().PublicPEM()).Key(), SignatureHashFunc: crypto.SHA256, ValidityPeriodStart: time.Unix(0, 0)},
			hex.EncodeToString(id2[:]): {ID: id2[:], HashFunc: crypto.SHA256, PublicKey: s.v2.PublicKey(), SignatureHashFunc: crypto.SHA256, ValidityPeriodStart: time.Unix(0, 0), BaseURL: "https://" + hostV2},
		},
		cas: []root.CertificateAuthority{&root.FulcioCertificateAuthority{Root: s.ca.Certificate, ValidityPeriodStart: s.ca.Certificate.NotBefore}},
	}
	s.trustTSA(s.tsa)
	return s
}

func (s *site) trustTSA(all ...*testlog.TSA) {
	s.trust.stamp = nil
	for _, t := range all {
		s.trust.stamp = append(s.trust.stamp, &root.SigstoreTimestampingAuthority{Root: t.Root, Leaf: t.Leaf, URI: "https://" + t.Leaf.Subject.CommonName})
	}
}

// log is the site's log of a kind's generation, as it is trusted.
func (s *site) log(kind string) *root.TransparencyLog {
	id := s.v1.Shard().LogID()
	if isV2(kind) {
		id = s.v2.LogID()
	}
	return s.trust.logs[hex.EncodeToString(id[:])]
}

// statement is about a module by its zip and by its h1.
func statement(digest [32]byte) []byte {
	return testlog.Statement("https://slsa.dev/provenance/v1", testlog.Subject{
		Name: "pkg:golang/example.com/m@v1.0.0", Digest: map[string]string{"sha256": hex.EncodeToString(digest[:]), "dirHash1": fmt.Sprintf("%064x", 7)},
	})
}

// stamped is when everything of Rekor v2 is stamped.
func stamped() time.Time { return testlog.Epoch().Add(5 * time.Minute) }

// body is that of an entry of a kind by a signer over the digest, and the
// envelope if there is one.
func body(kind string, by *testlog.Signer, digest [32]byte) ([]byte, *bundles.Envelope) {
	e := by.Envelope(statement(digest))
	switch kind {
	case artifactV1:
		return by.Body(digest), nil
	case artifactV2:
		return by.BodyV2(digest), nil
	case dsseV1:
		return by.DSSE(e), e
	case intotoV1:
		return by.Intoto(e), e
	}
	return by.DSSEV2(e), e
}

// entry logs a body and another after it, and gives it as evidence, of Rekor v2
// with a time stamp over sig.
func (s *site) entry(kind string, body []byte, e *bundles.Envelope, sig []byte) *evidence.Entry {
	filler := testlog.NewSigner("filler")
	if isV2(kind) {
		i := s.v2.Add(body)
		s.v2.Add(filler.BodyV2([32]byte{99}))
		return &evidence.Entry{
			V2: true, Body: body, LogID: s.v2.LogID(), Inclusion: s.v2.Inclusion(i, s.v2.Size()), Checkpoint: s.v2.Checkpoint(s.v2.Size()),
			Envelope: e, Timestamps: [][]byte{s.tsa.Stamp(sig, stamped())},
		}
	}
	l := s.v1.Add(body)
	s.v1.Add(filler.Body([32]byte{99}))
	shard := s.v1.Shard()
	return &evidence.Entry{
		Body: body, LogID: l.LogID, LogIndex: l.LogIndex, IntegratedTime: l.IntegratedTime, SET: l.SET,
		Inclusion: shard.Inclusion(l.Index, shard.Size()), Checkpoint: shard.Checkpoint(shard.Size()), Envelope: e,
	}
}

// honest is an entry of a kind about digest() as it should be.
func (s *site) honest(kind string, by *testlog.Signer) *evidence.Entry {
	b, e := body(kind, by, digest())
	sig := by.Sign(digest())
	if e != nil {
		sig = e.Signature
	}
	return s.entry(kind, b, e, sig)
}

// verify reads and verifies an entry.
func (s *site) verify(e *evidence.Entry) (*evidence.Signed, error) {
	s.Helper()
	v, err := evidence.NewVerifier(s.trust, s.known...)
	if err != nil {
		s.Fatal(err)
	}
	c, err := e.Claim()
	if err != nil {
		return nil, err
	}
	return v.Verify(e, c)
}

// holder is a certificate's, valid from Epoch for ten minutes.
func (s *site) holder() *testlog.Signer {
	return s.ca.Issue("bob@example.com", "https://issuer.example", testlog.Epoch())
}

// Property: every kind of entry, by a bare key and by a certificate, says what
// was signed and by whom, verifies, and proves a time.
func TestKinds(t *testing.T) {
	for _, kind := range kinds() {
		for _, keyless := range []bool{false, true} {
			s, by := newSite(t), testlog.NewSigner("alice")
			if keyless {
				by = s.holder()
			} else {
				s.known = append(s.known, publicKey(t, by.PEM))
			}
			e := s.honest(kind, by)
			c, err := e.Claim()
			if err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			digests := c.Digests()
			if digests[0] != evidence.SHA256(digest()) || (c.Statement != nil) != isStatement(kind) || len(digests) != map[bool]int{true: 2, false: 1}[isStatement(kind)] {
				t.Errorf("%s: says %v, %+v", kind, digests, c.Statement)
			}
			if (c.Certificate != nil) != keyless || c.Key == nil || len(c.Signature) == 0 {
				t.Errorf("%s: by %+v, %v", kind, c.Certificate, c.Key)
			}
			want := stamped()
			if !isV2(kind) {
				want = time.Unix(e.IntegratedTime, 0).UTC()
			}
			signed, err := s.verify(e)
			if err != nil || signed.Time != want || (signed.Certificate != nil) != keyless {
				t.Errorf("%s, keyless %t: %+v, %v; want time %s", kind, keyless, signed, err, want)
			}
			if keyless && err == nil && signed.Certificate.SubjectAlternativeName != "bob@example.com" {
				t.Errorf("%s: by %q", kind, signed.Certificate.SubjectAlternativeName)
			}
		}
	}
}

// Property: every kind leaves as a Sigstore bundle, and reads from it again as
// the same entry.
func TestKindsAsSigstoreBundles(t *testing.T) {
	for _, kind := range kinds() {
		s, alice := newSite(t), testlog.NewSigner("alice")
		e := s.honest(kind, alice)
		file, err := e.MarshalSigstore()
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		read, err := evidence.ReadBundle(file)
		if err != nil || len(read) != 1 || !read[0].Proven {
			t.Fatalf("%s: %+v, %v", kind, read, err)
		}
		again, err := read[0].MarshalSigstore()
		if err != nil || !bytes.Equal(again, file) || read[0].V2 != isV2(kind) || read[0].LogIndex != e.LogIndex {
			t.Errorf("%s: %s differs from %s, %v", kind, again, file, err)
		}
		s.known = []*keys.Public{publicKey(t, alice.PEM)}
		if _, err := s.verify(&read[0].Entry); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}
