package verify

import (
	"errors"
	"fmt"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/internal/trust"
	"github.com/modseal/modseal/merkle"
)

// provenLog is a log of the bundle after step 4. Its entries are proven to be in
// its tree, and its tree head is signed by a key that the enclave trusts, only
// if err is nil.
type provenLog struct {
	*bundles.Log
	signed    bool // tree is that of the checkpoint, which a trusted key signed
	tree      merkle.Tree
	proven    *merkle.Proven
	witnesses []string // of the policy's, who cosigned the checkpoint
	cosigned  []trust.Cosignature
	err       error
}

// untrusted tells whether the enclave has no key for the log, rather than the
// log having failed.
func (l *provenLog) untrusted() bool { return errors.Is(l.err, trust.ErrUntrustedLog) }

// proveLogs is step 4: checkpoint signature by a trusted key, then the
// multiproof from every leaf to the signed root.
func proveLogs(b *bundles.Bundle, m *trust.Material, witnesses []trust.Witness) []provenLog {
	logs := make([]provenLog, len(b.Logs))
	for i := range b.Logs {
		l := &logs[i]
		l.Log = &b.Logs[i]
		if l.err = l.prove(m); l.err == nil {
			l.cosigned = trust.Cosignatures(l.Checkpoint, witnesses)
			for _, c := range l.cosigned {
				l.witnesses = append(l.witnesses, c.Name)
			}
		}
	}
	return logs
}

func (l *provenLog) prove(m *trust.Material) error {
	head, err := l.openCheckpoint(m)
	if err != nil {
		return err
	}
	l.signed, l.tree = true, head.Tree
	proven, err := l.Proof.Expand(head.Tree, l.LeafHashes())
	if err != nil {
		return fmt.Errorf("the entries do not lead to the signed tree head: %w", err)
	}
	l.proven = proven
	return nil
}

func (l *provenLog) openCheckpoint(m *trust.Material) (*trust.Checkpoint, error) {
	return SeenHead{l.Kind, l.Name, l.LogID, l.Checkpoint}.open(m)
}

// open verifies a head with the trusted key of its log.
func (h SeenHead) open(m *trust.Material) (*trust.Checkpoint, error) {
	switch h.Kind {
	case bundles.SumDB:
		return m.OpenSumDB(h.Name, h.Checkpoint)
	case bundles.RekorV1, bundles.RekorV2:
		id, err := bundles.ParseHex(h.LogID)
		if err != nil {
			return nil, err
		}
		open := m.OpenRekorV1
		if h.Kind == bundles.RekorV2 {
			open = m.OpenRekorV2
		}
		head, err := open(id, h.Checkpoint)
		if err != nil {
			return nil, err
		}
		if head.Origin != h.Name {
			return nil, fmt.Errorf("checkpoint is of %.100q, and is said to be of %.100q", head.Origin, h.Name)
		}
		return head, nil
	}
	return nil, fmt.Errorf("log kind %q", h.Kind) // not reached: manifest and state were checked
}

// refusal says why nothing that this log holds counts; "" if it does.
func (l *provenLog) refusal() (string, Status) {
	switch {
	case l.err == nil:
		return "", Verified
	case l.untrusted():
		return fmt.Sprintf("log %q is not trusted here", l.Name), NotAllowed
	}
	return fmt.Sprintf("log %q does not verify: %v", l.Name, l.err), Invalid
}

// hint says what would make the log count.
func (l *provenLog) hint() string {
	switch {
	case !l.untrusted():
		return ""
	case l.Kind == bundles.SumDB:
		return "if you trust this checksum database, name it with --sumdb"
	case l.Kind == bundles.RekorV2:
		return "if you trust this log, give --trusted-root with its key and URL"
	}
	return "if you trust this log, give its key with --rekor-public-key, or --trusted-root"
}

// policyLog is the log as a policy tells logs apart: a shard of Rekor by its
// checkpoint's origin, whatever tree size it is proven at.
func (l *provenLog) policyLog() policy.Log {
	return policy.Log{Kind: string(l.Kind), Name: l.Name, ID: l.LogID}
}

func (l *provenLog) report() LogReport {
	r := LogReport{Kind: string(l.Kind), Name: l.Name, LogID: l.LogID, Entries: len(l.Entries), Proven: l.err == nil}
	if l.err != nil {
		r.Problem = l.err.Error()
		return r
	}
	r.Size, r.Root, r.Witnesses = l.tree.Size, fmt.Sprintf("%x", l.tree.Root[:]), l.witnesses
	return r
}
