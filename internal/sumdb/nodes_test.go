package sumdb

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/modseal/modseal/internal/fetch"
	"github.com/modseal/modseal/merkle"
)

// allNodes lists the perfect subtrees of a tree.
func allNodes(size uint64) []merkle.NodeID {
	var ids []merkle.NodeID
	for level := uint8(0); size>>level > 0; level++ {
		for i := range size >> level {
			ids = append(ids, merkle.NodeID{Level: level, Index: i})
		}
	}
	return ids
}

// nodeHash is a node's hash by the definition, from the leaves.
func nodeHash(id merkle.NodeID) merkle.Hash {
	if id.Level == 0 {
		m := testModule(int(id.Index))
		return merkle.LeafHash(testRecord("", m.Path, m.Version))
	}
	left := merkle.NodeID{Level: id.Level - 1, Index: 2 * id.Index}
	right := merkle.NodeID{Level: id.Level - 1, Index: 2*id.Index + 1}
	return merkle.NodeHash(nodeHash(left), nodeHash(right))
}

// Every node of trees of any shape is right, in whatever order it is asked
// for, and each tile is asked for once.
func TestNodes(t *testing.T) {
	db := newDB(t, "")
	for _, size := range []int{1, 2, 3, 7, 255, 256, 257, 511, 512, 513, 700} {
		db.grow(size)
		head := db.head()
		ids := allNodes(uint64(size))
		rand.New(rand.NewPCG(1, uint64(size))).Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
		c := db.client(Options{})
		hashes, err := c.Nodes(background(), head.Tree).ReadNodes(ids)
		if err != nil {
			t.Fatal(err)
		}
		for i, id := range ids {
			if hashes[i] != nodeHash(id) {
				t.Fatalf("size %d: node %+v is %x", size, id, hashes[i])
			}
		}
		took := db.took()
		slices.Sort(took)
		if want := 1 + len(tlog.NewTiles(tileHeight, 0, int64(size))); len(took) != want || len(slices.Compact(took)) != want {
			t.Errorf("size %d: requests %q", size, took)
		}
	}
}

// Tiles hold the nodes that they are named for, and what isn't a tile of the tree is
// refused.
func TestTiles(t *testing.T) {
	db := newDB(t, "")
	for _, size := range []int{1, 255, 256, 257, 700, 2000} {
		db.grow(size)
		tree := db.head().Tree
		r := rand.New(rand.NewPCG(1, uint64(size)))
		leaves := map[uint64]bool{}
		for range 5 {
			leaves[r.Uint64N(uint64(size))] = true
		}
		tiles, err := merkle.Tiles(tree.Size, slices.Sorted(maps.Keys(leaves)))
		if err != nil {
			t.Fatal(err)
		}
		c := db.client(Options{})
		data, err := c.Tiles(background(), tree, tiles)
		if err != nil {
			t.Fatal(err)
		}
		for i, tile := range tiles {
			if len(data[i]) != tile.Width*32 {
				t.Fatalf("size %d: tile %+v has %d bytes", size, tile, len(data[i]))
			}
			for n := range tile.Width {
				id := merkle.NodeID{Level: tile.Level * tileHeight, Index: tile.Index<<tileHeight + uint64(n)}
				if want := nodeHash(id); string(data[i][32*n:32*n+32]) != string(want[:]) {
					t.Fatalf("size %d: node %d of tile %+v is wrong", size, n, tile)
				}
			}
		}
		for _, wrong := range []merkle.Tile{
			{Index: uint64(size-1)>>tileHeight + 1, Width: 1}, {Level: 2, Width: 1}, {Level: 8, Width: 1}, {Level: 255, Width: 1},
			{Index: tiles[0].Index, Width: tiles[0].Width - 1}, {Index: 1 << 60, Width: 1},
		} {
			if _, err := c.Tiles(background(), tree, []merkle.Tile{wrong}); err == nil {
				t.Errorf("size %d: tile %+v", size, wrong)
			}
		}
		lie := tree
		lie.Root[0] ^= 1
		if _, err := c.Tiles(background(), lie, tiles); err == nil {
			t.Errorf("size %d: tiles of another tree", size)
		}
	}
}

