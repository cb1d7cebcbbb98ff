package sumdb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/modseal/modseal/internal/evidence"
)

// A Record is what the database has about one module.
type Record struct {
	ID   uint64 // index of the leaf
	Text []byte // content of the leaf; see evidence.ParseRecord

	// Head came with the record: signed by the database, and large enough to
	// have the record. A record from a cache has the head of then. That the
	// record is in Head.Tree, or any other tree, is unproven.
	Head Head
}

// Lookup returns the record of a module, from a cache or from the network. A
// module that the database doesn't have and can't get is [ErrNotFound]. A
// record that isn't of exactly this module, or whose ID its head doesn't
// reach, is a [*RecordError]. A head that can't be true beside one that came before
// is a [*ForkError].
//
// The record and its head may be older than [Client.Latest] because caches are
// asked first, proxies' too. That is as good: what a leaf has doesn't change.
func (c *Client) Lookup(ctx context.Context, m module.Version) (Record, error) {
	name, err := lookupPath(m)
	if err != nil {
		return Record{}, err
	}
	for _, cached := range []struct {
		read func(string) []byte
		at   place
	}{{c.cache.readOwn, inOwnCache}, {c.cache.readGo, inGoCache}} {
		data := cached.read(name)
		if data == nil {
			continue
		}
		if record, err := c.openRecord(m, data); err == nil {
			c.stats.cachedLookups.Add(1)
			c.stats.cachedBytes.Add(int64(len(data)))
			return record, c.see(record.Head, cached.at)
		}
		c.stats.badCache.Add(1)
	}

	base, err := c.base(ctx)
	if err != nil {
		return Record{}, err // even if it is "not found": that isn't about m
	}
	data, err := c.getFrom(ctx, base, "lookup", name, maxLookup)
	if errors.Is(err, fs.ErrNotExist) {
		return Record{}, fmt.Errorf("%s: %w: %w", m, ErrNotFound, err)
	}
	if err != nil {
		return Record{}, err
	}
	record, err := c.openRecord(m, data)
	if err != nil {
		return Record{}, err
	}
	if err := c.see(record.Head, inLookup); err != nil {
		return Record{}, err
	}
	c.stats.lookups.Add(1)
	c.cache.write(name, data)
	return record, nil
}

// lookupPath is the path of a lookup, in the protocol and in caches.
func lookupPath(m module.Version) (string, error) {
	if err := checkModule(m); err != nil {
		return "", err
	}
	path, err := module.EscapePath(m.Path)
	if err != nil {
		return "", err
	}
	version, err := module.EscapeVersion(m.Version)
	if err != nil {
		return "", err
	}
	return "lookup/" + path + "@" + version, nil
}

// openRecord reads the answer to a lookup: the ID, the record, an empty line,
// and a signed head.
func (c *Client) openRecord(m module.Version, data []byte) (Record, error) {
	bad := func(format string, args ...any) (Record, error) {
		return Record{}, &RecordError{m, fmt.Errorf(format, args...)}
	}
	data = bytes.Clone(data) // into just enough memory: there may be 100,000 of them
	id, text, rest, err := tlog.ParseRecord(data)
	if err != nil {
		return bad("%w", err)
	}
	// strconv, by which the ID is parsed, takes +7 and 007 as well.
	canonical, err := tlog.FormatRecord(id, text)
	if err != nil || !strings.HasPrefix(string(data), string(canonical)) {
		return bad("the answer isn't in its canonical form")
	}
	head, err := c.openHead(rest)
	if err != nil {
		return Record{}, err
	}
	if id < 0 || uint64(id) >= head.Tree.Size {
		return bad("record %d in a tree of size %d", id, head.Tree.Size)
	}
	said, err := evidence.ParseRecord(string(text))
	if err != nil {
		return bad("%w", err)
	}
	if said.Module != m {
		return bad("record %d is of %s", id, said.Module)
	}
	return Record{ID: uint64(id), Text: text, Head: head}, nil
}

// checkModule allows what can be in a build: version in full and canonical.
func checkModule(m module.Version) error {
	if err := module.Check(m.Path, m.Version); err != nil {
		return err
	}
	if module.CanonicalVersion(m.Version) != m.Version {
		return fmt.Errorf("%s: version isn't canonical", m)
	}
	return nil
}
