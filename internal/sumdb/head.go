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
// earlier run that used the same CacheDir, or to the go command. So after some
// lookups it covers all of their records, and it doesn't go back to an older head
// because a server is behind.
//
// The database is asked once in a client's life. Its answer, the head of earlier
// runs, the go command's, and of the heads that came with records the newest of
// each [place] must be of one history: the tree of the newest of them begins with
// those of all others. That takes a few tiles for each, a call and not a record.
// If it isn't so, the error is a [*ForkError], whether or not any record is
// missing from one of the trees.
//
// Of the heads that came with records those that are older than the newest of
// their place are not compared: each would take tiles of its own, as many as the
// record itself. A history that has records as it should, and that is shown with
// them alone, never with the newest, so remains unseen; the records are in the
// newest tree all the same, which the caller proves.
func (c *Client) Latest(ctx context.Context) (Head, error) {
	if _, err := c.base(ctx); err != nil {
		return Head{}, err
	}
	c.mu.Lock()
	heads, confirmed := c.heads, c.confirmed // a copy
	c.mu.Unlock()
	all := append(heads[:], confirmed)
	if confirmed.Note == nil {
		all = append(all, c.cachedHead(), c.goHead())
	}
	newest, err := c.oneHistory(ctx, all)
	if err != nil {
		return Head{}, err
	}
	c.mu.Lock()
	if newest.Tree.Size >= c.confirmed.Tree.Size {
		c.confirmed = newest
	}
	c.mu.Unlock()
	// Another process may have gone on in the meantime.
	if newest.Tree.Size > c.cachedHead().Tree.Size {
		c.cache.write("latest", newest.Note)
	}
	return newest, nil
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

// goHead is the newest head that the go command has seen, if there is a good one:
// $GOPATH/pkg/sumdb/NAME/latest (ReadConfig in src/cmd/go/internal/modfetch/sumdb.go).
func (c *Client) goHead() Head {
	head, err := c.openHead(c.cache.readGoHead())
	if err != nil {
		return Head{}
	}
	return head
}

// oneHistory returns the newest head after proving that its tree begins with those
// of all others. Those without a note are none.
func (c *Client) oneHistory(ctx context.Context, heads []Head) (Head, error) {
	newest := Head{}
	for _, h := range heads {
		if h.Note != nil && (newest.Note == nil || h.Tree.Size > newest.Tree.Size) {
			newest = h
		}
	}
	known := map[merkle.Tree]bool{newest.Tree: true}
	for _, h := range heads {
		if h.Note == nil || h.Tree.Size == 0 || known[h.Tree] {
			continue
		}
		known[h.Tree] = true
		root := newest.Tree.Root
		if h.Tree.Size < newest.Tree.Size {
			var err error
			if root, err = c.rootAt(ctx, h.Tree.Size, newest); err != nil {
				return Head{}, err
			}
		}
		if root != h.Tree.Root {
			return Head{}, &ForkError{Database: c.db.Name, Old: h, New: newest, RootAtSize: root}
		}
	}
	return newest, nil
}

// rootAt is the root that a head's tree had at a smaller size.
func (c *Client) rootAt(ctx context.Context, size uint64, head Head) (merkle.Hash, error) {
	reader := c.nodes(ctx, head)
	hash, err := tlog.TreeHash(int64(size), tlog.HashReaderFunc(reader.readHashes))
	return merkle.Hash(hash), err
}

// A place is where heads come from. Each can have been told another history.
type place int

const (
	atLatest   place = iota // the database's answer about its newest
	inLookup                // with a record, from the network
	inOwnCache              // with a record, from the cache
	inGoCache               // with a record, from the go command's
	places                  // how many there are
)

// see notes the newest head of a place. Two heads of one size can be told apart
// without a proof.
func (c *Client) see(head Head, at place) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, other := range c.heads {
		if other.Note != nil && head.Tree.Size == other.Tree.Size && head.Tree != other.Tree {
			return &ForkError{Database: c.db.Name, Old: other, New: head, RootAtSize: head.Tree.Root}
		}
	}
	if c.heads[at].Note == nil || head.Tree.Size > c.heads[at].Tree.Size {
		c.heads[at] = head
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
	if tree.N < 0 || tree.N > maxTree {
		return merkle.Tree{}, fmt.Errorf("tree size %d is above the limit of %d", tree.N, uint64(maxTree))
	}
	if !strings.HasPrefix(text, string(tlog.FormatTree(tree))) {
		return merkle.Tree{}, errors.New("tree head isn't in its canonical form")
	}
	return merkle.Tree{Size: uint64(tree.N), Root: merkle.Hash(tree.Hash)}, nil
}
