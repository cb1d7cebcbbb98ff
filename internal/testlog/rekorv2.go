package testlog

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"sync"

	"github.com/modseal/modseal/merkle"
)

// A RekorV2 is one shard of a Rekor v2 in memory: an Ed25519 key, and
// checkpoints whose origin is the host. It takes entries (POST
// /api/v2/log/entries) and serves /checkpoint and /tile/….
type RekorV2 struct {
	Tree
	Host string // the origin of checkpoints, and the host of the URL that is trusted

	// Edit changes an answer before it is sent.
	Edit Hook[*http.Request]

	key   ed25519.PrivateKey
	mu    sync.Mutex
	known map[string]uint64 // bodies
}

// NewRekorV2 makes an empty shard, whose key the host stands for.
func NewRekorV2(host string) *RekorV2 {
	seed := sha256.Sum256([]byte("testlog rekor v2 " + host))
	return &RekorV2{Host: host, key: ed25519.NewKeyFromSeed(seed[:]), known: map[string]uint64{}}
}

// Add logs a body, whatever it is, and gives its index.
func (r *RekorV2) Add(body []byte) (index uint64) { return r.append(body) }

// PublicKey is the shard's.
func (r *RekorV2) PublicKey() ed25519.PublicKey { return r.key.Public().(ed25519.PublicKey) }

// LogID is the shard's in a trusted root: the hash of which the key ID in notes
// is the beginning.
func (r *RekorV2) LogID() [32]byte { return noteKeyID(r.Host, 1, r.PublicKey()) }

// noteKeyID is that of C2SP signed-note, "Signatures", uncut.
func noteKeyID(name string, algorithm byte, key []byte) [32]byte {
	return sha256.Sum256(append(append([]byte(name), '\n', algorithm), key...))
}

// Checkpoint is the signed head of the first size leaves.
func (r *RekorV2) Checkpoint(size uint64) []byte {
	return r.SignNote(CheckpointText(r.Host, r.Head(size)))
}

// CheckpointText is the text of a checkpoint.
func CheckpointText(origin string, t merkle.Tree) string {
	return fmt.Sprintf("%s\n%d\n%s\n", origin, t.Size, base64.StdEncoding.EncodeToString(t.Root[:]))
}

// SignNote signs any text that ends in a newline, in the host's name.
func (r *RekorV2) SignNote(text string) []byte { return r.SignNoteAs(r.Host, text) }

// SignNoteAs signs in any name, with the key ID that belongs to it.
func (r *RekorV2) SignNoteAs(name, text string) []byte {
	id := noteKeyID(name, 1, r.PublicKey())
	sig := append(id[:4:4], ed25519.Sign(r.key, []byte(text))...)
	return fmt.Appendf(nil, "%s\n%s", text, noteLine(name, sig))
}

func noteLine(name string, sig []byte) string {
	return fmt.Sprintf("— %s %s\n", name, base64.StdEncoding.EncodeToString(sig))
}

// A Witness cosigns checkpoints (C2SP tlog-cosignature, "cosignature/v1").
type Witness struct {
	Name string
	key  ed25519.PrivateKey
}

// NewWitness is the witness that a name stands for.
func NewWitness(name string) *Witness {
	seed := sha256.Sum256([]byte("testlog witness " + name))
	return &Witness{Name: name, key: ed25519.NewKeyFromSeed(seed[:])}
}

func (w *Witness) public() ed25519.PublicKey { return w.key.Public().(ed25519.PublicKey) }

// VKey is the witness's verifier key.
func (w *Witness) VKey() string {
	id := noteKeyID(w.Name, 4, w.public())
	return fmt.Sprintf("%s+%x+%s", w.Name, id[:4], base64.StdEncoding.EncodeToString(append([]byte{4}, w.public()...)))
}

// Cosignature is the line for a checkpoint of this text, made at a time in
// seconds since 1970.
func (w *Witness) Cosignature(text string, time uint64) string {
	id := noteKeyID(w.Name, 4, w.public())
	sig := id[:4:4]
	for shift := 56; shift >= 0; shift -= 8 {
		sig = append(sig, byte(time>>shift))
	}
	sig = append(sig, ed25519.Sign(w.key, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", time, text))...)
	return noteLine(w.Name, sig)
}

// HashedRekordV2 is the canonical body of an entry over a SHA-256 that says
// whatever it is told, by the key or certificate in a PEM block.
func HashedRekordV2(digest [32]byte, signature, signerPEM []byte) []byte {
	block, _ := pem.Decode(signerPEM)
	var e hashedRekordV2
	e.APIVersion, e.Kind = "0.0.2", "hashedrekord"
	e.Spec.HashedRekordV002.Data.Algorithm, e.Spec.HashedRekordV002.Data.Digest = "SHA2_256", digest[:]
	e.Spec.HashedRekordV002.Signature.Content = signature
	v := &e.Spec.HashedRekordV002.Signature.Verifier
	v.KeyDetails = "PKIX_ECDSA_P256_SHA_256"
	if _, err := x509.ParseCertificate(block.Bytes); err == nil {
		v.X509Certificate = &rawBytes{block.Bytes}
	} else {
		v.PublicKey = &rawBytes{block.Bytes}
	}
	return must(json.Marshal(e))
}

// BodyV2 is the canonical body of the entry of a Rekor v2 in which the signer
// vouches for a SHA-256 digest.
func (s *Signer) BodyV2(digest [32]byte) []byte {
	return HashedRekordV2(digest, s.Sign(digest), s.PEM)
}
