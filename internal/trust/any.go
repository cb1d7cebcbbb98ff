package trust

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// The kinds of logs, as bundles call them.
const (
	KindSumDB   = "sumdb"
	KindRekorV1 = "rekor-v1"
	KindRekorV2 = "rekor-v2"
)

// Head is a signed tree head whose signature by a trusted key has been verified,
// with the log that the key is of.
type Head struct {
	Kind  string
	Name  string // of the checksum database, or the origin
	LogID string // of Rekor, hex
	Checkpoint
}

// Open finds the trusted log that signed a head: it is told by the key that
// verifies, whatever the head says of itself. It returns ErrUntrustedLog when no
// trusted key does.
func (m *Material) Open(file []byte) (*Head, error) {
	first, _, _ := bytes.Cut(file, []byte("\n"))
	origin := string(first)
	if origin == treeNoteOrigin {
		for _, db := range m.SumDBs {
			if c, err := m.OpenSumDB(db.Name, file); err == nil {
				return &Head{Kind: KindSumDB, Name: db.Name, Checkpoint: *c}, nil
			}
		}
		return nil, fmt.Errorf("%w: no trusted key signed this head of a checksum database (%.100q)", ErrUntrustedLog, signers(file))
	}
	if id, c, err := m.RekorLogID(file); err == nil {
		return &Head{Kind: KindRekorV1, Name: c.Origin, LogID: hex.EncodeToString(id[:]), Checkpoint: *c}, nil
	}
	for _, name := range slices.Sorted(maps.Keys(m.Sigstore.RekorLogs())) {
		id, err := hex.DecodeString(name)
		if err != nil || len(id) != 32 {
			continue // not reached with logs that sigstore-go reads
		}
		if c, err := m.OpenRekorV2([32]byte(id), file); err == nil {
			return &Head{Kind: KindRekorV2, Name: c.Origin, LogID: name, Checkpoint: *c}, nil
		}
	}
	return nil, fmt.Errorf("%w: no trusted key signed the head of %.100q", ErrUntrustedLog, origin)
}

// signers are in whose names a note claims to be signed.
func signers(file []byte) string {
	var names []string
	var unverified *note.UnverifiedNoteError
	if _, err := note.Open(file, note.VerifierList()); errors.As(err, &unverified) {
		for _, s := range unverified.Note.UnverifiedSigs {
			names = append(names, s.Name)
		}
	}
	return strings.Join(names, ", ")
}
