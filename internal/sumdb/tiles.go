package sumdb

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sync/errgroup"

	"github.com/modseal/modseal/internal/fetch"
)

const (
	// tileHeight is the height of tiles that checksum databases serve.
	tileHeight = 8
	tileWidth  = 1 << tileHeight
	maxTile    = tileWidth * tlog.HashSize // bytes

	// maxTileMemory is the number of tiles in one generation of the tiles kept
	// in memory, 8 MiB.
	maxTileMemory = 1024
)

// tileReader reads tiles for one call of tlog.TileHashReader, which
// authenticates them, and keeps those that it calls authentic.
type tileReader struct {
	client   *Client
	ctx      context.Context
	noCaches bool // only the network will do
	keep     map[tlog.Tile][]byte

	mu     sync.Mutex
	origin map[tlog.Tile]origin
	err    error // of ReadTiles
}

type origin int

const (
	fromMemory origin = iota
	fromCache
	fromNetwork
)

func (r *tileReader) Height() int { return tileHeight }

// ReadTiles implements [tlog.TileReader]. Its results are unauthenticated.
func (r *tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	group, ctx := errgroup.WithContext(r.ctx)
	group.SetLimit(cap(r.client.slots))
	for i, t := range tiles {
		group.Go(func() error {
			tile, from, err := r.readTile(ctx, t)
			if err != nil {
				return fmt.Errorf("%s: %w", t.Path(), err)
			}
			data[i] = tile
			r.mu.Lock()
			defer r.mu.Unlock()
			r.origin[t] = from
			return nil
		})
	}
	r.err = group.Wait()
	return data, r.err
}

// SaveTiles implements [tlog.TileReader]: the tiles are authentic now.
func (r *tileReader) SaveTiles(tiles []tlog.Tile, data [][]byte) {
	c := r.client
	for i, t := range tiles {
		switch r.origin[t] {
		case fromNetwork:
			c.stats.tiles.Add(1)
			// A tile that isn't full is of one head. The newest will do.
			if t.W == tileWidth {
				c.cache.write(t.Path(), data[i])
			} else {
				c.cache.writeAlone(t.Path(), data[i])
			}
		case fromCache:
			c.stats.cachedTiles.Add(1)
			c.stats.cachedBytes.Add(int64(len(data[i])))
		}
		c.tiles.put(t, data[i])
		if r.keep != nil {
			r.keep[t] = data[i]
		}
	}
}

// usedCaches says whether any tile is from anywhere but the network.
func (r *tileReader) usedCaches() bool {
	for _, from := range r.origin {
		if from != fromNetwork {
			return true
		}
	}
	return false
}

func (r *tileReader) readTile(ctx context.Context, t tlog.Tile) ([]byte, origin, error) {
	full := t
	full.W = tileWidth
	if !r.noCaches {
		for _, version := range []tlog.Tile{t, full} {
			if data := r.client.tiles.get(version); data != nil {
				return cut(data, t), fromMemory, nil
			}
		}
		for _, version := range []tlog.Tile{t, full} {
			for _, read := range []func(string) []byte{r.client.cache.readOwn, r.client.cache.readGo} {
				data := read(version.Path())
				if len(data) == version.W*tlog.HashSize {
					return cut(data, t), fromCache, nil
				}
				if data != nil {
					r.client.stats.badCache.Add(1)
				}
			}
		}
	}
	data, err := r.fetchTile(ctx, t)
	if t != full && isGone(err) {
		// Servers may drop the smaller versions of a tile that has grown full.
		if data, fullErr := r.fetchTile(ctx, full); fullErr == nil {
			return cut(data, t), fromNetwork, nil
		}
	}
	return data, fromNetwork, err
}

func (r *tileReader) fetchTile(ctx context.Context, t tlog.Tile) ([]byte, error) {
	base, err := r.client.base(ctx)
	if err != nil {
		return nil, err
	}
	data, err := r.client.getFrom(ctx, base, "tile", t.Path(), maxTile)
	if err != nil {
		return nil, err
	}
	if want := t.W * tlog.HashSize; len(data) != want {
		return nil, &tileSizeError{len(data), want}
	}
	return data, nil
}

// cut makes the tile t of a version of it that is at least as wide.
func cut(data []byte, t tlog.Tile) []byte {
	return data[:t.W*tlog.HashSize]
}

// isGone says whether a server doesn't have a file. Those that serve from a
// bucket may call it forbidden.
func isGone(err error) bool {
	var failed *fetch.Error
	return errors.As(err, &failed) && failed.Status >= 400 && failed.Status < 500 && failed.Status != http.StatusTooManyRequests
}

type tileSizeError struct{ got, want int }

func (e *tileSizeError) Error() string {
	return fmt.Sprintf("tile of %d bytes, want %d", e.got, e.want)
}

// tileMemory keeps authentic tiles: those of the upper levels are needed again
// and again. It has two generations. What is used moves to the young one; when
// that is full, it becomes the old one, and the old one is dropped.
type tileMemory struct {
	mu         sync.Mutex
	young, old map[tlog.Tile][]byte
}

func (m *tileMemory) get(t tlog.Tile) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	if data := m.young[t]; data != nil {
		return data
	}
	data := m.old[t]
	if data != nil {
		m.add(t, data)
	}
	return data
}

func (m *tileMemory) put(t tlog.Tile, data []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.add(t, data)
}

func (m *tileMemory) add(t tlog.Tile, data []byte) {
	if m.young == nil || len(m.young) >= maxTileMemory {
		m.old = m.young
		m.young = make(map[tlog.Tile][]byte, maxTileMemory)
	}
	m.young[t] = data
}
