package testlog

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/modseal/modseal/bundles"
)

// StatementType is the payload type of in-toto statements.
const StatementType = "application/vnd.in-toto+json"

// A Subject is one of a statement's. Digests are in hex, by algorithm.
type Subject struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

// Statement is an in-toto statement, version 1, about subjects.
func Statement(predicateType string, subjects ...Subject) []byte {
	return must(json.Marshal(map[string]any{
		"_type": "https://in-toto.io/Statement/v1", "subject": subjects, "predicateType": predicateType, "predicate": map[string]any{},
	}))
}

// pae is DSSE's pre-authentication encoding, version 1.
func pae(payloadType string, payload []byte) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload)
}

// Envelope signs a statement, or whatever it is.
func (s *Signer) Envelope(payload []byte) *bundles.Envelope {
	return &bundles.Envelope{PayloadType: StatementType, Payload: payload, Signature: s.Sign(sha256.Sum256(pae(StatementType, payload)))}
}

func hashOf(data []byte) map[string]any {
	sum := sha256.Sum256(data)
	return map[string]any{"algorithm": "sha256", "value": hex.EncodeToString(sum[:])}
}

// DSSE is the canonical body of Rekor v1's entry of kind dsse 0.0.1 for an
// envelope. Members of objects are sorted by name.
func (s *Signer) DSSE(e *bundles.Envelope) []byte {
	return must(json.Marshal(map[string]any{
		"apiVersion": "0.0.1", "kind": "dsse", "spec": map[string]any{
			"envelopeHash": hashOf(must(json.Marshal(e))), // nobody compares it
			"payloadHash":  hashOf(e.Payload),
			"signatures":   []any{map[string]any{"signature": e.Signature, "verifier": s.PEM}},
		},
	}))
}

// Intoto is the same of kind intoto 0.0.2, which has the signature in base64
// twice.
func (s *Signer) Intoto(e *bundles.Envelope) []byte {
	signature := map[string]any{"publicKey": s.PEM, "sig": []byte(base64.StdEncoding.EncodeToString(e.Signature))}
	if e.KeyID != "" {
		signature["keyid"] = e.KeyID
	}
	return must(json.Marshal(map[string]any{
		"apiVersion": "0.0.2", "kind": "intoto", "spec": map[string]any{"content": map[string]any{
			"envelope": map[string]any{"payloadType": e.PayloadType, "signatures": []any{signature}},
			"hash":     hashOf(must(json.Marshal(e))), "payloadHash": hashOf(e.Payload),
		}},
	}))
}

// DSSEV2 is the canonical body of Rekor v2's entry for an envelope.
func (s *Signer) DSSEV2(e *bundles.Envelope) []byte {
	return HashedRekordV2(sha256.Sum256(pae(e.PayloadType, e.Payload)), e.Signature, s.PEM)
}
