package snapshot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/gomod"
	"github.com/modseal/modseal/internal/sumdb"
	"github.com/modseal/modseal/internal/trust"
	"github.com/modseal/modseal/merkle"
)

// SumDB is the checksum database that the go command would ask; nil if none.
func SumDB(env gomod.Env) (*trust.SumDB, error) {
	return trust.ParseGOSUMDB(cmp.Or(env.GOSUMDB, "sum.golang.org"))
}

// collectSumDB looks up the record of every public module, and proves all of
// them in one tree: the newest whose signed head was seen.
func (c *collector) collectSumDB(ctx context.Context) error {
	db, err := SumDB(c.env)
	if err != nil || db == nil {
		return err
	}
	var public []int // places in c.subjects
	for i := range c.modules() {
		if c.private(c.subjects[i].v) {
			c.summary.Private++
			continue
		}
		public = append(public, i)
	}
	if len(public) == 0 {
		return nil
	}
	err = c.proveRecords(ctx, db, public)
	var lie *notInTreeError
	if errors.As(err, &lie) && lie.cached && c.CacheDir != "" {
		// Lookups are kept before they are proven, and one that was is a lie.
		if err := os.RemoveAll(filepath.Join(c.cacheFor("sumdb"), filepath.FromSlash(db.Name), "lookup")); err != nil {
			return err
		}
		c.summary.Failed = nil
		err = c.proveRecords(ctx, db, public)
	}
	return err
}

func (c *collector) proveRecords(ctx context.Context, db *trust.SumDB, public []int) error {
	client := sumdb.New(sumdb.Options{
		DB: db, GOPROXY: c.env.GOPROXY, Fetch: c.Fetch, Parallel: c.Parallel, CacheDir: c.cacheFor("sumdb"),
		GoCacheDir: filepath.Join(c.env.GOMODCACHE, "cache", "download", "sumdb"), GoHeadDir: goHeadDir(c.env),
	})
	c.phase(Phase{Name: "look up in " + db.Name, Total: int64(len(public)), Unit: "modules"})
	records, err := c.lookUp(ctx, client, public)
	if err != nil || len(records) == 0 {
		return err
	}
	head, err := client.Latest(ctx)
	if err != nil {
		return forked(err)
	}
	l, err := buildSumDBLog(ctx, client, db.Name, head, records)
	if err != nil {
		return err
	}
	if err := c.connectTiles(l, head.Tree, client.Nodes(ctx, head.Tree)); err != nil {
		return fmt.Errorf("checksum database %s: %w", db.Name, err)
	}
	if c.SumDBTiles {
		l.Tiles = true
		c.tiles = func(l *bundles.Log, tiles []merkle.Tile) ([][]byte, error) {
			return client.Tiles(ctx, head.Tree, tiles)
		}
	}
	c.logs = append(c.logs, *l)
	s := client.Stats()
	c.phase(Phase{Name: "look up in " + db.Name, Done: fmt.Sprintf("%d records in a tree of %d; %d lookups and %d tiles from the network, %d and %d from caches",
		len(records), head.Tree.Size, s.Lookups, s.Tiles, s.CachedLookups, s.CachedTiles)})
	return nil
}

// goHeadDir is where the go command keeps the heads of checksum databases (gopathDir
// in src/cmd/go/internal/modload/init.go).
func goHeadDir(env gomod.Env) string {
	if list := filepath.SplitList(env.GOPATH); len(list) > 0 && list[0] != "" {
		return filepath.Join(list[0], "pkg", "sumdb")
	}
	return ""
}

// forked marks an error as a [*ForkError] if it is one of the checksum database.
func forked(err error) error {
	if fork := (*sumdb.ForkError)(nil); errors.As(err, &fork) {
		return &ForkError{err}
	}
	return err
}

func (c *collector) cacheFor(what string) string {
	if c.CacheDir == "" {
		return ""
	}
	return filepath.Join(c.CacheDir, what)
}

// record is a record with the module that it was looked up for.
type record struct {
	sumdb.Record
	module int
}

// lookUp gets the records. That the database does not have a module is for the
// self-check to judge; that it can't be asked is an error. So is, and of all
// modules, that it shows two histories.
func (c *collector) lookUp(ctx context.Context, client *sumdb.Client, public []int) ([]record, error) {
	found := make([]*record, len(public))
	failed := make([]error, len(public))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(c.Parallel)
	for n, i := range public {
		g.Go(func() error {
			defer c.count(1)
			r, err := client.Lookup(gctx, c.subjects[i].v)
			var fork *ForkError
			switch {
			case gctx.Err() != nil:
				return context.Cause(gctx)
			case errors.As(forked(err), &fork):
				return fork
			case err == nil:
				found[n] = &record{Record: r, module: i}
			case !errors.Is(err, sumdb.ErrNotFound):
				failed[n] = err
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var out []record
	var errs []ModuleError
	for n, r := range found {
		if r != nil {
			out = append(out, *r)
		}
		if failed[n] != nil {
			errs = append(errs, ModuleError{Module: c.subjects[public[n]].v, Err: failed[n]})
		}
	}
	c.summary.Failed = append(c.summary.Failed, errs...)
	if len(errs) > 0 && !c.AllowMissing {
		return nil, &IncompleteError{What: "the checksum database could not be asked", Modules: errs,
			Hint: "try again: what was fetched is kept; modules that must not be asked about belong into GOPRIVATE"}
	}
	return out, nil
}

// buildSumDBLog proves the records in the head's tree, from tiles.
func buildSumDBLog(ctx context.Context, client *sumdb.Client, name string, head sumdb.Head, records []record) (*collectedLog, error) {
	out := &collectedLog{speaks: map[uint64][]int{}}
	out.LogInfo = bundles.LogInfo{Kind: bundles.SumDB, Name: name}
	out.Checkpoint = head.Note
	slices.SortFunc(records, func(a, b record) int { return cmp.Compare(a.ID, b.ID) })
	var indexes []uint64
	for _, r := range records {
		if n := len(indexes); n == 0 || indexes[n-1] != r.ID {
			indexes = append(indexes, r.ID)
			out.Entries = append(out.Entries, bundles.Entry{Index: r.ID, Leaf: string(r.Text)})
		}
		out.speaks[r.ID] = append(out.speaks[r.ID], r.module)
	}
	var err error
	if out.Proof, err = merkle.BuildMultiproof(head.Tree, indexes, client.Nodes(ctx, head.Tree)); err != nil {
		return nil, fmt.Errorf("checksum database %s: %w", name, err)
	}
	if err := out.Proof.Verify(head.Tree, out.LeafHashes()); err != nil {
		return nil, &notInTreeError{database: name, cached: client.Stats().CachedLookups > 0, err: err}
	}
	return out, nil
}

// notInTreeError says that the records of a database do not lead to its head.
type notInTreeError struct {
	database string
	cached   bool // some records are from a cache
	err      error
}

func (e *notInTreeError) Error() string {
	return fmt.Sprintf("checksum database %s: a record is not in the tree: %v", e.database, e.err)
}

func (e *notInTreeError) Unwrap() error { return e.err }
