// Package evidence reads what log entries say about modules, and gives them the
// form that sigstore-go and cosign verify.
//
// It decides nothing: an entry parsed here is proven by nothing yet.
package evidence

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/merkle"
)

// BundleMediaType is that of Sigstore bundles, version 0.3.
const BundleMediaType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// ErrUnsupported says that a Rekor entry is of a kind that is not read here.
var ErrUnsupported = errors.New("unsupported kind of Rekor entry")

// HashedRekord is what a Rekor entry of kind hashedrekord, version 0.0.1, says:
// that the holder of a key signed something with this digest.
type HashedRekord struct {
	SHA256      [32]byte
	Signature   []byte
	Key         *keys.Public      // the signing key; of the certificate when there is one
	Certificate *x509.Certificate // nil when the entry names a bare key
}

// hashedRekordBody is the canonical JSON of such an entry.
type hashedRekordBody struct {
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

// ParseHashedRekord reads the body of a Rekor entry, as it is hashed into the
// log. Other kinds, digests other than SHA-256, certificate chains and keys that
// are no PKIX keys give ErrUnsupported. The body must be in Rekor's one canonical
// form: it is encoded again and compared.
func ParseHashedRekord(body []byte) (*HashedRekord, error) {
	var kind struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := json.Unmarshal(body, &kind); err != nil {
		return nil, fmt.Errorf("rekor entry: %w", err)
	}
	if kind.Kind != "hashedrekord" || kind.APIVersion != "0.0.1" {
		return nil, fmt.Errorf("%w: %.40q %.20q", ErrUnsupported, kind.Kind, kind.APIVersion)
	}
	var b hashedRekordBody
	if err := json.Unmarshal(body, &b); err != nil {
		return nil, fmt.Errorf("rekor entry: %w", err)
	}
	if again, err := json.Marshal(b); err != nil || !bytes.Equal(again, body) {
		return nil, errors.New("rekor entry: not in canonical form")
	}
	if b.Spec.Data.Hash.Algorithm != "sha256" {
		return nil, fmt.Errorf("%w: digest algorithm %.20q", ErrUnsupported, b.Spec.Data.Hash.Algorithm)
	}
	digest, err := hex.DecodeString(b.Spec.Data.Hash.Value)
	if err != nil || len(digest) != 32 || hex.EncodeToString(digest) != b.Spec.Data.Hash.Value {
		return nil, fmt.Errorf("rekor entry: digest %.80q", b.Spec.Data.Hash.Value)
	}
	h := &HashedRekord{SHA256: [32]byte(digest), Signature: b.Spec.Signature.Content}
	if err := h.parseSigner(b.Spec.Signature.PublicKey.Content); err != nil {
		return nil, err
	}
	return h, nil
}

// parseSigner reads the one PEM block that Rekor makes of a key or certificate.
func (h *HashedRekord) parseSigner(file []byte) error {
	block, rest := pem.Decode(file)
	if block == nil {
		return errors.New("rekor entry: its public key is not PEM")
	}
	if len(rest) > 0 && block.Type == "CERTIFICATE" {
		return fmt.Errorf("%w: signer is a certificate with more after it", ErrUnsupported)
	}
	if !bytes.Equal(pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes}), file) {
		return errors.New("rekor entry: its public key is not one PEM block in canonical form")
	}
	var key any
	var err error
	switch block.Type {
	case "CERTIFICATE":
		if h.Certificate, err = x509.ParseCertificate(block.Bytes); err != nil {
			return fmt.Errorf("rekor entry: %w", err)
		}
		key = h.Certificate.PublicKey
	case "PUBLIC KEY":
		if key, err = x509.ParsePKIXPublicKey(block.Bytes); err != nil {
			return fmt.Errorf("rekor entry: %w", err)
		}
	default:
		return fmt.Errorf("%w: signer is a PEM %.40q", ErrUnsupported, block.Type)
	}
	if h.Key, err = keys.NewPublic(key); err != nil {
		return fmt.Errorf("rekor entry: %w", err)
	}
	return nil
}

// ProposeHashedRekord gives the entry that asks Rekor v1 to log a signature by a
// key over an artifact with this SHA-256.
func ProposeHashedRekord(sha256 [32]byte, signature []byte, signer *keys.Public) ([]byte, error) {
	var b hashedRekordBody
	b.APIVersion, b.Kind = "0.0.1", "hashedrekord"
	b.Spec.Data.Hash.Algorithm = "sha256"
	b.Spec.Data.Hash.Value = hex.EncodeToString(sha256[:])
	b.Spec.Signature.Content = signature
	b.Spec.Signature.PublicKey.Content = signer.MarshalPEM()
	return json.Marshal(b)
}

