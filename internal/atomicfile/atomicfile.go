// Package atomicfile writes files that are there whole or not at all: under a
// temporary name in the same folder, renamed when complete.
package atomicfile

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// Pattern is that of the temporary names.
const Pattern = ".modseal-*.tmp"

// Temp makes a temporary file beside name, for the caller to rename or remove.
func Temp(name string) (*os.File, error) {
	return os.CreateTemp(filepath.Dir(name), Pattern)
}

// Write makes or replaces the file name, with mode 0644, by what write writes.
// When it returns an error, the file is as it was and nothing is left behind.
func Write(name string, write func(io.Writer) error) error {
	f, err := Temp(name)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	err = write(w)
	if err == nil {
		err = w.Flush()
	}
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// WriteBytes is Write for data that is there already.
func WriteBytes(name string, data []byte) error {
	return Write(name, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}
