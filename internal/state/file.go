package state

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/lockedfile"

	"github.com/modseal/modseal/internal/atomicfile"
	"github.com/modseal/modseal/internal/limit"
	"github.com/modseal/modseal/verify"
)

// File is a state file that is held: no other process that goes through this
// package reads or writes it until Close. So of two that verify at once, the
// second judges by what the first has accepted.
type File struct {
	name   string
	next   *atomicfile.Pending
	unlock func()
}

// Hold waits for the file NAME to be free, holds it, and begins the file that may
// take its place; what comes after it makes no other file. The lock is on
// NAME.lock, which stays. waiting, if it is not nil, is a channel on which something
// comes when waiting has become worth telling of, which is then told.
func Hold(ctx context.Context, name string, waiting <-chan struct{}, tell func()) (*File, error) {
	unlock, err := lock(ctx, name, waiting, tell)
	if err != nil {
		return nil, err
	}
	next, err := atomicfile.Begin(name)
	if err != nil {
		unlock()
		return nil, err
	}
	return &File{name: name, next: next, unlock: unlock}, nil
}

// Name is the file's, and Temp that of the one that may take its place.
func (f *File) Name() string { return f.name }

// Temp is a temporary name beside Name.
func (f *File) Temp() string { return f.next.Temp() }

// LockName is the file that is locked in place of a state file, which is
// replaced as a whole.
func LockName(name string) string { return name + ".lock" }

func lock(ctx context.Context, name string, waiting <-chan struct{}, tell func()) (func(), error) {
	type result struct {
		unlock func()
		err    error
	}
	done := make(chan result, 1)
	go func() {
		unlock, err := lockedfile.MutexAt(LockName(name)).Lock()
		done <- result{unlock, err}
	}()
	for {
		select {
		case r := <-done:
			return r.unlock, r.err
		case <-waiting:
			waiting = nil
			tell()
		case <-ctx.Done():
			go func() { // whenever it comes
				if r := <-done; r.err == nil {
					r.unlock()
				}
			}()
			return nil, context.Cause(ctx)
		}
	}
}

// Read gives what was accepted before. A file that is not there is that of an
// enclave that has accepted nothing.
func (f *File) Read() (*verify.State, error) {
	name := f.name
	info, err := os.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &verify.State{}, nil
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular(): // a symbolic link would be replaced, and what it points to stay behind
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	b, err := limit.ReadFile(name, MaxFile)
	switch {
	case errors.Is(err, limit.ErrExceeded):
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	case err != nil:
		return nil, err
	}
	return Decode(b)
}

// Save replaces the file as a whole, once. If it fails, the file is as it was.
func (f *File) Save(s *verify.State) error {
	b, err := Encode(s)
	if err != nil {
		return err
	}
	err = f.next.Write(func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
	if err != nil {
		return err
	}
	// So that a loss of power does not bring the old one back. Not every system can.
	if dir, err := os.Open(filepath.Dir(f.name)); err == nil {
		_ = dir.Sync()
		dir.Close()
	}
	return nil
}

// Close lets go of the file.
func (f *File) Close() {
	f.next.Discard()
	f.unlock()
}
