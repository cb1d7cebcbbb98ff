package evidence

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"sync"

	"github.com/sigstore/sigstore-go/pkg/root"
	"golang.org/x/crypto/cryptobyte"
	cryptobyteasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/internal/limit"
)

// MaxStamp is the most that a time-stamp response (RFC 3161) may have, in bytes. Those of
// public authorities have from one to eight thousand, with their certificates.
const MaxStamp = 32 << 10

const (
	maxStampCertificates = 8    // in a time stamp
	maxNested            = 32   // levels
	maxVerdicts          = 1024 // time stamps of which one authority keeps the verdict
)

// CheckStamp refuses an authority's answer that would be costly to verify, whoever it is
// from. The libraries verify a time stamp by the certificate that stands in it, before they
// look who that is; a key there may be as large as the answer. One without a time stamp,
// which says why, is for them to read.
func CheckStamp(answer []byte) error {
	r, err := parseStamp(answer)
	if err != nil || !r.stamped {
		return err
	}
	_, err = r.parseCertificates()
	return err
}

// stampResponse is a TimeStampResp (RFC 3161, Section 2.4.2) with the parts of its CMS
// SignedData (RFC 5652, Section 5.1), each with tag and length.
type stampResponse struct {
	stamped bool // there is a time stamp; else nothing but the status

	status, contentType              cryptobyte.String
	version, digests, content        cryptobyte.String
	certificates, revocations, signs cryptobyte.String // the first two may be empty
}

var (
	explicit0 = cryptobyteasn1.Tag(0).ContextSpecific().Constructed()
	implicit1 = cryptobyteasn1.Tag(1).ContextSpecific().Constructed()
)

// parseStamp takes a response apart that is bounded in size, depth and signers, with lengths
// as DER has them (RFC 3161, Section 3).
func parseStamp(stamp []byte) (*stampResponse, error) {
	if len(stamp) > MaxStamp {
		return nil, &limit.Error{What: "a time stamp", Max: MaxStamp, Unit: "bytes"}
	}
	if !isNested(stamp, maxNested) {
		return nil, fmt.Errorf("time stamp: not DER, or nested deeper than %d", maxNested)
	}
	bad := errors.New("time stamp: not the response of a timestamp authority")
	var r stampResponse
	var response, info, wrapped, signed, signers cryptobyte.String
	s := cryptobyte.String(stamp)
	if !s.ReadASN1(&response, cryptobyteasn1.SEQUENCE) || !s.Empty() || !response.ReadASN1Element(&r.status, cryptobyteasn1.SEQUENCE) {
		return nil, bad
	}
	if r.stamped = !response.Empty(); !r.stamped {
		return &r, nil
	}
	if !response.ReadASN1(&info, cryptobyteasn1.SEQUENCE) || !response.Empty() ||
		!info.ReadASN1Element(&r.contentType, cryptobyteasn1.OBJECT_IDENTIFIER) || !info.ReadASN1(&wrapped, explicit0) || !info.Empty() ||
		!wrapped.ReadASN1(&signed, cryptobyteasn1.SEQUENCE) || !wrapped.Empty() ||
		!signed.ReadASN1Element(&r.version, cryptobyteasn1.INTEGER) || !signed.ReadASN1Element(&r.digests, cryptobyteasn1.SET) ||
		!signed.ReadASN1Element(&r.content, cryptobyteasn1.SEQUENCE) ||
		signed.PeekASN1Tag(explicit0) && !signed.ReadASN1Element(&r.certificates, explicit0) ||
		signed.PeekASN1Tag(implicit1) && !signed.ReadASN1Element(&r.revocations, implicit1) ||
		!signed.ReadASN1Element(&r.signs, cryptobyteasn1.SET) || !signed.Empty() {
		return nil, bad
	}
	signs := r.signs
	var one cryptobyte.String
	if !signs.ReadASN1(&signers, cryptobyteasn1.SET) || !signers.ReadASN1(&one, cryptobyteasn1.SEQUENCE) || !signers.Empty() {
		return nil, errors.New("time stamp: it has not one signer") // RFC 3161, Section 2.4.2
	}
	return &r, nil
}

// isNested tells whether b is values within values as DER has them, with so many levels at
// most: what reads CMS copies each level once more.
func isNested(b cryptobyte.String, levels int) bool {
	for !b.Empty() {
		var content cryptobyte.String
		var tag cryptobyteasn1.Tag
		if !b.ReadAnyASN1(&content, &tag) {
			return false
		}
		const constructed = 0x20
		if tag&constructed != 0 && (levels == 0 || !isNested(content, levels-1)) {
			return false
		}
	}
	return true
}

// parseCertificates reads the certificates, few and with keys that are not huge.
func (r *stampResponse) parseCertificates() ([]*x509.Certificate, error) {
	set := r.certificates
	var list cryptobyte.String
	if set.Empty() || !set.ReadASN1(&list, explicit0) {
		return nil, nil
	}
	var out []*x509.Certificate
	for !list.Empty() {
		var der cryptobyte.String
		var tag cryptobyteasn1.Tag
		if !list.ReadAnyASN1Element(&der, &tag) {
			return nil, errors.New("time stamp: its certificates can't be read")
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("time stamp: %w", err)
		}
		if err := checkStampKey(c); err != nil {
			return nil, err
		}
		if out = append(out, c); len(out) > maxStampCertificates {
			return nil, &limit.Error{What: "a time stamp", Max: maxStampCertificates, Unit: "certificates"}
		}
	}
	return out, nil
}

