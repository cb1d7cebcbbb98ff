package gomod

import (
	"cmp"
	"path/filepath"
	"slices"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// A moduleSet gathers modules, each once.
type moduleSet struct {
	mains   *mainSet
	root    string // Project.Dir with symbolic links followed; "" when that fails
	modules map[moduleKey]Module
}

// A moduleKey is what makes two modules one: what is read, not what was required.
type moduleKey struct {
	path, version, dir string
}

func newModuleSet(dir string, mains *mainSet) *moduleSet {
	s := &moduleSet{mains: mains, modules: map[moduleKey]Module{}}
	if root, err := filepath.EvalSymlinks(dir); err == nil {
		s.root = root
	}
	return s
}

// addRequirements adds what the main module requires. Of two versions of one path the
// higher counts; a requirement of the main module itself doesn't.
func (s *moduleSet) addRequirements(main *mainModule) error {
	highest := map[string]string{}
	for _, m := range s.mains.required(main) {
		if v, ok := highest[m.Path]; !ok || semver.Compare(v, m.Version) < 0 {
			highest[m.Path] = m.Version
		}
	}
	delete(highest, main.path)
	list := make([]module.Version, 0, len(highest))
	for path, version := range highest {
		list = append(list, module.Version{Path: path, Version: version})
	}
	module.Sort(list)
	for _, m := range list {
		src, err := s.mains.resolve(m)
		if err != nil {
			return err
		}
		s.add(m, src, Module{})
	}
	return nil
}

// add adds the required module m, for which src is read. Required modules must be added
// in order. One whose content is used stays so when the same module is also read for its
// go.mod alone.
func (s *moduleSet) add(m module.Version, src source, mod Module) {
	mod.Path, mod.Version, mod.LocalDir = src.mod.Path, src.mod.Version, src.dir
	if src.dir != "" {
		mod.Path = m.Path
	}
	mod.Required = m
	mod.Direct = !mod.GoModOnly && s.mains.direct[m.Path]

	key := moduleKey{path: mod.Path, version: mod.Version, dir: mod.LocalDir}
	old, ok := s.modules[key]
	switch {
	case !ok:
		mod.InTree = s.inTree(mod.LocalDir)
		s.modules[key] = mod
	case old.GoModOnly && !mod.GoModOnly:
		mod.InTree = old.InTree
		s.modules[key] = mod
	case old.GoModOnly == mod.GoModOnly:
		old.Direct = old.Direct || mod.Direct
		s.modules[key] = old
	}
}

// inTree reports whether dir exists and lies in the project, links followed.
func (s *moduleSet) inTree(dir string) bool {
	if dir == "" || s.root == "" {
		return false
	}
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return false
	}
	rel, err := filepath.Rel(s.root, dir)
	return err == nil && filepath.IsLocal(rel)
}

// setSums notes what sum files say of a module that is downloaded.
func (m *Module) setSums(sums *SumFile) {
	if m.LocalDir != "" {
		return
	}
	content := module.Version{Path: m.Path, Version: m.Version}
	gomod := module.Version{Path: m.Path, Version: m.Version + "/go.mod"}
	m.Sum, m.SumFile = sums.first(content)
	m.GoModSum, m.GoModSumFile = sums.first(gomod)
	m.SumsDiffer = cmp.Or(sums.differ(content), sums.differ(gomod))
}

// list gives the modules in order, with what go.sum says about them.
func (s *moduleSet) list(sums *SumFile) []Module {
	list := make([]Module, 0, len(s.modules))
	for _, m := range s.modules {
		m.setSums(sums)
		list = append(list, m)
	}
	slices.SortFunc(list, compareModules)
	return list
}
