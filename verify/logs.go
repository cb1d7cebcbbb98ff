package verify

import (
	"errors"
	"fmt"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/trust"
	"github.com/modseal/modseal/merkle"
)

// provenLog is a log of the bundle after step 4. Its entries are proven to be in
// its tree, and its tree head is signed by a key that the enclave trusts, only
// if err is nil.
type provenLog struct {
	*bundles.Log
	id     [32]byte // Rekor: the log ID
	tree   merkle.Tree
	proven *merkle.Proven
	err    error
}

// untrusted tells whether the enclave has no key for the log, rather than the
// log having failed.
func (l *provenLog) untrusted() bool { return errors.Is(l.err, trust.ErrUntrustedLog) }

// proveLogs is step 4: checkpoint signature by a trusted key, then the
// multiproof from every leaf to the signed root.
func proveLogs(b *bundles.Bundle, m *trust.Material) []provenLog {
	logs := make([]provenLog, len(b.Logs))
	for i := range b.Logs {
		logs[i].Log = &b.Logs[i]
		logs[i].err = logs[i].prove(m)
	}
	return logs
}

func (l *provenLog) prove(m *trust.Material) error {
	head, err := l.openCheckpoint(m)
	if err != nil {
		return err
	}
	proven, err := l.Proof.Expand(head.Tree, l.LeafHashes())
	if err != nil {
		return fmt.Errorf("the entries do not lead to the signed tree head: %w", err)
	}
	l.tree, l.proven = head.Tree, proven
	return nil
}

func (l *provenLog) openCheckpoint(m *trust.Material) (*trust.Checkpoint, error) {
	switch l.Kind {
	case bundles.SumDB:
		return m.OpenSumDB(l.Name, l.Checkpoint)
	case bundles.RekorV1:
		id, err := bundles.ParseHex(l.LogID)
		if err != nil {
			return nil, err
		}
		l.id = id
		head, err := m.OpenRekorV1(id, l.Checkpoint)
		if err != nil {
			return nil, err
		}
		if head.Origin != l.Name {
			return nil, fmt.Errorf("checkpoint is of %.100q, the bundle calls the log %.100q", head.Origin, l.Name)
		}
		return head, nil
	}
	return nil, fmt.Errorf("log kind %q", l.Kind) // not reached: the manifest was checked
}

func (l *provenLog) report() LogReport {
	r := LogReport{Kind: string(l.Kind), Name: l.Name, LogID: l.LogID, Entries: len(l.Entries), Proven: l.err == nil}
	if l.err != nil {
		r.Problem = l.err.Error()
		return r
	}
	r.Size, r.Root = l.tree.Size, fmt.Sprintf("%x", l.tree.Root[:])
	return r
}
