// Package materialize makes a fresh module cache of a project's dependency set, in
// which every byte was verified where a build is going to read it.
//
// To verify a module cache and to build from it afterwards leaves a gap: whoever can
// write to the cache can change it in between. So the files are copied first, from
// a module cache or a directory of zips, into a folder that nobody else can enter,
// and the copies are verified: what is hashed is what the compiler reads. It does
// not matter whether a file was changed while it was copied; its copy has one
// content, which is proven or not.
//
// A fresh cache has, of each module of the set,
//
//	PATH@VERSION/                              the unpacked module
//	cache/download/PATH/@v/VERSION.zip         if there was one
//	cache/download/PATH/@v/VERSION.mod
//	cache/download/PATH/@v/VERSION.ziphash     the h1 that was verified
//	cache/download/PATH/@v/VERSION.info        the version, and nothing that no log records
//
// and of a module of which a build reads only go.mod the .mod file alone. That is
// what the go command takes for a downloaded module (DownloadDir in
// cmd/go/internal/modfetch/cache.go and checkMod in fetch.go there): it opens no
// lock file and writes nothing. Nothing else of the old cache is in it.
//
// Files have mode 0444 and folders 0555, less the umask, as the go command leaves
// an unpacked module.
package materialize

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/gomod"
	"github.com/modseal/modseal/internal/modhash"
	"github.com/modseal/modseal/verify"
)

// Request says what to copy and verify.
type Request struct {
	// Verify names the project, where its modules are, and the rules. Of what opens a
	// bundle nothing is used but what the report tells.
	Verify verify.Request
	// Bundle was opened with the seals of Verify.
	Bundle *bundles.Bundle
	// Fresh is the folder to make the cache in: absolute, empty, and nobody else can
	// enter it. Root is the same, opened.
	Fresh string
	Root  *os.Root
	// Name is where Fresh is going to be, for the report.
	Name string
	// Progress is told how far copying is; it may be called by many goroutines.
	Progress func(p verify.Progress)
}

// Cache copies the modules of the project into Fresh and verifies the copies. If the
// report is OK, Fresh is a module cache, and read-only but for its own mode.
// Otherwise it is to be removed (see Remove). Errors are those of verify.ReadSource
// and verify.CheckCopied, and errors in writing.
func Cache(ctx context.Context, r Request) (*verify.Report, error) {
	from, err := verify.ReadSource(r.Verify)
	if err != nil {
		return nil, err
	}
	c := &copier{Request: r, from: from, origin: map[module.Version]verify.Files{}, refused: map[module.Version]error{}}
	if err := c.all(ctx); err != nil {
		return nil, err
	}
	report, err := verify.CheckCopied(ctx, r.Verify, r.Bundle, verify.Copied{
		From: from, Cache: r.Fresh, Name: r.Name, Origin: c.origin, Refused: c.refused,
	})
	if err != nil || !report.OK {
		return report, err
	}
	if err := c.complete(report); err != nil {
		return nil, err
	}
	return report, readOnly(r.Fresh)
}

// copier is a module cache being filled.
type copier struct {
	Request
	from   *verify.Source
	hasher *modhash.Hasher
	cache  gomod.Cache // names relative to Root

	mu      sync.Mutex
	origin  map[module.Version]verify.Files
	refused map[module.Version]error
}

func (c *copier) progress(p verify.Progress) {
	if c.Progress != nil {
		c.Progress(p)
	}
}

// all copies every module.
func (c *copier) all(ctx context.Context) error {
	set := c.from.Modules()
	c.progress(verify.Progress{Total: len(set)})
	c.hasher = modhash.New(modhash.Options{Workers: c.Verify.Workers, Progress: func(n int64) { c.progress(verify.Progress{Bytes: n}) }})
	return c.hasher.Each(ctx, len(set), func(ctx context.Context, i int) error {
		err := c.module(ctx, set[i])
		c.progress(verify.Progress{Modules: 1})
		return err
	})
}

func versionOf(m gomod.Module) module.Version {
	return module.Version{Path: m.Path, Version: m.Version}
}

// module copies a module. What is wrong with its files is remembered for its
// verdict; an error is that the copy could not be made.
func (c *copier) module(ctx context.Context, m gomod.Module) error {
	v := versionOf(m)
	files, err := c.from.Find(v)
	c.mu.Lock()
	c.origin[v] = files
	c.mu.Unlock()
	if err == nil {
		err = c.copy(ctx, m, files)
	}
	var unwritten *modhash.WriteError
	if err == nil || ctx.Err() != nil || errors.As(err, &unwritten) {
		return err
	}
	c.mu.Lock()
	c.refused[v] = err
	c.mu.Unlock()
	return nil
}

