package evidence

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/modseal/modseal/internal/keys"
)

// Verifier lets sigstore-go verify signed entries: the signature over the
// digest, the signed entry timestamp, the inclusion proof and the checkpoint;
// and of a certificate its chain at the logged time and, if any CT log is
// trusted, its SCT. It does not say whose signature counts.
type Verifier struct {
	byKey, byCert *verify.Verifier
}

// Signed is what a verified entry proves.
type Signed struct {
	Time        time.Time            // when the log took it in, as the log signed
	Certificate *certificate.Summary // nil for a bare key
}

// NewVerifier makes a verifier that knows these logs and authorities, and these
// keys. An entry by another bare key does not verify.
func NewVerifier(material root.TrustedMaterial, known ...*keys.Public) (*Verifier, error) {
	byHint := map[string]*root.ExpiringKey{}
	for _, k := range known {
		v, err := k.Verifier()
		if err != nil {
			return nil, err
		}
		byHint[k.Hint()] = root.NewExpiringKey(v, time.Time{}, time.Time{})
	}
	all := root.TrustedMaterialCollection{root.NewTrustedPublicKeyMaterialFromMapping(byHint), material}
	options := []verify.VerifierOption{verify.WithTransparencyLog(1), verify.WithIntegratedTimestamps(1)}
	byKey, err := verify.NewVerifier(all, options...)
	if err != nil {
		return nil, err
	}
	if len(material.CTLogs()) > 0 {
		options = append(options, verify.WithSignedCertificateTimestamps(1))
	}
	byCert, err := verify.NewVerifier(all, options...)
	return &Verifier{byKey: byKey, byCert: byCert}, err
}

// Verify verifies an entry whose body says h.
func (v *Verifier) Verify(e *RekorV1, h *HashedRekord) (*Signed, error) {
	pb, err := e.SigstoreBundle(h)
	if err != nil {
		return nil, err
	}
	b, err := bundle.NewBundle(pb)
	if err != nil {
		return nil, err
	}
	verifier, kind := v.byKey, verify.WithKey()
	if h.Certificate != nil {
		verifier, kind = v.byCert, verify.WithoutIdentitiesUnsafe() // comparing it is the caller's policy
	}
	result, err := verifier.Verify(b, verify.NewPolicy(verify.WithArtifactDigest("sha256", h.SHA256[:]), kind))
	if err != nil {
		return nil, err
	}
	if len(result.VerifiedTimestamps) == 0 {
		return nil, errors.New("no proven time")
	}
	if err := e.checkSize(); err != nil {
		return nil, err
	}
	s := &Signed{Time: result.VerifiedTimestamps[0].Timestamp.UTC()}
	if h.Certificate != nil {
		if result.Signature == nil || result.Signature.Certificate == nil {
			return nil, errors.New("no verified certificate")
		}
		s.Certificate = result.Signature.Certificate
	}
	return s, nil
}

// checkSize demands that the checkpoint, whose signature and root have been
// verified, is of the size that the inclusion proof was verified for: equal
// roots don't say so, and sigstore-go compares no more.
func (e *RekorV1) checkSize() error {
	lines := strings.SplitN(string(e.Checkpoint), "\n", 3)
	if len(lines) != 3 || lines[1] != strconv.FormatUint(e.Inclusion.Tree.Size, 10) {
		return fmt.Errorf("the checkpoint is not of a tree of %d leaves, for which the entry is proven", e.Inclusion.Tree.Size)
	}
	return nil
}