// Nodes that aren't in the tree are refused, and no arithmetic overflows.
func TestNodesOutside(t *testing.T) {
	db := newDB(t, "")
	db.grow(7)
	tree := db.head().Tree
	reader := db.client(Options{}).Nodes(background(), tree)
	for _, id := range []merkle.NodeID{{Level: 0, Index: 7}, {Level: 1, Index: 3}, {Level: 2, Index: 1}, {Level: 3}, {Level: 62}, {Level: 63}, {Level: 64}, {Level: 255},
		{Level: 0, Index: 1<<64 - 1}, {Level: 1, Index: 1 << 63}, {Level: 2, Index: 1<<62 + 1}} {
		if _, err := reader.ReadNodes([]merkle.NodeID{{Level: 2}, id}); err == nil {
			t.Errorf("%+v: no error", id)
		}
	}
	if took := db.took(); len(took) != 0 {
		t.Errorf("requests %q", took)
	}
	for _, size := range []uint64{merkle.MaxSize, merkle.MaxSize + 1, 1<<64 - 1} {
		tree.Size = size
		_, err := db.client(Options{}).Nodes(background(), tree).ReadNodes([]merkle.NodeID{{}})
		wantAs[*TileError](t, err)
	}
	if hashes, err := reader.ReadNodes(nil); err != nil || len(hashes) != 0 {
		t.Errorf("no nodes: %v, %v", hashes, err)
	}
}

// A multiproof of many records is made with one request a tile, and memory
// holds a bounded number of them.
func TestMultiproof(t *testing.T) {
	if testing.Short() {
		t.Skip("a tree of 140,000 records")
	}
	db := newDB(t, "")
	const size = 140_000
	db.grow(size)
	tree := db.head().Tree
	random := rand.New(rand.NewPCG(1, 2))
	chosen := make(map[uint64]bool)
	for len(chosen) < 3000 {
		chosen[random.Uint64N(size)] = true
	}
	var indexes []uint64
	tiles := make(map[uint64]bool)
	for i := range chosen {
		indexes = append(indexes, i)
		tiles[i/tileWidth] = true
	}
	slices.Sort(indexes)
	tiles[(size-1)/tileWidth] = true // the right edge

	dir := t.TempDir()
	c := db.client(Options{CacheDir: dir})
	m, err := merkle.BuildMultiproof(tree, indexes, c.Nodes(background(), tree))
	if err != nil {
		t.Fatal(err)
	}
	for n, i := range indexes {
		if got, want := m.Indexes[n], i; got != want {
			t.Fatalf("index %d is %d, want %d", n, got, want)
		}
	}
	// Level 1 has 546 hashes in 3 tiles, level 2 has 2 in one.
	if want := len(tiles) + 4; c.Stats().Tiles != want {
		t.Errorf("%d tiles, want %d", c.Stats().Tiles, want)
	}
	if held := len(c.tiles.young) + len(c.tiles.old); held > 2*maxTileMemory {
		t.Errorf("%d tiles in memory", held)
	}

	// The next run asks for nothing, until the tree has grown.
	db.took()
	c = db.client(Options{CacheDir: dir})
	if _, err := merkle.BuildMultiproof(tree, indexes, c.Nodes(background(), tree)); err != nil {
		t.Fatal(err)
	}
	if took := db.took(); len(took) != 0 {
		t.Errorf("requests %q", took)
	}
	db.grow(size + 1)
	tree = db.head().Tree
	c = db.client(Options{CacheDir: dir})
	if _, err := merkle.BuildMultiproof(tree, indexes, c.Nodes(background(), tree)); err != nil {
		t.Fatal(err)
	}
	if took := db.took(); len(took) != 2 || count(took, "/tile/8/0/546.p/225") != 1 || count(took, "/latest") != 1 {
		t.Errorf("requests %q", took)
	}
	if list, err := os.ReadDir(filepath.Join(dir, testName, "tile/8/0/546.p")); err != nil || len(list) != 1 || list[0].Name() != "225" {
		t.Errorf("tiles kept beside the newest: %v, %v", list, err)
	}
}

// The tiles held in memory are bounded, and those in use stay.
func TestTileMemory(t *testing.T) {
	var m tileMemory
	tile := func(i int) tlog.Tile { return tlog.Tile{H: tileHeight, N: int64(i), W: tileWidth} }
	for i := range 10 * maxTileMemory {
		m.put(tile(i), []byte{byte(i)})
		if m.get(tile(0)) == nil {
			t.Fatalf("tile in use was dropped after %d others", i)
		}
		if len(m.young)+len(m.old) > 2*maxTileMemory {
			t.Fatalf("%d tiles in memory", len(m.young)+len(m.old))
		}
	}
	if m.get(tile(1)) != nil {
		t.Error("tile not in use is still there")
	}
}

