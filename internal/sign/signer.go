package sign

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	sigstore "github.com/sigstore/sigstore-go/pkg/sign"

	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/internal/policy"
)

// hashOfArtifacts is the algorithm of the digests that others search logs for.
const hashOfArtifacts = crypto.SHA256

func sha256Of(b []byte) [32]byte { return sha256.Sum256(b) }

// A Signer is who signs.
type Signer interface {
	// Credential is what to sign with now.
	Credential(ctx context.Context) (*Credential, error)
}

// Credential is a key to sign with.
type Credential struct {
	Key         *keys.Private
	Certificate *x509.Certificate // of that key; nil if the key speaks for itself
}

// pem is who signs as it stands in the entries of a Rekor v1.
func (c *Credential) pem() []byte {
	if c.Certificate == nil {
		return c.Key.Public().MarshalPEM()
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate.Raw})
}

// Name says who it is in words.
func (c *Credential) Name() string {
	if c.Certificate == nil {
		return "key " + c.Key.Public().String()
	}
	return nameOfCertificate(c.Certificate)
}

// ByKey is whoever holds a key.
func ByKey(k *keys.Private) Signer { return keySigner{k} }

type keySigner struct{ key *keys.Private }

func (s keySigner) Credential(context.Context) (*Credential, error) {
	return &Credential{Key: s.key}, nil
}

// spare is how much of a certificate's life is left for what was begun with it:
// its signatures must be logged, or stamped, while it is valid.
const spare = 3 * time.Minute

// Keyless is an identity for which a Fulcio issues certificates. One key and
// certificate signs until little of the certificate's life is left (Fulcio's
// live ten minutes). It is safe for concurrent use.
type Keyless struct {
	Fulcio    string                                // URL
	Token     func(context.Context) (string, error) // asked once for each certificate
	Now       func() time.Time
	Transport http.RoundTripper // nil is the usual one

	mu      sync.Mutex
	current *Credential
	since   time.Time
}

// Credential implements [Signer].
func (s *Keyless) Credential(ctx context.Context) (*Credential, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.current; c != nil {
		// not by the certificate's own times: clocks differ
		if life := c.Certificate.NotAfter.Sub(c.Certificate.NotBefore); s.Now().Sub(s.since) < life-spare {
			return c, nil
		}
	}
	now := s.Now()
	c, err := s.ask(ctx)
	if err != nil {
		return nil, err
	}
	s.current, s.since = c, now
	return c, nil
}

// ask gets a certificate for a new key.
func (s *Keyless) ask(ctx context.Context) (*Credential, error) {
	token, err := s.Token(ctx)
	if err != nil {
		return nil, fmt.Errorf("identity token: %w", err)
	}
	key, err := keys.Generate(keys.ECDSA)
	if err != nil {
		return nil, err
	}
	s.Transport = orUsual(s.Transport)
	fulcio := sigstore.NewFulcio(&sigstore.FulcioOptions{BaseURL: strings.TrimRight(s.Fulcio, "/"), Retries: retries, Transport: endsWith(ctx, s.Transport)})
	der, err := fulcio.GetCertificate(ctx, keypair{key}, &sigstore.CertificateProviderOptions{IDToken: token})
	if err != nil {
		return nil, fmt.Errorf("certificate of %s: %w", s.Fulcio, shown(ctx, err))
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("certificate of %s: %w", s.Fulcio, err)
	}
	if pub, err := keys.NewPublic(c.PublicKey); err != nil || pub.Fingerprint() != key.Public().Fingerprint() {
		return nil, fmt.Errorf("certificate of %s: it is for another key than was asked for", s.Fulcio)
	}
	return &Credential{Key: key, Certificate: c}, nil
}

// keypair is an ECDSA P-256 key as sigstore-go takes it.
type keypair struct{ key *keys.Private }

func (k keypair) GetHashAlgorithm() protocommon.HashAlgorithm {
	return protocommon.HashAlgorithm_SHA2_256
}

func (k keypair) GetSigningAlgorithm() protocommon.PublicKeyDetails {
	return protocommon.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256
}

func (k keypair) GetHint() []byte                  { return []byte(k.key.Public().Hint()) }
func (k keypair) GetKeyAlgorithm() string          { return "ECDSA" }
func (k keypair) GetPublicKey() crypto.PublicKey   { return k.key.Public().Key() }
func (k keypair) GetPublicKeyPem() (string, error) { return string(k.key.Public().MarshalPEM()), nil }

func (k keypair) SignData(_ context.Context, data []byte) (signature, digest []byte, err error) {
	sum := sha256.Sum256(data)
	signature, err = k.key.SignDigest(sum[:])
	return signature, sum[:], err
}

// shown makes an error of sigstore-go's, which repeats what a server said, fit
// to be shown.
func shown(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("%.400q", err.Error())
}

var errNoToken = errors.New("it is empty")

// Signer is the credential's holder as a policy names him: the key, or the
// identity and its issuer.
func (c *Credential) Signer() (policy.Signer, error) {
	if c.Certificate == nil {
		return policy.KeySigner(c.Key.Public()), nil
	}
	s, err := certificate.SummarizeCertificate(c.Certificate)
	if err != nil {
		return policy.Signer{}, err
	}
	return policy.IdentitySigner(policy.Identity{Subject: s.SubjectAlternativeName, Issuer: s.Issuer})
}
