// Package policy says which evidence an enclave accepts. A policy comes from
// the enclave's command line, never from a bundle.
package policy

import (
	"fmt"
	"regexp"

	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/modseal/modseal/internal/keys"
)

// Policy is what a module must have for it. The zero value accepts nothing.
type Policy struct {
	Require Require
	Signers []Signer // who may vouch for modules in Rekor
	// AllowLocal lets modules pass that a replace directive takes from a
	// directory of the source tree itself. Outside of it they never pass.
	AllowLocal bool
}

// Require says which kinds of evidence a module needs.
type Require string

// The requirements. The zero value is none of them, and nothing meets it.
const (
	RequireAny   Require = "any"   // a checksum-database record or a trusted signer's entry in Rekor
	RequireAll   Require = "all"   // both
	RequireRekor Require = "rekor" // a trusted signer's entry in Rekor
	RequireSumDB Require = "sumdb" // a checksum-database record
)

// Met tells whether what a module has is enough.
func (r Require) Met(sumdb, rekor bool) bool {
	switch r {
	case RequireAny:
		return sumdb || rekor
	case RequireAll:
		return sumdb && rekor
	case RequireRekor:
		return rekor
	case RequireSumDB:
		return sumdb
	}
	return false
}

// Needs says in words what the requirement is.
func (r Require) Needs() string {
	switch r {
	case RequireAny:
		return "a checksum-database record or a trusted signer's entry in Rekor"
	case RequireAll:
		return "both a checksum-database record and a trusted signer's entry in Rekor"
	case RequireRekor:
		return "a trusted signer's entry in Rekor"
	case RequireSumDB:
		return "a checksum-database record"
	}
	return "what nothing meets"
}

// Signer is somebody who may vouch for modules: a key, or an identity in a
// certificate; exactly one of the two is set.
type Signer struct {
	Name     string
	Key      *keys.Public
	Identity *verify.CertificateIdentity
}

// KeySigner is whoever holds a key.
func KeySigner(k *keys.Public) Signer { return Signer{Name: "key " + k.String(), Key: k} }

// Identity names a certificate identity: its subject and its OIDC issuer, each
// either exactly or as a regular expression that must match all of it.
type Identity struct {
	Subject, SubjectRegexp string
	Issuer, IssuerRegexp   string
}

// IdentitySigner is whoever got a certificate for an identity.
func IdentitySigner(id Identity) (Signer, error) {
	if (id.Subject == "") == (id.SubjectRegexp == "") {
		return Signer{}, fmt.Errorf("a certificate identity takes either the identity or a regular expression for it")
	}
	if (id.Issuer == "") == (id.IssuerRegexp == "") {
		return Signer{}, fmt.Errorf("a certificate identity takes either the OIDC issuer or a regular expression for it")
	}
	subject, err := anchor(id.SubjectRegexp)
	if err != nil {
		return Signer{}, err
	}
	issuer, err := anchor(id.IssuerRegexp)
	if err != nil {
		return Signer{}, err
	}
	c, err := verify.NewShortCertificateIdentity(id.Issuer, issuer, id.Subject, subject)
	if err != nil {
		return Signer{}, err
	}
	return Signer{Name: "identity " + id.Subject + id.SubjectRegexp + " of " + id.Issuer + id.IssuerRegexp, Identity: &c}, nil
}

// anchor makes a regular expression match whole strings: sigstore-go matches
// anywhere, so that "alice@example.com" would let "malice@example.com.evil" in.
func anchor(expr string) (string, error) {
	if expr == "" {
		return "", nil
	}
	if _, err := regexp.Compile(expr); err != nil {
		return "", err // before the parentheses can make something else of it
	}
	anchored := `\A(?:` + expr + `)\z`
	if _, err := regexp.Compile(anchored); err != nil {
		return "", fmt.Errorf("%q can't be made to match whole strings: %w", expr, err) // an open \Q
	}
	return anchored, nil
}

// ByKey finds the signer with this key.
func (p *Policy) ByKey(k *keys.Public) (Signer, bool) {
	for _, s := range p.Signers {
		if s.Key != nil && s.Key.Fingerprint() == k.Fingerprint() {
			return s, true
		}
	}
	return Signer{}, false
}

// ByCertificate finds the first signer whom a certificate names.
func (p *Policy) ByCertificate(c certificate.Summary) (Signer, bool) {
	for _, s := range p.Signers {
		if s.Identity != nil && s.Identity.Verify(c) == nil {
			return s, true
		}
	}
	return Signer{}, false
}

// NamesIdentities tells whether any signer is a certificate identity.
func (p *Policy) NamesIdentities() bool {
	for _, s := range p.Signers {
		if s.Identity != nil {
			return true
		}
	}
	return false
}
