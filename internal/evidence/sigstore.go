package evidence

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/merkle"
)

// BundleMediaType is that of Sigstore bundles, version 0.3.
const BundleMediaType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// protoAlgorithms are the names of digest algorithms in Sigstore bundles.
var protoAlgorithms = map[string]protocommon.HashAlgorithm{
	"sha256": protocommon.HashAlgorithm_SHA2_256,
	"sha384": protocommon.HashAlgorithm_SHA2_384,
	"sha512": protocommon.HashAlgorithm_SHA2_512,
}

// KeyBundle is a Sigstore bundle of a key's signature over a digest, with no
// log entry.
func KeyBundle(k *keys.Public, digest, signature []byte) ([]byte, error) {
	algorithm := map[crypto.Hash]string{crypto.SHA256: "sha256", crypto.SHA512: "sha512"}[k.Hash()]
	d, err := newDigest(algorithm, hex.EncodeToString(digest))
	if err != nil {
		return nil, err
	}
	return MarshalBundle(&protobundle.Bundle{
		MediaType:            BundleMediaType,
		VerificationMaterial: &protobundle.VerificationMaterial{Content: keyMaterial(k.Hint())},
		Content:              messageSignature(d, signature),
	})
}

func keyMaterial(hint string) *protobundle.VerificationMaterial_PublicKey {
	return &protobundle.VerificationMaterial_PublicKey{PublicKey: &protocommon.PublicKeyIdentifier{Hint: hint}}
}

func messageSignature(d Digest, signature []byte) *protobundle.Bundle_MessageSignature {
	return &protobundle.Bundle_MessageSignature{MessageSignature: &protocommon.MessageSignature{
		MessageDigest: &protocommon.HashOutput{Algorithm: protoAlgorithms[d.Algorithm], Digest: d.sum()},
		Signature:     signature,
	}}
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

// SigstoreBundle gives the entry, which says c, as a Sigstore bundle, version
// 0.3: everything but the artifact.
func (e *Entry) SigstoreBundle(c *Claim) (*protobundle.Bundle, error) {
	tle, err := e.logEntry(c)
	if err != nil {
		return nil, err
	}
	b := e.Unlogged(c)
	b.VerificationMaterial.TlogEntries = []*protorekor.TransparencyLogEntry{tle}
	return b, nil
}

// Unlogged is the Sigstore bundle of a signature that no log has yet: of the
// entry's envelope, if it has one, else of the claim's digest.
func (e *Entry) Unlogged(c *Claim) *protobundle.Bundle {
	b := &protobundle.Bundle{MediaType: BundleMediaType, VerificationMaterial: &protobundle.VerificationMaterial{}}
	if c.Certificate != nil {
		b.VerificationMaterial.Content = &protobundle.VerificationMaterial_Certificate{Certificate: &protocommon.X509Certificate{RawBytes: c.Certificate.Raw}}
	} else {
		b.VerificationMaterial.Content = keyMaterial(c.Key.Hint())
	}
	if len(e.Timestamps) > 0 {
		stamps := &protobundle.TimestampVerificationData{}
		for _, t := range e.Timestamps {
			stamps.Rfc3161Timestamps = append(stamps.Rfc3161Timestamps, &protocommon.RFC3161SignedTimestamp{SignedTimestamp: t})
		}
		b.VerificationMaterial.TimestampVerificationData = stamps
	}
	if e.Envelope == nil {
		b.Content = messageSignature(c.Digest, c.Signature)
		return b
	}
	b.Content = &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &protodsse.Envelope{
		PayloadType: e.Envelope.PayloadType, Payload: e.Envelope.Payload,
		Signatures: []*protodsse.Signature{{Sig: e.Envelope.Signature, Keyid: e.Envelope.KeyID}},
	}}
	return b
}

func (e *Entry) logEntry(c *Claim) (*protorekor.TransparencyLogEntry, error) {
	if e.LogIndex > math.MaxInt64 || e.Inclusion.Index > merkle.MaxSize || e.Inclusion.Tree.Size > merkle.MaxSize {
		return nil, fmt.Errorf("log index %d, leaf %d in a tree of %d", e.LogIndex, e.Inclusion.Index, e.Inclusion.Tree.Size)
	}
	path := make([][]byte, len(e.Inclusion.Path))
	for i := range path {
		path[i] = e.Inclusion.Path[i][:]
	}
	t := &protorekor.TransparencyLogEntry{
		LogIndex:          int64(e.LogIndex),
		LogId:             &protocommon.LogId{KeyId: e.LogID[:]},
		KindVersion:       &protorekor.KindVersion{Kind: c.kind, Version: c.version},
		CanonicalizedBody: e.Body,
		InclusionProof: &protorekor.InclusionProof{
			LogIndex:   int64(e.Inclusion.Index),
			RootHash:   e.Inclusion.Tree.Root[:],
			TreeSize:   int64(e.Inclusion.Tree.Size),
			Hashes:     path,
			Checkpoint: &protorekor.Checkpoint{Envelope: string(e.Checkpoint)},
		},
	}
	if e.V2 {
		t.LogIndex = int64(e.Inclusion.Index)
		return t, nil
	}
	t.IntegratedTime = e.IntegratedTime
	t.InclusionPromise = &protorekor.InclusionPromise{SignedEntryTimestamp: e.SET}
	return t, nil
}

// MarshalSigstore gives the entry as the JSON of a Sigstore bundle.
func (e *Entry) MarshalSigstore() ([]byte, error) {
	c, err := e.Claim()
	if err != nil {
		return nil, err
	}
	b, err := e.SigstoreBundle(c)
	if err != nil {
		return nil, err
	}
	return MarshalBundle(b)
}
