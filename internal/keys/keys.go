// Package keys reads, makes and uses the key files of people: those that seal
// bundles and those that attest modules.
//
// Private keys are PEM: PKCS#8, or cosign's encrypted format ("ENCRYPTED
// SIGSTORE PRIVATE KEY": scrypt and NaCl secretbox around PKCS#8), so that a key
// made by either tool works in the other. Public keys are PEM "PUBLIC KEY"
// (SubjectPublicKeyInfo).
//
// ECDSA P-256 signs SHA-256 digests. Ed25519 keys sign in their prehashed form,
// Ed25519ph with SHA-512 (RFC 8032, Section 5.1), because what is sealed is
// streamed and pure Ed25519 needs the whole message in memory; envelopes (DSSE)
// alone they sign in pure Ed25519.
package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"
)

// Limits of keys.
const (
	MaxKeyFile = 64 << 10 // bytes of a key file
	MaxRSA     = 8192     // bits of an RSA key, as crypto/tls has it: the time to verify grows with their square
)

// Kind is the sort of a key.
type Kind string

// The kinds of keys that modseal makes.
const (
	ECDSA   Kind = "ecdsa-p256"
	Ed25519 Kind = "ed25519"
)

var (
	// ErrPassword says that a private key is encrypted and that the password
	// given, if any, does not open it.
	ErrPassword = errors.New("wrong or missing password")
	// ErrUnsupported says that a key is of a kind that can't do what was asked.
	ErrUnsupported = errors.New("unsupported key")
)

// Public is a public key.
type Public struct {
	key crypto.PublicKey
	der []byte // SubjectPublicKeyInfo
}

// Private is a private key that can sign digests.
type Private struct {
	signer crypto.Signer
	pub    *Public
}

// Generate makes a new key.
func Generate(kind Kind) (*Private, error) {
	switch kind {
	case ECDSA:
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		return newPrivate(k)
	case Ed25519:
		_, k, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		return newPrivate(k)
	}
	return nil, fmt.Errorf("%w: %q (want %s or %s)", ErrUnsupported, kind, ECDSA, Ed25519)
}

func newPrivate(k any) (*Private, error) {
	s, ok := k.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%w: %T can't sign", ErrUnsupported, k)
	}
	switch k := k.(type) {
	case *ecdsa.PrivateKey:
		if k.Curve != elliptic.P256() {
			return nil, fmt.Errorf("%w: ECDSA over %s (want P-256)", ErrUnsupported, k.Curve.Params().Name)
		}
	case ed25519.PrivateKey:
	default:
		return nil, fmt.Errorf("%w: %T (want ECDSA P-256 or Ed25519)", ErrUnsupported, k)
	}
	pub, err := NewPublic(s.Public())
	if err != nil {
		return nil, err
	}
	return &Private{signer: s, pub: pub}, nil
}

// ParsePrivate reads a private key. The password is asked for only when the key
// is encrypted; it may be nil when there is none to give.
func ParsePrivate(file []byte, password func() ([]byte, error)) (*Private, error) {
	block, _ := pem.Decode(file)
	if block == nil {
		return nil, errors.New("not a PEM file")
	}
	encrypted := block.Type == "ENCRYPTED PRIVATE KEY" || block.Type == "ENCRYPTED SIGSTORE PRIVATE KEY" || block.Type == "ENCRYPTED COSIGN PRIVATE KEY"
	if block.Type == "PUBLIC KEY" {
		return nil, errors.New("this is a public key; the private one is needed here")
	}
	var pass []byte
	if encrypted {
		if block.Type == "ENCRYPTED PRIVATE KEY" {
			if err := checkEncrypted(block.Bytes); err != nil {
				return nil, err
			}
		}
		if password == nil {
			return nil, ErrPassword
		}
		var err error
		if pass, err = password(); err != nil {
			return nil, err
		}
		if pass == nil {
			pass = []byte{} // cosign's keys without a password are encrypted with an empty one
		}
	}
	k, err := cryptoutils.UnmarshalPEMToPrivateKey(file, func(bool) ([]byte, error) { return pass, nil })
	if err != nil {
		if encrypted {
			return nil, fmt.Errorf("%w (%w)", ErrPassword, err)
		}
		return nil, err
	}
	return newPrivate(k)
}

// Encrypted tells whether a private key file needs a password.
func Encrypted(file []byte) bool {
	block, _ := pem.Decode(file)
	return block != nil && len(block.Type) > 9 && block.Type[:9] == "ENCRYPTED"
}

// MarshalPEM gives the key as PEM: encrypted in cosign's format, or plain PKCS#8
// when password is nil.
func (k *Private) MarshalPEM(password []byte) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.signer)
	if err != nil {
		return nil, err
	}
	if password == nil {
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
	}
	if der, err = encrypted.Encrypt(der, password); err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED SIGSTORE PRIVATE KEY", Bytes: der}), nil
}

