package snapshot

import (
	"cmp"
	"errors"
	"slices"
	"sync"

	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"

	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/internal/rekor"
)

// picker decides which of the entries over a digest are kept: all of the
// signers that were named, and a bounded number of others. Anybody can log any
// number of entries, so neither may the rest fill the bundle nor hide one.
type picker struct {
	*collector
	client    *rekor.Client
	cache     entryCache
	verifier  *evidence.Verifier // of certificates
	untrusted map[string]bool    // tree IDs of shards whose key is not trusted
	maxNamed  int                // entries of one signer over one digest
}

// choice is what is kept of the entries over a digest. They come in any order
// and from any goroutine, and no more of them is held than is kept.
type choice struct {
	*wanted
	ask []rekor.UUID // what must be retrieved to choose from

	mu      sync.Mutex
	found   int           // entries that the index names
	seen    int           // entries that were looked at
	named   []rekor.Entry // by signers that were named
	others  []rekor.Entry // by others: the oldest, in their order
	left    leftOut
	missing rekor.MissingError
	err     error
}

// leftOut counts what was found over a digest and not kept.
type leftOut struct {
	others    int  // entries of other signers
	kinds     int  // entries of kinds that are not carried
	foreign   int  // entries over another digest
	untrusted int  // entries in shards whose key is not trusted
	more      bool // and more than the search gives
}

// offer keeps an authentic entry if it is of a named signer, or one of the
// oldest few of others.
func (p *picker) offer(c *choice, e rekor.Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen++
	if p.untrusted[e.TreeID] {
		c.left.untrusted++ // the index named it without its shard
		return
	}
	found := rekorV1(e)
	claim, err := found.Claim()
	switch {
	case err != nil:
		c.left.kinds++
	case !slices.Contains(claim.Digests(), evidence.SHA256(c.digest)):
		c.left.foreign++
	case p.named(claim):
		// Rekor takes in any certificate, so what it says is verified first: else
		// whoever likes could log any number of entries in the name of a signer.
		if claim.Certificate == nil || p.verifies(found, claim) {
			c.named = append(c.named, e)
		}
	default:
		if i, _ := slices.BinarySearchFunc(c.others, e, older); i < p.Others {
			c.others = slices.Insert(c.others, i, e)
			c.others = c.others[:min(len(c.others), p.Others)]
		}
	}
}

func older(a, b rekor.Entry) int {
	return cmp.Or(cmp.Compare(a.LogIndex, b.LogIndex), cmp.Compare(a.UUID, b.UUID))
}

// fail notes that an entry can't be had. Without it nothing is chosen: it could
// be the one that counts.
func (c *choice) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var missing *rekor.MissingError
	switch {
	case errors.As(err, &missing):
		c.missing.Add(missing)
	case c.err == nil:
		c.err = err
	}
}

// end gives what is kept, the oldest first, once all entries were offered.
func (c *choice) end() ([]rekor.Entry, leftOut, error) {
	switch {
	case c.err != nil:
		return nil, leftOut{}, c.err
	case !c.missing.Empty():
		return nil, leftOut{}, &c.missing
	}
	kept := append(c.named, c.others...)
	slices.SortFunc(kept, older)
	left := c.left
	exist := max(c.found, c.seen) // the index may not give all that it has
	left.others = exist - len(kept) - left.kinds - left.foreign - left.untrusted
	return kept, left, nil
}

// named tells whether an entry claims to be by a signer that was named.
func (p *picker) named(c *evidence.Claim) bool {
	if c.Certificate == nil {
		return len(p.Policy.Names(policy.Principal{Key: c.Key})) > 0
	}
	if !p.Policy.NamesIdentities() {
		return false
	}
	s, err := certificate.SummarizeCertificate(c.Certificate)
	return err == nil && len(p.Policy.Names(policy.Principal{Certificate: &s})) > 0
}

// verifies tells whether an entry would be accepted as evidence, but for the
// policy.
func (p *picker) verifies(e *evidence.Entry, c *evidence.Claim) bool {
	_, err := p.verifier.Verify(e, c)
	return err == nil
}

// rekorV1 is an entry as a server gave it, with the statement that the server
// keeps for some.
func rekorV1(e rekor.Entry) *evidence.Entry {
	out := &evidence.Entry{
		Body: e.Body, LogID: e.LogID, LogIndex: e.LogIndex, IntegratedTime: e.IntegratedTime,
		SET: e.SET, Inclusion: e.Inclusion, Checkpoint: e.Checkpoint,
	}
	out.AddStatement(e.Attestation)
	return out
}

// withoutOther is the entry without what the server keeps beside it, unless that is the
// statement that was logged: anything else is of no use, and may be large.
func withoutOther(e rekor.Entry) rekor.Entry {
	if len(e.Attestation) > 0 && rekorV1(e).Envelope == nil {
		e.Attestation = nil
	}
	return e
}

// note records what was left out, for the summary and the manifest.
func (c *collector) note(w *wanted, l leftOut) {
	others := "by signers whom nobody named"
	if l.more {
		others += "; the index has even more"
	}
	for _, i := range w.subjects {
		m := &c.subjects[i]
		for _, r := range []struct {
			count int
			why   string
			say   bool
		}{
			{l.others, others, l.more},
			{l.kinds, "of kinds that are not read, or whose statement the log does not keep", false},
			{l.foreign, "over another digest, which the index should not have named", false},
			{l.untrusted, "in a shard whose key is not trusted", false},
		} {
			m.leftOut += r.count
			if r.count > 0 || r.say {
				c.summary.LeftOut = append(c.summary.LeftOut, LeftOut{Subject: m.String(), Count: r.count, Why: r.why})
			}
		}
	}
}
