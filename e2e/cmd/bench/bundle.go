//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"
)

// inspection is what is used of modseal inspect --format json.
type inspection struct {
	Size     int64 // of the payload, bytes
	Manifest struct {
		Modules []struct {
			Entries []struct {
				Log   int
				Index int64
			}
		}
	}
	Logs []struct {
		TreeSize int64
		Nodes    int
		Entries  int
	}
}

func (b *bench) inspect(ctx context.Context, bundle string) (*inspection, error) {
	_, out, err := command{dir: b.dir, env: os.Environ(), args: []string{b.modseal, "inspect", "--format=json", bundle}}.run(ctx)
	if err != nil {
		return nil, err
	}
	var in inspection
	if err := json.Unmarshal(out, &in); err != nil {
		return nil, fmt.Errorf("inspect: %w", err)
	}
	if len(in.Logs) != 1 {
		return nil, fmt.Errorf("the bundle has %d logs, want the checksum database alone", len(in.Logs))
	}
	return &in, nil
}

// measureBundle compares the size of bundles with what could not be left out of them.
func (b *bench) measureBundle(ctx context.Context) error {
	plainFile := filepath.Join(b.dir, "plain.modseal")
	if _, _, err := b.snapshot(ctx, b.set.project, plainFile, "--no-listings"); err != nil {
		return err
	}
	plain, err := b.inspect(ctx, plainFile)
	if err != nil {
		return err
	}
	full, err := b.inspect(ctx, b.bundle)
	if err != nil {
		return err
	}
	files, err := b.set.countFiles()
	if err != nil {
		return err
	}
	tiles, err := neededTiles(plain)
	if err != nil {
		return err
	}
	var tileBytes int64
	for tile := range tiles {
		tileBytes += int64(tile.W) * tlog.HashSize
	}
	l := plain.Logs[0]
	const hashesInRecord = 2 // h1 of the module and of its go.mod
	floor := tlog.HashSize * int64(l.Nodes+hashesInRecord*l.Entries)
	listings := full.Size - plain.Size

	t := &b.table
	t.section("bundle: %d records in a tree of %d", l.Entries, l.TreeSize)
	t.info("payload without listings", "%d bytes", plain.Size)
	t.info(fmt.Sprintf("32 bytes × (%d nodes + %d × %d proven hashes)", l.Nodes, hashesInRecord, l.Entries), "%d bytes", floor)
	t.info(fmt.Sprintf("%d tiles with the same proofs", len(tiles)), "%d bytes", tileBytes)
	t.atMost("payload without listings / hashes", "%.3f", float64(plain.Size)/float64(floor), 1.25)
	t.atMost("payload without listings / tiles", "%.3f", float64(plain.Size)/float64(tileBytes), 0.1)
	t.info(fmt.Sprintf("listings of %d files, compressed", files), "%d bytes", listings)
	t.atMost("listings / (32 bytes × files)", "%.3f", float64(listings)/float64(tlog.HashSize*files), 1.25)
	return nil
}

// countFiles counts the files of all trees, which are those of the listings.
func (s *moduleSet) countFiles() (n int, err error) {
	for _, m := range s.modules {
		err := filepath.WalkDir(m.Dir, func(_ string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				n++
			}
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	return n, nil
}

// tileHeight is that of the tiles of checksum databases.
const tileHeight = 8

// neededTiles are the tiles that a client reads which proves the bundle's records in the bundle's tree: those of the
// records' hashes, those above them up to the root, and those that the root is computed from; and those which prove that it
// begins with trees of earlier sizes, whose heads were shown.
func neededTiles(in *inspection, earlier ...int64) (map[tlog.Tile]bool, error) {
	size := in.Logs[0].TreeSize
	tiles := map[tlog.Tile]bool{}
	add := func(storedIndex int64) {
		t := tlog.TileForIndex(tileHeight, storedIndex)
		for ; ; t = (tlog.Tile{H: tileHeight, L: t.L + 1, N: t.N >> tileHeight}) {
			// A tile has the hashes of its level that there are, up to 256.
			width := size>>(tileHeight*t.L) - t.N<<tileHeight
			if width <= 0 {
				return // above the last tile
			}
			t.W = int(min(width, 1<<tileHeight))
			tiles[t] = true
		}
	}
	for _, m := range in.Manifest.Modules {
		for _, e := range m.Entries {
			add(tlog.StoredHashIndex(0, e.Index))
		}
	}
	for _, n := range append(earlier, size) {
		_, err := tlog.TreeHash(n, tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
			for _, i := range indexes {
				add(i)
			}
			return make([]tlog.Hash, len(indexes)), nil
		}))
		if err != nil {
			return nil, err
		}
	}
	return tiles, nil
}
