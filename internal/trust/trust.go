// Package trust holds the keys that the enclave trusts: of logs, certificate
// authorities and checksum databases. They come from arguments, files of the
// enclave and the built-in public defaults, never from a bundle.
package trust

import (
	"crypto"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	sumnote "golang.org/x/mod/sumdb/note"

	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/merkle"
)

// MaxTrustedRoot is the most that a trusted_root.json may hold, in bytes.
const MaxTrustedRoot = 4 << 20

// ErrUntrustedLog says that no key for a log is trusted here.
var ErrUntrustedLog = errors.New("log is not trusted here")

// Material is what an enclave trusts. The zero value trusts nothing.
type Material struct {
	SumDBs   []SumDB
	Sigstore root.TrustedMaterialCollection // Rekor logs, Fulcio and TSA roots, CT logs
}

// publicGood is the trusted root of Sigstore's public-good instance: the target
// trusted_root.json of the repository sigstore/root-signing at commit
// c9bda74ad2221f938f7d2e0295ca3aad2da710a8 (2025-09-22), unchanged.
//
//go:embed publicgood/trusted_root.json
var publicGood []byte

// AddPublicGood trusts Sigstore's public-good instance as built in.
func (m *Material) AddPublicGood() error { return m.AddTrustedRoot(publicGood) }

// AddTrustedRoot trusts what a trusted_root.json (media type version 0.1) names.
func (m *Material) AddTrustedRoot(file []byte) error {
	tr, err := root.NewTrustedRootFromJSON(file)
	if err != nil {
		return fmt.Errorf("trusted root: %w", err)
	}
	m.Sigstore = append(m.Sigstore, tr)
	return nil
}

// rekorKey is the trust in one Rekor log whose key was given bare.
type rekorKey struct {
	root.BaseTrustedMaterial
	id  string
	log *root.TransparencyLog
}

func (k *rekorKey) RekorLogs() map[string]*root.TransparencyLog {
	return map[string]*root.TransparencyLog{k.id: k.log}
}

// AddRekorKey trusts a Rekor log by its public key, without end.
func (m *Material) AddRekorKey(key *keys.Public) {
	id := key.Fingerprint()
	m.Sigstore = append(m.Sigstore, &rekorKey{id: hex.EncodeToString(id[:]), log: &root.TransparencyLog{
		ID: id[:], HashFunc: crypto.SHA256, PublicKey: key.Key(), SignatureHashFunc: crypto.SHA256,
		ValidityPeriodStart: time.Unix(0, 0),
	}})
}

// Checkpoint is a signed tree head whose signature by the trusted key has been
// verified.
type Checkpoint struct {
	Origin string
	Tree   merkle.Tree
}

// openNote verifies a checkpoint as C2SP tlog-checkpoint has it: lines with the
// origin, the size and the root hash, then perhaps more, then signatures.
func openNote(file []byte, v sumnote.Verifier) (*Checkpoint, error) {
	n, err := sumnote.Open(file, sumnote.VerifierList(v))
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	return parseCheckpointText(n.Text)
}

// parseCheckpointText reads the text of a note that has been verified.
func parseCheckpointText(text string) (*Checkpoint, error) {
	lines := strings.SplitN(text, "\n", 4)
	if len(lines) < 4 {
		return nil, errors.New("checkpoint: fewer than three lines")
	}
	size, err := strconv.ParseUint(lines[1], 10, 64)
	if err != nil || strconv.FormatUint(size, 10) != lines[1] || size > merkle.MaxSize {
		return nil, fmt.Errorf("checkpoint: tree size %.40q", lines[1])
	}
	hash, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(hash) != merkle.HashSize || base64.StdEncoding.EncodeToString(hash) != lines[2] {
		return nil, fmt.Errorf("checkpoint: root hash %.60q", lines[2])
	}
	return &Checkpoint{Origin: lines[0], Tree: merkle.Tree{Size: size, Root: merkle.Hash(hash)}}, nil
}
