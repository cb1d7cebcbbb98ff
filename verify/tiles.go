package verify

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/merkle"
)

// recordsAtOnce is how many records' tiles are in memory at once: 3 MiB where each is in
// a tile of its own.
const recordsAtOnce = 256

// checkTiles holds the tiles that were written into dir against the proven trees of
// their databases, in the way in which the go command reads them.
func (r *Report) checkTiles(b *bundles.Bundle, dir string) error {
	for i := range b.Logs {
		l := &b.Logs[i]
		switch {
		case !l.Tiles:
		case !r.Logs[i].Proven:
			r.Notes = append(r.Notes, fmt.Sprintf("the tiles of %s were not verified: it is no checksum database that you trust", l.Name))
		default:
			if err := checkTilesOf(l, r.Logs[i].Root, dir); err != nil {
				return fmt.Errorf("%w: tiles of %s: %w", bundles.ErrDamaged, l.Name, err)
			}
		}
	}
	return nil
}

func checkTilesOf(l *bundles.Log, root, dir string) error {
	if l.Size >= merkle.MaxSize { // of which tlog computes for ever
		return fmt.Errorf("a tree of %d has no tiles", l.Size)
	}
	tree := tlog.Tree{N: int64(l.Size)}
	if _, err := hex.Decode(tree.Hash[:], []byte(root)); err != nil {
		return err
	}
	folder := tileFolder(filepath.Join(dir, filepath.FromSlash(strings.TrimPrefix(bundles.SumDBFolder(l.Name), bundles.CarriedFolder))))
	for part := range slices.Chunk(l.Entries, recordsAtOnce) {
		indexes := make([]int64, len(part))
		for k := range part {
			indexes[k] = tlog.StoredHashIndex(0, int64(part[k].Index))
		}
		hashes, err := tlog.TileHashReader(tree, folder).ReadHashes(indexes)
		if err != nil {
			return err
		}
		for k := range part {
			if merkle.Hash(hashes[k]) != part[k].LeafHash() {
				return fmt.Errorf("record %d is another", part[k].Index)
			}
		}
	}
	return nil
}

// tileFolder is a tlog.TileReader of the folder of a checksum database.
type tileFolder string

func (tileFolder) Height() int { return merkle.TileHeight }

func (tileFolder) SaveTiles([]tlog.Tile, [][]byte) {}

func (f tileFolder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(tiles))
	for i, t := range tiles {
		var err error
		if out[i], err = os.ReadFile(filepath.Join(string(f), filepath.FromSlash(t.Path()))); err != nil {
			return nil, err
		}
	}
	return out, nil
}
