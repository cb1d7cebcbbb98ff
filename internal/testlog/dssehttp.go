package testlog

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
)

type hashValue struct {
	Algorithm string `json:"algorithm"`
	Value     string `json:"value"`
}

func sha256Value(data []byte) hashValue {
	sum := sha256.Sum256(data)
	return hashValue{"sha256", hex.EncodeToString(sum[:])}
}

type dsseSignature struct {
	Signature []byte `json:"signature"`
	Verifier  []byte `json:"verifier"`
}

// dsseEntry is a Rekor entry of kind dsse, version 0.0.1.
type dsseEntry struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Spec       struct {
		EnvelopeHash hashValue       `json:"envelopeHash"`
		PayloadHash  hashValue       `json:"payloadHash"`
		Signatures   []dsseSignature `json:"signatures"`
	} `json:"spec"`
}

// canonicalBody checks a proposed entry as Rekor does and gives its canonical
// body.
func canonicalBody(proposed []byte) ([]byte, error) {
	var e struct{ Kind string }
	if err := json.Unmarshal(proposed, &e); err != nil {
		return nil, err
	}
	if e.Kind == "dsse" {
		return canonicalDSSE(proposed)
	}
	return canonicalHashedRekord(proposed)
}

func canonicalDSSE(proposed []byte) ([]byte, error) {
	var p struct {
		APIVersion string
		Spec       struct {
			ProposedContent struct {
				Envelope  string
				Verifiers [][]byte
			}
		}
	}
	if err := json.Unmarshal(proposed, &p); err != nil {
		return nil, err
	}
	var envelope struct {
		PayloadType string
		Payload     []byte
		Signatures  []struct{ Sig []byte }
	}
	content := p.Spec.ProposedContent
	if err := json.Unmarshal([]byte(content.Envelope), &envelope); err != nil {
		return nil, err
	}
	if p.APIVersion != "0.0.1" || len(envelope.Signatures) != 1 || len(content.Verifiers) != 1 {
		return nil, fmt.Errorf("dsse %q with %d signatures, %d verifiers", p.APIVersion, len(envelope.Signatures), len(content.Verifiers))
	}
	block, _ := pem.Decode(content.Verifiers[0])
	if block == nil {
		return nil, fmt.Errorf("verifier is not PEM")
	}
	sig := envelope.Signatures[0].Sig
	if !verifies(block, pae(envelope.PayloadType, envelope.Payload), sig) {
		return nil, fmt.Errorf("could not verify envelope")
	}
	var e dsseEntry
	e.APIVersion, e.Kind = "0.0.1", "dsse"
	e.Spec.EnvelopeHash, e.Spec.PayloadHash = sha256Value([]byte(content.Envelope)), sha256Value(envelope.Payload)
	e.Spec.Signatures = []dsseSignature{{sig, pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes})}}
	return json.Marshal(e)
}

// verifies checks a signature over a message by any key that DSSE has here.
func verifies(block *pem.Block, message, sig []byte) bool {
	if k, err := publicKeyOf(block); err == nil {
		digest := sha256.Sum256(message)
		return ecdsa.VerifyASN1(k, digest[:], sig)
	}
	k, err := x509.ParsePKIXPublicKey(block.Bytes)
	ed, ok := k.(ed25519.PublicKey)
	return err == nil && ok && ed25519.Verify(ed, message, sig)
}

// dsseIndex is what a dsse entry is found by. The real index has the digests of
// the statement's subjects too.
func dsseIndex(body []byte) (keys []string, signer []byte) {
	var e dsseEntry
	if json.Unmarshal(body, &e) != nil || len(e.Spec.Signatures) != 1 {
		return nil, nil
	}
	return []string{"hash:" + e.Spec.PayloadHash.Value}, e.Spec.Signatures[0].Verifier
}
