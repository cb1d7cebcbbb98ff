//go:build unix && !linux

package modhash

import (
	"io/fs"
	"os"
)

// A lister reads the entries of a folder, whose file descriptor it owns.
type lister struct{ dir *os.File }

func newLister(fd int, name string) lister { return lister{os.NewFile(uintptr(fd), name)} }

func (l lister) list() ([]fs.DirEntry, error) { return l.dir.ReadDir(listSize) }

func (l lister) Close() error { return l.dir.Close() }
