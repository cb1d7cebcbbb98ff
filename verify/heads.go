package verify

import (
	"errors"
	"fmt"
	"slices"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/merkle"
)

func (h *SeenHead) key() bundles.LogKey {
	return bundles.LogKey{Kind: h.Kind, Name: h.Name, ID: h.LogID}
}

// signedHead is a head that a trusted key signed.
type signedHead struct {
	SeenHead
	tree merkle.Tree
	log  *provenLog // of the bundle; nil if it is of the state
}

// heads compares a log at a time.
func (c *stateCheck) heads(logs []provenLog, m *Material) error {
	shown, order := map[bundles.LogKey][]signedHead{}, []bundles.LogKey(nil)
	for i := range logs {
		l := &logs[i]
		if !l.signed {
			continue // by a trusted key: it says nothing of the log
		}
		h := signedHead{SeenHead{l.Kind, l.Name, l.LogID, l.Checkpoint}, l.tree, l}
		if shown[h.key()] == nil {
			order = append(order, h.key())
		}
		shown[h.key()] = append(shown[h.key()], h)
	}
	seen := map[bundles.LogKey][]signedHead{}
	for i, h := range c.old.Heads {
		key := h.key()
		if shown[key] == nil {
			c.next.Heads = append(c.next.Heads, h)
			if i == 0 || c.old.Heads[i-1].key() != key {
				c.report.Heads = append(c.report.Heads, HeadReport{Kind: string(key.Kind), Name: key.Name, LogID: key.ID, How: headAbsent})
			}
			continue
		}
		opened, err := h.open(m)
		if err != nil {
			return fmt.Errorf("%w: its head of %q is not signed by the key that is trusted now: %w", ErrState, h.Name, err)
		}
		seen[key] = append(seen[key], signedHead{h, opened.Tree, nil})
	}
	for _, key := range order {
		c.log(shown[key], seen[key])
	}
	return nil
}

// log compares what a bundle shows of one log with what was seen of it. All of it
// must be the beginning of the newest head that the bundle shows, and be proven
// to; but heads that have been accepted beside each other remain so.
func (c *stateCheck) log(shown, seen []signedHead) {
	bySize := func(a, b signedHead) int {
		switch {
		case a.tree.Size < b.tree.Size:
			return -1
		case a.tree.Size > b.tree.Size:
			return 1
		}
		return 0
	}
	newest := slices.MaxFunc(shown, bySize)
	was := func(tree merkle.Tree) bool {
		return slices.ContainsFunc(seen, func(h signedHead) bool { return h.tree == tree })
	}
	refused := len(c.refused)
	var apart []signedHead // accepted, and not proven to be in the newest
	for _, h := range seen {
		why := c.relate(h, shown, newest)
		switch {
		case why == nil:
		case why.missing && was(newest.tree):
			apart = append(apart, h)
		default:
			c.refuse(*why)
		}
	}
	for _, h := range shown {
		if h.tree == newest.tree || was(h.tree) {
			continue
		}
		why := c.relate(h, shown, newest)
		switch {
		case why == nil:
		case why.missing && len(seen) == 0:
			apart = append(apart, h)
		default:
			c.refuse(*why)
		}
	}
	if len(c.refused) == refused {
		c.accept(newest, seen, apart)
	}
}

// accept notes the heads to remember. Those of a log whose entries are not
// proven are not: only what is used counts as seen.
func (c *stateCheck) accept(newest signedHead, seen, apart []signedHead) {
	key := newest.key()
	report := HeadReport{Kind: string(key.Kind), Name: key.Name, LogID: key.ID, How: headNew, Size: newest.tree.Size}
	for _, h := range seen {
		report.Seen = max(report.Seen, h.tree.Size)
	}
	switch {
	case report.Seen == report.Size:
		report.How = headSame
	case report.Seen > 0:
		report.How = headExtended
	}
	c.report.Heads = append(c.report.Heads, report)
	if newest.log.err != nil {
		apart = seen
	} else if i := slices.IndexFunc(seen, func(h signedHead) bool { return h.tree == newest.tree }); i >= 0 {
		apart = append(apart, seen[i]) // rather than another signature on it: Rekor signs anew at each request
	} else {
		apart = append(apart, newest)
	}
	for _, h := range apart {
		if h.log == nil || h.log.err == nil {
			c.next.Heads = append(c.next.Heads, h.SeenHead)
		}
	}
}

// relate tells what speaks against a head being the beginning of the newest one
// that the bundle shows; nil is that it is proven to be.
func (c *stateCheck) relate(h signedHead, shown []signedHead, newest signedHead) *Refusal {
	was := "was seen"
	if h.log != nil {
		was = "is shown too"
	}
	refusal := func(kind, format string, a ...any) *Refusal {
		r := &Refusal{Kind: kind, What: fmt.Sprintf(format, a...), Log: h.Name, LogID: h.LogID, Seen: string(h.Checkpoint), Shown: string(newest.Checkpoint)}
		if h.log != nil { // both are in the bundle
			r.Seen, r.Shown = "", r.Seen+"\n"+r.Shown
		}
		return r
	}
	for _, other := range shown {
		if other.tree.Size == h.tree.Size && other.tree.Root != h.tree.Root {
			newest = other // to be shown
			return refusal(RefusedFork, "it signed two trees of %d leaves: root %x %s, and root %x is shown", h.tree.Size, h.tree.Root, was, other.tree.Root)
		}
	}
	switch {
	case h.tree == newest.tree:
		return nil
	case h.tree.Size > newest.tree.Size:
		return refusal(RefusedRollback, "its tree has %d leaves, and one of %d %s", newest.tree.Size, h.tree.Size, was)
	}
	proof, ok := newest.log.From(h.tree.Size)
	if !ok {
		r := refusal(RefusedUnproven, "nothing proves that its tree of %d leaves begins with the one of %d that %s", newest.tree.Size, h.tree.Size, was)
		r.missing = true
		return r
	}
	err := merkle.VerifyConsistency(h.tree, newest.tree, proof.Hashes())
	if err == nil {
		return nil
	}
	if root, rootErr := merkle.ConsistentRoot(h.tree.Size, newest.tree, proof.Hashes()); rootErr == nil {
		return refusal(RefusedFork, "its tree of %d leaves is proven to begin with one of %d that has root %x, and one with root %x %s", newest.tree.Size, h.tree.Size, root, h.tree.Root, was)
	} else if !errors.Is(rootErr, merkle.ErrNoRoot) {
		err = rootErr
	}
	return refusal(RefusedUnproven, "the bundle's proof that its tree of %d leaves begins with the one of %d that %s does not verify: %v", newest.tree.Size, h.tree.Size, was, err)
}
