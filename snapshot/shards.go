package snapshot

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/fetch"
	"github.com/modseal/modseal/internal/rekor"
	"github.com/modseal/modseal/merkle"
)

// shardID tells the shards of Rekor logs apart.
type shardID struct {
	v2     bool
	logID  [32]byte
	origin string // first line of its checkpoints
}

// found is an entry that is kept, with the subjects that it speaks of.
type found struct {
	*evidence.Entry
	from     string // a file, or the Rekor that was asked
	subjects []int  // places in collector.subjects
}

// keep keeps an entry, and tells whether it was not there yet. It is an error
// that the log proved something else at the same place.
func (c *collector) keep(e *evidence.Entry, from string, subjects []int) (bool, error) {
	id := shardID{v2: e.V2, logID: e.LogID, origin: originOf(e.Checkpoint)}
	if c.found[id] == nil {
		c.found[id] = map[uint64]*found{}
	}
	f, ok := c.found[id][e.Inclusion.Index]
	if !ok {
		c.found[id][e.Inclusion.Index] = &found{Entry: e, from: from, subjects: slices.Clone(subjects)}
		return true, nil
	}
	if !bytes.Equal(f.Body, e.Body) || f.Inclusion.Tree.Size == e.Inclusion.Tree.Size && f.Inclusion.Tree != e.Inclusion.Tree {
		return false, fork(id.origin, headOf(f), headOf(&found{Entry: e, from: from}), "leaf %d is not the same in both, or they are of one size", e.Inclusion.Index)
	}
	f.subjects = append(f.subjects, subjects...)
	if f.Envelope == nil { // the publisher knows more of it than the log
		f.Envelope = e.Envelope
	}
	if f.Timestamps == nil {
		f.Timestamps = e.Timestamps
	}
	return false, nil
}

