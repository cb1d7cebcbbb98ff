package evidence

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"

	"github.com/modseal/modseal/bundles"
)

// ProposeHashedRekord gives the entry that asks Rekor v1 to log a signature over
// an artifact with this SHA-256. The signer is a public key or a certificate, in
// PEM.
func ProposeHashedRekord(sha256 [32]byte, signature, signer []byte) ([]byte, error) {
	var b hashedRekordV1
	b.APIVersion, b.Kind = "0.0.1", "hashedrekord"
	b.Spec.Data.Hash = hashValue{Algorithm: "sha256", Value: hex.EncodeToString(sha256[:])}
	b.Spec.Signature.Content = signature
	b.Spec.Signature.PublicKey.Content = signer
	return json.Marshal(b)
}

// ProposeDSSE gives the entry that asks Rekor v1 to log an envelope (dsse
// 0.0.1). The signer is a public key or a certificate, in PEM.
func ProposeDSSE(e *bundles.Envelope, signer []byte) ([]byte, error) {
	type signature struct {
		KeyID string `json:"keyid,omitempty"`
		Sig   []byte `json:"sig"`
	}
	envelope, err := json.Marshal(struct {
		PayloadType string      `json:"payloadType"`
		Payload     []byte      `json:"payload"`
		Signatures  []signature `json:"signatures"`
	}{e.PayloadType, e.Payload, []signature{{e.KeyID, e.Signature}}})
	if err != nil {
		return nil, err
	}
	type content struct {
		Envelope  string   `json:"envelope"`
		Verifiers [][]byte `json:"verifiers"`
	}
	return json.Marshal(struct {
		header
		Spec any `json:"spec"`
	}{header{"0.0.1", "dsse"}, map[string]content{"proposedContent": {string(envelope), [][]byte{signer}}}})
}

// AddStatement puts a statement that is known from elsewhere (Rekor v1 keeps it
// beside an intoto entry) into the envelope that an intoto or dsse entry was made
// of. It changes nothing if it is not the one that the entry holds the hash of,
// or if the entry is of another kind: then Claim misses it. A dsse entry does not
// say which key ID its envelope has: it is taken to have none.
func (e *Entry) AddStatement(payload []byte) {
	kind, version, err := kindOf(e.Body)
	if err != nil {
		return
	}
	sum := sha256.Sum256(payload)
	hash := hashValue{"sha256", hex.EncodeToString(sum[:])}
	switch kind + " " + version {
	case "intoto 0.0.2":
		e.addToIntoto(payload, hash)
	case "dsse 0.0.1":
		var b dsseV1
		if decode(e.Body, &b) == nil && b.Spec.PayloadHash == hash && len(b.Spec.Signatures) == 1 {
			e.Envelope = &bundles.Envelope{PayloadType: StatementMediaType, Payload: payload, Signature: b.Spec.Signatures[0].Signature}
		}
	}
}

func (e *Entry) addToIntoto(payload []byte, hash hashValue) {
	var b intotoV1
	if decode(e.Body, &b) != nil {
		return
	}
	c := b.Spec.Content
	if c.PayloadHash != hash || len(c.Envelope.Signatures) != 1 {
		return
	}
	sig, err := base64.StdEncoding.Strict().DecodeString(string(c.Envelope.Signatures[0].Sig))
	if err != nil {
		return
	}
	e.Envelope = &bundles.Envelope{PayloadType: c.Envelope.PayloadType, Payload: payload, Signature: sig}
	if id := c.Envelope.Signatures[0].KeyID; id != nil {
		e.Envelope.KeyID = *id
	}
}
