package snapshot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/modseal/modseal/internal/gomod"
	"github.com/modseal/modseal/verify"
)

// project is one of those that the snapshot is of.
type project struct {
	*gomod.Project
	dir        string             // as it was asked for
	mod        string             // -mod of its self-check
	toolchains []verify.Toolchain // that it is the first to ask for
}

// in says of several projects which one an error is about.
func (c *collector) in(dir string, err error) error {
	if err == nil || len(c.Dirs) < 2 {
		return err
	}
	return fmt.Errorf("%s: %w", dir, err)
}

// loadProjects finds the dependency sets, after the go command has downloaded them,
// and what is in any of them.
func (c *collector) loadProjects(ctx context.Context) error {
	for _, dir := range c.Dirs {
		c.projects = append(c.projects, &project{dir: dir, mod: c.Mod})
	}
	var missing *gomod.MissingGoModError
	lacks := make([]error, len(c.projects))
	for i, p := range c.projects {
		if lacks[i] = c.loadProject(p); lacks[i] != nil && !errors.As(lacks[i], &missing) {
			return lacks[i] // before anything is downloaded
		}
	}
	if c.NoDownload {
		if err := cmp.Or(lacks...); err != nil {
			return err
		}
	} else {
		c.projects = eachOnce(c.projects)
		if err := c.download(ctx); err != nil {
			return err
		}
	}
	c.projects = eachOnce(c.projects) // now that all are known
	if err := c.addModules(); err != nil {
		return err
	}
	if err := c.loadToolchains(ctx); err != nil {
		return err
	}
	if !slices.ContainsFunc(c.projects, func(p *project) bool { return len(p.Modules) > 0 }) && len(c.toolchains) == 0 {
		return verify.ErrNothing
	}
	return nil
}

// loadProject reads a project's dependency set. Evidence is collected from the module
// cache for all modules of go.mod, which are those of a vendor folder and more.
func (c *collector) loadProject(p *project) error {
	loaded, err := gomod.Load(gomod.Request{Dir: p.dir, Env: c.env, Mod: c.Mod, Vendor: gomod.IgnoreVendor})
	if err != nil {
		return c.in(p.dir, err)
	}
	p.Project = loaded
	if p.Vendored {
		p.mod = "readonly" // the self-check looks where the evidence is from
	}
	return nil
}

// download runs "go mod download -json" in each project that needs modules, or of which
// that is not known.
func (c *collector) download(ctx context.Context) error {
	needs := func(p *project) bool { return p.Project == nil || len(p.Modules) > 0 }
	if !slices.ContainsFunc(c.projects, needs) {
		return nil
	}
	phase := Phase{Name: "download modules", Unit: "modules"}
	c.phase(phase)
	done := downloads{}
	for _, p := range c.projects {
		if !needs(p) {
			continue
		}
		if err := c.goModDownload(ctx, exec.CommandContext(ctx, "go", "mod", "download", "-json"), p.dir, done); err != nil {
			return c.in(p.dir, err)
		}
		if err := c.loadProject(p); err != nil { // go.sum may have grown
			return err
		}
	}
	c.phase(Phase{Name: phase.Name, Done: fmt.Sprintf("%d %s", len(done), phase.Unit)})
	return nil
}

// eachOnce leaves out projects that are there under another name, or as another folder
// of the same workspace. Those that could not be read yet stay.
func eachOnce(all []*project) []*project {
	seen := map[string]bool{}
	var out []*project
	for _, p := range all {
		if p.Project != nil {
			if seen[p.key()] {
				continue
			}
			seen[p.key()] = true
		}
		out = append(out, p)
	}
	return out
}

// key tells projects apart: by the folder, all links followed, and the file there that
// makes it one.
func (p *project) key() string {
	root, err := filepath.EvalSymlinks(p.Dir)
	if err != nil {
		root = p.Dir
	}
	return filepath.Join(root, filepath.Base(cmp.Or(p.Work, p.ModFile)))
}

// addModules makes subjects of the modules of all projects, each once. One of which any
// project reads more than go.mod counts in full.
func (c *collector) addModules() error {
	at := map[module.Version]int{}
	sums := sumLines{}
	for _, p := range c.projects {
		for _, m := range p.Modules {
			if m.LocalDir != "" {
				continue
			}
			v := module.Version{Path: m.Path, Version: m.Version}
			sums.add(p, m)
			i, ok := at[v]
			if !ok {
				i, at[v] = len(c.subjects), len(c.subjects)
				c.subjects = append(c.subjects, collected{Module: m, v: v})
			}
			s := &c.subjects[i]
			s.GoModOnly = s.GoModOnly && m.GoModOnly
			s.inVendor = s.inVendor || p.Vendored && !m.GoModOnly
		}
	}
	slices.SortStableFunc(c.subjects, func(a, b collected) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), semver.Compare(a.Version, b.Version), strings.Compare(a.Version, b.Version))
	})
	return sums.contradictions()
}

// sumLines are what go.sum files say of each module.
type sumLines map[module.Version][]sumLine

type sumLine struct{ of, h1, file string }

// add adds what the go command goes by in a project.
func (s sumLines) add(p *project, m gomod.Module) {
	v := module.Version{Path: m.Path, Version: m.Version}
	for _, l := range []sumLine{{"content", m.Sum, m.SumFile}, {"go.mod", m.GoModSum, m.GoModSumFile}} {
		if l.h1 == "" || slices.ContainsFunc(s[v], func(have sumLine) bool { return have.of == l.of && have.h1 == l.h1 }) {
			continue
		}
		if l.file = filepath.Join(p.Dir, l.file); p.Work == "" {
			l.file = p.SumFile
		}
		s[v] = append(s[v], l)
	}
}

// contradictions names the modules of which projects expect different content. At least
// one of them can't be proven, and which one is not for modseal to guess.
func (s sumLines) contradictions() error {
	e := &IncompleteError{
		What: "projects contradict each other about modules; nothing was written", Unproven: true,
		Hint: "find out which file was changed; the go command on a trusted host writes such files anew",
	}
	for v, lines := range s {
		if len(lines) < 2 || len(lines) == 2 && lines[0].of != lines[1].of {
			continue
		}
		var b strings.Builder
		b.WriteString("different hashes")
		for _, l := range lines {
			if slices.ContainsFunc(lines, func(other sumLine) bool { return other.of == l.of && other != l }) {
				fmt.Fprintf(&b, "\n%s: %s   (%s)", l.of, l.h1, l.file)
			}
		}
		e.Modules = append(e.Modules, ModuleError{Module: v, Err: errors.New(b.String())})
	}
	if len(e.Modules) == 0 {
		return nil
	}
	slices.SortFunc(e.Modules, func(a, b ModuleError) int { return strings.Compare(a.Module.String(), b.Module.String()) })
	return e
}

// loadToolchains finds the toolchains that each project asks for, each once, after the
// go command has downloaded them.
func (c *collector) loadToolchains(ctx context.Context) error {
	var modules []module.Version
	for _, p := range c.projects {
		for _, name := range c.Toolchains {
			m, err := gomod.ParseToolchain(name, p.WantedToolchain)
			if err != nil {
				return c.in(p.dir, err)
			}
			if slices.Contains(modules, m) {
				continue
			}
			modules = append(modules, m)
			p.toolchains = append(p.toolchains, verify.Toolchain{Module: m})
			c.subjects = append(c.subjects, collected{Module: gomod.Module{Path: m.Path, Version: m.Version, Required: m}, v: m})
		}
	}
	if c.toolchains = modules; c.NoDownload || len(modules) == 0 {
		return nil
	}
	return c.downloadToolchains(ctx, modules)
}
