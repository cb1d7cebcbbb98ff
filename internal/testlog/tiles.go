package testlog

import (
	"fmt"
	"net/http"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/tlog"
)

// RekorTiles serves a shard of Rekor v2 as static files (C2SP tlog-tiles):
// checkpoint and tile/LEVEL/INDEX[.p/WIDTH], below any path. It is safe for
// concurrent use.
type RekorTiles struct {
	Log *RekorV2
	// Head is the size of the tree in the checkpoint; 0 is all of it.
	Head uint64
	// Edit may change any answer before it is sent. The path begins with
	// "checkpoint" or "tile/".
	Edit Hook[string]

	mu       sync.Mutex
	requests []string
}

// ServeHTTP implements http.Handler.
func (s *RekorTiles) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := "checkpoint"
	if i := strings.Index(r.URL.Path, "/tile/"); i >= 0 {
		path = r.URL.Path[i+1:]
	}
	s.mu.Lock()
	s.requests = append(s.requests, r.URL.Path)
	s.mu.Unlock()
	a := textAnswer(404, []byte("not found\n"))
	if path == "checkpoint" && strings.HasSuffix(r.URL.Path, "/checkpoint") {
		size := s.Head
		if size == 0 {
			size = s.Log.Size()
		}
		a = textAnswer(200, s.Log.Checkpoint(size))
	} else if data, err := s.Log.tile(path); err == nil {
		a = textAnswer(200, data)
	}
	s.Edit.change(path, a)
	a.send(w)
}

// Requests are the paths that were asked for since the last call.
func (s *RekorTiles) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.requests
	s.requests = nil
	return list
}

// tile is the tile at a path. A part that has become a whole is no longer there.
func (t *Tree) tile(path string) ([]byte, error) {
	level, ok := strings.CutPrefix(path, "tile/")
	if !ok {
		return nil, fmt.Errorf("%q is no tile", path)
	}
	tile, err := tlog.ParseTilePath("tile/8/" + level)
	if err != nil {
		return nil, err
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	if full := uint64(tile.N+1) << (8 * (tile.L + 1)); tile.W < 256 && full <= uint64(len(t.leaves)) {
		return nil, fmt.Errorf("%s is a whole tile", path)
	}
	return tlog.ReadTileData(tile, t.hashes)
}
