package evidence

import (
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/modseal/modseal/internal/testlog"
)

// Property: the chain of a certificate is verified once, whatever the times are at
// which it is used, and never passes at a time at which it, its issuer, or the
// authority is not valid; nor does another certificate.
func TestChainsOnce(t *testing.T) {
	ca := testlog.NewCA("ca")
	issued := testlog.Epoch()
	bob := leafOf(t, ca.Issue("bob@example.com", "https://issuer.example", issued)) // for ten minutes
	stranger := leafOf(t, testlog.NewCA("other").Issue("bob@example.com", "https://issuer.example", issued))
	fulcio := &root.FulcioCertificateAuthority{Root: ca.Certificate, ValidityPeriodStart: issued.Add(-time.Hour), ValidityPeriodEnd: issued.Add(5 * time.Minute)}
	material := newOnceVerified(&onlyAuthority{ca: fulcio})
	a := material.FulcioCertificateAuthorities()[0].(*authority)
	calls := 0
	a.verify = func(c *x509.Certificate, at time.Time) ([][]*x509.Certificate, error) {
		calls++
		return fulcio.Verify(c, at)
	}
	for _, step := range []struct {
		name  string
		leaf  *x509.Certificate
		after time.Duration // of its issue
		ok    bool
		calls int // so far
	}{
		{"the first", bob, time.Minute, true, 1},
		{"the same time", bob, time.Minute, true, 1},
		{"another time", bob, 2 * time.Minute, true, 1},
		{"the end of the authority's time", bob, 5 * time.Minute, true, 1},
		{"after the authority's time", bob, 5*time.Minute + time.Second, false, 2},
		{"before the certificate's time", bob, -time.Minute, false, 3},
		{"another authority's", stranger, time.Minute, false, 4},
		{"after all that", bob, 3 * time.Minute, true, 4},
	} {
		chains, err := a.Verify(step.leaf, issued.Add(step.after))
		if (err == nil) != step.ok || (len(chains) > 0) != step.ok || calls != step.calls {
			t.Errorf("%s: %d chains, %v; verified %d times so far, want %d", step.name, len(chains), err, calls, step.calls)
		}
	}
	fulcio.ValidityPeriodEnd = time.Time{}
	if _, err := a.Verify(bob, issued.Add(time.Hour)); err == nil || calls != 5 {
		t.Errorf("after the certificate's time: %v, verified %d times", err, calls)
	}
}

// Property: what is kept is bounded.
func TestChainsBound(t *testing.T) {
	a := &authority{FulcioCertificateAuthority: &root.FulcioCertificateAuthority{}, known: map[[32]byte][][]*x509.Certificate{}}
	a.verify = func(c *x509.Certificate, _ time.Time) ([][]*x509.Certificate, error) {
		return [][]*x509.Certificate{{c}}, nil
	}
	for i := range 3 * maxChains {
		if _, err := a.Verify(&x509.Certificate{Raw: []byte{byte(i), byte(i >> 8)}}, time.Time{}); err != nil || len(a.known) > maxChains {
			t.Fatalf("after %d: %d kept, %v", i+1, len(a.known), err)
		}
	}
}

func leafOf(t *testing.T, s *testlog.Signer) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(s.PEM)
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

type onlyAuthority struct {
	root.BaseTrustedMaterial
	ca root.CertificateAuthority
}

func (m *onlyAuthority) FulcioCertificateAuthorities() []root.CertificateAuthority {
	return []root.CertificateAuthority{m.ca}
}
