package gomod

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// A Request says which project's dependency set is asked for.
type Request struct {
	// Dir is where the go command would be run: the main module's root or a directory
	// in it. Absolute.
	Dir string
	// Env holds the go command's settings.
	Env Env
	// Vendor says what to do with a project that is built from its vendor folder.
	Vendor VendorUse
	// Mod overrides GOFLAGS: the value of the go command's -mod flag, "mod", "readonly"
	// or "vendor". "" leaves it to GOFLAGS and to the go command's default.
	Mod string
	// ModFile overrides GOFLAGS: the file to read in place of go.mod, with the suffix
	// ".mod", relative to Dir. go.sum is then the file beside it with the suffix ".sum".
	ModFile string

	// Zips, when set, is where go.mod files of dependencies are read from, and nowhere
	// else. Otherwise it is Cache or, when that is nil, the cache that Env names. Only
	// a main module before go 1.17 needs either.
	Zips  *ZipDir
	Cache *Cache
}

// A Project is a main module, or a workspace of several, and its dependency set.
type Project struct {
	Dir     string // the main module's root, or the folder of go.work; absolute
	Work    string // the workspace's go.work file; "" outside of a workspace
	ModFile string // the main module's go.mod; "" of a workspace
	SumFile string // its go.sum, or the workspace's go.work.sum; it may not exist

	Main  string       // the main module's path; "" of a workspace
	Mains []MainModule // the main modules, sorted by path; at least one

	GoVersion string // of the go line in go.mod or go.work; "" without one
	Toolchain string // of the toolchain line there; "" without one

	// Mod is "readonly", or "vendor" when Vendor is set, or "mod" when the go command is told that it may edit go.mod
	// during the build, and so may build what isn't in Modules.
	Mod string
	// Vendor is the folder that Modules were read from; nil unless Request.Vendor is
	// ReadVendor and the go command would build from it.
	Vendor *Vendor
	// Vendored is set when the go command would build from the vendor folder.
	Vendored bool
	// Pruned is set when go.mod lists all modules (go 1.17 and later), and clear when
	// they were computed from the go.mod files of dependencies, as those of a workspace
	// always are.
	Pruned bool

	// Modules is the dependency set without the main modules, sorted by path, then by
	// version; each module once. It may be empty.
	Modules []Module
	// Sums is what go.sum says, or the sum files of a workspace; never nil.
	Sums *SumFile
}

// A Module is one that a build uses, or one whose go.mod decided what a build uses.
type Module struct {
	// Path and Version name the module that is really read, after replace. For a
	// directory, Path is the required path and Version is "".
	Path, Version string
	// Required is what go.mod files require: the same without replace. When several
	// required modules are replaced by this one, it is the first of them in order.
	Required module.Version

	// LocalDir is the directory that replaces the module, absolute; "" for a module that
	// is downloaded. It may not exist.
	LocalDir string
	// InTree is set when LocalDir exists and, all symbolic links followed, is
	// Project.Dir or lies in it. Links further down in it are not looked at.
	InTree bool

	// Direct is set when a main module requires it without an "// indirect" comment.
	Direct bool
	// GoModOnly is set when only the module's go.mod is used, to compute the set: the
	// module graph has it, but another version was selected.
	GoModOnly bool

	// GOROOT is the Go installation that is read in place of a golang.org/toolchain
	// module; "" for every other module, and for a toolchain in the module cache.
	GOROOT string

	// Sum and GoModSum are the h1s of the module and of its go.mod that the go command
	// finds in go.sum; "" when there is none. SumFile and GoModSumFile are the files that
	// they are from: "go.sum", or of a workspace the file's name relative to Project.Dir.
	Sum, GoModSum         string
	SumFile, GoModSumFile string
	// SumsDiffer names the sum files of a workspace that have different h1s for the module
	// or its go.mod; "" when they agree. The go command refuses such a module unless the
	// first in go.work.sum is right.
	SumsDiffer string
	// GoModRead is the h1 of the bytes that were read as the module's go.mod for the
	// module graph; "" when it was not read.
	GoModRead string
}

// Load gives the dependency set of the project in req.Dir. It reads files, and neither
// writes any nor runs anything. It returns an *UnsupportedError for a way to build that
// it can't tell the set of, and a *MissingGoModError when go.mod files of dependencies
// are needed and not at hand.
func Load(req Request) (*Project, error) {
	if !filepath.IsAbs(req.Dir) {
		return nil, fmt.Errorf("directory %q is not absolute", req.Dir)
	}
	flags, err := req.flags()
	if err != nil {
		return nil, err
	}
	if err := refuseUnsupported(req, flags); err != nil {
		return nil, err
	}
	work, err := findWork(req)
	if err != nil {
		return nil, err
	}
	if work != "" {
		return req.loadWorkspace(work, flags)
	}
	return req.loadModule(flags)
}

