package merkle_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/modseal/modseal/merkle"
)

// asked is a tlog.TileReader that has no tiles, and knows which it was asked for.
type asked struct {
	height int
	tiles  map[merkle.Tile]bool
}

func (a *asked) Height() int                     { return a.height }
func (a *asked) SaveTiles([]tlog.Tile, [][]byte) {}

func (a *asked) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	for _, t := range tiles {
		a.tiles[merkle.Tile{Level: uint8(t.L), Index: uint64(t.N), Width: t.W}] = true
	}
	return nil, errors.New("asked")
}

// tiles are what tlog reads to prove each of the leaves by itself.
func (a *asked) of(size uint64, indexes []uint64) map[merkle.Tile]bool {
	a.tiles = map[merkle.Tile]bool{}
	for _, i := range indexes {
		_, _ = tlog.TileHashReader(tlog.Tree{N: int64(size)}, a).ReadHashes([]int64{tlog.StoredHashIndex(0, int64(i))})
	}
	return a.tiles
}

// The tiles are those that golang.org/x/mod/sumdb/tlog reads for the same leaves, each
// once and in order: for every leaf of every tree up to some size, and random sets of
// leaves in trees up to the largest.
func TestTiles(t *testing.T) {
	check := func(height uint, size uint64, indexes []uint64) {
		t.Helper()
		got, err := merkle.TilesOfHeight(height, size, indexes)
		if err != nil {
			t.Fatalf("%v in %d: %v", indexes, size, err)
		}
		want := (&asked{height: int(height)}).of(size, indexes)
		for i, tile := range got {
			if !want[tile] || i > 0 && !(got[i-1].Level < tile.Level || got[i-1].Level == tile.Level && got[i-1].Index < tile.Index) {
				t.Fatalf("height %d, %v in %d: tile %+v is not wanted, or not in order", height, indexes, size, tile)
			}
		}
		if len(got) != len(want) {
			t.Fatalf("height %d, %v in %d: %d tiles, want %d", height, indexes, size, len(got), len(want))
		}
	}
	for _, height := range []uint{1, 2, 3} {
		for size := uint64(1); size <= allTrees; size += everyTree() {
			for i := range size {
				check(height, size, []uint64{i})
			}
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		size := 1 + r.Uint64N(1<<(1+r.UintN(62)))
		indexes := map[uint64]bool{}
		for range 1 + r.IntN(8) {
			indexes[r.Uint64N(size)] = true
		}
		check(1+r.UintN(10), size, sorted(indexes))
		check(merkle.TileHeight, size, sorted(indexes))
	}
}

// What is no set of leaves of a tree is refused.
func TestTilesRefused(t *testing.T) {
	for _, tc := range []struct {
		size    uint64
		indexes []uint64
	}{{0, []uint64{0}}, {5, nil}, {5, []uint64{5}}, {5, []uint64{1, 1}}, {5, []uint64{2, 1}}, {merkle.MaxSize + 1, []uint64{1}}} {
		if tiles, err := merkle.Tiles(tc.size, tc.indexes); err == nil {
			t.Errorf("%v in %d: %v", tc.indexes, tc.size, tiles)
		}
	}
	if _, err := merkle.Tiles(merkle.MaxSize, []uint64{merkle.MaxSize - 1}); err != nil {
		t.Error(err)
	}
}

func ExampleTiles() {
	tiles, _ := merkle.Tiles(70_000, []uint64{300, 301, 69_999})
	fmt.Println(tiles)
	// Output: [{0 1 256} {0 273 112} {1 0 256} {1 1 17} {2 0 1}]
}

func sorted(set map[uint64]bool) []uint64 {
	var list []uint64
	for i := range set {
		list = append(list, i)
	}
	slices.Sort(list)
	return list
}
