package trust

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"github.com/sigstore/rekor-tiles/v2/pkg/note"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore/pkg/signature"
)

// OpenRekorV1 verifies a Rekor v1 checkpoint with the trusted key of this log
// ID. A Rekor v1 checkpoint is a signed note whose origin line is
// "HOST - TREEID" and whose signature is by HOST. It returns ErrUntrustedLog
// when there is no such key.
func (m *Material) OpenRekorV1(logID [32]byte, file []byte) (*Checkpoint, error) {
	log, err := m.RekorLog(logID)
	if err != nil {
		return nil, err
	}
	host, err := rekorHost(file)
	if err != nil {
		return nil, err
	}
	return openRekor(log, host, file)
}

// OpenRekorV2 verifies the checkpoint of a Rekor v2 shard with the trusted key of
// this log ID. Its origin line is the host of the log's URL in the trusted root,
// which signs it too. It returns ErrUntrustedLog when there is no such key.
func (m *Material) OpenRekorV2(logID [32]byte, file []byte) (*Checkpoint, error) {
	log, err := m.RekorLog(logID)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(log.BaseURL)
	if err != nil || u.Hostname() == "" {
		return nil, fmt.Errorf("%w: the trusted root names no host for Rekor log ID %x, and a Rekor v2 signs by it", ErrUntrustedLog, logID)
	}
	c, err := openRekor(log, u.Hostname(), file)
	if err == nil && c.Origin != u.Hostname() {
		err = fmt.Errorf("checkpoint: origin %.100q, want %q", c.Origin, u.Hostname())
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// RekorLog gives the trusted Rekor log with this ID; ErrUntrustedLog is that there
// is none.
func (m *Material) RekorLog(logID [32]byte) (*root.TransparencyLog, error) {
	log, ok := m.Sigstore.RekorLogs()[hex.EncodeToString(logID[:])]
	if !ok {
		return nil, fmt.Errorf("%w: Rekor log ID %x", ErrUntrustedLog, logID)
	}
	return log, nil
}

func openRekor(log *root.TransparencyLog, host string, file []byte) (*Checkpoint, error) {
	v, err := signature.LoadVerifier(log.PublicKey, log.SignatureHashFunc)
	if err != nil {
		return nil, err
	}
	nv, err := note.NewNoteVerifier(host, v)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	return openNote(file, nv)
}

// rekorHost reads by whom a checkpoint should be signed. Nothing is verified
// yet: it is the name that the trusted key's signature must have beside it.
func rekorHost(file []byte) (string, error) {
	line, _, _ := bytes.Cut(file, []byte("\n"))
	origin := string(line)
	host, tree, _ := strings.Cut(origin, " - ")
	id, err := strconv.ParseUint(tree, 10, 63)
	notInName := func(r rune) bool { return r == '+' || unicode.IsSpace(r) || !strconv.IsPrint(r) }
	if err != nil || id == 0 || strconv.FormatUint(id, 10) != tree || host == "" || strings.ContainsFunc(host, notInName) {
		return "", fmt.Errorf("checkpoint: origin %.100q is not of a Rekor v1", origin)
	}
	return host, nil
}

// RekorLogID finds the trusted Rekor v1 log that signed a checkpoint: what a
// server must be asked for is a hint, what it signed with is not. It returns
// ErrUntrustedLog when no trusted key did.
func (m *Material) RekorLogID(checkpoint []byte) ([32]byte, *Checkpoint, error) {
	if _, err := rekorHost(checkpoint); err != nil {
		return [32]byte{}, nil, err
	}
	for name := range m.Sigstore.RekorLogs() {
		id, err := hex.DecodeString(name)
		if err != nil || len(id) != 32 {
			continue // not of a Rekor v1
		}
		if c, err := m.OpenRekorV1([32]byte(id), checkpoint); err == nil {
			return [32]byte(id), c, nil
		}
	}
	line, _, _ := bytes.Cut(checkpoint, []byte("\n"))
	return [32]byte{}, nil, fmt.Errorf("%w: no trusted key signed the checkpoint of %.100q", ErrUntrustedLog, line)
}