func checkStampKey(c *x509.Certificate) error {
	if k, ok := c.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() > keys.MaxRSA {
		return fmt.Errorf("time stamp: the certificate of %.60q has an RSA key of more than %d bits", c.Subject.CommonName, keys.MaxRSA)
	}
	return nil
}

// signer finds the certificate that the signer says is his, the first as for the library; nil
// if it is not there. Others are not looked at.
func (r *stampResponse) signer() (*x509.Certificate, error) {
	set := r.certificates
	var list, der cryptobyte.String
	var tag cryptobyteasn1.Tag
	if set.Empty() || !set.ReadASN1(&list, explicit0) {
		return nil, nil
	}
	for !list.Empty() && list.ReadAnyASN1Element(&der, &tag) {
		if c, err := x509.ParseCertificate(der); err == nil && r.isSigner(c) {
			return c, checkStampKey(c)
		}
	}
	return nil, nil
}

// with is the response with these certificates alone. They are no part of what is signed.
func (r *stampResponse) with(certificates ...*x509.Certificate) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cryptobyteasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(r.status)
		b.AddASN1(cryptobyteasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(r.contentType)
			b.AddASN1(explicit0, func(b *cryptobyte.Builder) {
				b.AddASN1(cryptobyteasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddBytes(r.version)
					b.AddBytes(r.digests)
					b.AddBytes(r.content)
					if len(certificates) > 0 {
						b.AddASN1(explicit0, func(b *cryptobyte.Builder) {
							for _, c := range certificates {
								b.AddBytes(c.Raw)
							}
						})
					}
					b.AddBytes(r.signs)
				})
			})
		})
	})
	return b.Bytes()
}

// VerifyStamp verifies a time stamp over a signature, by any of the authorities.
func VerifyStamp(stamp, signature []byte, material root.TrustedMaterial) error {
	var errs []error
	for _, a := range material.TimestampingAuthorities() {
		_, err := newBoundedAuthority(a).Verify(stamp, signature)
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	if len(errs) == 0 {
		return errors.New("no timestamp authority is trusted here")
	}
	return fmt.Errorf("it does not verify for this signature by any authority that is trusted here: %.200q", errors.Join(errs...).Error())
}

// VerifiedStamps is how many of these verify. Those that say the same count once: parts of a
// time stamp are not signed.
func VerifiedStamps(stamps [][]byte, signature []byte, material root.TrustedMaterial) int {
	said := map[string]bool{}
	for _, stamp := range stamps {
		if r, err := parseStamp(stamp); err == nil && VerifyStamp(stamp, signature, material) == nil {
			said[string(r.content)] = true
		}
	}
	return len(said)
}

// boundedAuthority is a timestamp authority that remembers its verdicts, and verifies by
// trusted keys alone, but for that of the signer's certificate where the trusted material
// has none.
type boundedAuthority struct {
	root.TimestampingAuthority
	knowsLeaf bool // the trusted material has the signer's certificate

	mu       sync.Mutex
	verdicts map[stampOver]stampVerdict
}

// stampOver names a time stamp and what it is to be over.
type stampOver struct{ stamp, signature [sha256.Size]byte }

type stampVerdict struct {
	at  *root.Timestamp
	err error
}

func newBoundedAuthority(a root.TimestampingAuthority) *boundedAuthority {
	s, ok := a.(*root.SigstoreTimestampingAuthority)
	return &boundedAuthority{TimestampingAuthority: a, knowsLeaf: ok && s.Leaf != nil, verdicts: map[stampOver]stampVerdict{}}
}

// Verify implements root.TimestampingAuthority.
func (a *boundedAuthority) Verify(stamp, signature []byte) (*root.Timestamp, error) {
	k := stampOver{sha256.Sum256(stamp), sha256.Sum256(signature)}
	a.mu.Lock()
	v, ok := a.verdicts[k]
	a.mu.Unlock()
	if ok {
		return v.at, v.err
	}
	stamp, err := a.trustedAlone(stamp)
	if err == nil {
		v.at, err = a.TimestampingAuthority.Verify(stamp, signature)
	}
	if err != nil {
		v.err = fmt.Errorf("%.300s", err.Error()) // which may hold on to all of the time stamp
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.verdicts) >= maxVerdicts {
		clear(a.verdicts)
	}
	a.verdicts[k] = v
	return v.at, v.err
}

// trustedAlone is the time stamp without the certificates in it, but for that of the
// signer where it is needed: whoever hands a time stamp out can add any, and the library
// would build chains of all of them. The chain of the authority is in the trusted material.
func (a *boundedAuthority) trustedAlone(stamp []byte) ([]byte, error) {
	r, err := parseStamp(stamp)
	if err != nil || !r.stamped {
		return stamp, err
	}
	if a.knowsLeaf {
		return r.with()
	}
	signer, err := r.signer()
	if err != nil || signer == nil {
		return stamp, err // the library says that it lacks it
	}
	return r.with(signer)
}

// isSigner tells whether the signer says that the certificate is his.
func (r *stampResponse) isSigner(c *x509.Certificate) bool {
	signers := r.signs
	var list, one, id, issuer cryptobyte.String
	serial := new(big.Int)
	return signers.ReadASN1(&list, cryptobyteasn1.SET) && list.ReadASN1(&one, cryptobyteasn1.SEQUENCE) &&
		one.SkipASN1(cryptobyteasn1.INTEGER) && one.ReadASN1(&id, cryptobyteasn1.SEQUENCE) &&
		id.ReadASN1Element(&issuer, cryptobyteasn1.SEQUENCE) && id.ReadASN1Integer(serial) &&
		bytes.Equal(c.RawIssuer, issuer) && c.SerialNumber.Cmp(serial) == 0
}
