package evidence_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/internal/testlog"
)

// keyType signs as a kind of key does in Rekor.
type keyType struct {
	public  crypto.PublicKey
	details string // Rekor v2's name for the key and its hash
	hash    crypto.Hash
	digest  func(data []byte) []byte // signs data by its digest
	whole   func(data []byte) []byte // signs data as in DSSE
}

func keyTypes(t testing.TB) map[string]keyType {
	t.Helper()
	p384, err := ecdsa.ParseRawPrivateKey(elliptic.P384(), append(make([]byte, 47), 9))
	if err != nil {
		t.Fatal(err)
	}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ed := ed25519.NewKeyFromSeed(make([]byte, 32))
	sign := func(k crypto.Signer, h crypto.Hash) func(data []byte) []byte {
		return func(data []byte) []byte { return must(k.Sign(rand.Reader, sumOf(h, data), h)) }
	}
	return map[string]keyType{
		"ECDSA P-384": {&p384.PublicKey, "PKIX_ECDSA_P384_SHA_384", crypto.SHA384, sign(p384, crypto.SHA384), sign(p384, crypto.SHA384)},
		"RSA":         {&r.PublicKey, "PKIX_RSA_PKCS1V15_2048_SHA256", crypto.SHA256, sign(r, crypto.SHA256), sign(r, crypto.SHA256)},
		"Ed25519":     {ed.Public(), "PKIX_ED25519_PH", crypto.SHA512, sign(ed, crypto.SHA512), func(data []byte) []byte { return ed25519.Sign(ed, data) }},
	}
}

func sumOf(h crypto.Hash, data []byte) []byte {
	switch h {
	case crypto.SHA384:
		s := sha512.Sum384(data)
		return s[:]
	case crypto.SHA512:
		s := sha512.Sum512(data)
		return s[:]
	}
	s := sha256.Sum256(data)
	return s[:]
}

// Property: keys of the other sorts that Rekor takes verify, each with the hash
// that goes with it, and only if they are known.
func TestKeyTypes(t *testing.T) {
	data := []byte("an artifact")
	for name, k := range keyTypes(t) {
		file := publicPEM(t, k.public)
		known, err := keys.NewPublic(k.public)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		signer := &testlog.Signer{PEM: file}
		e := &bundles.Envelope{PayloadType: testlog.StatementType, Payload: statement(digest())}
		pae := fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(e.PayloadType), e.PayloadType, len(e.Payload), e.Payload)
		e.Signature = k.whole(pae)
		algorithm := strings.ReplaceAll(strings.ToLower(k.hash.String()), "-", "")
		hash := sumOf(k.hash, data)
		artifact := bytes.Replace(testlog.HashedRekord([32]byte{}, k.digest(data), file), fmt.Appendf(nil, `"sha256","value":"%064x"`, 0), fmt.Appendf(nil, `"%s","value":"%x"`, algorithm, hash), 1)
		v2 := func(data, sig []byte) []byte {
			b := string(testlog.HashedRekordV2([32]byte{}, sig, file))
			b = strings.Replace(b, "PKIX_ECDSA_P256_SHA_256", k.details, 1)
			b = strings.Replace(b, "SHA2_256", strings.Replace(strings.ToUpper(algorithm), "SHA", "SHA2_", 1), 1)
			return []byte(strings.Replace(b, base64.StdEncoding.EncodeToString(make([]byte, 32)), base64.StdEncoding.EncodeToString(sumOf(k.hash, data)), 1))
		}
		overData, overPAE := k.digest(data), k.digest(pae) // not the same each time
		for kind, c := range map[string]struct {
			body []byte
			e    *bundles.Envelope
			sig  []byte
		}{
			artifactV1: {artifact, nil, nil},
			dsseV1:     {signer.DSSE(e), e, nil},
			intotoV1:   {signer.Intoto(e), e, nil},
			artifactV2: {v2(data, overData), nil, overData},
			dsseV2:     {v2(pae, overPAE), &bundles.Envelope{PayloadType: e.PayloadType, Payload: e.Payload, Signature: overPAE}, overPAE},
		} {
			s := newSite(t)
			s.known = append(s.known, known)
			entry := s.entry(kind, c.body, c.e, c.sig)
			if _, err := s.verify(entry); err != nil {
				t.Errorf("%s, %s: %v", name, kind, err)
			}
			s.known = []*keys.Public{publicKey(t, testlog.NewSigner("alice").PEM)}
			if got, err := s.verify(entry); err == nil {
				t.Errorf("%s, %s, with another key known: %+v", name, kind, got)
			}
			if c.e == nil {
				claim, err := entry.Claim()
				if err != nil || claim.Digest != (evidence.Digest{Algorithm: algorithm, Hex: hex.EncodeToString(hash)}) {
					t.Errorf("%s, %s: %+v, %v", name, kind, claim, err)
				}
			}
		}
	}
}
