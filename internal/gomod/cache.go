package gomod

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/modseal/modseal/internal/limit"
)

// A Cache is the go command's module cache (GOMODCACHE). Its methods only compute
// names; they return an error for a module that can't be in a cache.
//
// Upper-case letters in paths and versions are escaped as "!" and the lower-case
// letter (https://go.dev/ref/mod#module-cache).
type Cache struct {
	Root string // absolute; may itself be, or lie behind, a symbolic link
}

// Zip names the module's zip.
func (c Cache) Zip(m module.Version) (string, error) { return c.download().Zip(m) }

// Mod names the module's go.mod file.
func (c Cache) Mod(m module.Version) (string, error) { return c.download().Mod(m) }

// Info names the module's metadata (version and commit time, JSON).
func (c Cache) Info(m module.Version) (string, error) { return c.download().Info(m) }

// Ziphash names the file in which the go command keeps the zip's h1.
func (c Cache) Ziphash(m module.Version) (string, error) {
	return c.download().file(m, ".ziphash")
}

// Partial names the file that exists while the module's tree is being unpacked. When
// it is left over, the go command doesn't use the tree, but unpacks it again.
func (c Cache) Partial(m module.Version) (string, error) {
	return c.download().file(m, ".partial")
}

// Tree names the directory in which the module is unpacked.
func (c Cache) Tree(m module.Version) (string, error) {
	path, version, err := escape(m)
	if err != nil {
		return "", err
	}
	return filepath.Join(c.Root, filepath.FromSlash(path)+"@"+version), nil
}

func (c Cache) download() Proxy {
	return Proxy{Root: filepath.Join(c.Root, "cache", "download")}
}

// A Proxy is a directory laid out as a module proxy serves it, fit for a file://
// GOPROXY (https://go.dev/ref/mod#goproxy-protocol).
type Proxy struct {
	Root string
}

// Zip names the module's zip.
func (p Proxy) Zip(m module.Version) (string, error) { return p.file(m, ".zip") }

// Mod names the module's go.mod file.
func (p Proxy) Mod(m module.Version) (string, error) { return p.file(m, ".mod") }

// Info names the module's metadata.
func (p Proxy) Info(m module.Version) (string, error) { return p.file(m, ".info") }

func (p Proxy) file(m module.Version, ext string) (string, error) {
	path, version, err := escape(m)
	if err != nil {
		return "", err
	}
	return filepath.Join(p.Root, filepath.FromSlash(path), "@v", version+ext), nil
}

func escape(m module.Version) (path, version string, err error) {
	if err := CheckModule(m); err != nil {
		return "", "", err
	}
	if path, err = module.EscapePath(m.Path); err != nil {
		return "", "", err
	}
	if version, err = module.EscapeVersion(m.Version); err != nil {
		return "", "", err
	}
	return path, version, nil
}

// CheckModule reports whether m can be a module that is downloaded: a valid path, and
// a canonical version that fits the path's major version suffix.
func CheckModule(m module.Version) error {
	if err := module.Check(m.Path, m.Version); err != nil {
		return quotedModuleError(m, err)
	}
	if module.CanonicalVersion(m.Version) != m.Version {
		return quotedModuleError(m, errors.New("version is not canonical"))
	}
	// "+incompatible" stands for a major version that the path should tell and doesn't
	// (https://go.dev/ref/mod#incompatible-versions).
	if strings.HasSuffix(m.Version, "+incompatible") {
		_, pathMajor, _ := module.SplitPathVersion(m.Path)
		if major := semver.Major(m.Version); pathMajor != "" || major == "v0" || major == "v1" {
			return quotedModuleError(m, errors.New("+incompatible is not allowed here"))
		}
	}
	return nil
}

// quotedModuleError names m, whose parts may be any text, before err.
func quotedModuleError(m module.Version, err error) error {
	return fmt.Errorf("module %q version %q: %s", cut(m.Path), cut(m.Version), printable(err.Error()))
}

// RegularFile is os.Lstat for a file that must be a regular one: a symbolic link is
// not followed. The error is a *NotRegularError, or one of os.Lstat.
func RegularFile(path string) (fs.FileInfo, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	return info, checkRegular(path, info.Mode())
}

func checkRegular(path string, mode fs.FileMode) error {
	is := "a special file"
	switch {
	case mode.IsRegular():
		return nil
	case mode&fs.ModeSymlink != 0:
		is = "a symbolic link"
	case mode.IsDir():
		is = "a directory"
	}
	return &NotRegularError{Path: path, Is: is}
}

// openRegular opens a regular file, and makes sure that what it opened is what it
// looked at.
func openRegular(path string) (*os.File, fs.FileInfo, error) {
	before, err := RegularFile(path)
	if err != nil {
		return nil, nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !os.SameFile(before, info) {
		err = fmt.Errorf("%s: replaced while it was opened", path)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// ReadRegular reads a regular file of at most max bytes. The errors are those of
// RegularFile, and a *limit.Error for a larger file.
func ReadRegular(path string, max int64) ([]byte, error) {
	f, _, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return limit.ReadAll(f, path, max)
}

// readProject reads a file of the project itself, which may be a symbolic link as the
// go command allows, but must lead to a regular file.
func readProject(path string, max int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if err := checkRegular(path, info.Mode()); err != nil {
		return nil, err
	}
	return limit.ReadFile(path, max)
}
