package gomod

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/module"
)

// maxVendorFile is how many bytes vendor/modules.txt may have.
const maxVendorFile = 16 << 20

// maxVendorPackages is how many packages vendor/modules.txt may list.
const maxVendorPackages = 200_000

// A vendorList is vendor/modules.txt, parsed.
type vendorList struct {
	workspace bool           // made by go work vendor
	modules   []vendorModule // in the file's order
}

// A vendorModule is what modules.txt says of one module, or of the replacement of all
// versions of one.
type vendorModule struct {
	mod         module.Version // as required; no version: a replacement of all versions
	replacement module.Version // zero for none; no version: a directory
	explicit    bool           // go.mod requires it
	goVersion   string         // of the module's own go line; "" without one
	packages    []string       // import paths
}

// parseVendor parses vendor/modules.txt, which "go mod vendor" and "go work vendor" write:
//
//	## workspace                   of go work vendor: the first line, once
//	# path version                 a module; any number of packages follow
//	# path version => path version
//	# path version => dir
//	# path => path version         for all versions; nothing follows
//	# path => dir
//	## explicit; go 1.21           of the module above; either part may be missing
//	path/of/package
//
// It refuses whatever the go command would pass over or take in two ways: other lines,
// other white space, a module, a mark or a package that comes twice, packages of two
// versions of one module, and one that is not below its module's path.
func parseVendor(data []byte) (*vendorList, error) {
	if bytes.Contains(data, []byte("\r\n")) {
		return nil, errors.New("line endings are CR LF, as git's core.autocrlf makes them: check it out with core.autocrlf=false, or with \"vendor/** -text\" in .gitattributes")
	}
	p := vendorParser{seen: map[module.Version]bool{}, packages: map[string]bool{}, versions: map[string]string{}}
	for n := 1; len(data) > 0; n++ {
		line, rest, whole := bytes.Cut(data, []byte("\n"))
		err := p.line(string(line))
		if !whole {
			err = errors.New("cut off: no line end")
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		data = rest
	}
	return &p.list, nil
}

type vendorParser struct {
	list     vendorList
	marked   bool // the module had its line of marks
	seen     map[module.Version]bool
	packages map[string]bool
	versions map[string]string // of modules with packages, by path
}

func (p *vendorParser) line(line string) error {
	if marks, ok := strings.CutPrefix(line, "## "); ok {
		return p.marks(marks)
	}
	if mod, ok := strings.CutPrefix(line, "# "); ok {
		return p.module(mod)
	}
	return p.pkg(line)
}

func (p *vendorParser) module(line string) error {
	if len(p.list.modules) == maxModules {
		return fmt.Errorf("more than %d modules", maxModules)
	}
	old, to, replaced := strings.Cut(line, " => ")
	var m vendorModule
	var err error
	if m.mod, err = vendorVersion(old); err != nil {
		return err
	}
	if err := checkRequired(m.mod.Path); err != nil {
		return err
	}
	if m.mod.Version == "" && !replaced {
		return fmt.Errorf("%q has neither version nor replacement", cut(line))
	}
	if m.mod.Version != "" {
		if _, err := canonicalOnly(m.mod.Path, m.mod.Version); err != nil {
			return err
		}
	}
	if replaced {
		if m.replacement, err = vendorVersion(to); err != nil {
			return err
		}
		if v := m.replacement.Version; v != "" && module.CanonicalVersion(v) != v {
			return fmt.Errorf("version %q is not canonical", cut(v))
		}
	}
	if p.seen[m.mod] {
		return fmt.Errorf("%q comes twice", cut(old))
	}
	p.seen[m.mod], p.marked = true, false
	p.list.modules = append(p.list.modules, m)
	return nil
}

// vendorVersion parses "path" or "path version".
func vendorVersion(s string) (module.Version, error) {
	path, version, two := strings.Cut(s, " ")
	if path == "" || two && version == "" || strings.ContainsAny(path+version, " \t\v\f\r") {
		return module.Version{}, fmt.Errorf("%q is not a path, or a path and a version", cut(s))
	}
	return module.Version{Path: path, Version: version}, nil
}

// current is the module that marks and packages belong to.
func (p *vendorParser) current() (*vendorModule, error) {
	if len(p.list.modules) == 0 {
		return nil, errors.New("no module above it")
	}
	m := &p.list.modules[len(p.list.modules)-1]
	if m.mod.Version == "" {
		return nil, errors.New("follows a replacement that names no version")
	}
	return m, nil
}

func (p *vendorParser) marks(line string) error {
	if line == "workspace" && len(p.list.modules) == 0 && !p.list.workspace {
		p.list.workspace = true
		return nil
	}
	m, err := p.current()
	if err != nil {
		return err
	}
	if p.marked || len(m.packages) > 0 {
		return errors.New("marks that don't follow the module's line")
	}
	p.marked = true
	first, second, two := strings.Cut(line, "; ")
	if first == "explicit" {
		m.explicit = true
		if !two {
			return nil
		}
		first, two = second, false
	}
	version, ok := strings.CutPrefix(first, "go ")
	m.goVersion = version
	if !ok || two || compareGo(version, "1") < 0 {
		return fmt.Errorf("marks %q are not \"explicit\", \"go VERSION\" or both", cut(line))
	}
	return nil
}

func (p *vendorParser) pkg(line string) error {
	m, err := p.current()
	if err != nil {
		return err
	}
	if err := module.CheckImportPath(line); err != nil {
		return fmt.Errorf("%q is not a package: %s", cut(line), printable(err.Error()))
	}
	if line != m.mod.Path && !strings.HasPrefix(line, m.mod.Path+"/") {
		return fmt.Errorf("package %q is not below its module %q", cut(line), cut(m.mod.Path))
	}
	if len(p.packages) == maxVendorPackages {
		return fmt.Errorf("more than %d packages", maxVendorPackages)
	}
	if p.packages[line] {
		return fmt.Errorf("package %q comes twice", cut(line))
	}
	p.packages[line] = true
	if v, ok := p.versions[m.mod.Path]; ok && v != m.mod.Version {
		return fmt.Errorf("packages of %q at both %s and %s", cut(m.mod.Path), v, m.mod.Version)
	}
	p.versions[m.mod.Path] = m.mod.Version
	m.packages = append(m.packages, line)
	return nil
}