func (c *copier) copy(ctx context.Context, m gomod.Module, files verify.Files) error {
	v := versionOf(m)
	if !m.GoModOnly && files.Zip+files.Tree == "" {
		return nil // for the verification to find
	}
	names, err := namesOf(c.cache, v)
	if err != nil {
		return err
	}
	if files.Mod != "" { // first: of any module it can decide what the set is
		data, err := gomod.ReadRegular(files.Mod, modhash.MaxGoMod)
		if err == nil {
			err = c.write(names.mod, data)
		}
		if err != nil {
			return err
		}
	}
	if !m.GoModOnly {
		if err := c.content(ctx, v, files, names); err != nil {
			return err
		}
	}
	if files.Mod != "" {
		return nil
	}
	data, err := c.goMod(m, names)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // for the verification to find
	}
	if err != nil {
		return err
	}
	return c.write(names.mod, data)
}

// content copies the zip, if there is one, and the unpacked module; where that is not
// there or not complete, it unpacks the copy of the zip, as the go command would.
func (c *copier) content(ctx context.Context, v module.Version, files verify.Files, to names) error {
	if files.Zip != "" {
		err := c.hasher.CopyZip(ctx, files.Zip, func() (*os.File, error) { return create(c.Root, to.zip, 0o444) })
		if err != nil {
			return named(files.Zip, err)
		}
	}
	if err := c.Root.MkdirAll(to.tree, 0o777); err != nil {
		return &modhash.WriteError{Err: err}
	}
	root, err := c.Root.OpenRoot(to.tree)
	if err != nil {
		return &modhash.WriteError{Err: err}
	}
	defer root.Close()
	file := func(name string) (*os.File, error) { return create(root, name, mode(v, name)) }
	if files.Tree != "" {
		return named(files.Tree, c.hasher.CopyTree(ctx, files.Tree, v, file))
	}
	return named(files.Zip, c.hasher.Unzip(ctx, path.Join(c.Fresh, to.zip), v, file))
}

// goMod is what the .mod file of a module without one should be: its go.mod or, of
// a module that has none, a line with its path.
func (c *copier) goMod(m gomod.Module, to names) ([]byte, error) {
	if m.GoModOnly {
		return c.from.ZippedGoMod(versionOf(m))
	}
	data, err := c.Root.ReadFile(path.Join(to.tree, "go.mod"))
	if errors.Is(err, fs.ErrNotExist) {
		return []byte("module " + modfile.AutoQuote(m.Path) + "\n"), nil
	}
	return data, err
}

// complete writes what the go command demands beside the module itself.
func (c *copier) complete(r *verify.Report) error {
	for _, m := range r.Modules {
		v := module.Version{Path: m.Path, Version: m.Version}
		if _, copied := c.origin[v]; !copied || m.GoModOnly {
			continue
		}
		names, err := namesOf(c.cache, v)
		if err != nil {
			return err
		}
		h1 := ""
		for _, f := range m.OnDisk {
			if f.What == "tree" {
				h1 = f.Digest
			}
		}
		if _, err := modhash.ParseH1(h1); err != nil {
			return err
		}
		info, err := json.Marshal(struct{ Version string }{m.Version})
		if err != nil {
			return err
		}
		if err := errors.Join(c.write(names.ziphash, []byte(h1)), c.write(names.info, info)); err != nil {
			return err
		}
	}
	return nil
}

func (c *copier) write(name string, data []byte) error {
	f, err := create(c.Root, name, 0o444)
	if err != nil {
		return &modhash.WriteError{Err: err}
	}
	_, err = f.Write(data)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return &modhash.WriteError{Err: err}
	}
	return nil
}

// create makes a file that is not there yet, and the folders above it.
func create(root *os.Root, name string, mode fs.FileMode) (*os.File, error) {
	const flags = os.O_WRONLY | os.O_CREATE | os.O_EXCL
	f, err := root.OpenFile(name, flags, mode)
	if errors.Is(err, fs.ErrNotExist) {
		if err := root.MkdirAll(path.Dir(name), 0o777); err != nil {
			return nil, err
		}
		f, err = root.OpenFile(name, flags, mode)
	}
	return f, err
}

// mode is that of a file. No module has programs that the go command runs, but for
// a toolchain: there it makes these files executable when it first uses them
// (allowExec in cmd/go/internal/toolchain/select.go). Modes are not part of what is
// proven, so names decide, and not the modes that were found.
func mode(m module.Version, name string) fs.FileMode {
	const program = 0o555
	if m.Path != gomod.ToolchainPath {
		return 0o444
	}
	if strings.HasPrefix(name, "bin/") || strings.HasPrefix(name, "pkg/tool/") {
		return program
	}
	if ok, _ := path.Match("go_?*_?*_exec", path.Base(name)); ok && strings.HasPrefix(name, "lib/") {
		return program
	}
	return 0o444
}

// named says of which file an error is, as verify does.
func named(file string, err error) error {
	var unwritten *modhash.WriteError
	if err == nil || errors.As(err, &unwritten) {
		return err
	}
	return &fileError{filepath.Base(file), err}
}

type fileError struct {
	name string
	err  error
}

func (e *fileError) Error() string { return e.name + ": " + e.err.Error() }
func (e *fileError) Unwrap() error { return e.err }
