package gomod

import (
	"fmt"
	"path/filepath"
	"strings"
	"unicode"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
)

// A MainModule is a module whose source is the project's own.
type MainModule struct {
	Path      string
	Dir       string // its root, absolute
	GoVersion string // of its go line; "" without one
}

// mainSet are the main modules of a build: one, or those that a workspace uses.
type mainSet struct {
	list    []*mainModule // in the order of go.work's use directives
	work    *workFile     // nil outside of a workspace
	exclude map[module.Version]bool
	replace map[string][]*mainModule // by path: those that replace some version of it
	direct  map[string]bool          // by path: some main module requires it without "// indirect"
	paths   map[string]bool          // of the main modules
	dirs    map[string]bool          // of the main modules
}

// newMainSet puts main modules together: what one of them excludes is excluded, and what
// one of them replaces is replaced.
func newMainSet(work *workFile, list ...*mainModule) (*mainSet, error) {
	s := &mainSet{
		list: list, work: work, exclude: map[module.Version]bool{}, replace: map[string][]*mainModule{},
		direct: map[string]bool{}, paths: map[string]bool{}, dirs: map[string]bool{},
	}
	for _, main := range list {
		if s.paths[main.path] {
			return nil, fmt.Errorf("module %q is used twice", cut(main.path))
		}
		s.paths[main.path], s.dirs[main.dir] = true, true
		for m := range main.exclude {
			s.exclude[m] = true
		}
		for path := range main.direct {
			s.direct[path] = true
		}
		for _, old := range replaced(main.replace) {
			if by := s.replace[old.Path]; len(by) == 0 || by[len(by)-1] != main {
				s.replace[old.Path] = append(by, main)
			}
		}
	}
	if work != nil {
		return s, s.checkReplacements()
	}
	return s, nil
}

// projects gives the main modules as a Project tells them.
func (s *mainSet) projects() []MainModule {
	var out []MainModule
	for _, main := range s.list {
		out = append(out, MainModule{Path: main.path, Dir: main.dir, GoVersion: main.goVersion})
	}
	return out
}

// required gives what a main module requires, without what any of them excludes.
func (s *mainSet) required(main *mainModule) []module.Version { return s.allowed(main.written) }

// allowed leaves out of requirements what a main module excludes.
func (s *mainSet) allowed(list []module.Version) []module.Version {
	if len(s.exclude) == 0 {
		return list
	}
	var out []module.Version
	for _, m := range list {
		if !s.exclude[m] {
			out = append(out, m)
		}
	}
	return out
}

// A source is what the go command reads for a required module: a module that is
// downloaded, or a directory.
type source struct {
	mod module.Version // zero for a directory
	dir string         // absolute; "" for a module
}

// A replacement is what a replace directive says.
type replacement struct {
	to   module.Version // as it is written; no version: a directory
	main *mainModule    // whose directive it is; nil: go.work's
	all  bool           // it replaces all versions
}

// in looks a module up in replace directives: one that names the version wins over one
// for all versions.
func in(replace map[module.Version]module.Version, m module.Version) (r replacement, ok bool) {
	if r.to, ok = replace[m]; ok {
		r.all = m.Version == ""
		return r, true
	}
	r.to, ok = replace[module.Version{Path: m.Path}]
	r.all = ok
	return r, ok
}

// replacement finds what replaces a module (no version: all its versions), as
// replacementFrom in cmd/go/internal/modload/modfile.go does: go.work has precedence over
// the main modules, and a main module itself isn't replaced.
//
// The go command's answer depends on the order of the use directives when one main module
// replaces a version and another one all versions, and differently. That is refused.
func (s *mainSet) replacement(m module.Version) (r replacement, ok bool, err error) {
	if m.Version == "" && s.paths[m.Path] {
		return r, false, nil
	}
	if s.work != nil {
		if r, ok = in(s.work.replace, m); ok {
			return r, true, nil
		}
	}
	for _, main := range s.replace[m.Path] {
		found, here := in(main.replace, m)
		if !here {
			continue
		}
		found.main = main
		// The go command itself refuses other text behind a directive for one version.
		if ok && (s.place(found) != s.place(r) || !found.all && found.to != r.to) {
			return r, false, s.conflict(m, r, found)
		}
		r, ok = found, true
	}
	return r, ok, nil
}

