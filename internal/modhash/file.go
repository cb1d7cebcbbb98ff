package modhash

import (
	"context"
	"errors"
	"io"
	"os"
)

// Digest returns the digest of the zip at path and its size, and does not look into it.
//
// An error that wraps fs.ErrNotExist means that there is no such file. What is not a regular file, or is larger than
// [MaxZip], is a [*ContentError].
func (h *Hasher) Digest(ctx context.Context, path string) (Digest, int64, error) {
	w, err := h.acquire(ctx)
	if err != nil {
		return Digest{}, 0, err
	}
	defer h.release(w)
	f, err := openZipFile(path)
	if err != nil {
		return Digest{}, 0, err
	}
	defer f.Close()
	return f.digest(ctx, w, h.progress)
}

// A zipFile is the file of a zip. It is opened once: what is in it is read from where its digest is.
type zipFile struct {
	*os.File
	before stamp
}

// A stamp is what the system changes along with a file's content.
type stamp struct {
	size             int64
	modified, change int64 // nanoseconds
}

func openZipFile(path string) (*zipFile, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if kind := info.Mode().Type(); kind != 0 {
		return nil, &ContentError{Problem: "the zip itself: " + describe(kind)}
	}
	opened, err := os.OpenFile(path, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, err
	}
	file, size, err := sameFile(opened, info)
	if err != nil {
		return nil, err
	}
	if size > MaxZip {
		file.Close()
		return nil, errZipSize(size)
	}
	f := &zipFile{File: file}
	if f.before, err = f.stamp(); err != nil {
		file.Close()
		return nil, err
	}
	return f, nil
}

func (f *zipFile) stamp() (stamp, error) {
	info, err := f.Stat()
	if err != nil {
		return stamp{}, err
	}
	return stamp{info.Size(), info.ModTime().UnixNano(), changeTime(f.File)}, nil
}

// digest hashes all bytes of the file, and returns their number as well.
func (f *zipFile) digest(ctx context.Context, w *worker, progress func(int64)) (Digest, int64, error) {
	sum, n, err := w.sum(ctx, io.NewSectionReader(f, 0, MaxZip+1), progress)
	if err != nil {
		return Digest{}, 0, err
	}
	if n > MaxZip {
		return Digest{}, 0, errZipSize(n)
	}
	return Digest(sum), n, nil
}

// unchanged returns errTouched or another error if the file is not what it was when it was opened, as far as the
// system knows.
func (f *zipFile) unchanged() error {
	after, err := f.stamp()
	if err != nil || after == f.before {
		return err
	}
	if after.size == f.before.size && after.modified == f.before.modified {
		return errTouched
	}
	return errZipChanged()
}

func errZipChanged() error { return &ContentError{Problem: "zip changed while it was read"} }

// errTouched says that a file may have been changed. Who does so can reset the time of modification; but it may as well
// have got another name (a hard link, in a copy of the module cache) or other permissions.
var errTouched = errors.New("touched")

const maxTries = 3 // at reading a file that someone touches
