package verify

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/internal/gomod"
)

// places is where the files of modules are: a module cache, or a directory of
// zips alone, or a vendor folder.
type places struct {
	cache  gomod.Cache
	zips   *gomod.ZipDir // in place of the cache
	dir    string        // of zips
	vendor string        // the folder, in place of both

	refused map[module.Version]error // modules that could not be copied to here, and why
}

// place is where the files of one module are; "" for what is not there.
type place struct{ zip, tree, mod string }

func (p *places) String() string {
	switch {
	case p.vendor != "":
		return p.vendor
	case p.zips != nil:
		return p.dir
	}
	return "the module cache " + p.cache.Root
}

// find looks for the files of a module. What lies in the way of a file and is no
// regular one is an error.
func (p *places) find(m module.Version) (place, error) {
	if err := p.refused[m]; err != nil {
		return place{}, err
	}
	if p.zips != nil {
		zip, err := present(p.zips.Zip(m))
		if err != nil {
			return place{}, err
		}
		mod, err := present(p.zips.Mod(m))
		return place{zip: zip, mod: mod}, err
	}
	var at place
	for _, f := range []struct {
		to   *string
		name func(module.Version) (string, error)
	}{{&at.zip, p.cache.Zip}, {&at.mod, p.cache.Mod}} {
		name, err := f.name(m)
		if err != nil {
			return place{}, err
		}
		_, err = gomod.RegularFile(name)
		if *f.to, err = present(name, err); err != nil {
			return place{}, err
		}
	}
	var err error
	at.tree, err = p.findTree(m)
	return at, err
}

// findTree gives the unpacked tree if the go command would use it: a tree whose
// unpacking was not finished is unpacked again.
func (p *places) findTree(m module.Version) (string, error) {
	tree, err := p.cache.Tree(m)
	if err != nil {
		return "", err
	}
	partial, err := p.cache.Partial(m)
	if err != nil {
		return "", err
	}
	// The go command follows a link here, and takes one that leads nowhere for
	// no mark: what is no regular file is an error, lest the two disagree.
	switch _, err := gomod.RegularFile(partial); {
	case err == nil:
		return "", nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	_, err = os.Lstat(tree)
	return present(tree, err)
}

// present turns "there is none" into "".
func present(name string, err error) (string, error) {
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return name, nil
}