// buildRekorLogs makes one log of the entries of each shard, at one checkpoint
// if the log can be asked for what leads to it. Else there is one for each tree
// size that publishers brought proofs of.
func (c *collector) buildRekorLogs(ctx context.Context) error {
	listed := map[string]rekor.Shard{} // by origin
	if c.client != nil && len(c.found) > 0 {
		// asked after the entries, so that no entry is newer than its shard's head
		shards, err := c.client.Shards(ctx)
		if err != nil {
			return &RekorError{URL: c.RekorURL, Err: err}
		}
		for _, s := range shards {
			listed[originOf(s.Checkpoint)] = s
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(c.found), func(a, b shardID) int {
		return cmp.Or(cmp.Compare(a.origin, b.origin), bytes.Compare(a.logID[:], b.logID[:]), cmp.Compare(generation(a), generation(b)))
	}) {
		entries := slices.SortedFunc(maps.Values(c.found[id]), func(a, b *found) int { return cmp.Compare(a.Inclusion.Index, b.Inclusion.Index) })
		var logs []collectedLog
		var err error
		switch shard, ok := listed[id.origin]; {
		case id.v2:
			logs, err = c.buildV2(ctx, id, entries)
		case ok:
			logs, err = c.buildV1(ctx, id, shard, entries)
		default:
			logs, err = c.buildAsPublished(id, entries)
		}
		if err != nil {
			return fmt.Errorf("rekor: shard %q: %w", id.origin, err)
		}
		c.logs = append(c.logs, logs...)
	}
	for _, url := range c.RekorTiles {
		if !c.usedTiles[url] {
			c.summary.UnusedTiles = append(c.summary.UnusedTiles, url)
		}
	}
	return nil
}

func generation(id shardID) int {
	if id.v2 {
		return 2
	}
	return 1
}

// logOf is a log of some of a shard's entries, sorted by index, without proof and checkpoint.
func logOf(id shardID, entries []*found) collectedLog {
	out := collectedLog{speaks: map[uint64][]int{}}
	out.LogInfo = bundles.LogInfo{Kind: bundles.RekorV1, Name: id.origin, LogID: fmt.Sprintf("%x", id.logID)}
	if id.v2 {
		out.Kind = bundles.RekorV2
	}
	for _, e := range entries {
		index := e.Inclusion.Index
		out.speaks[index] = append(out.speaks[index], e.subjects...)
		out.Entries = append(out.Entries, bundles.Entry{
			Index: index, Leaf: string(e.Body), LogIndex: e.LogIndex, IntegratedTime: e.IntegratedTime, SET: e.SET,
			Envelope: e.Envelope, Timestamps: e.Timestamps,
		})
	}
	return out
}

// buildV1 rebases every proof to one head of a shard of Rekor v1, with one
// consistency proof for each size at which entries were proven, and merges them.
// The head is what the server lists now, or the newest that was seen if that is
// newer. It must extend the heads of all entries that are kept, and of what was
// seen besides the newest of each place: the list before, entries that are not
// kept. That is one proof more if the log has grown since the list, and two at most
// for the others.
func (c *collector) buildV1(ctx context.Context, id shardID, shard rekor.Shard, entries []*found) ([]collectedLog, error) {
	newest := signedHead{merkle.Tree{Size: shard.Size, Root: shard.Root}, shard.Checkpoint, inList}
	before := c.seen.of(id)
	for _, e := range entries {
		before = append(before, headOf(e))
	}
	for _, h := range before {
		if h.tree.Size > newest.tree.Size {
			newest = h
		}
	}
	head, err := c.Trust.OpenRekorV1(id.logID, newest.checkpoint)
	if err != nil {
		return nil, err
	}
	if head.Origin != id.origin {
		return nil, fmt.Errorf("its head is of %q", head.Origin)
	}
	consistency, err := c.oneHistoryV1(ctx, id.origin, shard.TreeID, before, newest)
	if err != nil {
		return nil, err
	}
	var proofs []merkle.Inclusion
	for _, e := range entries {
		proof, err := merkle.Rebase(e.Inclusion, head.Tree, consistency[e.Inclusion.Tree.Size])
		if err != nil {
			return nil, fmt.Errorf("entry %d: its proof at tree size %d does not lead to the head at %d: %w", e.Inclusion.Index, e.Inclusion.Tree.Size, head.Tree.Size, err)
		}
		proofs = append(proofs, proof)
	}
	out := logOf(id, entries)
	out.Checkpoint = newest.checkpoint
	if out.Proof, err = merkle.MergeProofs(head.Tree, proofs); err != nil {
		return nil, err
	}
	if err := c.connectV1(ctx, &out, shard.TreeID, head.Tree); err != nil {
		return nil, err
	}
	return []collectedLog{out}, nil
}

// oneHistoryV1 gives the consistency proofs from the size of each head that was
// seen to the newest, which is proven to extend it.
func (c *collector) oneHistoryV1(ctx context.Context, origin, treeID string, before []signedHead, newest signedHead) (map[uint64][]merkle.Hash, error) {
	consistency := map[uint64][]merkle.Hash{}
	known := map[merkle.Tree]bool{}
	for _, h := range before {
		size := h.tree.Size
		if known[h.tree] || size == 0 {
			continue // every tree extends the empty one
		}
		known[h.tree] = true
		if _, ok := consistency[size]; !ok {
			var err error
			if consistency[size], err = c.client.Consistency(ctx, treeID, size, newest.tree.Size); err != nil {
				return nil, err
			}
		}
		if err := oneHistory(origin, h, newest, consistency[size]); err != nil {
			return nil, err
		}
	}
	return consistency, nil
}

// buildAsPublished merges the proofs for each head that publishers brought.
func (c *collector) buildAsPublished(id shardID, entries []*found) ([]collectedLog, error) {
	bySize := map[uint64][]*found{}
	for _, e := range entries {
		bySize[e.Inclusion.Tree.Size] = append(bySize[e.Inclusion.Tree.Size], e)
	}
	var out []collectedLog
	var trees []merkle.Tree
	for _, size := range slices.Sorted(maps.Keys(bySize)) {
		entries := bySize[size]
		tree := entries[0].Inclusion.Tree
		var proofs []merkle.Inclusion
		for _, e := range entries {
			if e.Inclusion.Tree != tree {
				return nil, fork(id.origin, headOf(entries[0]), headOf(e), "they are of one size")
			}
			proofs = append(proofs, e.Inclusion)
		}
		l := logOf(id, entries)
		l.Checkpoint = entries[0].Checkpoint
		var err error
		if l.Proof, err = merkle.MergeProofs(tree, proofs); err != nil {
			return nil, err
		}
		out, trees = append(out, l), append(trees, tree)
	}
	return out, c.notConnected(out, trees)
}

// buildV2 proves the entries of a shard of Rekor v2 in its newest tree, from its
// tiles. Where these can't be had, the publishers' proofs will do.
func (c *collector) buildV2(ctx context.Context, id shardID, entries []*found) ([]collectedLog, error) {
	tiles, checkpoint, err := c.tilesOf(ctx, id)
	var out []collectedLog
	if tiles != nil {
		out, err = c.buildFromTiles(ctx, id, entries, tiles, checkpoint)
	}
	var unread *fetch.Error // rather than a lie
	switch {
	case err == nil && tiles != nil:
		return out, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.As(err, &unread):
		c.summary.Unread = append(c.summary.Unread, Unread{Log: id.origin, Err: err})
	case err != nil:
		return nil, err
	}
	return c.buildAsPublished(id, entries)
}

func (c *collector) buildFromTiles(ctx context.Context, id shardID, entries []*found, tiles *rekor.Tiles, checkpoint []byte) ([]collectedLog, error) {
	head, err := c.Trust.OpenRekorV2(id.logID, checkpoint)
	if err != nil {
		return nil, err
	}
	var before []uint64 // sizes of the trees in which entries were proven
	for _, e := range entries {
		if e.Inclusion.Tree.Size > head.Tree.Size {
			return nil, fmt.Errorf("its head of now has %d leaves, and one that it signed before had %d: it was rolled back", head.Tree.Size, e.Inclusion.Tree.Size)
		}
		before = append(before, e.Inclusion.Tree.Size)
	}
	nodes := tiles.Nodes(ctx, head.Tree)
	roots, err := nodes.Roots(before)
	if err != nil {
		return nil, err
	}
	for i, e := range entries {
		if e.Inclusion.Tree.Root != roots[i] {
			return nil, fork(id.origin, headOf(e), signedHead{head.Tree, checkpoint, "its tiles"},
				"its tree of now does not begin with the tree of %d leaves that it signed before, but with one that has root %x", before[i], roots[i][:])
		}
	}
	out := logOf(id, entries)
	var indexes []uint64
	for _, e := range out.Entries {
		indexes = append(indexes, e.Index)
	}
	out.Checkpoint = checkpoint
	if out.Proof, err = merkle.BuildMultiproof(head.Tree, indexes, nodes); err != nil {
		return nil, err
	}
	if err := out.Proof.Verify(head.Tree, out.LeafHashes()); err != nil {
		return nil, fmt.Errorf("the entries are not in its tree of now: %w", err)
	}
	if err := c.connectTiles(&out, head.Tree, nodes); err != nil {
		return nil, err
	}
	return []collectedLog{out}, nil
}

// tilesOf finds where the tiles of a shard are read, and its newest checkpoint:
// at one of RekorTiles, or at the log's URL in the trusted root. It gives nil
// where there is no such place, or no network is wanted.
func (c *collector) tilesOf(ctx context.Context, id shardID) (*rekor.Tiles, []byte, error) {
	var failed error
	for _, url := range c.RekorTiles {
		tiles := rekor.NewTiles(rekor.Options{URL: url, Fetch: c.Fetch, Parallel: c.Parallel})
		checkpoint, err := tiles.Checkpoint(ctx)
		if err != nil {
			failed = err
			continue
		}
		if originOf(checkpoint) == id.origin {
			c.usedTiles[url] = true
			return tiles, checkpoint, nil
		}
	}
	log, err := c.Trust.RekorLog(id.logID)
	if err != nil {
		return nil, nil, err
	}
	if c.RekorURL == "" || log.BaseURL == "" {
		return nil, nil, failed
	}
	tiles := rekor.NewTiles(rekor.Options{URL: log.BaseURL + "/api/v2", Fetch: c.Fetch, Parallel: c.Parallel})
	checkpoint, err := tiles.Checkpoint(ctx)
	if err != nil {
		return nil, nil, errors.Join(failed, err)
	}
	return tiles, checkpoint, nil
}
