package policy_test

import (
	"strings"
	"testing"

	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"

	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/internal/testlog"
)

const issuer = "https://issuer.example"

func summary(subject, issuer string) certificate.Summary {
	return certificate.Summary{SubjectAlternativeName: subject, Extensions: certificate.Extensions{Issuer: issuer}}
}

func signer(t *testing.T, id policy.Identity) policy.Signer {
	t.Helper()
	s, err := policy.IdentitySigner(id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func key(t *testing.T, name string) *keys.Public {
	t.Helper()
	k, err := keys.ParsePublic(testlog.NewSigner(name).PEM)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// of is the policy of these signers.
func of(signers ...policy.Signer) *policy.Policy {
	return policy.FromFlags(policy.Flags{Require: policy.RequireRekor, Signers: signers})
}

// byKey and byCertificate give the name of who that is, if anybody.
func byKey(p *policy.Policy, k *keys.Public) (string, bool) {
	return first(p.Names(policy.Principal{Key: k}))
}

func byCertificate(p *policy.Policy, c certificate.Summary) (string, bool) {
	return first(p.Names(policy.Principal{Certificate: &c}))
}

func first(names []string) (string, bool) {
	if len(names) == 0 {
		return "", false
	}
	return names[0], true
}

// Property: the zero policy trusts nobody, and neither does a signer that is
// neither a key nor an identity.
func TestZeroPolicy(t *testing.T) {
	for _, p := range []*policy.Policy{{}, of(policy.Signer{}, policy.Signer{Name: "nobody"})} {
		if s, ok := byKey(p, key(t, "alice")); ok {
			t.Errorf("a key is trusted as %q", s)
		}
		for _, c := range []certificate.Summary{{}, summary("alice@example.com", issuer)} {
			if s, ok := byCertificate(p, c); ok {
				t.Errorf("a certificate is trusted as %q", s)
			}
		}
		if p.NamesIdentities() || p.AllowLocal {
			t.Errorf("%+v lets something pass", p)
		}
	}
}

// Property: a key is found by the key itself, and by no other.
func TestByKey(t *testing.T) {
	alice, bob := key(t, "alice"), key(t, "bob")
	p := of(signer(t, policy.Identity{Subject: "x", Issuer: "y"}), policy.KeySigner(bob), policy.KeySigner(alice))
	if s, ok := byKey(p, key(t, "alice")); !ok || s != "key "+alice.String() {
		t.Errorf("%+v, %v", s, ok)
	}
	if s, ok := byKey(p, key(t, "mallory")); ok {
		t.Errorf("mallory is %q", s)
	}
	if !p.NamesIdentities() {
		t.Error("the identity is not named")
	}
}

// Property: identity and issuer match as wholes, exactly or by a regular
// expression, whatever is in either.
func TestByCertificate(t *testing.T) {
	type match struct {
		subject string
		ok      bool
	}
	for _, c := range []struct {
		id      policy.Identity
		matches []match
	}{
		{policy.Identity{Subject: "alice@example.com", Issuer: issuer}, []match{
			{"alice@example.com", true}, {"malice@example.com", false}, {"alice@example.com.evil", false}, {"Alice@example.com", false},
			{"alice@example.com\n", false}, {"alice@exampleXcom", false}, {"", false},
		}},
		{policy.Identity{Subject: ".*", Issuer: issuer}, []match{{".*", true}, {"alice@example.com", false}}},
		{policy.Identity{SubjectRegexp: "alice@example.com", Issuer: issuer}, []match{
			{"alice@example.com", true}, {"alice@exampleXcom", true}, // a dot is a dot
			{"malice@example.com", false}, {"alice@example.com.evil", false}, {"malice@example.com.evil", false},
			{"alice@example.com\n", false}, {"\nalice@example.com", false}, {"x\nalice@example.com\ny", false}, {"", false},
		}},
		{policy.Identity{SubjectRegexp: `a|b`, Issuer: issuer}, []match{
			{"a", true}, {"b", true}, {"ab", false}, {"ax", false}, {"xb", false}, {"a|b", false}, {"", false},
		}},
		{policy.Identity{SubjectRegexp: `^alice@example\.com$`, Issuer: issuer}, []match{
			{"alice@example.com", true}, {"alice@example.com\n", false}, {"malice@example.com", false},
		}},
		{policy.Identity{SubjectRegexp: `(?m)^alice@example\.com$`, Issuer: issuer}, []match{
			{"alice@example.com", true}, {"x\nalice@example.com", false}, {"alice@example.com\nx", false},
		}},
		{policy.Identity{SubjectRegexp: `(?s).*@example\.com`, Issuer: issuer}, []match{
			{"alice@example.com", true}, {"alice@example.com\n@evil", false}, {"alice@example.com.evil", false},
		}},
		{policy.Identity{SubjectRegexp: `(?i)alice@EXAMPLE\.com`, Issuer: issuer}, []match{{"Alice@example.com", true}, {"malice@example.com", false}}},
		{policy.Identity{SubjectRegexp: `https://example\.com/.+`, Issuer: issuer}, []match{
			{"https://example.com/repo", true}, {"https://example.com/", false}, {"https://evil.com/?https://example.com/repo", false},
		}},
	} {
		p := of(signer(t, c.id))
		for _, m := range c.matches {
			if s, ok := byCertificate(p, summary(m.subject, issuer)); ok != m.ok {
				t.Errorf("%+v on %q: %v (%q)", c.id, m.subject, ok, s)
			}
			for _, other := range []string{"", issuer + ".evil", "x" + issuer, issuer + "\n"} {
				if s, ok := byCertificate(p, summary(m.subject, other)); ok {
					t.Errorf("%+v on %q of %q: %q", c.id, m.subject, other, s)
				}
			}
		}
	}
	p := of(signer(t, policy.Identity{Subject: "a", IssuerRegexp: `https://a\.example|https://b\.example`}))
	for by, want := range map[string]bool{"https://a.example": true, "https://b.example": true, "https://a.example.evil": false, "xhttps://b.example": false} {
		if _, ok := byCertificate(p, summary("a", by)); ok != want {
			t.Errorf("issuer %q: %v", by, ok)
		}
	}
}

// Property: the first signer whom a certificate names is the one.
func TestFirstSigner(t *testing.T) {
	any, alice := signer(t, policy.Identity{SubjectRegexp: ".*", Issuer: issuer}), signer(t, policy.Identity{Subject: "alice", Issuer: issuer})
	for _, signers := range [][]policy.Signer{{any, alice}, {alice, any}} {
		p := of(signers...)
		if s, ok := byCertificate(p, summary("alice", issuer)); !ok || s != signers[0].Name {
			t.Errorf("%q, want %q", s, signers[0].Name)
		}
	}
	if alice.Name != "identity alice of "+issuer {
		t.Errorf("named %q", alice.Name)
	}
}

// Property: an identity takes one of the two forms for the subject, and one for
// the issuer, and expressions that are some.
func TestIdentitySignerRefuses(t *testing.T) {
	for _, c := range []struct {
		id   policy.Identity
		want string
	}{
		{policy.Identity{}, "either the identity or"},
		{policy.Identity{Issuer: "i"}, "either the identity or"},
		{policy.Identity{Subject: "s", SubjectRegexp: "s", Issuer: "i"}, "either the identity or"},
		{policy.Identity{Subject: "s"}, "either the OIDC issuer or"},
		{policy.Identity{Subject: "s", Issuer: "i", IssuerRegexp: "i"}, "either the OIDC issuer or"},
		{policy.Identity{SubjectRegexp: "(", Issuer: "i"}, "missing closing"},
		{policy.Identity{SubjectRegexp: ")|(", Issuer: "i"}, "unexpected )"},
		{policy.Identity{SubjectRegexp: "a)|(?:b", Issuer: "i"}, "unexpected )"},
		{policy.Identity{SubjectRegexp: `a\`, Issuer: "i"}, "trailing backslash"},
		{policy.Identity{SubjectRegexp: `\Qa`, Issuer: "i"}, "can't be made to match whole strings"},
		{policy.Identity{Subject: "s", IssuerRegexp: "["}, "missing closing"},
	} {
		s, err := policy.IdentitySigner(c.id)
		if err == nil || !strings.Contains(err.Error(), c.want) || s.Identity != nil || s.Key != nil {
			t.Errorf("%+v: %+v, %v; want %q", c.id, s, err, c.want)
		}
	}
}
