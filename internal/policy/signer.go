package policy

import (
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"regexp"

	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/modseal/modseal/internal/keys"
)

// Principal is who signed something: whoever holds a key, or got a certificate;
// exactly one of the two is set.
type Principal struct {
	Key         *keys.Public
	Certificate *certificate.Summary
}

// Claimed is who a certificate says that its holder is. Only verification tells whether that
// is so.
func Claimed(c *x509.Certificate) (Principal, error) {
	s, err := certificate.SummarizeCertificate(c)
	if err != nil {
		return Principal{}, fmt.Errorf("its certificate names nobody: %.300q", err.Error())
	}
	return Principal{Certificate: &s}, nil
}

// id is equal for what counts as one signer: one key, or one subject of one
// issuer whatever else its certificates say. It is "" for what is nobody.
func (p Principal) id() string {
	switch {
	case p.Key != nil && p.Certificate == nil:
		f := p.Key.Fingerprint()
		return "key " + hex.EncodeToString(f[:])
	case p.Certificate != nil && p.Key == nil && p.Certificate.SubjectAlternativeName != "" && p.Certificate.Issuer != "":
		return fmt.Sprintf("identity %q of %q", p.Certificate.SubjectAlternativeName, p.Certificate.Issuer)
	}
	return ""
}

// String names who no policy names.
func (p Principal) String() string {
	switch {
	case p.Key != nil && p.Certificate == nil:
		return "key " + p.Key.String()
	case p.Certificate != nil && p.Key == nil:
		return fmt.Sprintf("identity %.200q of %.200q", p.Certificate.SubjectAlternativeName, p.Certificate.Issuer)
	}
	return "nobody"
}

// Signer is somebody who may vouch for modules or seal: a key, or an identity in
// a certificate; exactly one of the two is set.
type Signer struct {
	Name       string
	Key        *keys.Public
	Identity   *verify.CertificateIdentity
	extensions []extension // what the certificate must say besides
}

// extension is a demand on one of the extensions that Fulcio puts into
// certificates.
type extension struct {
	key   string // in the policy file
	value func(*certificate.Extensions) *string
	exact string
	expr  *regexp.Regexp // anchored; nil if exact
}

// is tells whether a principal is this signer. An extension that a certificate
// lacks matches nothing, not even an expression that matches the empty string.
func (s *Signer) is(who Principal) bool {
	switch {
	case who.id() == "":
		return false
	case who.Key != nil:
		return s.Key != nil && s.Key.Fingerprint() == who.Key.Fingerprint()
	case s.Identity == nil || s.Identity.Verify(*who.Certificate) != nil:
		return false
	}
	for _, x := range s.extensions {
		v := *x.value(&who.Certificate.Extensions)
		if v == "" || x.expr == nil && v != x.exact || x.expr != nil && !x.expr.MatchString(v) {
			return false
		}
	}
	return true
}

// exactly is the id of the only principal who can be this signer, "" if an
// expression lets several.
func (s *Signer) exactly() string {
	switch {
	case s.Key != nil:
		return Principal{Key: s.Key}.id()
	case s.Identity == nil:
		return ""
	}
	subject, issuer := s.Identity.SubjectAlternativeName, s.Identity.Issuer
	if subject.SubjectAlternativeName == "" || issuer.Issuer == "" {
		return ""
	}
	return Principal{Certificate: &certificate.Summary{
		SubjectAlternativeName: subject.SubjectAlternativeName, Extensions: certificate.Extensions{Issuer: issuer.Issuer},
	}}.id()
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
	if err := checkExpression(expr); err != nil {
		return "", err
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

// field is a certificate's extension that the policy file has a key for.
type field struct {
	key   string
	value func(*certificate.Extensions) *string
}

// fields are all of certificate.Extensions but the issuer.
func fields() []field {
	type x = certificate.Extensions
	return []field{
		{"source-repository", func(e *x) *string { return &e.SourceRepositoryURI }},
		{"source-ref", func(e *x) *string { return &e.SourceRepositoryRef }},
		{"source-digest", func(e *x) *string { return &e.SourceRepositoryDigest }},
		{"source-repository-id", func(e *x) *string { return &e.SourceRepositoryIdentifier }},
		{"source-owner", func(e *x) *string { return &e.SourceRepositoryOwnerURI }},
		{"source-owner-id", func(e *x) *string { return &e.SourceRepositoryOwnerIdentifier }},
		{"source-visibility", func(e *x) *string { return &e.SourceRepositoryVisibilityAtSigning }},
		{"build-signer-uri", func(e *x) *string { return &e.BuildSignerURI }},
		{"build-signer-digest", func(e *x) *string { return &e.BuildSignerDigest }},
		{"build-config-uri", func(e *x) *string { return &e.BuildConfigURI }},
		{"build-config-digest", func(e *x) *string { return &e.BuildConfigDigest }},
		{"build-trigger", func(e *x) *string { return &e.BuildTrigger }},
		{"runner-environment", func(e *x) *string { return &e.RunnerEnvironment }},
		{"run-invocation-uri", func(e *x) *string { return &e.RunInvocationURI }},
		{"github-workflow-trigger", func(e *x) *string { return &e.GithubWorkflowTrigger }},
		{"github-workflow-sha", func(e *x) *string { return &e.GithubWorkflowSHA }},
		{"github-workflow-name", func(e *x) *string { return &e.GithubWorkflowName }},
		{"github-workflow-repository", func(e *x) *string { return &e.GithubWorkflowRepository }},
		{"github-workflow-ref", func(e *x) *string { return &e.GithubWorkflowRef }},
	}
}
