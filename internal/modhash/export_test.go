package modhash

import (
	"context"
	"io"
	"io/fs"
)

// UseRoot makes h read trees by means of os.Root, as it does on systems without openat.
func (h *Hasher) UseRoot() { h.open = openRootFolder }

// Hooks are called while a tree is read; they may change what is on disk, or fail.
type Hooks struct {
	BeforeOpen  func(name string) error // of a file
	BeforeChild func(name string) error // of a folder
	AfterList   func([]fs.DirEntry) []fs.DirEntry
	AfterClose  func()
}

// SetHooks makes h call hooks; nil ones are left out.
func (h *Hasher) SetHooks(hooks Hooks) {
	open := h.open
	h.open = func(dir string) (folder, error) {
		f, err := open(dir)
		if err != nil {
			return nil, err
		}
		return hookedFolder{f, hooks}, nil
	}
}

// FreeWorkers returns how many workers have nothing to do.
func (h *Hasher) FreeWorkers() int { return len(h.free) }

type hookedFolder struct {
	folder
	hooks Hooks
}

func (f hookedFolder) open(name string) (io.ReadCloser, int64, error) {
	if f.hooks.BeforeOpen != nil {
		if err := f.hooks.BeforeOpen(name); err != nil {
			return nil, 0, err
		}
	}
	r, size, err := f.folder.open(name)
	if err != nil || f.hooks.AfterClose == nil {
		return r, size, err
	}
	return hookedFile{r, f.hooks}, size, nil
}

func (f hookedFolder) child(name string) (folder, error) {
	if f.hooks.BeforeChild != nil {
		if err := f.hooks.BeforeChild(name); err != nil {
			return nil, err
		}
	}
	c, err := f.folder.child(name)
	if err != nil {
		return nil, err
	}
	return hookedFolder{c, f.hooks}, nil
}

func (f hookedFolder) list() ([]fs.DirEntry, error) {
	entries, err := f.folder.list()
	if f.hooks.AfterList != nil {
		entries = f.hooks.AfterList(entries)
	}
	return entries, err
}

type hookedFile struct {
	io.ReadCloser
	hooks Hooks
}

func (f hookedFile) Close() error {
	f.hooks.AfterClose()
	return f.ReadCloser.Close()
}

// ZipDigest reads r to its end and returns the digest of what it read and its size.
// More than [MaxZip] bytes are a [*ContentError].
func ZipDigest(ctx context.Context, r io.Reader) (Digest, int64, error) {
	sum, n, err := new(worker).sum(ctx, io.LimitReader(r, MaxZip+1), nil)
	if err != nil {
		return Digest{}, 0, err
	}
	if n > MaxZip {
		return Digest{}, 0, errZipSize(n)
	}
	return Digest(sum), n, nil
}
