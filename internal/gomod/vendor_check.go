package gomod

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// An InconsistentVendorError tells that vendor/modules.txt is not what go mod vendor, or go
// work vendor of a workspace, would have written for this project.
type InconsistentVendorError struct {
	Problems []string // at least one; safe to print
	Work     bool     // the project is a workspace
}

func (e *InconsistentVendorError) Error() string {
	const shown = 10
	fit := "go.mod"
	if e.Work {
		fit = "the workspace"
	}
	s := "vendor/modules.txt does not fit " + fit + ": " + strings.Join(e.Problems[:min(shown, len(e.Problems))], "; ")
	if more := len(e.Problems) - shown; more > 0 {
		s += fmt.Sprintf("; and %d more", more)
	}
	return s + ": run " + vendorCommand(e.Work) + " where the modules can be trusted, or check the module cache with --mod=readonly"
}

func vendorCommand(work bool) string {
	if work {
		return "go work vendor"
	}
	return "go mod vendor"
}

// A vendorCheck holds modules.txt against a project's own files.
type vendorCheck struct {
	*vendorList
	mains  *mainSet
	gomod  string // what the project's own files are in messages
	error  *InconsistentVendorError
	listed map[module.Version]*vendorModule
}

func (c *vendorCheck) wrong(m module.Version, format string, a ...any) {
	name := m.Path
	if m.Version != "" {
		name += "@" + m.Version
	}
	c.error.Problems = append(c.error.Problems, printable(name)+": "+fmt.Sprintf(format, a...))
}

// check holds modules.txt against go.mod, or against go.work and the go.mod files of a
// workspace, as the go command does before it builds with -mod=vendor
// (checkVendorConsistency in cmd/go/internal/modload/vendor.go): every requirement is
// marked explicit, every replacement is there, and nothing else is.
//
// Where go.mod lists all modules (go 1.17 and later, outside of a workspace), each module
// with packages must be among them. Otherwise modules.txt alone says at which version any
// other is.
//
// It asks for more in three ways: the line of a module must itself state the replacement
// that there is for all its versions; no module is at a lower version than a main module
// requires; and a folder that was made for a module is none for a workspace, nor the other
// way round, even if -mod=vendor asks for it.
func (l *vendorList) check(mains *mainSet) error {
	c := &vendorCheck{vendorList: l, mains: mains, gomod: "go.mod", error: &InconsistentVendorError{Work: mains.work != nil}}
	if mains.work != nil {
		c.gomod = "the workspace"
	}
	if l.workspace != c.error.Work {
		made := map[bool]string{true: "a workspace", false: "a module"}
		c.error.Problems = append(c.error.Problems, fmt.Sprintf("it was made for %s, and this is %s", made[l.workspace], made[c.error.Work]))
		return c.error
	}
	c.listed = make(map[module.Version]*vendorModule, len(l.modules))
	for i := range l.modules {
		c.listed[l.modules[i].mod] = &l.modules[i]
	}
	c.checkRequired()
	if err := c.checkReplaced(); err != nil {
		return err
	}
	if len(c.error.Problems) > 0 {
		return c.error
	}
	return nil
}

// checkRequired compares what is required.
func (c *vendorCheck) checkRequired() {
	required, lowest := map[module.Version]bool{}, map[string]string{}
	for _, main := range c.mains.list {
		for _, m := range main.written {
			if v := c.listed[m]; !required[m] && (v == nil || !v.explicit) {
				c.wrong(m, "required in %s, and not marked explicit in modules.txt", c.gomod)
			}
			required[m] = true
		}
		for _, m := range c.mains.required(main) {
			if v, ok := lowest[m.Path]; !ok || semver.Compare(v, m.Version) < 0 {
				lowest[m.Path] = m.Version
			}
		}
	}
	pruned := c.mains.work == nil && c.mains.list[0].pruned()
	for _, m := range c.modules {
		if len(m.packages) == 0 {
			continue
		}
		lowest := lowest[m.mod.Path]
		switch {
		case c.mains.paths[m.mod.Path]:
			c.wrong(m.mod, "is a main module")
		case m.explicit && !required[m.mod]:
			c.wrong(m.mod, "marked explicit in modules.txt, and not required in %s", c.gomod)
		case pruned && !required[m.mod]:
			c.wrong(m.mod, "has packages in modules.txt, and is not required in go.mod, which lists all modules since go 1.17")
		case lowest != "" && semver.Compare(m.mod.Version, lowest) < 0:
			c.wrong(m.mod, "has packages in modules.txt, and %s requires %s", c.gomod, lowest)
		}
	}
}

// checkReplaced compares what is replaced.
func (c *vendorCheck) checkReplaced() error {
	for _, old := range c.replaced() {
		to, err := c.mains.listed(old)
		if err != nil {
			return err
		}
		v := c.listed[old]
		stated := v != nil && v.replacement != module.Version{}
		switch {
		case to == module.Version{} && !stated: // a main module isn't replaced
		case !stated:
			c.wrong(old, "replaced in %s, and not in modules.txt", c.gomod)
		case v.replacement != to:
			c.wrong(old, "replaced by %s in %s, and by %s in modules.txt", printable(to.String()), c.gomod, printable(v.replacement.String()))
		}
	}
	for _, m := range c.modules {
		to, err := c.mains.listed(m.mod)
		if err != nil {
			return err
		}
		switch {
		case c.isReplaced(m.mod): // compared above
		case m.replacement == to:
		case to == module.Version{}:
			c.wrong(m.mod, "replaced in modules.txt, and not in %s", c.gomod)
		case m.replacement != module.Version{}:
			c.wrong(m.mod, "replaced by %s in %s, and by %s in modules.txt", printable(to.String()), c.gomod, printable(m.replacement.String()))
		case len(m.packages) > 0:
			c.wrong(m.mod, "replaced in %s, and not in modules.txt", c.gomod)
		}
	}
	return nil
}

// replaced lists what replace directives name, each once and in order.
func (c *vendorCheck) replaced() []module.Version {
	var olds []module.Version
	if c.mains.work != nil {
		olds = slices.AppendSeq(olds, maps.Keys(c.mains.work.replace))
	}
	for _, main := range c.mains.list {
		olds = slices.AppendSeq(olds, maps.Keys(main.replace))
	}
	module.Sort(olds)
	return slices.Compact(olds)
}

// isReplaced tells whether a replace directive names just this.
func (c *vendorCheck) isReplaced(m module.Version) bool {
	if c.mains.work != nil {
		if _, ok := c.mains.work.replace[m]; ok {
			return true
		}
	}
	return slices.ContainsFunc(c.mains.list, func(main *mainModule) bool {
		_, ok := main.replace[m]
		return ok
	})
}
