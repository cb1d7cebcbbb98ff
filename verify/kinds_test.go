package verify_test

import (
	"crypto"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/verify"
)

// What the world has beside hashedrekord entries of a Rekor v1: statements, a
// Rekor v2 with a time-stamping authority, and policy files.

// parse reads a policy file, in which NAME.pub is the key of the signer NAME.
func (w *world) parse(file string) *verify.Policy {
	w.Helper()
	p, err := policy.Parse("policy.yaml", []byte("version: 1\n"+file), func(name string) ([]byte, error) {
		who, ok := strings.CutSuffix(filepath.Base(name), ".pub")
		if !ok {
			return nil, fmt.Errorf("%s: no such file", name)
		}
		return testlog.NewSigner(who).PEM, nil
	})
	if err != nil {
		w.Fatal(err)
	}
	return p
}

// rulesOf is a policy file of these signers, with one rule for everything.
func rulesOf(require string, signers ...string) string {
	var b strings.Builder
	b.WriteString("signers:\n")
	for _, s := range signers {
		fmt.Fprintf(&b, "  %s: {key: %s.pub}\n", s, s)
	}
	return b.String() + "rules:\n  - {modules: '*', require: " + require + "}\n"
}

// subjects are a module as statements name it: by its zip, by its h1, or both.
func subjects(name string, m mod, what string) []testlog.Subject {
	zip, h1 := m.zipDigest(), m.h1()
	s := testlog.Subject{Name: name, Digest: map[string]string{}}
	if what != "h1" {
		s.Digest["sha256"] = hex.EncodeToString(zip[:])
	}
	if what != "zip" {
		s.Digest["dirHash1"] = hex.EncodeToString(h1[:])
	}
	return []testlog.Subject{s}
}

const provenance = "https://slsa.dev/provenance/v1"

// state logs a statement in Rekor v1, as an entry of kind dsse.
func (w *world) state(of string, by *testlog.Signer, subjects ...testlog.Subject) *leaf {
	e := by.Envelope(testlog.Statement(provenance, subjects...))
	l := w.add("statement", of, by.DSSE(e))
	l.envelope = e
	return l
}

// log2 puts an entry into the Rekor v2 instead, over the same artifact or
// statement, with a time stamp.
func (w *world) log2(l *leaf, by *testlog.Signer) {
	l.v2 = true
	if l.envelope != nil {
		l.body, l.stamp = by.DSSEV2(l.envelope), w.tsa.Stamp(l.envelope.Signature, testlog.Epoch().Add(time.Minute))
		return
	}
	digest := w.mod(l.of).zipDigest()
	if l.what == "listing" {
		digest = w.mod(l.of).h1()
	}
	l.body, l.stamp = by.BodyV2(digest), w.tsa.Stamp(by.Sign(digest), testlog.Epoch().Add(time.Minute))
}

// trusted is what a trusted root says of a Rekor v2 and a time-stamping
// authority.
type trusted struct {
	root.BaseTrustedMaterial
	logs   map[string]*root.TransparencyLog
	stamps []root.TimestampingAuthority
}

func (m *trusted) RekorLogs() map[string]*root.TransparencyLog           { return m.logs }
func (m *trusted) TimestampingAuthorities() []root.TimestampingAuthority { return m.stamps }

// trust2 trusts the Rekor v2 at a URL, and the authority.
func (w *world) trust2(url string) {
	id := w.rekor2.LogID()
	w.request.Trust.Sigstore = append(w.request.Trust.Sigstore, &trusted{
		logs: map[string]*root.TransparencyLog{hex.EncodeToString(id[:]): {
			ID: id[:], BaseURL: url, HashFunc: crypto.SHA256, PublicKey: w.rekor2.PublicKey(), SignatureHashFunc: crypto.SHA256, ValidityPeriodStart: time.Unix(0, 0),
		}},
		stamps: []root.TimestampingAuthority{&root.SigstoreTimestampingAuthority{Root: w.tsa.Root, Leaf: w.tsa.Leaf, URI: "https://tsa.example"}},
	})
}

// inRekorV2 is a world in which alice's entries are in a Rekor v2.
func inRekorV2(w *world) {
	recordless(w)
	w.trust2("https://rekor2.example")
	for _, l := range w.leaves {
		if l.what == "zip" || l.what == "listing" {
			w.log2(l, w.alice)
		}
	}
}
