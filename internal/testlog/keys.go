package testlog

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
)

// Key is the ECDSA P-256 key that a name stands for, always the same one.
func Key(name string) *ecdsa.PrivateKey {
	seed := sha256.Sum256([]byte("testlog key " + name))
	seed[0] &= 0x7f // below the order of the group
	return must(ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:]))
}

// signDigest is deterministic (RFC 6979).
func signDigest(key *ecdsa.PrivateKey, digest [32]byte) []byte {
	return must(key.Sign(nil, digest[:], crypto.SHA256))
}

func spki(key *ecdsa.PrivateKey) []byte { return must(x509.MarshalPKIXPublicKey(&key.PublicKey)) }

// noteOf is a signed note (C2SP signed-note) by an ECDSA key over SHA-256, as
// Rekor v1 makes them: the key hash is the beginning of that of the key's
// SubjectPublicKeyInfo.
func noteOf(text, name string, key *ecdsa.PrivateKey) []byte {
	id := sha256.Sum256(spki(key))
	sig := append(id[:4:4], signDigest(key, sha256.Sum256([]byte(text)))...)
	return fmt.Appendf(nil, "%s\n— %s %s\n", text, name, base64.StdEncoding.EncodeToString(sig))
}

// number makes a positive int64 of a name.
func number(name string) uint64 {
	sum := sha256.Sum256([]byte("testlog number " + name))
	return binary.BigEndian.Uint64(sum[:8])>>1 | 1
}

// A Signer makes Rekor entries of kind hashedrekord: with a bare key, or with a
// certificate ([CA.Issue]).
type Signer struct {
	Key *ecdsa.PrivateKey
	PEM []byte // public key or certificate, as it stands in entries
}

// NewSigner is the signer with the bare key that a name stands for.
func NewSigner(name string) *Signer {
	key := Key("signer " + name)
	return &Signer{Key: key, PEM: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki(key)})}
}

// Sign signs a SHA-256 digest.
func (s *Signer) Sign(digest [32]byte) []byte { return signDigest(s.Key, digest) }

// PrivatePEM is the private key as PEM, PKCS#8.
func (s *Signer) PrivatePEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(s.Key))})
}

// Body is the canonical body of the entry in which the signer vouches for a
// SHA-256 digest.
func (s *Signer) Body(digest [32]byte) []byte {
	return HashedRekord(digest, s.Sign(digest), s.PEM)
}

// hashedRekord is a Rekor entry of kind hashedrekord, version 0.0.1. Canonical
// JSON sorts members by name.
type hashedRekord struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Spec       struct {
		Data struct {
			Hash struct {
				Algorithm string `json:"algorithm"`
				Value     string `json:"value"`
			} `json:"hash"`
		} `json:"data"`
		Signature struct {
			Content   []byte `json:"content"`
			PublicKey struct {
				Content []byte `json:"content"`
			} `json:"publicKey"`
		} `json:"signature"`
	} `json:"spec"`
}

// HashedRekord is the canonical body of an entry that says whatever it is told.
func HashedRekord(digest [32]byte, signature, signerPEM []byte) []byte {
	var e hashedRekord
	e.APIVersion, e.Kind = "0.0.1", "hashedrekord"
	e.Spec.Data.Hash.Algorithm, e.Spec.Data.Hash.Value = "sha256", hex.EncodeToString(digest[:])
	e.Spec.Signature.Content, e.Spec.Signature.PublicKey.Content = signature, signerPEM
	return must(json.Marshal(e))
}

// canonicalHashedRekord checks a proposed entry as Rekor does, its signature
// included, and gives its canonical body.
func canonicalHashedRekord(proposed []byte) ([]byte, error) {
	var e hashedRekord
	if err := json.Unmarshal(proposed, &e); err != nil {
		return nil, err
	}
	if e.Kind != "hashedrekord" || e.APIVersion != "0.0.1" || e.Spec.Data.Hash.Algorithm != "sha256" {
		return nil, fmt.Errorf("entry of kind %q version %q over %q", e.Kind, e.APIVersion, e.Spec.Data.Hash.Algorithm)
	}
	digest, err := hex.DecodeString(e.Spec.Data.Hash.Value)
	if err != nil || len(digest) != sha256.Size {
		return nil, fmt.Errorf("digest %q", e.Spec.Data.Hash.Value)
	}
	block, _ := pem.Decode(e.Spec.Signature.PublicKey.Content)
	if block == nil {
		return nil, fmt.Errorf("public key is not PEM")
	}
	key, err := publicKeyOf(block)
	if err != nil {
		return nil, err
	}
	if !ecdsa.VerifyASN1(key, digest, e.Spec.Signature.Content) {
		return nil, fmt.Errorf("verifying signature: invalid signature when validating ASN.1 encoded signature")
	}
	e.Spec.Signature.PublicKey.Content = pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes})
	return json.Marshal(e)
}

func publicKeyOf(block *pem.Block) (*ecdsa.PublicKey, error) {
	var key any
	var err error
	if block.Type == "CERTIFICATE" {
		var c *x509.Certificate
		if c, err = x509.ParseCertificate(block.Bytes); err == nil {
			key = c.PublicKey
		}
	} else {
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	}
	if err != nil {
		return nil, err
	}
	if k, ok := key.(*ecdsa.PublicKey); ok {
		return k, nil
	}
	return nil, fmt.Errorf("key of type %T", key)
}

// indexKeys are what Rekor's search finds a body by.
func indexKeys(body []byte) []string {
	var e hashedRekord
	if json.Unmarshal(body, &e) != nil {
		return nil
	}
	keys, content := []string{"hash:" + e.Spec.Data.Hash.Value}, e.Spec.Signature.PublicKey.Content
	switch e.Kind {
	case "hashedrekord":
	case "dsse":
		keys, content = dsseIndex(body)
	default:
		return nil
	}
	block, _ := pem.Decode(content)
	if block == nil {
		return keys
	}
	keys = append(keys, keyIndex(content))
	if c, err := x509.ParseCertificate(block.Bytes); err == nil && block.Type == "CERTIFICATE" {
		for _, name := range append(c.EmailAddresses, c.DNSNames...) {
			keys = append(keys, "subject:"+name)
		}
		for _, u := range c.URIs {
			keys = append(keys, "subject:"+u.String())
		}
	}
	return keys
}

// keyIndex finds a PEM key however it ends its lines.
func keyIndex(file []byte) string {
	block, _ := pem.Decode(bytes.TrimSpace(file))
	if block == nil {
		return ""
	}
	return fmt.Sprintf("key:%x", sha256.Sum256(block.Bytes))
}
