// Package seal makes and checks the signatures over a bundle's payload.
//
// A seal is a Sigstore bundle (media type version 0.3) that holds a message
// signature over payload.tar.zst, so that `cosign verify-blob --key K.pub
// --bundle signatures/0.sigstore.json payload.tar.zst` checks it too. Its
// cryptographic verification is sigstore-go's.
//
// A seal is by a key, or by an identity with a certificate. It is read before
// anything is known of who wrote the bundle. So what is not needed to verify a
// key's signature is not looked at: log entries and timestamps may be there, as
// cosign puts them in, and count for nothing. A certificate lives for minutes: its
// seal must have a log entry that proves when it was made.
package seal

import (
	"bytes"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/keys"
)

// ByKey signs with a private key: ECDSA P-256 over SHA-256, or Ed25519ph over
// SHA-512.
func ByKey(k *keys.Private, payload bundles.Digests) ([]byte, error) {
	digest, _ := digestFor(k.Public(), payload)
	sig, err := k.SignDigest(digest)
	if err != nil {
		return nil, err
	}
	return evidence.KeyBundle(k.Public(), digest, sig)
}

// digestFor is what a key signs of a payload: the key says with which algorithm.
func digestFor(k *keys.Public, payload bundles.Digests) ([]byte, protocommon.HashAlgorithm) {
	if k.Hash() == crypto.SHA512 {
		return payload.SHA512[:], protocommon.HashAlgorithm_SHA2_512
	}
	return payload.SHA256[:], protocommon.HashAlgorithm_SHA2_256
}

// parsed is a seal, unverified.
type parsed struct {
	certificate bool   // by a certificate
	hint        string // of the key, else
	message     *protocommon.MessageSignature
}

// parse reads a seal. White space aside it has one encoding, that of protojson.
func parse(seal []byte) (*parsed, error) {
	var b protobundle.Bundle
	if err := protojson.Unmarshal(seal, &b); err != nil {
		return nil, fmt.Errorf("not a Sigstore bundle: %.200q", err.Error()) // which quotes nothing
	}
	again, err := evidence.MarshalBundle(&b)
	if err != nil {
		return nil, err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, seal); err != nil || !bytes.Equal(compact.Bytes(), bytes.TrimSpace(again)) {
		return nil, errors.New("not a Sigstore bundle in its canonical encoding")
	}
	if b.MediaType != evidence.BundleMediaType {
		return nil, fmt.Errorf("media type is %.100q, want %q", b.MediaType, evidence.BundleMediaType)
	}
	s := &parsed{hint: b.GetVerificationMaterial().GetPublicKey().GetHint(), message: b.GetMessageSignature()}
	switch b.GetVerificationMaterial().GetContent().(type) {
	case *protobundle.VerificationMaterial_PublicKey:
	case *protobundle.VerificationMaterial_Certificate:
		s.certificate = true
	default:
		return nil, errors.New("it does not say by whom it is")
	}
	if b.GetDsseEnvelope() != nil {
		return nil, errors.New("it is a statement (DSSE); a seal signs the payload itself")
	}
	if b.GetMessageSignature().GetMessageDigest() == nil {
		return nil, errors.New("it holds no signature of a payload")
	}
	return s, nil
}

// Hint reads the hint of the key in a seal, by which nothing is proven; "" is
// that the seal is by a certificate.
func Hint(file []byte) (string, error) {
	s, err := parse(file)
	if err != nil || s.certificate {
		return "", err
	}
	return s.hint, nil
}

// verifyKey demands a signature by this key over the payload.
func (s *parsed) verifyKey(k *keys.Public, payload bundles.Digests) error {
	digest, algorithm := digestFor(k, payload)
	switch said := s.message.MessageDigest; {
	case said.Algorithm != algorithm:
		return fmt.Errorf("digest algorithm is %s, and the key signs %s", said.Algorithm, algorithm)
	case !bytes.Equal(said.Digest, digest):
		return fmt.Errorf("it is over another payload: the one here has %s %x, the signed one %.64x", algorithm, digest, said.Digest)
	}
	b, err := bundle.NewBundle(&protobundle.Bundle{
		MediaType: evidence.BundleMediaType,
		VerificationMaterial: &protobundle.VerificationMaterial{
			Content: &protobundle.VerificationMaterial_PublicKey{PublicKey: &protocommon.PublicKeyIdentifier{Hint: s.hint}},
		},
		Content: &protobundle.Bundle_MessageSignature{MessageSignature: s.message},
	})
	if err != nil {
		return err
	}
	v, err := k.Verifier()
	if err != nil {
		return err
	}
	key := root.NewExpiringKey(v, time.Time{}, time.Time{})
	material := root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) { return key, nil })
	verifier, err := verify.NewVerifier(material, verify.WithNoObserverTimestamps())
	if err != nil {
		return err
	}
	name := map[crypto.Hash]string{crypto.SHA256: "sha256", crypto.SHA512: "sha512"}[k.Hash()]
	_, err = verifier.Verify(b, verify.NewPolicy(verify.WithArtifactDigest(name, digest), verify.WithKey()))
	return err
}