// A tile that isn't the tree's is found, on whichever level, and isn't cached.
func TestLyingTile(t *testing.T) {
	db := newDB(t, "")
	db.grow(700)
	tree := db.head().Tree
	flip := func(a *reply) { a.body[40] ^= 1 }
	other := newDB(t, "other history")
	other.grow(700)
	for _, test := range []struct {
		name, path string
		lie        func(a *reply)
	}{
		{"flipped bit in a leaf", "tile/8/0/001", flip},
		{"flipped bit at the edge", "tile/8/0/002.p/188", flip},
		{"flipped bit above", "tile/8/1/000.p/2", flip},
		{"tile of another place", "tile/8/0/001", func(a *reply) {
			a.body, _ = db.ops.ReadTileData(background(), tlog.Tile{H: 8, L: 0, N: 0, W: 256})
		}},
		{"tile of another history", "tile/8/0/001", func(a *reply) {
			a.body, _ = other.ops.ReadTileData(background(), tlog.Tile{H: 8, L: 0, N: 1, W: 256})
		}},
		{"hashes swapped", "tile/8/0/001", func(a *reply) {
			a.body = slices.Concat(a.body[32:64], a.body[:32], a.body[64:])
		}},
		{"one hash less", "tile/8/0/001", func(a *reply) { a.body = a.body[32:] }},
		{"half a hash less", "tile/8/0/001", func(a *reply) { a.body = a.body[16:] }},
		{"one hash more than asked", "tile/8/1/000.p/2", func(a *reply) { a.body = append(a.body, a.body[:32]...) }},
		{"nothing", "tile/8/0/001", func(a *reply) { a.body = nil }},
	} {
		t.Run(test.name, func(t *testing.T) {
			db.setLie(func(path string, a *reply) {
				if path == test.path {
					test.lie(a)
				}
			})
			dir := t.TempDir()
			c := db.client(Options{CacheDir: dir})
			_, err := c.Nodes(background(), tree).ReadNodes(allNodes(700))
			wantAs[*TileError](t, err)
			db.setLie(nil)
			hashes, err := c.Nodes(background(), tree).ReadNodes([]merkle.NodeID{{Level: 0, Index: 300}})
			if err != nil || hashes[0] != nodeHash(merkle.NodeID{Index: 300}) || c.Stats().CachedTiles != 0 {
				t.Errorf("the lie was cached: %+v, %v", c.Stats(), err)
			}
		})
	}
	t.Run("longer than any tile", func(t *testing.T) {
		db.setLie(func(path string, a *reply) {
			if strings.HasPrefix(path, "tile") {
				a.body = make([]byte, maxTile+1)
			}
		})
		_, err := db.client(Options{}).Nodes(background(), tree).ReadNodes(allNodes(700))
		if !errors.Is(err, fetch.ErrTooLarge) {
			t.Error(err)
		}
	})
	t.Run("wrong head", func(t *testing.T) {
		db.setLie(nil)
		_, err := db.client(Options{}).Nodes(background(), merkle.Tree{Size: 700, Root: merkle.Hash{1}}).ReadNodes(allNodes(700))
		wantAs[*TileError](t, err)
	})
}

// Servers may drop a tile's smaller versions; then its full one will do, and
// is only ever kept if all of it was proven.
func TestPartialTileGone(t *testing.T) {
	db := newDB(t, "")
	db.grow(700)
	tree := db.head().Tree
	db.grow(1000)
	ids := []merkle.NodeID{{Level: 0, Index: 600}}
	for _, status := range []int{400, 403, 404, 410} {
		db.setLie(func(path string, a *reply) {
			if strings.Contains(path, "002.p/") {
				a.status = status
			}
		})
		dir := t.TempDir()
		db.took()
		hashes, err := db.client(Options{CacheDir: dir}).Nodes(background(), tree).ReadNodes(ids)
		if err != nil || hashes[0] != nodeHash(ids[0]) {
			t.Errorf("%d: %v", status, err)
		}
		if took := db.took(); count(took, "/tile/8/0/002") != 2 || count(took, "/tile/8/0/002.p/188") != 1 {
			t.Errorf("%d: requests %q", status, took)
		}
		if _, err := os.Stat(filepath.Join(dir, testName, "tile/8/0/002")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%d: a tile proven in part was cached: %v", status, err)
		}
	}
	db.setLie(func(path string, a *reply) {
		if strings.Contains(path, "tile/8/0/002") {
			a.status = 404
		}
	})
	_, err := db.client(Options{}).Nodes(background(), tree).ReadNodes(ids)
	if failed := wantAs[*fetch.Error](t, err); failed.Status != 404 || !strings.HasSuffix(failed.URL, "002.p/188") {
		t.Errorf("both gone: %v", err)
	}
}

// A reader may be used by many, and a done context ends them all.
func TestNodesConcurrently(t *testing.T) {
	db := newDB(t, "")
	db.grow(700)
	ctx, cancel := context.WithCancel(background())
	reader := db.client(Options{Parallel: 2, CacheDir: t.TempDir()}).Nodes(ctx, db.head().Tree)
	var group sync.WaitGroup
	for i := range uint64(30) {
		group.Go(func() {
			id := merkle.NodeID{Index: i * 23}
			if hashes, err := reader.ReadNodes([]merkle.NodeID{id}); err != nil || hashes[0] != nodeHash(id) {
				t.Errorf("%v: %v", id, err)
			}
		})
	}
	group.Wait()
	cancel()
	fresh := db.client(Options{}).Nodes(ctx, db.head().Tree)
	if _, err := fresh.ReadNodes([]merkle.NodeID{{}}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
