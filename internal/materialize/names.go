package materialize

import (
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/internal/gomod"
)

// names are the files of one module in a module cache, slash-separated and relative
// to it.
type names struct{ tree, zip, mod, info, ziphash string }

func namesOf(c gomod.Cache, m module.Version) (n names, err error) {
	for _, f := range []struct {
		to   *string
		name func(module.Version) (string, error)
	}{{&n.tree, c.Tree}, {&n.zip, c.Zip}, {&n.mod, c.Mod}, {&n.info, c.Info}, {&n.ziphash, c.Ziphash}} {
		name, err := f.name(m)
		if err != nil {
			return n, err
		}
		*f.to = filepath.ToSlash(name)
	}
	return n, nil
}

// readOnly takes the permission to write from the folders below dir.
func readOnly(dir string) error {
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() || name == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return os.Chmod(name, info.Mode().Perm()&^0o222)
	})
}

// Remove removes a folder and what is below it, read-only or not. That there is none
// is no error.
func Remove(dir string) error {
	if err := os.RemoveAll(dir); err == nil {
		return nil
	}
	filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() && err == nil {
			os.Chmod(name, 0o700) // before what is in it is read
		}
		return nil // what can't be removed, RemoveAll says
	})
	return os.RemoveAll(dir)
}
