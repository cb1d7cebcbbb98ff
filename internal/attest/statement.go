package attest

import (
	"encoding/hex"
	"encoding/json"

	"golang.org/x/mod/module"
)

// PredicateType is that of [Statement]. It says: the signer attested this module
// version, as modseal attest does.
const PredicateType = "https://github.com/modseal/modseal/attestation/v1"

type subject struct {
	Name   string `json:"name"`
	Digest digest `json:"digest"`
}

// digest is in the order of the names.
type digest struct {
	DirHash1 string `json:"dirHash1"` // h1, in hex
	SHA256   string `json:"sha256"`   // of the zip
}

type predicate struct {
	Path    string `json:"path"`
	Version string `json:"version"`
}

// Statement is the in-toto statement, version 1, about a module
// (https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md). Its
// one subject is path@version, with the SHA-256 of the zip and, as dirHash1, the
// h1. Equal modules give equal bytes.
func Statement(m module.Version, zip, h1 [32]byte) ([]byte, error) {
	return json.Marshal(struct {
		Type          string    `json:"_type"`
		Subject       []subject `json:"subject"`
		PredicateType string    `json:"predicateType"`
		Predicate     predicate `json:"predicate"`
	}{
		"https://in-toto.io/Statement/v1",
		[]subject{{m.Path + "@" + m.Version, digest{hex.EncodeToString(h1[:]), hex.EncodeToString(zip[:])}}},
		PredicateType, predicate{m.Path, m.Version},
	})
}
