package modhash_test

import (
	"go/build"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/mod/module"
)

// A cached is a module of the machine's module cache that has a zip and an unpacked tree.
type cached struct {
	module.Version
	zip, dir string
	zipSize  int64
}

// moduleCache returns the modules of the machine's module cache. There may be none.
func moduleCache() []cached {
	root := os.Getenv("GOMODCACHE")
	if root == "" {
		root = filepath.Join(build.Default.GOPATH, "pkg", "mod")
	}
	download := filepath.Join(root, "cache", "download")
	var all []cached
	filepath.WalkDir(download, func(name string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".zip" {
			return nil
		}
		rel, _ := filepath.Rel(download, filepath.Dir(filepath.Dir(name)))
		escPath, escVersion := filepath.ToSlash(rel), d.Name()[:len(d.Name())-len(".zip")]
		path, err1 := module.UnescapePath(escPath)
		version, err2 := module.UnescapeVersion(escVersion)
		info, err3 := d.Info()
		if err1 != nil || err2 != nil || err3 != nil {
			return nil
		}
		c := cached{module.Version{Path: path, Version: version}, name, filepath.Join(root, rel+"@"+escVersion), info.Size()}
		if _, err := os.Stat(c.dir); err == nil {
			all = append(all, c)
		}
		return nil
	})
	return all
}
