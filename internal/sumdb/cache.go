package sumdb

import (
	"bytes"
	"crypto/rand"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modseal/modseal/internal/atomicfile"
)

// maxCached is the largest file that is read from a cache, in bytes: that of
// the largest answer.
const maxCached = maxLookup

// cache keeps answers in files, named like the paths they were had from. Only
// what can't change is kept, records and tiles, beside the newest head. A
// file appears under its name when it is complete, but a crash or a stranger
// may damage it all the same, so that readers take nothing on trust. Trouble
// with a cache is never an error: without it there are more requests.
type cache struct {
	own    func() *os.Root // nil if there is none
	golang func() *os.Root // the go command's, never written to
	gohead func() *os.Root // that of its newest head, likewise

	failedWrites atomic.Int64
	sweep        sync.Once // of what processes that were killed left
}

// newCache uses the folder of the database in each of the caches, any of which may
// be "".
func newCache(o Options) *cache {
	open := func(dir string, create bool) func() *os.Root {
		return sync.OnceValue(func() *os.Root {
			if dir == "" {
				return nil
			}
			dir := filepath.Join(dir, filepath.FromSlash(o.DB.Name))
			if create {
				if err := os.MkdirAll(dir, 0o777); err != nil {
					return nil
				}
			}
			root, err := os.OpenRoot(dir)
			if err != nil {
				return nil
			}
			return root
		})
	}
	return &cache{own: open(o.CacheDir, true), golang: open(o.GoCacheDir, false), gohead: open(o.GoHeadDir, false)}
}

func (c *cache) readOwn(name string) []byte { return readFile(c.own(), name) }
func (c *cache) readGo(name string) []byte  { return readFile(c.golang(), name) }
func (c *cache) readGoHead() []byte         { return readFile(c.gohead(), "latest") }

// readFile returns nil for what can't be read, is empty or is over the limit.
func readFile(root *os.Root, name string) []byte {
	if root == nil {
		return nil
	}
	name = filepath.FromSlash(name)
	// Before opening: a named pipe would make the opening wait for its writer.
	if info, err := root.Lstat(name); err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return nil
	}
	file, err := root.Open(name)
	if err != nil {
		return nil
	}
	defer file.Close()
	var data bytes.Buffer
	if _, err := data.ReadFrom(io.LimitReader(file, maxCached+1)); err != nil || data.Len() > maxCached {
		return nil
	}
	return data.Bytes()
}

// write replaces a file of our own in one step.
func (c *cache) write(name string, data []byte) {
	if root := c.own(); root != nil {
		now, err := writeFile(root, name, data)
		if err != nil {
			c.failedWrites.Add(1)
			return
		}
		c.sweep.Do(func() { atomicfile.Sweep(root, tempPrefix+"*", now) })
	}
}

// writeAlone replaces a file of our own, and removes all others of its folder.
func (c *cache) writeAlone(name string, data []byte) {
	c.write(name, data)
	root := c.own()
	if root == nil {
		return
	}
	dir := filepath.FromSlash(path.Dir(name))
	list, err := fs.ReadDir(root.FS(), path.Dir(name))
	if err != nil {
		return
	}
	for _, file := range list {
		if file.Name() != path.Base(name) {
			root.Remove(filepath.Join(dir, file.Name()))
		}
	}
}

// tempPrefix begins the names of files that aren't complete yet. All are in the
// database's folder itself, where those that killed processes left are found again.
const tempPrefix = ".new-"

// writeFile gives the time at which the file was made, by the clock of its file system.
func writeFile(root *os.Root, name string, data []byte) (time.Time, error) {
	temp := tempPrefix + rand.Text()
	if err := root.MkdirAll(filepath.FromSlash(path.Dir(name)), 0o777); err != nil {
		return time.Time{}, err
	}
	file, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return time.Time{}, err
	}
	now := time.Time{}
	if info, err := file.Stat(); err == nil {
		now = info.ModTime()
	}
	_, err = file.Write(data)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = root.Rename(temp, filepath.FromSlash(name))
	}
	if err != nil {
		root.Remove(temp)
	}
	return now, err
}
