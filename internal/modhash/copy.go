package modhash

import (
	"context"
	"io"
	"os"

	"golang.org/x/mod/module"
)

// Create makes the file that the copy of a module's file is written to. The name is slash-separated, relative to the
// module, and one that a module's file can have. Any number of goroutines may call it at once. The file is closed by
// who called it.
type Create func(name string) (*os.File, error)

// A WriteError says that a copy could not be made or written, which is no fault of what was to be copied.
type WriteError struct{ Err error }

func (e *WriteError) Error() string { return e.Err.Error() }

func (e *WriteError) Unwrap() error { return e.Err }

// CopyTree copies the files of dir, which holds the unpacked module m. It reads what [Hasher.Tree] would read, and
// refuses with the same errors what that would refuse, but hashes nothing: where others can write to dir, it is the copy
// that must be hashed.
//
// No file is in memory as a whole, and the blocks of files are shared with their copies where the file system can do
// that. What was copied before an error stays. An error in writing is a [*WriteError].
func (h *Hasher) CopyTree(ctx context.Context, dir string, m module.Version, create Create) error {
	if err := checkModule(m); err != nil {
		return refuse(m, err)
	}
	t := &tree{maxBytes: MaxContent, create: create}
	if err := h.walk(ctx, dir, m, t); err != nil {
		return err
	}
	return t.wrong.refused(m)
}

// Unzip unpacks the zip at path, of which [Hasher.Zip] says what is accepted of the module m, as [Hasher.CopyTree]
// copies. Nothing is written of a zip whose names or sizes are refused.
func (h *Hasher) Unzip(ctx context.Context, path string, m module.Version, create Create) error {
	if err := checkModule(m); err != nil {
		return refuse(m, err)
	}
	w, err := h.acquire(ctx)
	if err != nil {
		return err
	}
	defer h.release(w)
	_, err = h.zip(ctx, w, path, m, create)
	return refuse(m, err)
}

// CopyZip copies the zip at path, and does not look into it. Its errors are those of [Hasher.Digest], and a
// [*WriteError].
func (h *Hasher) CopyZip(ctx context.Context, path string, create func() (*os.File, error)) error {
	w, err := h.acquire(ctx)
	if err != nil {
		return err
	}
	defer h.release(w)
	f, err := openZipFile(path)
	if err != nil {
		return err
	}
	defer f.Close()
	n, err := h.copyFile(ctx, w, create, f.File, MaxZip+1)
	if err == nil && n > MaxZip {
		return errZipSize(n)
	}
	return err
}

// copyFile is [Hasher.copyFile] for one of many: an error in writing ends the work of all.
func (c *crew) copyFile(w *worker, create Create, name string, r io.Reader, max int64) (int64, error) {
	n, err := c.hasher.copyFile(c.ctx, w, func() (*os.File, error) { return create(name) }, r, max)
	if _, ok := err.(*WriteError); ok {
		c.fail(err)
	}
	return n, err
}

// copyFile copies r, or max bytes of it if it has more, and returns how many there are; max or more say that there may
// be others.
func (h *Hasher) copyFile(ctx context.Context, w *worker, create func() (*os.File, error), r io.Reader, max int64) (n int64, err error) {
	out, err := create()
	if err != nil {
		return 0, &WriteError{err}
	}
	defer func() {
		if closed := out.Close(); err == nil && closed != nil {
			err = &WriteError{closed}
		}
	}()
	if n, ok := h.clone(out, r); ok {
		if h.progress != nil {
			h.progress(n)
		}
		return n, nil
	}
	return w.copy(ctx, out, io.LimitReader(r, max), h.progress)
}

// clone makes out, which is empty, a file that shares its blocks with r, as long as no one writes to either, and returns
// its size. It doesn't if r is not a file or the file system can't.
func (h *Hasher) clone(out *os.File, r io.Reader) (size int64, ok bool) {
	if h.noClone.Load() {
		return 0, false
	}
	ok, never := cloneFile(out, r)
	if never {
		h.noClone.Store(true) // to ask for every file would take time
	}
	if !ok {
		return 0, false
	}
	info, err := out.Stat()
	if err != nil {
		return 0, false
	}
	return info.Size(), true
}

// copy writes r to out, and returns the number of bytes.
func (w *worker) copy(ctx context.Context, out *os.File, r io.Reader, progress func(int64)) (n int64, err error) {
	if w.buf == nil {
		w.buf = make([]byte, readSize)
	}
	for idle := 0; idle <= maxIdle; idle++ {
		k, err := r.Read(w.buf)
		if k > 0 {
			idle = 0
			if _, err := out.Write(w.buf[:k]); err != nil {
				return n, &WriteError{err}
			}
			n += int64(k)
			if progress != nil {
				progress(int64(k))
			}
		}
		switch {
		case err == io.EOF:
			return n, nil
		case err != nil:
			return n, err
		case ctx.Err() != nil:
			return n, context.Cause(ctx)
		}
	}
	return n, io.ErrNoProgress
}
