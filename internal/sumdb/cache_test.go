package sumdb

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/modseal/modseal/merkle"
)

// cacheFile is where a cache has a path of the protocol.
func cacheFile(dir, path string) string {
	return filepath.Join(dir, testName, filepath.FromSlash(path))
}

// fill makes a cache of all records and tiles.
func fill(t *testing.T, db *testDB, dir string, n int) {
	t.Helper()
	c := db.client(Options{CacheDir: dir})
	for i := range n {
		if _, err := c.Lookup(background(), testModule(i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Nodes(background(), db.head().Tree).ReadNodes(allNodes(db.head().Tree.Size)); err != nil {
		t.Fatal(err)
	}
	db.took()
}

// A second run asks for nothing that it has: no records, no tiles.
func TestCache(t *testing.T) {
	db := newDB(t, "")
	db.grow(512)
	dir := t.TempDir()
	fill(t, db, dir, 20)
	for _, test := range []struct {
		name    string
		options Options
	}{{"own", Options{CacheDir: dir}}, {"the go command's", Options{GoCacheDir: dir}}} {
		c := db.client(test.options)
		for i := range 20 {
			if r, err := c.Lookup(background(), testModule(i)); err != nil || r.ID != uint64(i) {
				t.Fatalf("%s: %+v, %v", test.name, r, err)
			}
		}
		if took := db.took(); len(took) != 0 {
			t.Errorf("%s: requests %q", test.name, took)
		}
		hashes, err := c.Nodes(background(), db.head().Tree).ReadNodes([]merkle.NodeID{{Index: 7}, {Index: 511}})
		if err != nil || hashes[1] != nodeHash(merkle.NodeID{Index: 511}) {
			t.Errorf("%s: %v", test.name, err)
		}
		if took := db.took(); len(took) != 0 {
			t.Errorf("%s: requests %q", test.name, took)
		}
		if s := c.Stats(); s.CachedLookups != 20 || s.CachedTiles != 3 || s.Tiles != 0 || s.BadCache != 0 || s.FailedWrites != 0 {
			t.Errorf("%s: stats %+v", test.name, s)
		}
	}
}

// The go command's cache is read and never written to.
func TestGoCacheUntouched(t *testing.T) {
	db := newDB(t, "")
	db.grow(300)
	dir := t.TempDir()
	c := db.client(Options{GoCacheDir: dir})
	if _, err := c.Lookup(background(), testModule(0)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Latest(background()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Nodes(background(), db.head().Tree).ReadNodes(allNodes(300)); err != nil {
		t.Fatal(err)
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 0 {
		t.Errorf("files %v, %v", list, err)
	}
}

// A damaged file in a cache costs requests and nothing else, and is replaced.
func TestCacheDamaged(t *testing.T) {
	db := newDB(t, "")
	db.grow(512)
	const record, tile = "lookup/example.com/!mod3@v1.2.3", "tile/8/0/001"
	other := newDB(t, "other history")
	other.grow(512)
	otherDir := t.TempDir()
	fill(t, other, otherDir, 5)

	flip := func(t *testing.T, file string, data []byte) []byte { data[30] ^= 1; return data }
	half := func(t *testing.T, file string, data []byte) []byte { return data[:len(data)/20] }
	none := func(t *testing.T, file string, data []byte) []byte { return nil }
	long := func(t *testing.T, file string, data []byte) []byte { return make([]byte, maxCached+1) }
	foreign := func(t *testing.T, file string, _ []byte) []byte {
		data, err := os.ReadFile(cacheFile(otherDir, file))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	another := func(t *testing.T, file string, _ []byte) []byte {
		data, err := os.ReadFile(cacheFile(otherDir, strings.NewReplacer("!mod3", "!mod4", "/001", "/000").Replace(file)))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for name, damage := range map[string]func(*testing.T, string, []byte) []byte{
		"flipped bit": flip, "cut short": half, "empty": none, "too long": long, "of another history": foreign, "of another place": another,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			fill(t, db, dir, 5)
			for _, file := range []string{record, tile} {
				data, err := os.ReadFile(cacheFile(dir, file))
				if err != nil {
					t.Fatal(err)
				}
				if name == "of another history" && file == record {
					continue // a signed record is believed until it is proven
				}
				if err := os.WriteFile(cacheFile(dir, file), damage(t, file, data), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			c := db.client(Options{CacheDir: dir})
			if r, err := c.Lookup(background(), testModule(3)); err != nil || r.ID != 3 {
				t.Errorf("%+v, %v", r, err)
			}
			id := merkle.NodeID{Index: 300}
			if hashes, err := c.Nodes(background(), db.head().Tree).ReadNodes([]merkle.NodeID{id}); err != nil || hashes[0] != nodeHash(id) {
				t.Error(err)
			}
			if c.Stats().BadCache == 0 && name != "empty" && name != "too long" {
				t.Errorf("stats %+v", c.Stats())
			}
			db.took()
			c = db.client(Options{CacheDir: dir})
			if r, err := c.Lookup(background(), testModule(3)); err != nil || r.ID != 3 {
				t.Errorf("%+v, %v", r, err)
			}
			if _, err := c.Nodes(background(), db.head().Tree).ReadNodes([]merkle.NodeID{id}); err != nil {
				t.Error(err)
			}
			if s := c.Stats(); s.BadCache != 0 || s.Lookups != 0 || s.CachedTiles != 2 || s.Tiles != 0 {
				t.Errorf("the damage is still there: %+v", s)
			}
		})
	}
}

// What isn't a file of ours in a cache is no trouble: folders, symbolic links
// that lead out of it, a place that can't be written to.
func TestCacheStrange(t *testing.T) {
	db := newDB(t, "")
	db.grow(5)
	const record = "lookup/example.com/!mod3@v1.2.3"
	lookup := func(t *testing.T, o Options) *Client {
		t.Helper()
		c := db.client(o)
		if r, err := c.Lookup(background(), testModule(3)); err != nil || r.ID != 3 {
			t.Errorf("%+v, %v", r, err)
		}
		return c
	}
	t.Run("folder in place of a file", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(cacheFile(dir, record), "x"), 0o777); err != nil {
			t.Fatal(err)
		}
		if c := lookup(t, Options{CacheDir: dir}); c.Stats().FailedWrites != 1 {
			t.Errorf("stats %+v", c.Stats())
		}
		if list, err := os.ReadDir(filepath.Dir(cacheFile(dir, record))); err != nil || len(list) != 1 {
			t.Errorf("left over: %v, %v", list, err)
		}
	})
	t.Run("file in place of the folder", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(dir, nil, 0o666); err != nil {
			t.Fatal(err)
		}
		lookup(t, Options{CacheDir: dir, GoCacheDir: dir})
	})
	t.Run("link out of the cache", func(t *testing.T) {
		dir, outside := t.TempDir(), t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, testName), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(outside, cacheFile(dir, "lookup")); err != nil {
			t.Skip(err)
		}
		lookup(t, Options{CacheDir: dir})
		if list, err := os.ReadDir(outside); err != nil || len(list) != 0 {
			t.Errorf("written outside of the cache: %v, %v", list, err)
		}
	})
}

// Many clients may share a cache; no file is ever seen in part, and no
// temporary one stays.
func TestCacheShared(t *testing.T) {
	db := newDB(t, "")
	db.grow(512)
	dir := t.TempDir()
	var group sync.WaitGroup
	for range 4 {
		c := db.client(Options{CacheDir: dir})
		for i := range 10 {
			group.Go(func() {
				if r, err := c.Lookup(background(), testModule(i)); err != nil || r.ID != uint64(i) {
					t.Errorf("%+v, %v", r, err)
				}
				if _, err := c.Nodes(background(), db.head().Tree).ReadNodes([]merkle.NodeID{{Index: uint64(i) * 50}}); err != nil {
					t.Error(err)
				}
				if c.Stats().BadCache != 0 || c.Stats().FailedWrites != 0 {
					t.Errorf("stats %+v", c.Stats())
				}
			})
		}
	}
	group.Wait()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if strings.HasPrefix(d.Name(), ".") {
			t.Errorf("left over: %s", path)
		}
		if d.Type().IsRegular() {
			files++
		}
		return err
	})
	if err != nil || files != 13 {
		t.Errorf("%d files, want 10 records and 3 tiles; %v", files, err)
	}
}
