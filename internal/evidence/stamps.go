package evidence

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"sync"

	"github.com/digitorus/pkcs7"
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
	maxNested            = 32   // levels; those of public authorities have about ten
	maxJudged            = 1024 // time stamps of which one authority keeps the verdict
)

// CheckStamp refuses a time stamp that would be costly to verify, whoever it is from. The
// libraries verify its signature by the certificate that stands in it, before they look
// who that is; a key there may be as large as the time stamp.
func CheckStamp(stamp []byte) error {
	_, err := parseStamp(stamp)
	return err
}

func parseStamp(stamp []byte) (*pkcs7.PKCS7, error) {
	if len(stamp) > MaxStamp {
		return nil, &limit.Error{What: "a time stamp", Max: MaxStamp, Unit: "bytes"}
	}
	if !isDER(stamp, maxNested) { // RFC 3161, Section 3: it is
		return nil, fmt.Errorf("time stamp: not DER, or nested deeper than %d", maxNested)
	}
	var response struct { // RFC 3161, Section 2.4.2
		Status asn1.RawValue
		Token  asn1.RawValue `asn1:"optional"`
	}
	if _, err := asn1.Unmarshal(stamp, &response); err != nil {
		return nil, fmt.Errorf("time stamp: %w", err)
	}
	if len(response.Token.FullBytes) == 0 {
		return nil, errors.New("time stamp: there is none in the authority's answer")
	}
	token, err := pkcs7.Parse(response.Token.FullBytes)
	if err != nil {
		return nil, fmt.Errorf("time stamp: %w", err)
	}
	if n := len(token.Signers); n != 1 { // RFC 3161, Section 2.4.2
		return nil, fmt.Errorf("time stamp: %d signers, not one", n)
	}
	if n := len(token.Certificates); n > maxStampCertificates {
		return nil, fmt.Errorf("time stamp: %w", &limit.Error{What: "it", Max: maxStampCertificates, Unit: "certificates"})
	}
	for _, c := range token.Certificates {
		if _, err := keys.NewPublic(c.PublicKey); err != nil {
			return nil, fmt.Errorf("time stamp: certificate of %.60q: %w", c.Subject.CommonName, err)
		}
	}
	return token, nil
}

// isDER tells whether b is in the form of DER, with so many levels at most: what reads CMS
// copies each level once more.
func isDER(b cryptobyte.String, levels int) bool {
	for !b.Empty() {
		var content cryptobyte.String
		var tag cryptobyteasn1.Tag
		if !b.ReadAnyASN1(&content, &tag) {
			return false
		}
		const constructed = 0x20
		if tag&constructed != 0 && (levels == 0 || !isDER(content, levels-1)) {
			return false
		}
	}
	return true
}

// VerifyStamp verifies a time stamp over a signature, by any of the authorities.
func VerifyStamp(stamp, signature []byte, material root.TrustedMaterial) error {
	var errs []error
	for _, a := range material.TimestampingAuthorities() {
		_, err := newStamper(a).Verify(stamp, signature)
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return fmt.Errorf("it does not verify for this signature by any authority that is trusted here: %.200q", errors.Join(errs...).Error())
}

// stamper is a timestamp authority that has no signature verified by anybody else's key, and
// verifies each time stamp once.
type stamper struct {
	root.TimestampingAuthority
	chain []*x509.Certificate // of the authority, its leaf first; nil if that is not known

	mu    sync.Mutex
	known map[stampOver]judgedStamp
}

// stampOver names a time stamp and what it is to be over.
type stampOver struct{ stamp, signature [sha256.Size]byte }

type judgedStamp struct {
	at  *root.Timestamp
	err error
}

func newStamper(a root.TimestampingAuthority) *stamper {
	s := &stamper{TimestampingAuthority: a, known: map[stampOver]judgedStamp{}}
	if a, ok := a.(*root.SigstoreTimestampingAuthority); ok && a.Leaf != nil {
		s.chain = append(append(s.chain, a.Leaf), a.Intermediates...)
		if a.Root != nil {
			s.chain = append(s.chain, a.Root)
		}
	}
	return s
}

// Verify implements root.TimestampingAuthority.
func (s *stamper) Verify(stamp, signature []byte) (*root.Timestamp, error) {
	k := stampOver{sha256.Sum256(stamp), sha256.Sum256(signature)}
	s.mu.Lock()
	j, ok := s.known[k]
	s.mu.Unlock()
	if ok {
		return j.at, j.err
	}
	if j.err = s.admit(stamp); j.err == nil {
		j.at, j.err = s.TimestampingAuthority.Verify(stamp, signature)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= maxJudged {
		clear(s.known)
	}
	s.known[k] = j
	return j.at, j.err
}

// admit refuses a time stamp that is not the authority's, as far as that can be told
// without verifying anything: its signer's certificate is another one, or another key
// stands in it under the name of a certificate in the chain.
func (s *stamper) admit(stamp []byte) error {
	token, err := parseStamp(stamp)
	if err != nil || s.chain == nil {
		return err
	}
	leaf, signer := s.chain[0], token.Signers[0].IssuerAndSerialNumber
	for _, c := range token.Certificates {
		if bytes.Equal(c.RawIssuer, signer.IssuerName.FullBytes) && c.SerialNumber.Cmp(signer.SerialNumber) == 0 && !c.Equal(leaf) {
			return errors.New("time stamp: it is signed by the certificate of somebody else")
		}
		for _, own := range s.chain {
			if bytes.Equal(c.RawSubject, own.RawSubject) && !bytes.Equal(c.RawSubjectPublicKeyInfo, own.RawSubjectPublicKeyInfo) {
				return fmt.Errorf("time stamp: it has another key for %.60q", own.Subject.CommonName)
			}
		}
	}
	return nil
}
