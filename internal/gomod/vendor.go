package gomod

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"
)

// VendorUse says what Load does with a project that the go command builds from its
// vendor folder.
type VendorUse int

// The uses. The zero value refuses.
const (
	RefuseVendor VendorUse = iota // an *UnsupportedError
	ReadVendor                    // the set is that of vendor/modules.txt
	IgnoreVendor                  // the set is that of -mod=readonly, and Project.Vendored is set
)

// A Vendor is a project's vendor folder.
type Vendor struct {
	Dir string // absolute
	// SHA256 is that of modules.txt as it was read.
	SHA256 [sha256.Size]byte
	// Unbuilt is how many modules modules.txt names without a package: the build reads
	// nothing of them.
	Unbuilt int

	// GoLines is set when modules.txt states the go line of every module that has one:
	// those of projects from go 1.17 on do.
	GoLines bool

	goLines  map[string]string // by path of a module with packages
	packages map[string]int    // import path to place in Project.Modules
	roots    map[string]int    // path of a module with packages to place in Project.Modules
}

// GoLine gives the version of Go that modules.txt says a required module with packages
// is written for, which decides what its code means; "" without one.
func (v *Vendor) GoLine(path string) string { return v.goLines[path] }

// Package gives the place in Project.Modules of the module that has the package, which
// is the folder of that name below Dir, and whether there is one.
func (v *Vendor) Package(importPath string) (i int, ok bool) {
	i, ok = v.packages[importPath]
	return i, ok
}

// Owner gives the place in Project.Modules of the module that a file belongs to: name is
// slash-separated and relative to Dir. It is the module of the nearest folder at or above
// the file that is a package or the root of a module, so that a module nested in another
// has its own files, and what a package embeds goes with it.
func (v *Vendor) Owner(name string) (i int, ok bool) {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if i, ok := v.packages[dir]; ok {
			return i, true
		}
		if i, ok := v.roots[dir]; ok {
			return i, true
		}
	}
	return 0, false
}

// setVendored finds out whether the go command would build from vendor/, and what of it
// was asked for. mod is the value of -mod as set.
func (p *Project) setVendored(mod string, use VendorUse) error {
	why, err := p.usesVendor(mod)
	if err != nil {
		return err
	}
	if p.Vendored = why != ""; !p.Vendored {
		return nil
	}
	switch use {
	case ReadVendor:
		p.Mod = "vendor"
	case IgnoreVendor:
		p.Mod = "readonly"
	default:
		hint := "to check the module cache instead, pass --mod=readonly (or --mod=mod), and build with the same -mod flag"
		if p.Work != "" {
			hint = "to check the module cache instead, pass --mod=readonly, and build with the same -mod flag"
		}
		return &UnsupportedError{What: "a build from vendor/", Why: why, Hint: hint}
	}
	return nil
}

// usesVendor tells whether the go command would build from vendor/, and why. mod is the
// value of -mod. Without it, it does when the folder is there, the go line of go.mod or
// go.work says 1.14 or later, and the folder was made for a module or a workspace, as the
// project is one (setDefaultBuildMod in cmd/go/internal/modload/init.go).
func (p *Project) usesVendor(mod string) (why string, err error) {
	if mod == "vendor" {
		return "-mod=vendor is set", nil
	}
	if mod != "" || compareGo(p.GoVersion, "1.14") < 0 {
		return "", nil
	}
	vendor := filepath.Join(p.Dir, "vendor")
	if info, err := os.Stat(vendor); err != nil || !info.IsDir() {
		return "", nil
	}
	workspace, err := workspaceVendor(filepath.Join(vendor, "modules.txt"))
	if err != nil || workspace != (p.Work != "") {
		return "", err
	}
	return "the go command would use " + vendor, nil
}

// loadVendor gives the dependency set of a build from vendor/: the modules that
// modules.txt names with packages, each once for each path at which it is required.
func (p *Project) loadVendor(mains *mainSet) error {
	if p.Work == "" && compareGo(p.GoVersion, "1.14") < 0 {
		return &UnsupportedError{
			What: "a vendor folder of a project before go 1.14",
			Why:  "its modules.txt does not say which replacements and requirements it was made for",
			Hint: "set a go line of 1.14 or later, and run go mod vendor; or check the module cache with --mod=readonly",
		}
	}
	dir := filepath.Join(p.Dir, "vendor")
	name := filepath.Join(dir, "modules.txt")
	data, err := ReadRegular(name, maxVendorFile)
	if errors.Is(err, fs.ErrNotExist) {
		return &InconsistentVendorError{Problems: []string{"there is no " + name}, Work: p.Work != ""}
	}
	if err != nil {
		return err
	}
	list, err := parseVendor(data)
	if err != nil {
		return fmt.Errorf("%s: %w: run %s where the modules can be trusted", name, err, vendorCommand(p.Work != ""))
	}
	if err := list.check(mains); err != nil {
		return err
	}
	p.Vendor = &Vendor{
		Dir: dir, SHA256: sha256.Sum256(data), GoLines: compareGo(p.GoVersion, "1.17") >= 0 || p.Work != "" && p.GoVersion == "",
		goLines: map[string]string{}, packages: map[string]int{}, roots: map[string]int{},
	}
	packages := map[string][]string{}
	set := newModuleSet(p.Dir, mains) // for inTree
	for _, m := range list.modules {
		if len(m.packages) == 0 {
			if m.mod.Version != "" && (m.explicit || m.replacement == module.Version{}) && !mains.paths[m.mod.Path] {
				p.Vendor.Unbuilt++
			}
			continue
		}
		mod, err := set.vendored(m.mod)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		mod.setSums(p.Sums)
		packages[m.mod.Path], p.Vendor.goLines[m.mod.Path] = m.packages, m.goVersion
		p.Modules = append(p.Modules, mod)
	}
	slices.SortFunc(p.Modules, func(a, b Module) int {
		if c := compareModules(a, b); c != 0 {
			return c
		}
		return strings.Compare(a.Required.Path, b.Required.Path)
	})
	for i, m := range p.Modules {
		p.Vendor.roots[m.Required.Path] = i
		for _, pkg := range packages[m.Required.Path] {
			p.Vendor.packages[pkg] = i
		}
	}
	return nil
}

// vendored is the module that stands in the vendor folder for a required one.
func (s *moduleSet) vendored(m module.Version) (Module, error) {
	src, err := s.mains.resolve(m)
	if err != nil {
		return Module{}, err
	}
	mod := Module{Path: src.mod.Path, Version: src.mod.Version, LocalDir: src.dir, Required: m, Direct: s.mains.direct[m.Path]}
	if src.dir == "" {
		return mod, CheckModule(src.mod)
	}
	mod.Path, mod.InTree = m.Path, s.inTree(src.dir)
	return mod, nil
}
