package sumdb

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/modseal/modseal/merkle"
)

// Latest returns the newest head there is, in these senses: the database says
// that it is its latest, or said so with a record that was looked up, or in an
// earlier run that used the same CacheDir. So after some lookups it covers all
// of their records, and it doesn't go back to an older head because a server
// is behind.
//
// The database is asked once in a client's life. The newest head that it gave is
// proven to extend that of earlier runs, or the other way round, which takes a few
// tiles; if it doesn't, the error is a [*ForkError]. Older heads that came with
// records are not compared with it, which would take tiles for each of them: what
// counts is that the records are in the newest tree, which the caller proves.
func (c *Client) Latest(ctx context.Context) (Head, error) {
	if _, err := c.base(ctx); err != nil {
		return Head{}, err
	}
	c.mu.Lock()
	newest, confirmed := c.newest, c.confirmed
	c.mu.Unlock()
	before := confirmed
	if confirmed.Note == nil {
		before = c.cachedHead()
	}
	after, err := c.merge(ctx, before, newest)
	if err != nil {
		return Head{}, err
	}
	c.mu.Lock()
	if after.Tree.Size >= c.confirmed.Tree.Size {
		c.confirmed = after
	}
	if after.Tree.Size > c.newest.Tree.Size {
		c.newest = after
	}
	c.mu.Unlock()
	// Another process may have gone on in the meantime.
	if after.Tree.Size > c.cachedHead().Tree.Size {
		c.cache.write("latest", after.Note)
	}
	return after, nil
}

// cachedHead is the newest head of earlier runs, if there is a good one.
func (c *Client) cachedHead() Head {
	data := c.cache.readOwn("latest")
	if data == nil {
		return Head{}
	}
	head, err := c.openHead(data)
	if err != nil {
		c.stats.badCache.Add(1)
		return Head{}
	}
	return head
}

// merge returns the newer head after proving that it extends the older one.
func (c *Client) merge(ctx context.Context, a, b Head) (Head, error) {
	if a.Tree.Size > b.Tree.Size {
		a, b = b, a
	}
	if a.Note == nil || a.Tree == b.Tree {
		return b, nil
	}
	root := b.Tree.Root
	if a.Tree.Size < b.Tree.Size && a.Tree.Size > 0 {
		hash, err := c.rootAt(ctx, a.Tree.Size, b)
		if err != nil {
			return Head{}, err
		}
		root = hash
	}
	if a.Tree.Size > 0 && root != a.Tree.Root {
		return Head{}, &ForkError{Database: c.db.Name, Old: a, New: b, RootAtSize: root}
	}
	return b, nil
}

// rootAt is the root that a head's tree had at a smaller size.
func (c *Client) rootAt(ctx context.Context, size uint64, head Head) (merkle.Hash, error) {
	reader := c.nodes(ctx, head)
	hash, err := tlog.TreeHash(int64(size), tlog.HashReaderFunc(reader.readHashes))
	return merkle.Hash(hash), err
}

// see notes a head. Two heads of one size can be told apart without a proof.
func (c *Client) see(head Head) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if head.Tree.Size == c.newest.Tree.Size && c.newest.Note != nil && head.Tree != c.newest.Tree {
		return &ForkError{Database: c.db.Name, Old: c.newest, New: head, RootAtSize: head.Tree.Root}
	}
	if c.newest.Note == nil || head.Tree.Size > c.newest.Tree.Size {
		c.newest = head
	}
	return nil
}

// openHead verifies the signature of a note, and then reads the tree in it.
func (c *Client) openHead(data []byte) (Head, error) {
	if len(data) > maxNote {
		return Head{}, &HeadError{c.db.Name, fmt.Errorf("note of %d bytes, the limit is %d", len(data), maxNote)}
	}
	opened, err := note.Open(data, note.VerifierList(c.db.Verifier))
	if err != nil {
		return Head{}, &HeadError{c.db.Name, err}
	}
	tree, err := parseTree(opened.Text)
	if err != nil {
		return Head{}, &HeadError{c.db.Name, err}
	}
	return Head{Tree: tree, Note: data}, nil
}

// parseTree reads a head's text in its canonical form. Lines may follow in some
// future.
func parseTree(text string) (merkle.Tree, error) {
	tree, err := tlog.ParseTree([]byte(text))
	if err != nil {
		return merkle.Tree{}, err
	}
	// Above this size some functions of package tlog don't return.
	if tree.N < 0 || tree.N > merkle.MaxSize {
		return merkle.Tree{}, fmt.Errorf("tree size %d is above the limit of %d", tree.N, uint64(merkle.MaxSize))
	}
	if !strings.HasPrefix(text, string(tlog.FormatTree(tree))) {
		return merkle.Tree{}, errors.New("tree head isn't in its canonical form")
	}
	return merkle.Tree{Size: uint64(tree.N), Root: merkle.Hash(tree.Hash)}, nil
}