// loadModule gives the dependency set of a main module.
func (req Request) loadModule(flags Flags) (*Project, error) {
	gomod := findUp(req.Dir, "go.mod", "")
	if gomod == "" {
		return nil, fmt.Errorf("no go.mod in %s or a directory above it: %w", req.Dir, fs.ErrNotExist)
	}
	p := &Project{Dir: filepath.Dir(gomod), ModFile: gomod, Mod: cmp.Or(flags.Mod, "readonly")}
	if flags.ModFile != "" {
		p.ModFile = flags.ModFile
		if !filepath.IsAbs(p.ModFile) {
			p.ModFile = filepath.Join(req.Dir, p.ModFile)
		}
	}
	main, err := p.readFiles()
	if err != nil {
		return nil, err
	}
	mains, err := newMainSet(nil, main)
	if err != nil {
		return nil, err
	}
	p.Mains = mains.projects()
	if err := req.finish(p, mains, flags.Mod); err != nil {
		return nil, err
	}
	return p, nil
}

// finish computes the dependency set of a project whose own files were read. mod is the
// value of -mod as set.
func (req Request) finish(p *Project, mains *mainSet, mod string) error {
	if err := p.setVendored(mod, req.Vendor); err != nil {
		return err
	}
	if p.Mod == "vendor" {
		return p.loadVendor(mains)
	}
	set := newModuleSet(p.Dir, mains)
	var err error
	if p.Pruned {
		err = set.addRequirements(mains.list[0])
	} else {
		err = req.addGraph(set)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", cmp.Or(p.Work, p.ModFile), err)
	}
	p.Modules = set.list(p.Sums)
	return nil
}

// flags gives the flags of GOFLAGS, as far as the request doesn't override them.
func (req Request) flags() (Flags, error) {
	flags, err := req.Env.Flags()
	if err != nil {
		return flags, err
	}
	if err := checkMod("request", req.Mod); err != nil {
		return flags, err
	}
	flags.Mod = cmp.Or(req.Mod, flags.Mod)
	flags.ModFile = cmp.Or(req.ModFile, flags.ModFile)
	if flags.ModFile != "" && !strings.HasSuffix(flags.ModFile, ".mod") {
		return flags, fmt.Errorf("-modfile=%q does not end in .mod", cut(flags.ModFile))
	}
	return flags, nil
}

// readFiles reads go.mod and go.sum.
func (p *Project) readFiles() (*mainModule, error) {
	data, err := readProject(p.ModFile, maxGoMod)
	if err != nil {
		return nil, err
	}
	main, err := parseMain(p.ModFile, p.Dir, data)
	if err != nil {
		return nil, err
	}
	p.Main, p.GoVersion, p.Toolchain, p.Pruned = main.path, main.goVersion, main.toolchain, main.pruned()
	p.SumFile = strings.TrimSuffix(p.ModFile, ".mod") + ".sum"
	data, err = readProject(p.SumFile, maxSumFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	p.Sums, err = ParseSums(p.SumFile, data)
	return main, err
}

// addGraph adds the modules of an unpruned module graph.
func (req Request) addGraph(set *moduleSet) error {
	if !slices.ContainsFunc(set.mains.list, func(main *mainModule) bool { return len(set.mains.required(main)) > 0 }) {
		return nil
	}
	read, where, err := req.goModReader()
	if err != nil {
		return err
	}
	g := &graph{mains: set.mains, read: read, limits: graphLimits{modules: maxModules, edges: maxGraphEdges, steps: maxGraphSteps, bytes: maxGraphBytes}}
	if err := g.load(); err != nil {
		return err
	}
	if len(g.missing) > 0 {
		module.Sort(g.missing)
		hint := "run go mod download where there is a network, and bring the module cache in"
		if req.Zips != nil {
			hint = "add the zip or the .mod file of each; go mod download has them in cache/download"
		}
		return &MissingGoModError{Modules: slices.Compact(g.missing), Where: where, Hint: hint}
	}
	nodes := slices.Collect(maps.Keys(g.nodes))
	module.Sort(nodes)
	for _, m := range nodes {
		unused := g.selected[m.Path] != m.Version || set.mains.paths[m.Path]
		if unused && !g.nodes[m].read {
			continue // named by a module whose requirements decide nothing
		}
		src, err := set.mains.resolve(m)
		if err != nil {
			return err
		}
		if unused && set.mains.work != nil && set.mains.dirs[src.dir] {
			continue // the go.mod is a main module's
		}
		mod := Module{GoModOnly: unused}
		if dep := g.files[src]; dep != nil {
			mod.GoModRead = dep.h1
		}
		set.add(m, src, mod)
	}
	return nil
}

// goModReader gives the function that reads go.mod files of dependencies, and names
// where from.
func (req Request) goModReader() (read func(module.Version) ([]byte, error), where string, err error) {
	if req.Zips != nil {
		return req.Zips.GoMod, req.Zips.root, nil
	}
	cache := req.Cache
	if cache == nil {
		if cache, err = req.Env.Cache(); err != nil {
			return nil, "", err
		}
	}
	return func(m module.Version) ([]byte, error) {
		name, err := cache.Mod(m)
		if err != nil {
			return nil, err
		}
		return ReadRegular(name, maxGoMod)
	}, "the module cache " + cache.Root, nil
}

// compareModules is the order of Project.Modules.
func compareModules(a, b Module) int {
	return cmp.Or(
		strings.Compare(a.Path, b.Path),
		semver.Compare(a.Version, b.Version),
		strings.Compare(a.Version, b.Version),
		strings.Compare(a.LocalDir, b.LocalDir),
	)
}
