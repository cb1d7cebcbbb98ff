package evidence

import (
	"crypto/x509"

	"github.com/sigstore/sigstore-go/pkg/root"
)

// NewBoundedAuthority is how an authority is asked, where verify does the asking.
func NewBoundedAuthority(a *root.SigstoreTimestampingAuthority, verify root.TimestampingAuthority) root.TimestampingAuthority {
	b := newBoundedAuthority(a)
	b.TimestampingAuthority = verify
	return b
}

// CertificatesIn is how many certificates stand in a time stamp.
func CertificatesIn(stamp []byte) int {
	r, err := parseStamp(stamp)
	if err != nil {
		return -1
	}
	all, err := r.parseCertificates()
	if err != nil {
		return -1
	}
	return len(all)
}

// WithCertificate is a time stamp with this certificate alone.
func WithCertificate(stamp []byte, c *x509.Certificate) ([]byte, error) {
	r, err := parseStamp(stamp)
	if err != nil {
		return nil, err
	}
	return r.with(c)
}

const MaxVerdicts = maxVerdicts

// Verdicts is how many an authority of NewBoundedAuthority keeps.
func Verdicts(a root.TimestampingAuthority) int { return len(a.(*boundedAuthority).verdicts) }
