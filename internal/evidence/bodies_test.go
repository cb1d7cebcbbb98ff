package evidence_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/testlog"
)

// Property: bodies of each kind have one form; what has several signers, or a
// signer that is no one thing, is not read.
func TestBadBodies(t *testing.T) {
	s, alice := newSite(t), testlog.NewSigner("alice")
	bob := testlog.NewSigner("bob")
	key := base64.StdEncoding.EncodeToString(s.holder().PEM)
	for _, c := range []struct {
		name, kind, old, new string
		unsupported          bool
	}{
		{"space", dsseV1, `:`, `: `, false},
		{"unknown member", dsseV1, `"kind"`, `"extra":1,"kind"`, false},
		{"two verifiers", dsseV1, `"signatures":[`, `"signatures":[{"signature":"AA==","verifier":"` + key + `"},`, true},
		{"no signature", dsseV1, string(must(json.Marshal(alice.PEM))), `null`, false},
		{"verifier no PEM", dsseV1, string(must(json.Marshal(alice.PEM))), `"AAAA"`, false},
		{"space", intotoV1, `:`, `: `, false},
		{"unknown member", intotoV1, `"kind"`, `"extra":1,"kind"`, false},
		{"two signatures", intotoV1, `"signatures":[`, `"signatures":[{"publicKey":"` + key + `","sig":"AA=="},`, true},
		{"two keys in one", intotoV1, string(must(json.Marshal(alice.PEM))), string(must(json.Marshal(append(bytes.Clone(alice.PEM), bob.PEM...)))), true},
		{"key no PEM", intotoV1, string(must(json.Marshal(alice.PEM))), `"AAAA"`, true},
		{"signature not base64 twice", intotoV1, `"sig":"`, `"sig":"AAAA`, false},
		{"space", artifactV2, `:`, `: `, false},
		{"unknown member", artifactV2, `"kind"`, `"extra":1,"kind"`, false},
		{"both key and certificate", artifactV2, `"publicKey"`, `"publicKey":{"rawBytes":"` + string(inBody(artifactV2, bob.PEM)) + `"},"x509Certificate"`, false},
		{"neither key nor certificate", artifactV2, `,"publicKey":{"rawBytes":"` + string(inBody(artifactV2, alice.PEM)) + `"}`, ``, false},
		{"key twice", artifactV2, `"publicKey":`, `"publicKey":{"rawBytes":"AAAA"},"publicKey":`, false},
		{"a key that is none", artifactV2, string(inBody(artifactV2, alice.PEM)), `AAAA`, false},
		{"digest of another algorithm", artifactV2, `SHA2_256`, `SHA2_512`, false},
		{"digest of an unknown algorithm", artifactV2, `SHA2_256`, `SHA3_256`, true},
		{"digest of a lower-case algorithm", artifactV2, `SHA2_256`, `sha256`, true},
		{"no digest", artifactV2, base64.StdEncoding.EncodeToString(first(digest())), ``, false},
	} {
		b, e := body(c.kind, alice, digest())
		changed := strings.Replace(string(b), c.old, c.new, 1)
		if changed == string(b) {
			t.Fatalf("%s: no %q in %s", c.name, c.old, b)
		}
		got, err := (&evidence.Entry{V2: isV2(c.kind), Body: []byte(changed), Envelope: e}).Claim()
		if got != nil || err == nil || errors.Is(err, evidence.ErrUnsupported) != c.unsupported || len(err.Error()) > 300 {
			t.Errorf("%s of %s: %+v, %v", c.name, c.kind, got, err)
		}
	}
}

func first(b [32]byte) []byte { return b[:] }

// Property: an entry of a statement that is not there is told apart: the log
// holds no more than its hash. Of Rekor v2 the log does not even say that it is
// one, and its digest is of nothing that anybody looks for.
func TestStatementNotThere(t *testing.T) {
	alice := testlog.NewSigner("alice")
	for _, kind := range statements() {
		b, _ := body(kind, alice, digest())
		c, err := (&evidence.Entry{V2: isV2(kind), Body: b}).Claim()
		if kind == dsseV2 {
			if err != nil || c.Statement != nil || c.Digest == evidence.SHA256(digest()) {
				t.Errorf("%s: %+v, %v", kind, c, err)
			}
			continue
		}
		if c != nil || !errors.Is(err, evidence.ErrUnsupported) || !strings.Contains(err.Error(), "the statement is not there") {
			t.Errorf("%s: %+v, %v", kind, c, err)
		}
	}
}

// Property: a statement that Rekor kept beside an intoto entry becomes its
// envelope if it is the one that was logged, and no other entry takes one.
func TestAddStatement(t *testing.T) {
	s, alice := newSite(t, testlog.NewSigner("alice")), testlog.NewSigner("alice")
	for _, keyID := range []string{"", "somebody"} {
		want := alice.Envelope(statement(digest()))
		want.KeyID = keyID
		e := s.entry(intotoV1, alice.Intoto(want), nil, nil)
		e.AddStatement(append(statement(digest()), ' '))
		if e.Envelope != nil {
			t.Errorf("took another statement: %+v", e.Envelope)
		}
		e.AddStatement(statement(digest()))
		if _, err := s.verify(e); err != nil || e.Envelope == nil || e.Envelope.KeyID != keyID {
			t.Errorf("%+v: %v", e.Envelope, err)
		}
	}
	for _, kind := range kinds() {
		if b, _ := body(kind, alice, digest()); kind != intotoV1 && kind != dsseV1 {
			e := &evidence.Entry{V2: isV2(kind), Body: b}
			e.AddStatement(statement(digest()))
			if e.Envelope != nil {
				t.Errorf("%s took a statement", kind)
			}
		}
	}
	two := strings.Replace(string(alice.Intoto(alice.Envelope(statement(digest())))), `"signatures":[`, `"signatures":[{"publicKey":"","sig":""},`, 1)
	e := &evidence.Entry{Body: []byte(two)}
	if e.AddStatement(statement(digest())); e.Envelope != nil {
		t.Error("an entry of two signatures took a statement")
	}
}
