package verify_test

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/verify"
)

// authority is the trust in one certificate authority.
type authority struct {
	root.BaseTrustedMaterial
	certificate *x509.Certificate
}

func (a *authority) FulcioCertificateAuthorities() []root.CertificateAuthority {
	return []root.CertificateAuthority{&root.FulcioCertificateAuthority{Root: a.certificate, ValidityPeriodStart: a.certificate.NotBefore}}
}

const (
	bob    = "bob@example.com"
	issuer = "https://accounts.example.com"
)

// keyless makes a world in which bob attested everything with certificates, and
// the policy names his identity as given.
func keyless(id policy.Identity) func(w *world) {
	return func(w *world) {
		recordless(w)
		ca := testlog.NewCA("fulcio")
		w.request.Trust.Sigstore = append(w.request.Trust.Sigstore, &authority{certificate: ca.Certificate})
		by(w, ca.Issue(bob, issuer, testlog.Epoch()))
		identity(w, id)
	}
}

func identity(w *world, id policy.Identity) {
	s, err := policy.IdentitySigner(id)
	if err != nil {
		w.Fatal(err)
	}
	w.flags.Signers = []verify.Signer{s}
}

// by has everything attested by a signer.
func by(w *world, s *testlog.Signer) {
	for _, m := range w.mods {
		w.leaf(m.Path, "zip").body, w.leaf(m.Path, "listing").body = s.Body(m.zipDigest()), s.Body(m.h1())
	}
}

// Property: a certificate counts if a trusted authority issued it, it was valid
// when the log took the entry in, and the policy names its identity and issuer,
// both of them and all of them.
func TestCertificates(t *testing.T) {
	ca := testlog.NewCA("fulcio")
	issued := func(s *testlog.Signer) func(w *world) { return func(w *world) { by(w, s) } }
	named := func(id policy.Identity) func(w *world) { return func(w *world) { identity(w, id) } }
	const unnamed = "whom the policy does not name"
	invalid, notAllowed, verified := all(verify.Invalid), all(verify.NotAllowed), all(verify.Verified)
	tell(t, keyless(policy.Identity{Subject: bob, Issuer: issuer}), []lie{
		{"another identity", issued(ca.Issue("mallory@example.com", issuer, testlog.Epoch())), notAllowed, `signed by identity "mallory@example.com" of "https://accounts.example.com" (not verified), ` + unnamed},
		{"another issuer", issued(ca.Issue(bob, "https://accounts.example.org", testlog.Epoch())), notAllowed, unnamed},
		{"identity that begins with the named one", issued(ca.Issue(bob+".evil", issuer, testlog.Epoch())), notAllowed, unnamed},
		{"another identity of an unknown authority, which is not looked at", issued(testlog.NewCA("other").Issue("mallory@example.com", issuer, testlog.Epoch())), notAllowed, unnamed},
		{"nobody of an unknown authority, which is not looked at", issued(testlog.NewCA("other").Issue("", issuer, testlog.Epoch())), invalid, "no Subject Alternative Name"},
		{"unknown authority", issued(testlog.NewCA("other").Issue(bob, issuer, testlog.Epoch())), invalid, ""},
		{"authority of the same name", func(w *world) {
			ca := testlog.NewCA("other")
			ca.Certificate.RawSubject = testlog.NewCA("fulcio").Certificate.RawSubject
			by(w, ca.Issue(bob, issuer, testlog.Epoch()))
		}, invalid, ""},
		{"no longer valid when it was logged", issued(ca.Issue(bob, issuer, testlog.Epoch().Add(-time.Hour))), invalid, ""},
		{"not yet valid when it was logged", issued(ca.Issue(bob, issuer, testlog.Epoch().Add(time.Hour))), invalid, ""},
		{"policy without identities", func(w *world) {
			w.flags.Signers = []verify.Signer{policy.KeySigner(public(w, testlog.NewSigner("alice")))}
		}, notAllowed, "the policy names no identity"},
		{"policy with the certificate's bare key", func(w *world) {
			w.flags.Signers = []verify.Signer{policy.KeySigner(public(w, ca.Issue(bob, issuer, testlog.Epoch())))}
		}, notAllowed, "the policy names no identity"},
		{"policy without signers", func(w *world) { w.flags.Signers = nil }, notAllowed, "the policy names no identity"},
		{"authority not trusted", func(w *world) { w.request.Trust.Sigstore = w.request.Trust.Sigstore[:1] }, invalid, ""},
		{"expression that matches all", named(policy.Identity{SubjectRegexp: "bob@.*", IssuerRegexp: "https://.*"}), verified, ""},
		{"expression that matches a part", named(policy.Identity{SubjectRegexp: "bob@example", Issuer: issuer}), notAllowed, unnamed},
		{"expression with alternatives that match parts", named(policy.Identity{SubjectRegexp: "eve|bob", Issuer: issuer}), notAllowed, unnamed},
		{"issuer that matches a part", named(policy.Identity{Subject: bob, IssuerRegexp: "https://accounts"}), notAllowed, unnamed},
	})
}

// Property: a certificate's signature is verified with the key in it.
func TestCertificateOfAnotherKey(t *testing.T) {
	tell(t, keyless(policy.Identity{Subject: bob, Issuer: issuer}), []lie{{"signed with another key", func(w *world) {
		m, mallory := w.mod(plain), testlog.NewSigner("mallory")
		holder := testlog.NewCA("fulcio").Issue(bob, issuer, testlog.Epoch())
		w.leaf(plain, "zip").body = testlog.HashedRekord(m.zipDigest(), mallory.Sign(m.zipDigest()), holder.PEM)
		w.leaf(plain, "listing").body = testlog.HashedRekord(m.h1(), mallory.Sign(m.h1()), holder.PEM)
	}, statuses{plain: verify.Invalid}, ""}})
}
