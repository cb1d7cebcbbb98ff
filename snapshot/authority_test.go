package snapshot_test

import (
	"crypto/x509"
	"testing"

	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/modseal/modseal/internal/policy"
)

// authority is the trust in one certificate authority.
type authority struct {
	root.BaseTrustedMaterial
	certificate *x509.Certificate
}

func (a *authority) FulcioCertificateAuthorities() []root.CertificateAuthority {
	return []root.CertificateAuthority{&root.FulcioCertificateAuthority{Root: a.certificate, ValidityPeriodStart: a.certificate.NotBefore}}
}

func identity(t testing.TB, id policy.Identity) policy.Signer {
	t.Helper()
	s, err := policy.IdentitySigner(id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
