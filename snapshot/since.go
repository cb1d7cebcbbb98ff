package snapshot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/merkle"
)

// Head is a signed head that an enclave has accepted, or is said to have.
type Head struct {
	File       string // where it is from
	Checkpoint []byte
}

// since is a head of Request.Since whose signature was verified.
type since struct {
	Head
	tree merkle.Tree
}

// SinceError says that a log does not extend what it signed before. Both heads
// are signed: kept together, they are evidence.
type SinceError struct {
	Log  string
	What string
	Old  Head
	New  []byte // the head of now, or the other old one
}

func (e *SinceError) Error() string {
	return fmt.Sprintf("%s: %s; nothing was written\nsigned before (%s):\n%s\nsigned now:\n%s", e.Log, e.What, e.Old.File, indented(e.Old.Checkpoint), indented(e.New))
}

// readSince verifies the heads that proofs are wanted from. Those that no trusted
// key signed are no evidence against anybody, and are told of.
func (c *collector) readSince() error {
	c.since = map[bundles.LogKey][]since{}
	for _, h := range c.Since {
		opened, err := c.Trust.Open(h.Checkpoint)
		switch {
		case err != nil:
			c.summary.NotSince = append(c.summary.NotSince, NotSince{h.File, err})
			continue
		case opened.Tree.Size == 0:
			continue // every tree extends it
		}
		name := bundles.LogKey{Kind: bundles.Kind(opened.Kind), Name: opened.Name, ID: opened.LogID}
		known := false
		for _, other := range c.since[name] {
			if known = known || other.tree == opened.Tree; other.tree.Size == opened.Tree.Size && other.tree.Root != opened.Tree.Root {
				return &SinceError{Log: opened.Name, What: fmt.Sprintf("it signed two trees of %d leaves, and both are in what was given with --since", opened.Tree.Size), Old: other.Head, New: h.Checkpoint}
			}
		}
		if !known {
			c.since[name] = append(c.since[name], since{h, opened.Tree})
		}
	}
	for _, heads := range c.since {
		slices.SortFunc(heads, func(a, b since) int { return cmp.Compare(a.tree.Size, b.tree.Size) })
	}
	return nil
}

// NotSince is a head from which there is no proof, and why.
type NotSince struct {
	Where string // a file, or a log
	Err   error
}

// connect proves that a log's tree begins with those that were signed before. The
// proofs come from prove, and are verified by whoever makes them: prove returns a
// *merkle.RootError that wants the earlier tree if it is another, or errBadProof.
func (c *collector) connect(l *collectedLog, to merkle.Tree, prove func(from merkle.Tree) ([]merkle.Hash, error)) error {
	for _, old := range c.since[l.Key()] {
		refuse := func(format string, a ...any) error {
			return &SinceError{Log: l.Name, What: fmt.Sprintf(format, a...), Old: old.Head, New: l.Checkpoint}
		}
		switch {
		case old.tree == to:
			continue
		case old.tree.Size == to.Size:
			return refuse("it signed two trees of %d leaves: it shows different people different trees, or was rewritten", to.Size)
		case old.tree.Size > to.Size:
			return refuse("its tree has %d leaves now, and had %d before: it was rolled back, or the server that was asked is behind", to.Size, old.tree.Size)
		}
		proof, err := prove(old.tree)
		var other *merkle.RootError
		if errors.As(err, &other) && other.Want == old.tree {
			return refuse("its tree of %d leaves begins with one of %d that has root %x, not with the one that it signed before: it shows different people different trees, or was rewritten", to.Size, old.tree.Size, other.Got)
		}
		if errors.Is(err, errBadProof) {
			return refuse("its tree has %d leaves and had %d, and %v", to.Size, old.tree.Size, err)
		}
		if err != nil {
			return fmt.Errorf("consistency with the tree of %d leaves (%s): %w", old.tree.Size, old.File, err)
		}
		l.Earlier = append(l.Earlier, bundles.NewConsistency(old.tree.Size, proof))
		c.summary.Since++
	}
	return nil
}

var errBadProof = errors.New("the log's proof that it extends that does not verify")

// connectV1 asks a Rekor v1 for the proofs.
func (c *collector) connectV1(ctx context.Context, l *collectedLog, treeID string, to merkle.Tree) error {
	return c.connect(l, to, func(from merkle.Tree) ([]merkle.Hash, error) {
		proof, err := c.client.Consistency(ctx, treeID, from.Size, to.Size)
		if err != nil {
			return nil, err
		}
		err = merkle.VerifyConsistency(from, to, proof)
		if err == nil {
			return proof, nil
		}
		if root, rootErr := merkle.ConsistentRoot(from.Size, to, proof); rootErr == nil {
			return nil, &merkle.RootError{Want: from, Got: root}
		}
		return nil, fmt.Errorf("%w: %w", errBadProof, err)
	})
}

// connectTiles makes the proofs from tiles.
func (c *collector) connectTiles(l *collectedLog, to merkle.Tree, nodes merkle.NodeReader) error {
	return c.connect(l, to, func(from merkle.Tree) ([]merkle.Hash, error) { return merkle.BuildConsistency(from, to, nodes) })
}

// notConnected tells of a log whose entries are proven as they were published:
// nobody can be asked for proofs between its heads.
func (c *collector) notConnected(logs []collectedLog, trees []merkle.Tree) error {
	for _, old := range c.since[logs[0].Key()] {
		found := false
		for i, tree := range trees {
			found = found || tree == old.tree
			if tree.Size == old.tree.Size && tree != old.tree {
				return &SinceError{Log: logs[i].Name, What: fmt.Sprintf("it signed two trees of %d leaves: it shows different people different trees, or was rewritten", tree.Size), Old: old.Head, New: logs[i].Checkpoint}
			}
		}
		if !found {
			c.summary.NotSince = append(c.summary.NotSince, NotSince{logs[0].Name, fmt.Errorf("it can't be asked for a proof from its tree of %d leaves", old.tree.Size)})
		}
	}
	return nil
}

// Hint says what to do about it.
func (e *SinceError) Hint() string {
	return "keep both heads as evidence, and ask again, also over another network: if it stays so, distrust the log. What --since is given is verified with your own keys"
}
