package sumdb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/modseal/modseal/merkle"
)

// maxTilesAtOnce bounds the tiles that are in memory to answer one part of a
// request for nodes, 4 MiB of them beside those on the way to the root.
const maxTilesAtOnce = 512

// Nodes returns a reader of the nodes of a tree, which should be that of a
// [Head]. Each node that it gives is authenticated: the tiles that it and its
// ancestors are in lead to tree.Root. If they don't, even when all are fetched
// anew, the error is a [*TileError].
//
// A tile is fetched once, as long as it is in a cache or was used lately, and
// many tiles at a time. So ask for all nodes in one call; their number is no
// matter. The reader is safe for concurrent use, as long as ctx isn't done.
func (c *Client) Nodes(ctx context.Context, tree merkle.Tree) merkle.NodeReader {
	return c.nodes(ctx, Head{Tree: tree})
}

func (c *Client) nodes(ctx context.Context, head Head) *nodeReader {
	return &nodeReader{client: c, ctx: ctx, head: head}
}

type nodeReader struct {
	client *Client
	ctx    context.Context
	head   Head
	keep   map[tlog.Tile][]byte // authentic tiles, if they are wanted; else nil
}

// ReadNodes implements [merkle.NodeReader].
func (r *nodeReader) ReadNodes(ids []merkle.NodeID) ([]merkle.Hash, error) {
	size := r.head.Tree.Size
	for _, id := range ids {
		// Index+1 may overflow, and so may any of the two shifted to the left.
		if id.Level > 62 || id.Index >= size>>id.Level {
			return nil, fmt.Errorf("checksum database: node %d at level %d isn't in a tree of size %d", id.Index, id.Level, size)
		}
	}
	// From left to right, so that a tile's nodes come together, whatever the
	// order in which they are asked for.
	order := make([]int, len(ids))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		a, b := ids[i], ids[j]
		return cmp.Or(cmp.Compare(a.Index<<a.Level, b.Index<<b.Level), cmp.Compare(a.Level, b.Level))
	})

	hashes := make([]merkle.Hash, len(ids))
	for len(order) > 0 {
		var indexes []int64
		tiles := make(map[tlog.Tile]bool)
		for _, i := range order {
			index := tlog.StoredHashIndex(int(ids[i].Level), int64(ids[i].Index))
			tile := tlog.TileForIndex(tileHeight, index)
			tile.W = tileWidth
			if tiles[tile] = true; len(tiles) > maxTilesAtOnce {
				break
			}
			indexes = append(indexes, index)
		}
		part, err := r.readHashes(indexes)
		if err != nil {
			return nil, err
		}
		for i, hash := range part {
			hashes[order[i]] = merkle.Hash(hash)
		}
		order = order[len(part):]
	}
	return hashes, nil
}

// readHashes implements [tlog.HashReader]. A tile from a cache that is wrong
// shows in the root only, not in itself, so that then all are fetched anew.
func (r *nodeReader) readHashes(indexes []int64) ([]tlog.Hash, error) {
	// tlog panics on an empty tree, and doesn't return for one above the limit.
	if size := r.head.Tree.Size; size == 0 || size > maxTree {
		return nil, &TileError{r.client.db.Name, r.head, errors.New("a tree of this size has no tiles")}
	}
	hashes, badCache, err := r.tryHashes(indexes, false)
	if badCache {
		r.client.stats.badCache.Add(1)
		clear(r.keep)
		hashes, _, err = r.tryHashes(indexes, true)
	}
	return hashes, err
}

// Tiles returns tiles of a tree, which should be that of a [Head], as [merkle.Tiles]
// gives them: of each the hashes of its nodes, 32 bytes each. They are authenticated, and
// fetched, as nodes are; all of them are in memory at once.
func (c *Client) Tiles(ctx context.Context, tree merkle.Tree, tiles []merkle.Tile) ([][]byte, error) {
	out := make([][]byte, 0, len(tiles))
	for part := range slices.Chunk(tiles, maxTilesAtOnce) {
		r := &nodeReader{client: c, ctx: ctx, head: Head{Tree: tree}, keep: map[tlog.Tile][]byte{}}
		var indexes []int64
		for _, t := range part {
			nodes := tree.Size >> (uint(t.Level) * tileHeight) // of the tile's level
			if nodes == 0 || t.Index > (nodes-1)>>tileHeight {
				return nil, fmt.Errorf("checksum database: tile %d at level %d isn't in a tree of size %d", t.Index, t.Level, tree.Size)
			}
			indexes = append(indexes, tlog.StoredHashIndex(int(t.Level)*tileHeight, int64(t.Index)<<tileHeight))
		}
		if _, err := r.readHashes(indexes); err != nil {
			return nil, err
		}
		for _, t := range part {
			data, ok := r.keep[tlog.Tile{H: tileHeight, L: int(t.Level), N: int64(t.Index), W: t.Width}]
			if !ok {
				return nil, fmt.Errorf("checksum database: a tree of size %d has no tile %+v", tree.Size, t)
			}
			out = append(out, data)
		}
	}
	return out, nil
}

func (r *nodeReader) tryHashes(indexes []int64, noCaches bool) (hashes []tlog.Hash, badCache bool, err error) {
	tree := tlog.Tree{N: int64(r.head.Tree.Size), Hash: tlog.Hash(r.head.Tree.Root)}
	tiles := &tileReader{client: r.client, ctx: r.ctx, noCaches: noCaches, keep: r.keep, origin: make(map[tlog.Tile]origin)}
	hashes, err = tlog.TileHashReader(tree, tiles).ReadHashes(indexes)
	var size *tileSizeError
	switch {
	case err == nil:
		return hashes, false, nil
	case tiles.err != nil && !errors.As(err, &size): // of the network
		return nil, false, err
	default:
		return nil, tiles.err == nil && tiles.usedCaches(), &TileError{r.client.db.Name, r.head, err}
	}
}
