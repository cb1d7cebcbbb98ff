// Package atomicfile writes files that are there whole or not at all: under a
// temporary name in the same folder, renamed when complete.
package atomicfile

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Pattern is that of the temporary names.
const Pattern = ".modseal-*.tmp"

// Temp makes a temporary file beside name, for the caller to rename or remove.
func Temp(name string) (*os.File, error) {
	return os.CreateTemp(filepath.Dir(name), Pattern)
}

// Unnamed makes a file beside name that has no name of its own from the beginning,
// where the system allows that, so that nothing of it is left whatever ends the
// process. drop gives it up, once.
func Unnamed(name string) (f *os.File, drop func() error, err error) {
	if f, err = Temp(name); err != nil {
		return nil, nil, err
	}
	if os.Remove(f.Name()) == nil {
		return f, f.Close, nil
	}
	return f, func() error { return errors.Join(f.Close(), os.Remove(f.Name())) }, nil
}

// Writable demands that files can be made in a folder, or in the one where it would be
// made. It leaves nothing behind.
func Writable(dir string) error {
	for {
		_, drop, err := Unnamed(filepath.Join(dir, "x"))
		if err == nil {
			return drop()
		}
		_, there := os.Lstat(dir) // a link that leads nowhere is there
		parent := filepath.Dir(dir)
		if !errors.Is(err, fs.ErrNotExist) || !errors.Is(there, fs.ErrNotExist) || parent == dir {
			return err
		}
		dir = parent
	}
}

// Pending is a file of mode 0644 that was begun and has nothing in it.
type Pending struct {
	f    *os.File
	name string // in the end
}

// Begin makes the temporary file. What comes after it opens no file and changes
// no mode. Discard is always called in the end.
func Begin(name string) (*Pending, error) { return BeginIn(filepath.Dir(name), name) }

// BeginIn is Begin with the temporary file in a folder of the same file system.
func BeginIn(dir, name string) (*Pending, error) {
	f, err := os.CreateTemp(dir, Pattern)
	if err != nil {
		return nil, err
	}
	if err := f.Chmod(0o644); err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	return &Pending{f, name}, nil
}

// Temp is the temporary name.
func (p *Pending) Temp() string { return p.f.Name() }

// Name is the file's name in the end.
func (p *Pending) Name() string { return p.name }

// Write puts the file into its place, filled by what write writes; once.
func (p *Pending) Write(write func(io.Writer) error) error {
	w := bufio.NewWriterSize(p.f, 1<<20)
	err := write(w)
	if err == nil {
		err = w.Flush()
	}
	if err = errors.Join(err, p.f.Sync(), p.f.Close()); err == nil {
		err = os.Rename(p.f.Name(), p.name)
	}
	if err == nil {
		p.f = nil
	}
	return err
}

// Discard removes the temporary file, if it is not in its place by now.
func (p *Pending) Discard() {
	if p.f != nil {
		p.f.Close()
		_ = os.Remove(p.f.Name())
		p.f = nil
	}
}

// Write makes or replaces the file name, with mode 0644, by what write writes.
// When it returns an error, the file is as it was and nothing is left behind.
func Write(name string, write func(io.Writer) error) error {
	p, err := Begin(name)
	if err != nil {
		return err
	}
	defer p.Discard()
	return p.Write(write)
}

// WriteBytes is Write for data that is there already.
func WriteBytes(name string, data []byte) error {
	return Write(name, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}
