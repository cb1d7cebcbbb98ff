package merkle

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
)

// TileHeight is how many levels of a tree are in a tile as checksum databases and
// tiled logs serve them (https://c2sp.org/tlog-tiles, https://go.dev/design/25530-sumdb).
const TileHeight = 8

// A Tile is a part of a tree: Width nodes of the level Level*TileHeight, from index
// Index<<TileHeight on.
type Tile struct {
	Level uint8
	Index uint64
	Width int // 1 to 1<<TileHeight; less than that at the right edge alone
}

// Tiles gives the tiles of a tree of this size from which its root is computed and the
// leaves are proven, in order of level and index: those that the leaves and their
// ancestors are in, and those with the roots of the perfect subtrees that the tree is
// made of. golang.org/x/mod/sumdb/tlog, by which the go command checks records, reads no
// others. The indexes must be as in a Multiproof.
func Tiles(size uint64, indexes []uint64) ([]Tile, error) {
	return tilesOf(TileHeight, size, indexes)
}

func tilesOf(height uint, size uint64, indexes []uint64) ([]Tile, error) {
	if err := checkShape(size, indexes); err != nil {
		return nil, fmt.Errorf("tiles: %w", err)
	}
	seen := map[Tile]bool{}
	add := func(level uint, index uint64) (fresh bool) {
		first := index << height
		t := Tile{Level: uint8(level), Index: index, Width: int(min(1<<height, size>>(level*height)-first))}
		fresh, seen[t] = !seen[t], true
		return fresh
	}
	// A perfect subtree of 1<<b leaves ends where the bits of size above b say; its root
	// is the node of level b with the index size>>b - 1.
	for rest := size; rest > 0; rest &= rest - 1 {
		b := uint(bits.TrailingZeros64(rest))
		add(b/height, (size>>b-1)<<(b%height)>>height)
	}
	for _, leaf := range indexes {
		index := leaf >> height
		for level := uint(0); add(level, index); level++ {
			index >>= height
		}
	}
	out := make([]Tile, 0, len(seen))
	for t := range seen {
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b Tile) int { return cmp.Or(cmp.Compare(a.Level, b.Level), cmp.Compare(a.Index, b.Index)) })
	return out, nil
}
