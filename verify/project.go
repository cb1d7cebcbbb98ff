package verify

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/gomod"
)

// ProjectOf is what a bundle that is made of a project states of it.
func ProjectOf(p *gomod.Project) bundles.Project {
	out := bundles.Project{Module: p.Main, Go: p.GoVersion}
	if p.Work == "" {
		return out
	}
	for _, m := range p.Mains {
		out.Workspace = append(out.Workspace, m.Path)
	}
	return out
}

// madeOfOthers says that a bundle was made of others than this project.
func madeOfOthers(made []bundles.Project, this bundles.Project) []string {
	if slices.ContainsFunc(made, this.Equal) {
		return nil
	}
	return []string{fmt.Sprintf("the bundle was made of %s, not of this project", bundles.ProjectNames(made))}
}

// setWorkspace tells of a workspace what it is.
func (r *ProjectReport) setWorkspace(p *gomod.Project) {
	if r.Work = p.Work; p.Work == "" {
		return
	}
	for _, m := range p.Mains {
		if rel, err := filepath.Rel(p.Dir, m.Dir); err == nil && filepath.IsLocal(rel) {
			m.Dir = rel
		}
		r.Workspace = append(r.Workspace, MainReport{Path: m.Path, Dir: m.Dir, Go: m.GoVersion})
	}
}

// Name is the main module's path, or names the workspace by its modules.
func (r *ProjectReport) Name() string {
	p := bundles.Project{Module: r.Module}
	for _, m := range r.Workspace {
		p.Workspace = append(p.Workspace, m.Path)
	}
	return p.Name()
}
