package bundles

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/mod/module"
)

// Project is one of those that the snapshot was taken of: a main module, or a workspace
// of several.
type Project struct {
	Module    string   `json:"module"`              // path of the main module; "" of a workspace
	Go        string   `json:"go,omitempty"`        // the go line of its go.mod, or of go.work
	Workspace []string `json:"workspace,omitempty"` // paths of the workspace's main modules, sorted; each once
}

func (p *Project) check(lim limits) error {
	if !utf8.ValidString(p.Module) || !utf8.ValidString(p.Go) {
		return fmt.Errorf("project %.60q with go %.60q is not UTF-8", p.Module, p.Go)
	}
	if len(p.Workspace) == 0 {
		if p.Module == "" {
			return errors.New("a project without a main module")
		}
		return nil
	}
	if p.Module != "" {
		return fmt.Errorf("project %.60q is a main module and a workspace", p.Module)
	}
	if len(p.Workspace) > lim.mains {
		return fmt.Errorf("a workspace of %d main modules (at most %d)", len(p.Workspace), lim.mains)
	}
	for _, path := range p.Workspace {
		if module.CheckImportPath(path) != nil { // an error of it has hostile text as it is
			return fmt.Errorf("%.200q is not the path of a main module", path)
		}
	}
	if !strictlySorted(p.Workspace, strings.Compare) {
		return errors.New("main modules are not sorted, or one is there twice")
	}
	return nil
}

// compareProjects is the order of projects: by main module, workspace, and go line, bytewise.
func compareProjects(a, b Project) int {
	return cmp.Or(strings.Compare(a.Module, b.Module), slices.Compare(a.Workspace, b.Workspace), strings.Compare(a.Go, b.Go))
}

// Equal tells whether two projects have the same main modules.
func (p Project) Equal(q Project) bool {
	return p.Module == q.Module && slices.Equal(p.Workspace, q.Workspace)
}

// Name is the main module's path, or names the workspace by its modules. The path may be
// any text.
func (p Project) Name() string {
	const shown = 3
	if len(p.Workspace) == 0 {
		return p.Module
	}
	name := "workspace of " + strings.Join(p.Workspace[:min(shown, len(p.Workspace))], ", ")
	if more := len(p.Workspace) - shown; more > 0 {
		name += fmt.Sprintf(" and %d more", more)
	}
	return name
}

// String is the name in a form that is fit to be shown.
func (p Project) String() string {
	if len(p.Workspace) == 0 {
		return strconv.Quote(p.Module)
	}
	return "a " + p.Name()
}

// ProjectNames names projects in one line, the first of many, in a form that is fit to
// be shown.
func ProjectNames(all []Project) string {
	const shown = 3
	switch len(all) {
	case 0:
		return "artifacts alone"
	case 1:
		return all[0].String()
	}
	var names []string
	for _, p := range all[:min(shown, len(all))] {
		names = append(names, p.String())
	}
	out := fmt.Sprintf("%d projects: %s", len(all), strings.Join(names, ", "))
	if more := len(all) - shown; more > 0 {
		out += fmt.Sprintf(" and %d more", more)
	}
	return out
}
