// Package seal makes and checks the signatures over a bundle's payload.
//
// A seal is a Sigstore bundle (media type version 0.3) that holds a message
// signature over payload.tar.zst, so that `cosign verify-blob --key K.pub
// --bundle signatures/0.sigstore.json payload.tar.zst` checks it too. Its
// cryptographic verification is sigstore-go's.
package seal

import (
	"crypto"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/keys"
)

// ByKey signs with a private key: ECDSA P-256 over SHA-256, or Ed25519ph over
// SHA-512.
func ByKey(k *keys.Private, payload bundles.Digests) ([]byte, error) {
	digest := digestFor(k.Public(), payload)
	sig, err := k.SignDigest(digest)
	if err != nil {
		return nil, err
	}
	return evidence.KeyBundle(k.Public(), digest, sig)
}

func digestFor(k *keys.Public, payload bundles.Digests) []byte {
	if k.Hash() == crypto.SHA512 {
		return payload.SHA512[:]
	}
	return payload.SHA256[:]
}

// Trusted are the sealers that an enclave trusts. It is a bundles.SealVerifier;
// the zero value trusts nobody.
type Trusted struct {
	Keys []*keys.Public
}

// VerifySeal implements bundles.SealVerifier. Which key is tried follows from the
// keys here, one after the other, and never from the seal.
func (t Trusted) VerifySeal(seal []byte, payload bundles.Digests) (string, error) {
	var b bundle.Bundle
	if err := b.UnmarshalJSON(seal); err != nil {
		return "", fmt.Errorf("not a Sigstore bundle: %w", err)
	}
	content, err := b.VerificationContent()
	if err != nil {
		return "", err
	}
	if content.PublicKey() == nil {
		return "", errors.New("it is by a certificate; only keys are trusted here")
	}
	for _, k := range t.Keys {
		if err = verifyByKey(&b, k, payload); err == nil {
			return "key " + k.String(), nil
		}
	}
	hint := content.PublicKey().Hint()
	switch {
	case len(t.Keys) == 0:
		return "", fmt.Errorf("signed with the key of hint %.60q; no sealer's key is trusted here", hint)
	case len(t.Keys) == 1 && t.Keys[0].Hint() != hint:
		return "", fmt.Errorf("signed with the key of hint %.60q, trusted is %q", hint, t.Keys[0].Hint())
	}
	return "", err
}

func verifyByKey(b *bundle.Bundle, k *keys.Public, payload bundles.Digests) error {
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
	algorithm := map[crypto.Hash]string{crypto.SHA256: "sha256", crypto.SHA512: "sha512"}[k.Hash()]
	digest := digestFor(k, payload)
	_, err = verifier.Verify(b, verify.NewPolicy(verify.WithArtifactDigest(algorithm, digest), verify.WithKey()))
	if err != nil {
		return fmt.Errorf("the payload has %s %s: %w", algorithm, hex.EncodeToString(digest), err)
	}
	return nil
}