// RekorV1 is a Rekor v1 entry with all that its verification takes.
type RekorV1 struct {
	Body           []byte
	LogID          [32]byte // SHA-256 of the log's public key
	LogIndex       uint64   // over all shards
	IntegratedTime int64    // seconds since 1970
	SET            []byte
	Inclusion      merkle.Inclusion // in the shard
	Checkpoint     []byte           // signed; of Inclusion.Tree
}

// KeyBundle is a Sigstore bundle of a key's signature over a digest, with no
// log entry.
func KeyBundle(k *keys.Public, digest, signature []byte) ([]byte, error) {
	b, err := messageBundle(k.Hash(), digest, signature)
	if err != nil {
		return nil, err
	}
	b.VerificationMaterial.Content = &protobundle.VerificationMaterial_PublicKey{PublicKey: &protocommon.PublicKeyIdentifier{Hint: k.Hint()}}
	return MarshalBundle(b)
}

func messageBundle(h crypto.Hash, digest, signature []byte) (*protobundle.Bundle, error) {
	algorithm, ok := map[crypto.Hash]protocommon.HashAlgorithm{
		crypto.SHA256: protocommon.HashAlgorithm_SHA2_256,
		crypto.SHA512: protocommon.HashAlgorithm_SHA2_512,
	}[h]
	if !ok || len(digest) != h.Size() {
		return nil, fmt.Errorf("digest of %d bytes for %s", len(digest), h)
	}
	return &protobundle.Bundle{
		MediaType:            BundleMediaType,
		VerificationMaterial: &protobundle.VerificationMaterial{},
		Content: &protobundle.Bundle_MessageSignature{MessageSignature: &protocommon.MessageSignature{
			MessageDigest: &protocommon.HashOutput{Algorithm: algorithm, Digest: digest},
			Signature:     signature,
		}},
	}, nil
}

// MarshalBundle gives a Sigstore bundle's JSON on one line, without protojson's
// deliberate changes of white space.
func MarshalBundle(b *protobundle.Bundle) ([]byte, error) {
	j, err := protojson.Marshal(b)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Compact(&out, j); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// SigstoreBundle gives the entry as a Sigstore bundle, version 0.3: everything
// but the artifact. A hashedrekord holds all of it.
func (e *RekorV1) SigstoreBundle(h *HashedRekord) (*protobundle.Bundle, error) {
	if e.LogIndex > math.MaxInt64 || e.Inclusion.Index > merkle.MaxSize || e.Inclusion.Tree.Size > merkle.MaxSize {
		return nil, fmt.Errorf("log index %d, leaf %d in a tree of %d", e.LogIndex, e.Inclusion.Index, e.Inclusion.Tree.Size)
	}
	b, err := messageBundle(crypto.SHA256, h.SHA256[:], h.Signature)
	if err != nil {
		return nil, err
	}
	if h.Certificate != nil {
		b.VerificationMaterial.Content = &protobundle.VerificationMaterial_Certificate{Certificate: &protocommon.X509Certificate{RawBytes: h.Certificate.Raw}}
	} else {
		b.VerificationMaterial.Content = &protobundle.VerificationMaterial_PublicKey{PublicKey: &protocommon.PublicKeyIdentifier{Hint: h.Key.Hint()}}
	}
	path := make([][]byte, len(e.Inclusion.Path))
	for i := range path {
		path[i] = e.Inclusion.Path[i][:]
	}
	b.VerificationMaterial.TlogEntries = []*protorekor.TransparencyLogEntry{{
		LogIndex:          int64(e.LogIndex),
		LogId:             &protocommon.LogId{KeyId: e.LogID[:]},
		KindVersion:       &protorekor.KindVersion{Kind: "hashedrekord", Version: "0.0.1"},
		IntegratedTime:    e.IntegratedTime,
		InclusionPromise:  &protorekor.InclusionPromise{SignedEntryTimestamp: e.SET},
		CanonicalizedBody: e.Body,
		InclusionProof: &protorekor.InclusionProof{
			LogIndex:   int64(e.Inclusion.Index),
			RootHash:   e.Inclusion.Tree.Root[:],
			TreeSize:   int64(e.Inclusion.Tree.Size),
			Hashes:     path,
			Checkpoint: &protorekor.Checkpoint{Envelope: string(e.Checkpoint)},
		},
	}}
	return b, nil
}

// MarshalSigstore gives the entry as the JSON of a Sigstore bundle.
func (e *RekorV1) MarshalSigstore() ([]byte, error) {
	h, err := ParseHashedRekord(e.Body)
	if err != nil {
		return nil, err
	}
	b, err := e.SigstoreBundle(h)
	if err != nil {
		return nil, err
	}
	return MarshalBundle(b)
}
