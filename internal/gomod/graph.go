package gomod

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
	"golang.org/x/mod/sumdb/dirhash"
)

const (
	// maxGraphBytes is how much of go.mod files is read for one module graph.
	maxGraphBytes = 64 << 20
	// maxGraphEdges is how many requirements a module graph may have in all.
	maxGraphEdges = 1_500_000
	// maxGraphSteps is how many requirements are looked at while a workspace's graph settles.
	maxGraphSteps = 20_000_000
)

// graphLimits bound what a module graph may cost.
type graphLimits struct {
	modules, edges int
	steps          int // requirements looked at while a workspace's graph settles
	bytes          int64
}

// pruning says how much of a module's requirements counts
// (https://go.dev/ref/mod#graph-pruning).
type pruning int

const (
	// pruned: its requirements are in the graph, but their own are not, unless its go.mod is
	// from before go 1.17, which doesn't list all that it needs.
	pruned pruning = iota
	// unpruned: all that can be reached from it is in the graph.
	unpruned
	// whole: its requirements are in the graph as if a main module had them.
	whole
)

// A graph is the module graph of a main module whose go.mod lists only a part of what is
// needed, or of a workspace. It has what the go command reads (readModGraph in
// cmd/go/internal/modload/buildlist.go).
//
// Minimal version selection: the modules are all that can be reached from the main
// modules along requirements, and of each path the highest version reached is selected.
// A requirement of a version that isn't selected counts all the same.
type graph struct {
	mains *mainSet
	// read gives the go.mod of a module that is downloaded, or fs.ErrNotExist.
	read   func(module.Version) ([]byte, error)
	limits graphLimits

	nodes    map[module.Version]*node // as required
	selected map[string]string        // path to version
	files    map[source]*depMod       // each go.mod file once
	text     map[string]string        // paths and versions, each kept once
	missing  []module.Version
	queue    []visit
	cost     graphLimits // so far; modules are len(nodes)
}

// A node is a module that is required.
type node struct {
	read   bool // its go.mod was
	queued [whole + 1]bool
}

// A visit is a module whose requirements are to be added to the graph.
type visit struct {
	m   module.Version
	how pruning
}

// A depMod is what counts of a dependency's go.mod.
type depMod struct {
	path    string // "" without a module line
	pruned  bool   // it lists all that it needs
	require []module.Version
	h1      string // of the file
}

// load walks the graph, breadth first. After an error the graph is of no use.
func (g *graph) load() error {
	g.nodes = map[module.Version]*node{}
	g.selected = map[string]string{}
	g.files = map[source]*depMod{}
	g.text = map[string]string{}
	for _, main := range g.mains.list {
		how := unpruned
		if main.pruned() {
			how = pruned
		}
		list := g.mains.required(main)
		if err := g.reach(list); err != nil {
			return err
		}
		g.enqueue(list, how)
	}
	if err := g.walk(); err != nil || g.mains.work == nil {
		return err
	}
	return g.settle()
}

// reach adds requirements to the graph, and selects the higher versions.
func (g *graph) reach(list []module.Version) error {
	if g.cost.edges += len(list); g.cost.edges > g.limits.edges {
		return fmt.Errorf("module graph has more than %d requirements", g.limits.edges)
	}
	for _, m := range list {
		if g.nodes[m] != nil {
			continue
		}
		if len(g.nodes) == g.limits.modules {
			return fmt.Errorf("module graph has more than %d modules", g.limits.modules)
		}
		g.nodes[m] = &node{}
		if v, ok := g.selected[m.Path]; !ok || semver.Compare(v, m.Version) < 0 {
			g.selected[m.Path] = m.Version
		}
	}
	return nil
}

// enqueue has modules that were reached visited, each once in each way.
func (g *graph) enqueue(list []module.Version, how pruning) {
	for _, m := range list {
		if n := g.nodes[m]; !n.queued[how] {
			n.queued[how] = true
			g.queue = append(g.queue, visit{m, how})
		}
	}
}

func (g *graph) walk() error {
	for len(g.queue) > 0 {
		v := g.queue[0]
		g.queue = g.queue[1:]
		dep, err := g.dependency(v.m)
		if err != nil {
			return fmt.Errorf("module graph: go.mod of %s: %w", v.m, err)
		}
		list := g.mains.allowed(dep.require)
		if n := g.nodes[v.m]; !n.read {
			n.read = true
			if err := g.reach(list); err != nil {
				return fmt.Errorf("module graph: requirements of %s: %w", v.m, err)
			}
		}
		next := pruned
		if !dep.pruned || v.how == unpruned {
			next = unpruned
		}
		if v.how != pruned || !dep.pruned {
			g.enqueue(list, next)
		}
	}
	return nil
}

// settle adds what a workspace needs on top: where a requirement of a main module is not
// at the version that was selected, because another module asks for a higher one, its
// go.mod does not list what the selected version needs. The requirements of that one are
// then looked at like a main module's, and so on.
func (g *graph) settle() error {
	seen, upgraded := map[module.Version]bool{}, map[string]bool{}
	for {
		next := map[module.Version]bool{}
		higher := func(require []module.Version) error {
			if g.cost.steps += len(require); g.cost.steps > g.limits.steps {
				return fmt.Errorf("module graph of the workspace does not settle within %d requirements", g.limits.steps)
			}
			for _, r := range require {
				s := module.Version{Path: r.Path, Version: g.selected[r.Path]}
				if !g.mains.paths[s.Path] && semver.Compare(s.Version, r.Version) > 0 && !seen[s] {
					next[s] = true
				}
			}
			return nil
		}
		for _, main := range g.mains.list {
			if err := higher(g.mains.required(main)); err != nil {
				return err
			}
		}
		for _, path := range slices.Sorted(maps.Keys(upgraded)) {
			m := module.Version{Path: path, Version: g.selected[path]}
			if !seen[m] {
				next[m] = true
				continue
			}
			dep, err := g.dependency(m)
			if err == nil {
				err = higher(g.mains.allowed(dep.require))
			}
			if err != nil {
				return err
			}
		}
		if len(next) == 0 {
			return nil
		}
		list := slices.Collect(maps.Keys(next))
		module.Sort(list)
		for _, m := range list {
			seen[m], upgraded[m.Path] = true, true
		}
		g.enqueue(list, whole)
		if err := g.walk(); err != nil {
			return err
		}
	}
}

// dependency reads the go.mod of m or of its replacement. One that isn't at hand is
// noted as missing, so that all of them can be told at once.
func (g *graph) dependency(m module.Version) (*depMod, error) {
	src, err := g.mains.resolve(m)
	if err != nil {
		return nil, err
	}
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
		for i, m := range dep.require {
			dep.require[i] = module.Version{Path: g.keep(m.Path), Version: g.keep(m.Version)}
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

// keep gives the same string each time: a graph has far more requirements than modules.
func (g *graph) keep(s string) string {
	kept, ok := g.text[s]
	if !ok {
		kept = s
		g.text[s] = s
	}
	return kept
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
	if err := CheckBounded("go.mod", data); err != nil {
		return nil, err
	}
	f, err := modfile.ParseLax("go.mod", data, nil)
	if err != nil {
		return nil, parseError(err)
	}
	dep := &depMod{require: make([]module.Version, 0, len(f.Require))}
	if f.Go != nil {
		dep.pruned = compareGo(f.Go.Version, "1.17") >= 0
	}
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
