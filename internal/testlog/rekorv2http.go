package testlog

import (
	"crypto/ecdsa"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// ServeHTTP implements http.Handler.
func (r *RekorV2) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(io.LimitReader(request.Body, maxBody))
	if err != nil {
		return
	}
	r.mu.Lock()
	a := r.answer(request, body)
	r.mu.Unlock()
	r.Edit.change(request, a)
	a.send(w)
}

func (r *RekorV2) answer(request *http.Request, body []byte) *Answer {
	switch request.Method + " " + request.URL.Path {
	case "GET /checkpoint":
		return textAnswer(200, r.Checkpoint(r.Size()))
	case "POST /api/v2/log/entries":
		return r.create(body)
	}
	if data, err := r.tile(strings.TrimPrefix(request.URL.Path, "/")); err == nil {
		return textAnswer(200, data)
	}
	return textAnswer(404, []byte("404 page not found\n"))
}

type rawBytes struct {
	RawBytes []byte `json:"rawBytes"`
}

type verifierV2 struct {
	KeyDetails      string    `json:"keyDetails"`
	PublicKey       *rawBytes `json:"publicKey,omitempty"`
	X509Certificate *rawBytes `json:"x509Certificate,omitempty"`
}

// hashedRekordV2 is a Rekor entry of kind hashedrekord, version 0.0.2.
type hashedRekordV2 struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Spec       struct {
		HashedRekordV002 struct {
			Data struct {
				Algorithm string `json:"algorithm"`
				Digest    []byte `json:"digest"`
			} `json:"data"`
			Signature signatureV2 `json:"signature"`
		} `json:"hashedRekordV002"`
	} `json:"spec"`
}

type signatureV2 struct {
	Content  []byte     `json:"content"`
	Verifier verifierV2 `json:"verifier"`
}

func (r *RekorV2) create(body []byte) *Answer {
	var q struct {
		HashedRekordRequestV002 struct {
			Digest    []byte
			Signature signatureV2
		}
	}
	if err := json.Unmarshal(body, &q); err != nil {
		return refusal(400, 3, "%v", err)
	}
	request := q.HashedRekordRequestV002
	key, err := keyOfV2(request.Signature.Verifier)
	if err != nil || !ecdsa.VerifyASN1(key, request.Digest, request.Signature.Content) {
		return refusal(400, 3, "verifying signature: %v", err)
	}
	var e hashedRekordV2
	e.APIVersion, e.Kind = "0.0.2", "hashedrekord"
	h := &e.Spec.HashedRekordV002
	h.Data.Algorithm, h.Data.Digest, h.Signature = "SHA2_256", request.Digest, request.Signature
	leaf := must(json.Marshal(e))
	if index, known := r.known[string(leaf)]; known {
		a := refusal(409, 6, "an equivalent entry already exists in the transparency log with index %d", index)
		a.Header.Set("X-Log-Index", strconv.FormatUint(index, 10))
		return a
	}
	index := r.append(leaf)
	r.known[string(leaf)] = index
	return jsonAnswer(201, r.served(index))
}

func keyOfV2(v verifierV2) (*ecdsa.PublicKey, error) {
	switch {
	case v.PublicKey != nil:
		return publicKeyOf(&pem.Block{Type: "PUBLIC KEY", Bytes: v.PublicKey.RawBytes})
	case v.X509Certificate != nil:
		return publicKeyOf(&pem.Block{Type: "CERTIFICATE", Bytes: v.X509Certificate.RawBytes})
	}
	return nil, fmt.Errorf("no verifier")
}

// served is an entry as protobuf's JSON has it (TransparencyLogEntry of
// protobuf-specs).
func (r *RekorV2) served(index uint64) object {
	size := r.Size()
	in, id := r.Inclusion(index, size), r.LogID()
	var hashes [][]byte
	for _, h := range in.Path {
		hashes = append(hashes, h[:])
	}
	proof := object{
		"rootHash": in.Tree.Root[:], "treeSize": strconv.FormatUint(size, 10), "hashes": hashes,
		"checkpoint": object{"envelope": string(r.Checkpoint(size))},
	}
	out := object{
		"logId": object{"keyId": id[:]}, "kindVersion": object{"kind": "hashedrekord", "version": "0.0.2"},
		"inclusionProof": proof, "canonicalizedBody": r.Leaf(index),
	}
	if index > 0 { // protobuf leaves out what is zero
		proof["logIndex"], out["logIndex"] = strconv.FormatUint(index, 10), strconv.FormatUint(index, 10)
	}
	return out
}
