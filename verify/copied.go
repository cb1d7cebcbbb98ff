package verify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/gomod"
)

// Source is a project, and where the files of its modules are before somebody
// copies them.
type Source struct {
	project    *gomod.Project
	toolchains []gomod.Module
	places     places
}

// Modules are those to copy, each once: without those that are directories of the
// source tree, and Go installations.
func (s *Source) Modules() []gomod.Module {
	var out []gomod.Module
	at := map[module.Version]int{}
	for _, m := range slices.Concat(s.project.Modules, s.toolchains) {
		v := module.Version{Path: m.Path, Version: m.Version}
		switch i, ok := at[v]; {
		case m.LocalDir != "" || m.GOROOT != "":
		case !ok:
			at[v], out = len(out), append(out, m)
		case !m.GoModOnly:
			out[i] = m
		}
	}
	return out
}

// Files are those of one module; "" is one that is not there.
type Files struct {
	Zip  string
	Tree string // the unpacked module, if the go command would use it
	Mod  string // the .mod file
}

// ErrChanged says that the dependency set is not the one that was copied.
var ErrChanged = errors.New("the project's dependency set changed while its modules were copied")

// ReadSource reads the dependency set that Check would verify. It is an
// *gomod.UnsupportedError for a project that builds from its vendor folder: such a
// build reads no module cache.
//
// Of the request Dir, World, Mod, ModCache, Zips, Toolchains, Go and Trust are used.
func ReadSource(r Request) (*Source, error) {
	if r.Dir == "" {
		return nil, ErrNothing
	}
	e, err := readEnclave(r)
	if err != nil {
		return nil, err
	}
	if v := e.project.Vendor; v != nil {
		return nil, &gomod.UnsupportedError{
			What: "a module cache for a build from vendor/", Why: "that build reads " + v.Dir + ", and no module cache",
			Hint: "to build from the module cache instead, pass --mod=readonly, and build with the same -mod flag",
		}
	}
	if len(e.project.Modules)+len(e.toolchains) == 0 {
		return nil, ErrNothing
	}
	return &Source{project: e.project, toolchains: e.toolchains, places: e.places}, nil
}

// Find looks for the files of a module. What lies in the way of one and is no
// regular file is an error.
func (s *Source) Find(m module.Version) (Files, error) {
	at, err := s.places.find(m)
	return Files{Zip: at.zip, Tree: at.tree, Mod: at.mod}, err
}

// ZippedGoMod reads the go.mod of a module that has a zip and no .mod file, in a
// directory of zips. The error is fs.ErrNotExist when there is no zip either.
func (s *Source) ZippedGoMod(m module.Version) ([]byte, error) {
	if s.places.zips == nil {
		return nil, fmt.Errorf("%s: no .mod file: %w", m, fs.ErrNotExist)
	}
	return s.places.zips.GoMod(m)
}

// Copied is a module cache to which the modules of a Source were copied.
type Copied struct {
	From    *Source
	Cache   string                   // the module cache, absolute
	Name    string                   // what the report calls it: where it is going to be
	Origin  map[module.Version]Files // what each module was copied from
	Refused map[module.Version]error // modules that could not be copied, and what is wrong with them
}

// CheckCopied is Check of a project by the copies of its modules, which nobody but
// the caller can write to: what it reads is what is going to be built, whatever
// becomes of the files that were copied. A module that could not be copied has the
// verdict that Check would give for that reason. It is ErrChanged when the
// dependency set, as it is computed from the copies, is not the one that was copied.
//
// What opens a bundle is not used of the request; b was opened with its Seals. The
// report names files as they were before they were copied.
func CheckCopied(ctx context.Context, r Request, b *bundles.Bundle, c Copied) (*Report, error) {
	if r.Policy == nil {
		r.Policy = &Policy{}
	}
	r.Zips, r.ModCache, r.OwnManifest = "", c.Cache, false
	r.Toolchains, r.Go = nil, nil // which ones, was decided where they are
	e, err := readEnclave(r)
	if err != nil {
		return nil, c.explain(err)
	}
	e.toolchains = c.From.toolchains
	if err := r.something(e); err != nil {
		return nil, err
	}
	if err := c.fits(e.project); err != nil {
		return nil, err
	}
	e.places.refused = c.Refused
	out, err := r.judge(ctx, e, b, r.newReader(e))
	if err != nil {
		return nil, err
	}
	c.rename(out)
	return out, nil
}

// fits demands that the modules to verify are those that were copied: one more
// would be a hole, one less a module that nobody verified.
func (c *Copied) fits(p *gomod.Project) error {
	from := c.From.project
	same := slices.EqualFunc(p.Modules, from.Modules, func(a, b gomod.Module) bool { // both are sorted
		return a.Path == b.Path && a.Version == b.Version && a.LocalDir == b.LocalDir && a.GoModOnly == b.GoModOnly && a.Required == b.Required
	})
	if !same || p.Vendored != from.Vendored || p.GoVersion != from.GoVersion || p.Toolchain != from.Toolchain {
		return ErrChanged
	}
	return nil
}

// explain names the place that the user knows in an error about the copies.
func (c *Copied) explain(err error) error {
	var missing *gomod.MissingGoModError
	if !errors.As(err, &missing) {
		return err
	}
	for _, m := range missing.Modules {
		if why := c.Refused[m]; why != nil {
			return fmt.Errorf("%s: %w", m, why)
		}
	}
	return fmt.Errorf("%w: %s", ErrChanged, missing.Modules[0])
}

// rename puts the names of the originals into the report.
func (c *Copied) rename(r *Report) {
	p := &r.Project
	p.Zips, p.ModCache = c.From.places.dir, c.From.places.cache.Root
	if r.OK {
		p.Materialized = c.Name
	}
	cache := gomod.Cache{Root: c.Cache}
	where := c.From.places.String()
	for i := range r.Modules {
		m := &r.Modules[i]
		if m.Dir != "" {
			continue
		}
		v := module.Version{Path: m.Path, Version: m.Version}
		from := c.Origin[v]
		if from.Tree == "" {
			from.Tree = from.Zip
		}
		if from.Mod == "" {
			from.Mod = from.Tree
		}
		var pairs []string
		for _, f := range []struct {
			name func(module.Version) (string, error)
			from string
		}{{cache.Zip, from.Zip}, {cache.Mod, from.Mod}, {cache.Tree, from.Tree}} {
			if name, err := f.name(v); err == nil && f.from != "" {
				pairs = append(pairs, name, f.from)
			}
		}
		name := strings.NewReplacer(append(pairs, "the module cache "+c.Cache, where, c.Cache, p.ModCache+p.Zips)...)
		m.Reason = name.Replace(m.Reason)
		for k := range m.OnDisk {
			m.OnDisk[k].File = name.Replace(m.OnDisk[k].File)
		}
	}
}
