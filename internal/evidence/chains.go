package evidence

import (
	"crypto/sha256"
	"crypto/x509"
	"sync"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
)

// maxChains is how many certificates' chains one authority keeps in memory.
const maxChains = 1024

// onceVerified is trusted material whose authorities remember the chain of a certificate,
// and the verdict on a time stamp, for other entries that have it.
type onceVerified struct {
	root.TrustedMaterial
	authorities []root.CertificateAuthority
	timestamps  []root.TimestampingAuthority
}

func newOnceVerified(m root.TrustedMaterial) root.TrustedMaterial {
	out := &onceVerified{TrustedMaterial: m}
	for _, ca := range m.FulcioCertificateAuthorities() {
		if fulcio, ok := ca.(*root.FulcioCertificateAuthority); ok {
			ca = &authority{FulcioCertificateAuthority: fulcio, verify: fulcio.Verify, known: map[[sha256.Size]byte][][]*x509.Certificate{}}
		}
		out.authorities = append(out.authorities, ca)
	}
	for _, a := range m.TimestampingAuthorities() {
		out.timestamps = append(out.timestamps, newBoundedAuthority(a))
	}
	return out
}

// FulcioCertificateAuthorities implements root.TrustedMaterial.
func (m *onceVerified) FulcioCertificateAuthorities() []root.CertificateAuthority {
	return m.authorities
}

// TimestampingAuthorities implements root.TrustedMaterial.
func (m *onceVerified) TimestampingAuthorities() []root.TimestampingAuthority {
	return m.timestamps
}

// authority remembers the chains that it found. What of a chain depends on the time
// at which it is judged is only whether each certificate, and the authority, is
// valid then (RFC 5280, Section 6.1.3, (a)(2)); that is judged anew each time.
type authority struct {
	*root.FulcioCertificateAuthority
	verify func(*x509.Certificate, time.Time) ([][]*x509.Certificate, error)

	mu    sync.Mutex
	known map[[sha256.Size]byte][][]*x509.Certificate // by the leaf's digest
}

// Verify implements root.CertificateAuthority.
func (a *authority) Verify(leaf *x509.Certificate, at time.Time) ([][]*x509.Certificate, error) {
	digest := sha256.Sum256(leaf.Raw)
	a.mu.Lock()
	known := a.known[digest]
	a.mu.Unlock()
	if valid := a.validAt(known, at); len(valid) > 0 {
		return valid, nil
	}
	chains, err := a.verify(leaf, at)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.known) >= maxChains {
		clear(a.known)
	}
	a.known[digest] = chains
	return chains, nil
}

// validAt are the chains of which every certificate is valid at that time, if the
// authority is.
func (a *authority) validAt(chains [][]*x509.Certificate, at time.Time) (valid [][]*x509.Certificate) {
	outside := func(start, end time.Time) bool {
		return !start.IsZero() && at.Before(start) || !end.IsZero() && at.After(end)
	}
	if outside(a.ValidityPeriodStart, a.ValidityPeriodEnd) {
		return nil
	}
chains:
	for _, chain := range chains {
		for _, c := range chain {
			if outside(c.NotBefore, c.NotAfter) {
				continue chains
			}
		}
		valid = append(valid, chain)
	}
	return valid
}
