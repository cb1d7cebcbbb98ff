package rekor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sync/errgroup"

	"github.com/modseal/modseal/internal/fetch"
	"github.com/modseal/modseal/merkle"
)

const (
	tileHeight = 8
	maxTile    = tlog.HashSize << tileHeight
)

// Tiles reads a shard of Rekor v2: static files as C2SP tlog-tiles has them. It
// is safe for concurrent use.
type Tiles struct {
	base     string
	fetch    *fetch.Client
	parallel int
}

// NewTiles reads the shard whose checkpoint is o.URL/checkpoint. It makes no
// request. The public instances have it at /api/v2/checkpoint.
func NewTiles(o Options) *Tiles {
	c := New(o)
	return &Tiles{base: strings.TrimRight(o.URL, "/") + "/", fetch: c.fetch, parallel: c.parallel}
}

// Checkpoint gets the newest checkpoint. Nothing of it is verified.
func (t *Tiles) Checkpoint(ctx context.Context) ([]byte, error) {
	return t.get(ctx, "checkpoint", "checkpoint", maxCheckpoint)
}

func (t *Tiles) get(ctx context.Context, kind, path string, maxBytes int64) ([]byte, error) {
	resp, err := t.fetch.Do(ctx, fetch.Request{URL: t.base + path, Kind: kind, MaxBytes: maxBytes})
	if err != nil {
		return nil, fmt.Errorf("rekor: %w", err)
	}
	return resp.Body, nil
}

// Nodes returns a reader of the nodes of a tree. Each node that it gives is
// authenticated: the tiles that it and its ancestors are in lead to tree.Root. It
// is not safe for concurrent use.
func (t *Tiles) Nodes(ctx context.Context, tree merkle.Tree) *Nodes {
	return &Nodes{tiles: t, ctx: ctx, tree: tree, saved: map[tlog.Tile][]byte{}}
}

// maxSaved is how many tiles Nodes keeps: 32 MiB of them.
const maxSaved = 4096

// Nodes reads the nodes of one tree.
type Nodes struct {
	tiles *Tiles
	ctx   context.Context
	tree  merkle.Tree
	saved map[tlog.Tile][]byte // authenticated; at most maxSaved
}

// Roots gives the roots that the tree had when it had these numbers of leaves, each
// from authenticated nodes (RFC 6962, Section 2.1: of the complete subtrees that
// make up the first n leaves, one for each bit of n).
func (r *Nodes) Roots(sizes []uint64) ([]merkle.Hash, error) {
	var ids []merkle.NodeID
	first := make([]int, len(sizes)+1) // ids[first[i]:first[i+1]] are of sizes[i], the right ones first
	for i, n := range sizes {
		if n == 0 || n > r.tree.Size {
			return nil, fmt.Errorf("rekor: a tree of %d leaves has none of %d within", r.tree.Size, n)
		}
		for level := uint8(0); n>>level > 0; level++ {
			if n>>level&1 == 1 {
				ids = append(ids, merkle.NodeID{Level: level, Index: n>>level - 1})
			}
		}
		first[i+1] = len(ids)
	}
	nodes, err := r.ReadNodes(ids)
	if err != nil {
		return nil, err
	}
	roots := make([]merkle.Hash, len(sizes))
	for i := range sizes {
		roots[i] = nodes[first[i]]
		for _, left := range nodes[first[i]+1 : first[i+1]] {
			roots[i] = merkle.NodeHash(left, roots[i])
		}
	}
	return roots, nil
}

// ReadNodes implements [merkle.NodeReader].
func (r *Nodes) ReadNodes(ids []merkle.NodeID) ([]merkle.Hash, error) {
	if r.tree.Size == 0 || r.tree.Size >= merkle.MaxSize { // of which tlog makes a panic or an endless loop
		return nil, fmt.Errorf("rekor: a tree of %d has no tiles", r.tree.Size)
	}
	indexes := make([]int64, len(ids))
	for i, id := range ids {
		if id.Level > 62 || id.Index >= r.tree.Size>>id.Level {
			return nil, fmt.Errorf("rekor: node %d at level %d isn't in a tree of size %d", id.Index, id.Level, r.tree.Size)
		}
		indexes[i] = tlog.StoredHashIndex(int(id.Level), int64(id.Index))
	}
	hashes, err := tlog.TileHashReader(tlog.Tree{N: int64(r.tree.Size), Hash: tlog.Hash(r.tree.Root)}, r).ReadHashes(indexes)
	if err != nil {
		return nil, fmt.Errorf("rekor: tiles: %w", err)
	}
	out := make([]merkle.Hash, len(hashes))
	for i, h := range hashes {
		out[i] = merkle.Hash(h)
	}
	return out, nil
}

// Height implements [tlog.TileReader].
func (r *Nodes) Height() int { return tileHeight }

// ReadTiles implements [tlog.TileReader]. A tile that is full by now need not be
// there as the part that it was.
func (r *Nodes) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	g, ctx := errgroup.WithContext(r.ctx)
	g.SetLimit(r.tiles.parallel)
	for i, tile := range tiles {
		if data[i] = r.saved[tile]; data[i] != nil {
			continue
		}
		g.Go(func() error {
			var err error
			if data[i], err = r.tiles.tile(ctx, tile); err != nil {
				return err
			}
			if want := tile.W * tlog.HashSize; len(data[i]) < want {
				return fmt.Errorf("rekor: %s has %d bytes, want %d", tilePath(tile), len(data[i]), want)
			}
			data[i] = data[i][:tile.W*tlog.HashSize]
			return nil
		})
	}
	return data, g.Wait()
}

// tile gets a tile: the part of it, or the whole if there is no such part.
func (t *Tiles) tile(ctx context.Context, tile tlog.Tile) ([]byte, error) {
	data, err := t.get(ctx, "tile", tilePath(tile), maxTile)
	if err == nil || tile.W == 1<<tileHeight {
		return data, err
	}
	tile.W = 1 << tileHeight
	data, errWhole := t.get(ctx, "tile", tilePath(tile), maxTile)
	if errWhole != nil && errors.Is(err, fs.ErrNotExist) {
		err = errWhole
	} else if errWhole == nil {
		err = nil
	}
	return data, err
}

// tilePath is that of C2SP tlog-tiles, which leaves out the height.
func tilePath(t tlog.Tile) string {
	return strings.Replace(t.Path(), fmt.Sprintf("tile/%d/", tileHeight), "tile/", 1)
}

// SaveTiles implements [tlog.TileReader]: it is given what was authenticated.
func (r *Nodes) SaveTiles(tiles []tlog.Tile, data [][]byte) {
	for i, tile := range tiles {
		if len(r.saved) < maxSaved {
			r.saved[tile] = data[i]
		}
	}
}
