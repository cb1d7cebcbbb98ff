package evidence

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/merkle"
)

// MaxPublished is the most that one Sigstore bundle may have, in bytes.
const MaxPublished = 4 << 20

// maxTimestamps is how many time stamps a Sigstore bundle may have. sigstore-go
// has this limit when it verifies them, and the same for log entries when it
// reads them.
const maxTimestamps = 32

// Published is one log entry of a Sigstore bundle that a publisher handed out.
type Published struct {
	Entry
	Claim *Claim
	// Proven tells whether the bundle holds the inclusion proof and checkpoint.
	// Else Inclusion and Checkpoint are empty, and are to be had from the log.
	Proven bool
}

// ReadBundle reads a Sigstore bundle (media types of versions 0.1 to 0.3, as
// JSON) and gives each of its log entries as evidence of its own, at least one.
// The entry must say what the bundle says: the same signature over the same
// digest, by the same certificate. Nothing is verified yet.
func ReadBundle(file []byte) ([]Published, error) {
	if len(file) > MaxPublished {
		return nil, fmt.Errorf("sigstore bundle of %d bytes; the limit is %d", len(file), MaxPublished)
	}
	var b bundle.Bundle
	if err := b.UnmarshalJSON(file); err != nil {
		return nil, fmt.Errorf("sigstore bundle: %w", err)
	}
	entries := b.GetVerificationMaterial().GetTlogEntries()
	if len(entries) == 0 {
		return nil, errors.New("sigstore bundle: it has no entry in a transparency log")
	}
	shared, err := sharedParts(b.Bundle)
	if err != nil {
		return nil, fmt.Errorf("sigstore bundle: %w", err)
	}
	out := make([]Published, len(entries))
	for i, t := range entries {
		if out[i], err = published(&b, shared, t); err != nil {
			return nil, fmt.Errorf("sigstore bundle: log entry %d: %w", i+1, err)
		}
	}
	return out, nil
}

// sharedParts is what all log entries of a bundle have in common.
func sharedParts(b *protobundle.Bundle) (e Entry, err error) {
	stamps := b.GetVerificationMaterial().GetTimestampVerificationData().GetRfc3161Timestamps()
	if len(stamps) > maxTimestamps {
		return e, fmt.Errorf("%d time stamps; the limit is %d", len(stamps), maxTimestamps)
	}
	for _, t := range stamps {
		if len(t.GetSignedTimestamp()) == 0 {
			return e, errors.New("an empty time stamp")
		}
		e.Timestamps = append(e.Timestamps, t.GetSignedTimestamp())
	}
	if d := b.GetDsseEnvelope(); d != nil {
		if n := len(d.GetSignatures()); n != 1 {
			return e, fmt.Errorf("its envelope has %d signatures, not one", n)
		}
		s := d.GetSignatures()[0]
		e.Envelope = &bundles.Envelope{PayloadType: d.GetPayloadType(), Payload: d.GetPayload(), Signature: s.GetSig(), KeyID: s.GetKeyid()}
	}
	return e, nil
}

func published(b *bundle.Bundle, shared Entry, t *protorekor.TransparencyLogEntry) (Published, error) {
	p := Published{Entry: shared}
	p.Body = t.GetCanonicalizedBody()
	kind, version, err := kindOf(p.Body)
	if err != nil {
		return p, err
	}
	if kv := t.GetKindVersion(); kv.GetKind() != kind || kv.GetVersion() != version {
		return p, fmt.Errorf("it is called a %.40q %.20q and is a %.40q %.20q", kv.GetKind(), kv.GetVersion(), kind, version)
	}
	p.V2 = kind == "hashedrekord" && version == "0.0.2"
	id := t.GetLogId().GetKeyId()
	if len(id) != len(p.LogID) {
		return p, fmt.Errorf("log ID of %d bytes", len(id))
	}
	p.LogID = [32]byte(id)
	if !p.V2 {
		if t.GetLogIndex() < 0 || t.GetIntegratedTime() < 0 {
			return p, fmt.Errorf("log index %d at %d", t.GetLogIndex(), t.GetIntegratedTime())
		}
		p.LogIndex, p.IntegratedTime = uint64(t.GetLogIndex()), t.GetIntegratedTime()
		p.SET = t.GetInclusionPromise().GetSignedEntryTimestamp()
	}
	if proof := t.GetInclusionProof(); proof != nil {
		if p.Inclusion, err = readProof(p.Body, proof); err != nil {
			return p, err
		}
		if p.V2 && t.GetLogIndex() != proof.GetLogIndex() {
			return p, fmt.Errorf("its log index is %d, and that of its proof %d", t.GetLogIndex(), proof.GetLogIndex())
		}
		p.Proven, p.Checkpoint = true, []byte(proof.GetCheckpoint().GetEnvelope())
	}
	if p.Claim, err = p.Entry.Claim(); err != nil {
		return p, err
	}
	return p, p.Claim.agrees(b)
}

// readProof reads an inclusion proof and verifies that it leads to the root that
// stands beside it. That this is the checkpoint's is not compared here.
func readProof(body []byte, proof *protorekor.InclusionProof) (in merkle.Inclusion, err error) {
	if proof.GetLogIndex() < 0 || proof.GetTreeSize() < 0 || len(proof.GetRootHash()) != merkle.HashSize {
		return in, fmt.Errorf("inclusion proof for leaf %d in a tree of %d with a root of %d bytes", proof.GetLogIndex(), proof.GetTreeSize(), len(proof.GetRootHash()))
	}
	in.Leaf = merkle.LeafHash(body)
	in.Index = uint64(proof.GetLogIndex())
	in.Tree = merkle.Tree{Size: uint64(proof.GetTreeSize()), Root: merkle.Hash(proof.GetRootHash())}
	for _, h := range proof.GetHashes() {
		if len(h) != merkle.HashSize {
			return in, fmt.Errorf("inclusion proof with a hash of %d bytes", len(h))
		}
		in.Path = append(in.Path, merkle.Hash(h))
	}
	return in, merkle.VerifyInclusion(in.Tree, in.Index, in.Leaf, in.Path)
}

// agrees demands that the bundle says what its log entry says.
func (c *Claim) agrees(b *bundle.Bundle) error {
	content, err := b.SignatureContent()
	if err != nil {
		return err
	}
	if !bytes.Equal(content.Signature(), c.Signature) {
		return errors.New("it holds another signature than the bundle")
	}
	if m := b.GetMessageSignature(); m != nil {
		if d := m.GetMessageDigest(); protoAlgorithms[c.Digest.Algorithm] != d.GetAlgorithm() || !bytes.Equal(d.GetDigest(), c.Digest.sum()) {
			return errors.New("it is over another digest than the bundle")
		}
	}
	material, err := b.VerificationContent()
	if err != nil {
		return err
	}
	switch certificate := material.Certificate(); {
	case (certificate == nil) != (c.Certificate == nil):
		return errors.New("of bundle and log entry one names a certificate and the other a bare key")
	case certificate != nil && !bytes.Equal(certificate.Raw, c.Certificate.Raw):
		return errors.New("it holds another certificate than the bundle")
	}
	return nil
}

// SplitLines gives each Sigstore bundle of a file: the file itself, or each line
// of a file of JSON lines.
func SplitLines(file []byte) [][]byte {
	if json.Valid(file) {
		return [][]byte{file}
	}
	var out [][]byte
	for line := range bytes.Lines(file) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			out = append(out, line)
		}
	}
	return out
}
