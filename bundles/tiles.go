package bundles

import (
	"archive/tar"
	"errors"
	"fmt"
	"path"
	"slices"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/modseal/modseal/merkle"
)

// tilesAtOnce is how many tiles are in memory while they are written: 2 MiB.
const tilesAtOnce = 256

// CarriedTile is a tile of a checksum database in the bundle. With those that are
// there the go command proves the database's entries by itself.
type CarriedTile struct {
	Log  int // place in Bundle.Logs
	Tile merkle.Tile
	Name string // in the payload: cache/download/sumdb/<database>/tile/8/...
}

// CarriesTiles tells whether the bundle has tiles of any log.
func (m *Manifest) CarriesTiles() bool {
	return slices.ContainsFunc(m.Logs, func(l LogInfo) bool { return l.Tiles })
}

// SumDBFolder is where a checksum database's files are among the module files, as
// in a file:// GOPROXY (https://go.dev/ref/mod#checksum-database).
func SumDBFolder(database string) string { return CarriedFolder + "sumdb/" + database }

// checkTiles demands that only a checksum database has tiles, whose name can be that
// of a folder, and that there are modules which the tiles are of use for.
func (m *Manifest) checkTiles() error {
	for _, l := range m.Logs {
		switch {
		case !l.Tiles:
		case l.Kind != SumDB || !m.CarriesModules():
			return fmt.Errorf("%w: manifest: tiles of log %.60q, which is no checksum database, or without modules", ErrDamaged, l.Name)
		case module.CheckFilePath(l.Name) != nil: // its error has hostile text as it is
			return fmt.Errorf("%w: manifest: tiles of log %.60q, whose name can't be that of a folder", ErrDamaged, l.Name)
		}
	}
	return nil
}

// tilesOf are the tiles that the bundle has of a log: none unless LogInfo.Tiles.
func tilesOf(l *Log, lim limits) ([]merkle.Tile, error) {
	if !l.Tiles {
		return nil, nil
	}
	tiles, err := merkle.Tiles(l.Proof.Size, l.Proof.Indexes)
	if err != nil {
		return nil, fmt.Errorf("%w: log %.60q: %w", ErrDamaged, l.Name, err)
	}
	return tiles, over(fmt.Sprintf("log %.60q", l.Name), int64(len(tiles)), int64(lim.tiles), "tiles")
}

// TileName names a tile of a checksum database in the payload.
func TileName(l *Log, t merkle.Tile) string {
	return path.Join(SumDBFolder(l.Name), tlog.Tile{H: merkle.TileHeight, L: int(t.Level), N: int64(t.Index), W: t.Width}.Path())
}

// Tiles hands out every tile, log by log in order of level and index: of each the
// hashes of its nodes, 32 bytes each. Nothing is known of them until they are
// compared with the checkpoint's root.
func (b *Bundle) Tiles(yield func(t CarriedTile, data []byte) error) error {
	if !b.Manifest.CarriesTiles() {
		return nil
	}
	before := 1 + len(b.Manifest.Files) + len(b.Manifest.listingDigests())
	for range b.Manifest.CarriedFiles() {
		before++
	}
	p, err := b.openPayloadAfter(before)
	if err != nil {
		return err
	}
	defer p.close()
	return p.tiles(b.Logs, yield)
}

// tiles reads the tiles, which follow the module files.
func (p *payloadReader) tiles(logs []Log, yield func(CarriedTile, []byte) error) error {
	for i := range logs {
		tiles, err := tilesOf(&logs[i], p.lim)
		if err != nil {
			return err
		}
		for _, t := range tiles {
			name, size := TileName(&logs[i], t), int64(t.Width*merkle.HashSize)
			data, err := p.file(name, size)
			if err != nil {
				return err
			}
			if int64(len(data)) != size {
				return fmt.Errorf("%w: %s has %d bytes, not %d", ErrDamaged, name, len(data), size)
			}
			if err := yield(CarriedTile{Log: i, Tile: t, Name: name}, data); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *Payload) writeTiles(t *tar.Writer, lim limits) error {
	for i := range p.Logs {
		l := &p.Logs[i]
		tiles, err := tilesOf(l, lim)
		if err != nil {
			return err
		}
		if l.Tiles && p.Tiles == nil {
			return errors.New("the manifest has tiles, and nothing gives them")
		}
		for part := range slices.Chunk(tiles, tilesAtOnce) {
			data, err := p.Tiles(l, part)
			if err != nil {
				return err
			}
			for k, tile := range part {
				if len(data[k]) != tile.Width*merkle.HashSize {
					return fmt.Errorf("log %q: tile %+v of %d bytes", l.Name, tile, len(data[k]))
				}
				if err := writeFile(t, TileName(l, tile), data[k]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
