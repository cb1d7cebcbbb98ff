package tuffetch

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/modseal/modseal/internal/atomicfile"
	"github.com/modseal/modseal/internal/tufchain"
)

// replace makes the folder hold exactly these files: they are written into a new
// folder beside it, which then takes its place. Where the system can exchange
// two folders at once (Linux), whoever reads sees either all of the old files or
// all of the new ones; elsewhere the folder is missing for a moment.
func replace(dir string, files tufchain.Files) error {
	if held, err := tufchain.ReadDir(dir); err == nil && maps.EqualFunc(held, files, slices.Equal) {
		return nil
	}
	place := dir
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		place = real
	}
	fresh, err := os.MkdirTemp(filepath.Dir(place), atomicfile.Pattern)
	if err != nil {
		return fmt.Errorf("output: %w", err)
	}
	defer os.RemoveAll(fresh) // what is there after the exchange: the old files
	if err := fill(fresh, files); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	if err := moveTo(fresh, place); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	return nil
}

// fill writes the files into a new folder.
func fill(dir string, files tufchain.Files) error {
	if err := os.Mkdir(filepath.Join(dir, "targets"), 0o755); err != nil {
		return err
	}
	for _, name := range files.Names() { // names were checked: local, at most one folder deep
		if err := atomicfile.WriteBytes(filepath.Join(dir, filepath.FromSlash(name)), files[name]); err != nil {
			return err
		}
	}
	return os.Chmod(dir, 0o755)
}

// moveTo puts the folder fresh in the place of another, if there is one; that is
// then where fresh was, for the caller to remove.
func moveTo(fresh, place string) error {
	if _, err := os.Lstat(place); errors.Is(err, fs.ErrNotExist) {
		return os.Rename(fresh, place)
	}
	if err := exchange(fresh, place); err == nil {
		return nil
	}
	aside := fresh + ".old"
	if err := os.Rename(place, aside); err != nil {
		return err
	}
	if err := os.Rename(fresh, place); err != nil {
		return errors.Join(err, os.Rename(aside, place))
	}
	return os.RemoveAll(aside)
}