// Public is the key's public half.
func (k *Private) Public() *Public { return k.pub }

// Hash is the digest algorithm that SignDigest takes: SHA-256 for ECDSA P-256,
// SHA-512 for Ed25519ph.
func (k *Public) Hash() crypto.Hash {
	if _, ok := k.key.(ed25519.PublicKey); ok {
		return crypto.SHA512
	}
	return crypto.SHA256
}

// SignDigest signs a digest made by Public().Hash(). Equal digests give equal
// signatures (RFC 6979 for ECDSA), so that signing again never makes a second
// log entry.
func (k *Private) SignDigest(digest []byte) ([]byte, error) {
	h := k.pub.Hash()
	if len(digest) != h.Size() {
		return nil, fmt.Errorf("digest has %d bytes, want %d (%s)", len(digest), h.Size(), h)
	}
	if _, ok := k.signer.(ed25519.PrivateKey); ok {
		return k.signer.Sign(nil, digest, &ed25519.Options{Hash: crypto.SHA512})
	}
	return k.signer.Sign(nil, digest, h)
}

// SignMessage signs a whole message, as DSSE does: ECDSA over its SHA-256, or
// pure Ed25519. Equal messages give equal signatures.
func (k *Private) SignMessage(message []byte) ([]byte, error) {
	if _, ok := k.signer.(ed25519.PrivateKey); ok {
		return k.signer.Sign(nil, message, crypto.Hash(0))
	}
	digest := sha256.Sum256(message)
	return k.SignDigest(digest[:])
}

// SignAnew signs a SHA-256 digest so that the signature differs from every other
// one, for logs that take each only once. Ed25519 can't.
func (k *Private) SignAnew(digest []byte) ([]byte, error) {
	if k.pub.Hash() != crypto.SHA256 {
		return nil, fmt.Errorf("%w: an Ed25519 key has one signature for a message", ErrUnsupported)
	}
	return k.signer.Sign(rand.Reader, digest, crypto.SHA256)
}

// NewPublic takes ECDSA, Ed25519 and RSA keys, the latter of at most MaxRSA bits.
func NewPublic(key crypto.PublicKey) (*Public, error) {
	if r, ok := key.(*rsa.PublicKey); ok && r.N.BitLen() > MaxRSA {
		return nil, fmt.Errorf("%w: an RSA key of more than %d bits", ErrUnsupported, MaxRSA)
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	p := &Public{key: key, der: der}
	if _, err := p.Verifier(); err != nil {
		return nil, err
	}
	return p, nil
}

// ParsePublic reads a PEM public key; trailing data is an error.
func ParsePublic(file []byte) (*Public, error) {
	block, rest := pem.Decode(file)
	switch {
	case block == nil:
		return nil, errors.New("not a PEM file")
	case len(block.Type) >= 11 && block.Type[len(block.Type)-11:] == "PRIVATE KEY":
		return nil, errors.New("this is a private key; give the public one (NAME.pub) here and keep this one out of reach")
	case block.Type != "PUBLIC KEY":
		return nil, fmt.Errorf("PEM block is %q, want \"PUBLIC KEY\"", block.Type)
	case len(trimSpace(rest)) > 0:
		return nil, errors.New("data after the PEM block")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	return NewPublic(key)
}

func trimSpace(b []byte) []byte {
	for len(b) > 0 && (b[0] == '\n' || b[0] == '\r' || b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	return b
}

// MarshalPEM gives the key as PEM "PUBLIC KEY".
func (k *Public) MarshalPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: k.der})
}

// Key is the key itself.
func (k *Public) Key() crypto.PublicKey { return k.key }

// Fingerprint is the SHA-256 of the SubjectPublicKeyInfo.
func (k *Public) Fingerprint() [32]byte { return sha256.Sum256(k.der) }

// String names the key in messages: "sha256:" and the fingerprint in hex.
func (k *Public) String() string {
	f := k.Fingerprint()
	return "sha256:" + hex.EncodeToString(f[:])
}

// Hint is the fingerprint in base64: what cosign writes as the public key's hint
// into a Sigstore bundle. It selects among trusted keys and proves nothing.
func (k *Public) Hint() string {
	f := k.Fingerprint()
	return base64.StdEncoding.EncodeToString(f[:])
}

// Verifier checks signatures over Hash() digests made by this key.
func (k *Public) Verifier() (signature.Verifier, error) {
	v, err := signature.LoadVerifierWithOpts(k.key, options.WithHash(crypto.SHA256), options.WithED25519ph())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return v, nil
}