// checkReplacements refuses what makeMainModules in cmd/go/internal/modload/init.go does:
// main modules that replace the same differently, unless go.work replaces it, and a go.work
// that replaces all versions of a main module.
func (s *mainSet) checkReplacements() error {
	overridden := map[string]bool{}
	for _, old := range replaced(s.work.replace) {
		if old.Version == "" && s.paths[old.Path] {
			return fmt.Errorf("module %q is used and replaced at all versions: name the version to replace, or remove the replacement", cut(old.Path))
		}
		overridden[old.Path] = true
	}
	first := map[module.Version]replacement{}
	for _, main := range s.list {
		for _, old := range replaced(main.replace) {
			r := replacement{to: main.replace[old], main: main}
			if overridden[old.Path] {
				continue
			}
			if other, ok := first[old]; ok && s.place(other) != s.place(r) {
				return s.conflict(old, other, r)
			}
			first[old] = r
		}
	}
	return nil
}

func (s *mainSet) conflict(m module.Version, a, b replacement) error {
	describe := func(r replacement) string {
		return fmt.Sprintf("%s (in %s)", printable(r.to.String()), printable(filepath.Join(r.main.dir, "go.mod")))
	}
	return fmt.Errorf("conflicting replacements of %s: %s and %s: say in go.work which one counts (go work edit -replace)", printable(m.String()), describe(a), describe(b))
}

// place gives a replacement with its directory, if it is one, made absolute.
func (s *mainSet) place(r replacement) module.Version {
	if r.to.Version != "" || filepath.IsAbs(r.to.Path) {
		return r.to
	}
	base := ""
	if r.main != nil {
		base = r.main.dir
	} else {
		base = s.work.dir
	}
	return module.Version{Path: filepath.Join(base, filepath.FromSlash(r.to.Path))}
}

// resolve applies the replace directives to a requirement; a replacement isn't replaced
// again.
func (s *mainSet) resolve(m module.Version) (source, error) {
	r, ok, err := s.replacement(m)
	if err != nil {
		return source{}, err
	}
	if !ok {
		return source{mod: m}, CheckModule(m)
	}
	if r.to.Version != "" {
		return source{mod: r.to}, CheckModule(r.to)
	}
	// The name goes into messages and reports.
	if strings.ContainsFunc(r.to.Path, func(r rune) bool { return !unicode.IsGraphic(r) }) {
		return source{}, fmt.Errorf("%q is replaced by the directory %q, whose name is not printable", cut(m.Path), cut(r.to.Path))
	}
	return source{dir: filepath.Clean(s.place(r).Path)}, nil
}

// listed gives the replacement of a module in the form in which modules.txt has it: in a
// workspace directories are relative to the folder of go.work (canonicalizeReplacePath in
// cmd/go/internal/modload/modfile.go). It is zero for a module that isn't replaced.
func (s *mainSet) listed(m module.Version) (module.Version, error) {
	r, ok, err := s.replacement(m)
	if err != nil || !ok {
		return module.Version{}, err
	}
	if s.work == nil || r.main == nil || r.to.Version != "" || filepath.IsAbs(r.to.Path) {
		return r.to, nil
	}
	dir := s.place(r).Path
	if rel, err := filepath.Rel(s.work.dir, dir); err == nil {
		dir = rel
	}
	if !modfile.IsDirectoryPath(dir) {
		dir = "./" + filepath.ToSlash(filepath.Clean(dir))
	}
	return module.Version{Path: dir}, nil
}
