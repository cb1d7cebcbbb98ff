package gomod

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
	"golang.org/x/mod/sumdb/dirhash"
)

const (
	// maxGraphBytes is how much of go.mod files is read for one module graph.
	maxGraphBytes = 256 << 20
	// maxGraphEdges is how many requirements a module graph may have in all.
	maxGraphEdges = 2_000_000
)

// graphLimits bound what a module graph may cost.
type graphLimits struct {
	modules, edges int
	bytes          int64
}

// A graph is the module graph of a main module whose go.mod lists only a part of what
// is needed: no requirement of any module is pruned out of it.
//
// Minimal version selection: the modules are all that can be reached from the main
// module along requirements, and of each path the highest version reached is selected.
// A requirement of a version that isn't selected counts all the same.
type graph struct {
	main *mainModule
	// read gives the go.mod of a module that is downloaded, or fs.ErrNotExist.
	read   func(module.Version) ([]byte, error)
	limits graphLimits

	nodes    map[module.Version]source // as required: what is read in its place
	selected map[string]string         // path to version
	files    map[source]*depMod        // each go.mod file once
	missing  []module.Version
	cost     graphLimits // so far; modules are len(nodes)
}

// A depMod is what counts of a dependency's go.mod.
type depMod struct {
	path    string // "" without a module line
	require []module.Version
	h1      string // of the file
}

// load walks the graph, breadth first. After an error the graph is of no use.
func (g *graph) load() error {
	g.nodes = map[module.Version]source{}
	g.selected = map[string]string{}
	g.files = map[source]*depMod{}

	var queue []module.Version
	add := func(list []module.Version) error {
		if g.cost.edges += len(list); g.cost.edges > g.limits.edges {
			return fmt.Errorf("module graph has more than %d requirements", g.limits.edges)
		}
		for _, m := range list {
			if _, ok := g.nodes[m]; ok || g.main.exclude[m] {
				continue
			}
			if len(g.nodes) == g.limits.modules {
				return fmt.Errorf("module graph has more than %d modules", g.limits.modules)
			}
			src, err := g.main.resolve(m)
			if err != nil {
				return err
			}
			g.nodes[m] = src
			queue = append(queue, m)
			if v, ok := g.selected[m.Path]; !ok || semver.Compare(v, m.Version) < 0 {
				g.selected[m.Path] = m.Version
			}
		}
		return nil
	}
	if err := add(g.main.require); err != nil {
		return err
	}
	for len(queue) > 0 {
		m := queue[0]
		queue = queue[1:]
		dep, err := g.dependency(m)
		if err != nil {
			return fmt.Errorf("module graph: go.mod of %s: %w", m, err)
		}
		if err := add(dep.require); err != nil {
			return fmt.Errorf("module graph: requirements of %s: %w", m, err)
		}
	}
	return nil
}

// dependency reads the go.mod of m or of its replacement. One that isn't at hand is
// noted as missing, so that all of them can be told at once.
func (g *graph) dependency(m module.Version) (*depMod, error) {
	src := g.nodes[m]
	dep, ok := g.files[src]
	if !ok {
		data, err := g.readSource(src)
		if src.dir == "" && errors.Is(err, fs.ErrNotExist) {
			g.missing = append(g.missing, src.mod)
			dep = &depMod{path: m.Path}
			g.files[src] = dep
			return dep, nil
		}
		if err != nil {
			return nil, err
		}
		if g.cost.bytes += int64(len(data)); g.cost.bytes > g.limits.bytes {
			return nil, fmt.Errorf("go.mod files of more than %d bytes in all", g.limits.bytes)
		}
		if dep, err = parseDependency(data); err != nil {
			return nil, err
		}
		g.files[src] = dep
	}
	if src.dir != "" {
		return dep, nil // a directory's module line may say anything
	}
	if dep.path == "" {
		return nil, errors.New("no module line")
	}
	if dep.path != m.Path && dep.path != src.mod.Path {
		return nil, fmt.Errorf("it says that it is module %q", cut(dep.path))
	}
	return dep, nil
}

func (g *graph) readSource(src source) ([]byte, error) {
	if src.dir != "" {
		return readProject(filepath.Join(src.dir, "go.mod"), maxGoMod)
	}
	return g.read(src.mod)
}

// parseDependency reads a go.mod as the go command reads those of dependencies:
// directives that count only in a main module, and unknown ones, are skipped.
func parseDependency(data []byte) (*depMod, error) {
	f, err := modfile.ParseLax("go.mod", data, nil)
	if err != nil {
		return nil, parseError(err)
	}
	dep := &depMod{require: make([]module.Version, 0, len(f.Require))}
	if f.Module != nil {
		dep.path = f.Module.Mod.Path
	}
	for _, r := range f.Require {
		if err := checkRequired(r.Mod.Path); err != nil {
			return nil, err
		}
		dep.require = append(dep.require, r.Mod)
	}
	dep.require = slices.Clip(dep.require)
	dep.h1, err = goModHash(data)
	return dep, err
}

// goModHash gives the h1 of a go.mod file as go.sum has it for "version/go.mod".
func goModHash(data []byte) (string, error) {
	return dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	})
}
