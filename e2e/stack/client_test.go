package stack_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/modseal/modseal/e2e/stack"
)

// client speaks Rekor's API with nothing but net/http.
type client struct {
	*testing.T
	rekor *stack.Rekor
}

// answer is what Rekor answered.
type answer struct {
	status   int
	location string // header
	body     []byte
}

// do sends a request. Unlike the other methods it is for any goroutine.
func (c client) do(method, path string, body any) (answer, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return answer{}, err
	}
	req, err := http.NewRequestWithContext(c.Context(), method, c.rekor.URL+path, bytes.NewReader(data))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header.Get("Location"), got}, err
}

// ask is do for an answer of a known status, decoded into out.
func (c client) ask(method, path string, body any, want int, out any) {
	c.Helper()
	got, err := c.do(method, path, body)
	if err != nil {
		c.Fatal(err)
	}
	if got.status != want {
		c.Fatalf("%s %s: status %d, want %d: %s", method, path, got.status, want, got.body)
	}
	if err := json.Unmarshal(got.body, out); err != nil {
		c.Fatalf("%s %s: %v: %s", method, path, err, got.body)
	}
}

// logInfo is the answer to GET /api/v1/log.
type logInfo struct {
	RootHash       string
	SignedTreeHead string
	TreeID         string
	TreeSize       uint64
}

func (c client) log() (info logInfo) {
	c.Helper()
	c.ask("GET", "/api/v1/log", nil, 200, &info)
	return info
}

// entry is an entry as Rekor answers with it, by UUID.
type entry struct {
	Body         []byte
	LogIndex     uint64
	LogID        string
	Attestation  struct{ Data []byte }
	Verification struct {
		InclusionProof struct {
			Checkpoint string
			Hashes     []string
			LogIndex   uint64
			RootHash   string
			TreeSize   uint64
		}
		SignedEntryTimestamp []byte
	}
}

// check follows the entry's inclusion proof to the root beside it, and returns the error that a client would.
func (e entry) check() error {
	p := e.Verification.InclusionProof
	hashes, err := unhex(p.Hashes)
	if err != nil {
		return err
	}
	root, err := inclusionRoot(p.LogIndex, p.TreeSize, leafHash(e.Body), hashes)
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(root); got != p.RootHash {
		return fmt.Errorf("entry %d leads to root %s, want %s", e.LogIndex, got, p.RootHash)
	}
	return nil
}

// only returns the one entry of an answer, and its UUID.
func only(t *testing.T, entries map[string]entry) (string, entry) {
	t.Helper()
	if len(entries) != 1 {
		t.Fatalf("%d entries, want 1", len(entries))
	}
	for uuid, e := range entries {
		return uuid, e
	}
	panic("unreachable")
}

// signer is somebody with an ECDSA P-256 key who logs signatures.
type signer struct {
	key *ecdsa.PrivateKey
	pem []byte // public key, PKIX
}

func newSigner(t *testing.T) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return signer{key: key, pem: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})}
}

func (s signer) sign(message []byte) []byte {
	digest := sha256.Sum256(message)
	sig, err := ecdsa.SignASN1(rand.Reader, s.key, digest[:])
	if err != nil {
		panic(err) // from rand.Reader, which does not fail
	}
	return sig
}

// hashedrekord proposes a hashedrekord 0.0.1 of an artifact.
func (s signer) hashedrekord(artifact []byte) any {
	return proposal("hashedrekord", map[string]any{
		"data":      map[string]any{"hash": map[string]any{"algorithm": "sha256", "value": digestOf(artifact)}},
		"signature": map[string]any{"content": s.sign(artifact), "publicKey": map[string]any{"content": s.pem}},
	})
}

// intoto proposes an intoto 0.0.1 with a statement in a DSSE envelope.
func (s signer) intoto(statement []byte) any {
	const payloadType = "application/vnd.in-toto+json"
	pae := fmt.Sprintf("DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(statement), statement)
	envelope, err := json.Marshal(map[string]any{
		"payloadType": payloadType,
		"payload":     statement,
		"signatures":  []any{map[string]any{"sig": s.sign([]byte(pae))}},
	})
	if err != nil {
		panic(err)
	}
	return proposal("intoto", map[string]any{
		"content":   map[string]any{"envelope": string(envelope)},
		"publicKey": s.pem,
	})
}

func proposal(kind string, spec any) any {
	return map[string]any{"apiVersion": "0.0.1", "kind": kind, "spec": spec}
}

func digestOf(artifact []byte) string {
	return fmt.Sprintf("%x", sha256.Sum256(artifact))
}

// checkCheckpoint checks the ECDSA signature of a checkpoint with the key in a PEM file, and its name.
func checkCheckpoint(t *testing.T, checkpoint, keyPath, hostname string) {
	t.Helper()
	data, err := os.ReadFile(keyPath)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		t.Fatalf("%s is not PEM", keyPath)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	text, signature, _ := strings.Cut(checkpoint, "\n\n")
	encoded, named := strings.CutPrefix(strings.TrimSpace(signature), "— "+hostname+" ")
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if !named || err != nil || len(raw) < 4 {
		t.Fatalf("signature line %q, want one of %q", signature, hostname)
	}
	digest := sha256.Sum256([]byte(text + "\n"))
	if !ecdsa.VerifyASN1(key.(*ecdsa.PublicKey), digest[:], raw[4:]) { // the first 4 bytes are a hint to the key
		t.Errorf("checkpoint is not signed with %s:\n%s", keyPath, checkpoint)
	}
	if !strings.HasPrefix(text, hostname+" - ") {
		t.Errorf("checkpoint's origin is %q, want %q", text, hostname)
	}
}
