package gate

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"net/http"
	"time"
)

// stranger is somebody whom nobody knows, with a new key. Its methods are for any goroutine.
type stranger struct {
	key    *ecdsa.PrivateKey
	signer []byte // PEM: the public key, or a certificate
}

func newStranger() (*stranger, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	return &stranger{key, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})}, err
}

// authority issues certificates as Fulcio does.
type authority struct {
	*stranger
	root *x509.Certificate
}

func newAuthority() (*authority, error) {
	s, err := newStranger()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &s.key.PublicKey, s.key)
	if err != nil {
		return nil, err
	}
	root, err := x509.ParseCertificate(der)
	return &authority{s, root}, err
}

// issue gives somebody a certificate for an identity.
func (a *authority) issue(email, issuer string) (*stranger, error) {
	s, err := newStranger()
	if err != nil {
		return nil, err
	}
	said, err := asn1.MarshalWithParams(issuer, "utf8")
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		EmailAddresses: []string{email},
		// Fulcio's extension for the OIDC issuer.
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 8}, Value: said}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.root, &s.key.PublicKey, a.key)
	s.signer = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return s, err
}

// trustedRoot is a trusted_root.json that names the authority, and nothing else.
func (a *authority) trustedRoot() []byte {
	return encode(map[string]any{
		"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
		"certificateAuthorities": []any{map[string]any{
			"subject":   map[string]any{"organization": "example", "commonName": "authority"},
			"uri":       "https://authority.example",
			"certChain": map[string]any{"certificates": []any{map[string]any{"rawBytes": a.root.Raw}}},
			"validFor":  map[string]any{"start": a.root.NotBefore.UTC().Format(time.RFC3339)},
		}},
	})
}

// log logs a hashedrekord over a digest. It returns when the log has it.
func (s *stranger) log(ctx context.Context, digest [32]byte) error {
	signature, err := ecdsa.SignASN1(rand.Reader, s.key, digest[:])
	if err != nil {
		return err
	}
	return create(ctx, "hashedrekord", map[string]any{
		"data":      map[string]any{"hash": map[string]any{"algorithm": "sha256", "value": hex.EncodeToString(digest[:])}},
		"signature": map[string]any{"content": signature, "publicKey": map[string]any{"content": s.signer}},
	})
}

// logWhole logs an entry of another kind, rekord, over an artifact.
func (s *stranger) logWhole(ctx context.Context, artifact []byte) error {
	digest := sha256.Sum256(artifact)
	signature, err := ecdsa.SignASN1(rand.Reader, s.key, digest[:])
	if err != nil {
		return err
	}
	return create(ctx, "rekord", map[string]any{
		"data":      map[string]any{"content": artifact},
		"signature": map[string]any{"format": "x509", "content": signature, "publicKey": map[string]any{"content": s.signer}},
	})
}

func create(ctx context.Context, kind string, spec any) error {
	var created map[string]any
	return ask(ctx, http.MethodPost, createPath, map[string]any{"apiVersion": "0.0.1", "kind": kind, "spec": spec}, &created)
}

// logByStranger logs an entry over a digest by a key that nobody knows.
func logByStranger(ctx context.Context, digest [32]byte) error {
	s, err := newStranger()
	if err != nil {
		return err
	}
	return s.log(ctx, digest)
}

// grow makes the log one entry longer.
func grow(ctx context.Context) error {
	var digest [32]byte
	rand.Read(digest[:])
	return logByStranger(ctx, digest)
}
