package rekor_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modseal/modseal/internal/fetch"
	"github.com/modseal/modseal/internal/rekor"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/merkle"
)

// shardV2 is a shard of n leaves, its server, and a reader of its tiles.
func shardV2(t *testing.T, n int) (*testlog.RekorTiles, *rekor.Tiles) {
	t.Helper()
	served := &testlog.RekorTiles{Log: testlog.NewRekorV2("rekor2.example")}
	for i := range n {
		served.Log.Add(fmt.Appendf(nil, "leaf %d", i))
	}
	server := httptest.NewServer(served)
	t.Cleanup(server.Close)
	client := fetch.New(fetch.Options{MaxTries: 1, Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }})
	return served, rekor.NewTiles(rekor.Options{URL: server.URL + "/api/v2/", Fetch: client})
}

// Property: any entry is proven from tiles in any tree of the log, at the edges of
// tiles too, and also where a part of a tile has become a whole one since.
func TestTiles(t *testing.T) {
	served, tiles := shardV2(t, 520)
	log := served.Log
	for _, size := range []uint64{1, 2, 3, 255, 256, 257, 300, 511, 512, 513, 520} {
		var indexes []uint64
		for _, i := range []uint64{0, 1, 254, 255, 256, 257, 511, 512, 519} {
			if i < size {
				indexes = append(indexes, i)
			}
		}
		head := log.Head(size)
		got, err := merkle.BuildMultiproof(head, indexes, tiles.Nodes(t.Context(), head))
		if err != nil {
			t.Fatalf("in a tree of %d: %v", size, err)
		}
		if want := log.Multiproof(size, indexes...); !slices.Equal(got.Nodes, want.Nodes) {
			t.Errorf("in a tree of %d: another proof than from the log itself", size)
		}
	}
	for _, r := range served.Requests() {
		if !strings.HasPrefix(r, "/api/v2/tile/0/") && !strings.HasPrefix(r, "/api/v2/tile/1/") {
			t.Errorf("asked for %s", r)
		}
	}
}

// Property: the roots of all earlier trees come out of the tiles of the tree of
// now, and there are none of no leaves or of more than there are.
func TestRoots(t *testing.T) {
	served, tiles := shardV2(t, 520)
	log := served.Log
	head := log.Head(520)
	var sizes []uint64
	for n := uint64(1); n <= 520; n++ {
		sizes = append(sizes, n)
	}
	nodes := tiles.Nodes(t.Context(), head)
	roots, err := nodes.Roots(sizes)
	if err != nil || len(roots) != len(sizes) {
		t.Fatalf("%d roots, %v", len(roots), err)
	}
	for i, n := range sizes {
		if roots[i] != log.Head(n).Root {
			t.Errorf("root of the first %d leaves: %x", n, roots[i])
		}
	}
	if _, err := merkle.BuildMultiproof(head, []uint64{3, 519}, nodes); err != nil {
		t.Error(err)
	}
	if asked := served.Requests(); len(asked) != 4 {
		t.Errorf("%q; want each of 4 tiles once", asked)
	}
	if roots, err := nodes.Roots(nil); err != nil || len(roots) != 0 {
		t.Errorf("of no sizes: %x, %v", roots, err)
	}
	for _, n := range []uint64{0, 521, 1 << 63} {
		if roots, err := nodes.Roots([]uint64{5, n}); err == nil {
			t.Errorf("of %d leaves: %x", n, roots)
		}
	}
}

// Property: a lying tile gives no node, and a tile that can't be had is told from
// a lie. Trees of sizes that no log has are refused.
func TestTilesLie(t *testing.T) {
	for _, c := range []struct {
		name  string
		edit  func(path string, a *testlog.Answer)
		says  string
		fetch bool
	}{
		{"another hash", func(_ string, a *testlog.Answer) { a.Body[len(a.Body)-1] ^= 1 }, "tile", false},
		{"another hash above", func(path string, a *testlog.Answer) {
			if strings.HasPrefix(path, "tile/1/") {
				a.Body[3] ^= 1
			}
		}, "tile", false},
		{"cut short", func(_ string, a *testlog.Answer) { a.Body = a.Body[:len(a.Body)-1] }, "bytes, want", false},
		{"not there", func(_ string, a *testlog.Answer) { a.Status = 404 }, "status 404", true},
		{"too long", func(_ string, a *testlog.Answer) { a.Body = make([]byte, 32*256+1) }, "over the limit of 8192 bytes", true},
	} {
		served, tiles := shardV2(t, 300)
		served.Edit.Set(func(path string, a *testlog.Answer) {
			if a.Status == 200 { // else the part of a tile became a whole one
				c.edit(path, a)
			}
		})
		nodes, err := tiles.Nodes(t.Context(), served.Log.Head(300)).ReadNodes([]merkle.NodeID{{Index: 1}, {Index: 299}})
		var unread *fetch.Error
		if err == nil || nodes != nil || !strings.Contains(err.Error(), c.says) || errors.As(err, &unread) != c.fetch {
			t.Errorf("%s: %x, %v", c.name, nodes, err)
		}
	}
	_, tiles := shardV2(t, 3)
	for _, size := range []uint64{0, merkle.MaxSize, merkle.MaxSize + 1, 1 << 63} {
		if _, err := tiles.Nodes(t.Context(), merkle.Tree{Size: size}).ReadNodes([]merkle.NodeID{{}}); err == nil {
			t.Errorf("a tree of %d has nodes", size)
		}
	}
	for _, id := range []merkle.NodeID{{Index: 3}, {Level: 1, Index: 1}, {Level: 2}, {Level: 63}, {Level: 255}} {
		if _, err := tiles.Nodes(t.Context(), merkle.Tree{Size: 3}).ReadNodes([]merkle.NodeID{id}); err == nil || !strings.Contains(err.Error(), "isn't in a tree") {
			t.Errorf("node %+v: %v", id, err)
		}
	}
}
