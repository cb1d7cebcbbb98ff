package gomod

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/mod/module"
)

// An InconsistentVendorError tells that vendor/modules.txt is not what go mod vendor
// would have written for this go.mod.
type InconsistentVendorError struct {
	Problems []string // at least one; safe to print
}

func (e *InconsistentVendorError) Error() string {
	const shown = 10
	s := "vendor/modules.txt does not fit go.mod: " + strings.Join(e.Problems[:min(shown, len(e.Problems))], "; ")
	if more := len(e.Problems) - shown; more > 0 {
		s += fmt.Sprintf("; and %d more", more)
	}
	return s + ": run go mod vendor where the modules can be trusted, or check the module cache with --mod=readonly"
}

// check holds modules.txt against go.mod as the go command does before it builds with
// -mod=vendor (checkVendorConsistency in cmd/go/internal/modload/vendor.go): every
// requirement is marked explicit, every replacement is there, and nothing else is.
//
// Where go.mod lists all modules (go 1.17 and later), each module with packages must be
// among them. Before, modules.txt alone says at which version any other is.
//
// It asks for more in one way: the line of a module must itself state the replacement that
// go.mod has for all its versions.
func (l *vendorList) check(main *mainModule) error {
	e := &InconsistentVendorError{}
	wrong := func(m module.Version, format string, a ...any) {
		name := m.Path
		if m.Version != "" {
			name += "@" + m.Version
		}
		e.Problems = append(e.Problems, printable(name)+": "+fmt.Sprintf(format, a...))
	}
	listed := make(map[module.Version]*vendorModule, len(l.modules))
	for i := range l.modules {
		listed[l.modules[i].mod] = &l.modules[i]
	}
	required := map[module.Version]bool{}
	for _, m := range main.written {
		required[m] = true
		if v := listed[m]; v == nil || !v.explicit {
			wrong(m, "required in go.mod, and not marked explicit in modules.txt")
		}
	}
	olds := slices.Collect(maps.Keys(main.replace))
	module.Sort(olds)
	for _, old := range olds {
		to, v := main.replace[old], listed[old]
		switch {
		case old.Path == main.path && old.Version == "": // the main module isn't replaced
		case v == nil || v.replacement == module.Version{}:
			wrong(old, "replaced in go.mod, and not in modules.txt")
		case v.replacement != to:
			wrong(old, "replaced by %s in go.mod, and by %s in modules.txt", printable(to.String()), printable(v.replacement.String()))
		}
	}
	for _, m := range l.modules {
		if len(m.packages) > 0 {
			switch {
			case m.mod.Path == main.path:
				wrong(m.mod, "is the main module")
			case m.explicit && !required[m.mod]:
				wrong(m.mod, "marked explicit in modules.txt, and not required in go.mod")
			case main.pruned() && !required[m.mod]:
				wrong(m.mod, "has packages in modules.txt, and is not required in go.mod, which lists all modules since go 1.17")
			}
		}
		if m.replacement == (module.Version{}) {
			continue
		}
		to, ok := main.replace[m.mod]
		if !ok {
			to, ok = main.replace[module.Version{Path: m.mod.Path}]
		}
		switch {
		case !ok:
			wrong(m.mod, "replaced in modules.txt, and not in go.mod")
		case to != m.replacement && main.replace[m.mod] == (module.Version{}):
			wrong(m.mod, "replaced by %s in go.mod, and by %s in modules.txt", printable(to.String()), printable(m.replacement.String()))
		}
	}
	for _, m := range l.modules {
		if _, ok := main.replace[module.Version{Path: m.mod.Path}]; ok && len(m.packages) > 0 && m.replacement == (module.Version{}) {
			wrong(m.mod, "replaced in go.mod, and not in modules.txt")
		}
	}
	if len(e.Problems) > 0 {
		return e
	}
	return nil
}
