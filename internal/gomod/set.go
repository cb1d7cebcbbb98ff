package gomod

import (
	"path/filepath"
	"slices"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// A moduleSet gathers modules, each once.
type moduleSet struct {
	main    *mainModule
	root    string // Project.Dir with symbolic links followed; "" when that fails
	modules map[moduleKey]Module
}

// A moduleKey is what makes two modules one: what is read, not what was required.
type moduleKey struct {
	path, version, dir string
}

func newModuleSet(dir string, main *mainModule) *moduleSet {
	s := &moduleSet{main: main, modules: map[moduleKey]Module{}}
	if root, err := filepath.EvalSymlinks(dir); err == nil {
		s.root = root
	}
	return s
}

// addRequirements adds what the main module requires. Of two versions of one path the
// higher counts; a requirement of the main module itself doesn't.
func (s *moduleSet) addRequirements() error {
	highest := map[string]string{}
	for _, m := range s.main.require {
		if v, ok := highest[m.Path]; !ok || semver.Compare(v, m.Version) < 0 {
			highest[m.Path] = m.Version
		}
	}
	delete(highest, s.main.path)
	list := make([]module.Version, 0, len(highest))
	for path, version := range highest {
		list = append(list, module.Version{Path: path, Version: version})
	}
	module.Sort(list)
	for _, m := range list {
		src, err := s.main.resolve(m)
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
	mod.Direct = !mod.GoModOnly && s.main.direct[m.Path]

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

// list gives the modules in order, with what go.sum says about them.
func (s *moduleSet) list(sums *SumFile) []Module {
	list := make([]Module, 0, len(s.modules))
	for _, m := range s.modules {
		if m.LocalDir == "" {
			m.Sum = sums.first(module.Version{Path: m.Path, Version: m.Version})
			m.GoModSum = sums.first(module.Version{Path: m.Path, Version: m.Version + "/go.mod"})
		}
		list = append(list, m)
	}
	slices.SortFunc(list, compareModules)
	return list
}
