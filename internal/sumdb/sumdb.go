// Package sumdb is a client of Go checksum databases that keeps what is needed
// to prove their records again later, without a network.
//
// A checksum database is an append-only Merkle tree with one record for each
// module version, described by
//
//   - https://go.dev/design/25530-sumdb, the protocol: lookup, latest, tile,
//     and how module proxies pass it on,
//   - https://research.swtch.com/tlog, its tiles.
//
// golang.org/x/mod/sumdb has a client as well, which the go command uses. That
// one answers with go.sum lines and keeps to itself which record they are from
// and what proves it. This one gives the records ([Client.Lookup]), a signed
// tree head ([Client.Latest]) and the tree's nodes ([Client.Nodes]); the proofs
// are made from these by package merkle. The formats are parsed, and tiles
// authenticated, by x/mod's packages note and tlog.
//
// What is authenticated, and by whom: every head, by its signature, before
// anything is taken from it; every node, against the head that it was asked
// for; heads against each other, those that [Client.Latest] chooses from. A
// record is not: that it is in the tree is for the caller to prove.
//
// Which modules may be asked for at all (GONOSUMDB, GOPRIVATE) is the caller's
// to decide too.
package sumdb

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/modseal/modseal/internal/fetch"
	"github.com/modseal/modseal/internal/trust"
	"github.com/modseal/modseal/merkle"
)

const (
	// Limits of answers, in bytes. A lookup has about 400, most of them
	// module path and signature; cosignatures have about 100 each.
	maxLookup = 64 << 10
	maxNote   = 32 << 10

	// maxTree is the largest tree. At 2^62 some functions of package tlog don't
	// return (maxpow2 of one leaf more, in tlog.go).
	maxTree = merkle.MaxSize - 1

	defaultParallel = 24
)

// Options say which database a [Client] speaks to, and how.
type Options struct {
	DB      *trust.SumDB
	GOPROXY string        // the go command's value of it; "" means direct
	Fetch   *fetch.Client // nil means one with default options

	// CacheDir is where answers are kept from run to run, below the database's
	// name; "" means nowhere. It isn't trusted: what is read from it is
	// checked like what comes from the network, and what is damaged is fetched
	// again. Any number of processes may share it.
	CacheDir string

	// GoCacheDir is the go command's cache of the same kind, which is
	// GOMODCACHE/cache/download/sumdb, or "". It is only read.
	GoCacheDir string

	// GoHeadDir is where the go command keeps the newest heads that it has seen,
	// which is pkg/sumdb in the first folder of GOPATH, or "". It is only read.
	GoHeadDir string

	Parallel int // requests at a time; 0 means 24
}

// A Client speaks to one checksum database. It is safe for concurrent use.
type Client struct {
	db    *trust.SumDB
	proxy string
	fetch *fetch.Client
	cache *cache
	tiles tileMemory
	slots chan struct{} // one for each request under way
	stats counters

	choosing chan struct{} // held while the source is chosen
	source   source

	mu        sync.Mutex
	heads     [places]Head // of each place the newest with a good signature
	confirmed Head         // the newest head proven to extend all those before it
}

// New returns a client that works as o says. It makes no request and touches
// no file.
func New(o Options) *Client {
	c := &Client{
		db:       o.DB,
		proxy:    o.GOPROXY,
		fetch:    o.Fetch,
		cache:    newCache(o),
		choosing: make(chan struct{}, 1),
	}
	if c.fetch == nil {
		c.fetch = fetch.New(fetch.Options{})
	}
	parallel := o.Parallel
	if parallel <= 0 {
		parallel = defaultParallel
	}
	c.slots = make(chan struct{}, parallel)
	return c
}

// A Head is a signed tree head.
type Head struct {
	Tree merkle.Tree
	Note []byte // the signed note, as it came
}

// Stats tell where a client's answers came from.
type Stats struct {
	Lookups, CachedLookups int   // records from the network, and from a cache
	Tiles, CachedTiles     int   // tiles likewise; those still in memory aren't counted
	Bytes, CachedBytes     int64 // of both
	BadCache               int   // times that a cached file was damaged, and fetched again
	FailedWrites           int   // of files into the cache
}

type counters struct {
	lookups, cachedLookups, tiles, cachedTiles, bytes, cachedBytes, badCache atomic.Int64
}

// Stats returns what has happened so far.
func (c *Client) Stats() Stats {
	return Stats{
		Lookups:       int(c.stats.lookups.Load()),
		CachedLookups: int(c.stats.cachedLookups.Load()),
		Tiles:         int(c.stats.tiles.Load()),
		CachedTiles:   int(c.stats.cachedTiles.Load()),
		Bytes:         c.stats.bytes.Load(),
		CachedBytes:   c.stats.cachedBytes.Load(),
		BadCache:      int(c.stats.badCache.Load()),
		FailedWrites:  int(c.cache.failedWrites.Load()),
	}
}

// getFrom asks the source at base for a path of the protocol.
func (c *Client) getFrom(ctx context.Context, base, kind, path string, maxBytes int64) ([]byte, error) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	resp, err := c.fetch.Do(ctx, fetch.Request{URL: base + "/" + path, Kind: kind, MaxBytes: maxBytes})
	if err != nil {
		return nil, fmt.Errorf("checksum database %s: %w", c.db.Name, err)
	}
	c.stats.bytes.Add(int64(len(resp.Body)))
	return resp.Body, nil
}
