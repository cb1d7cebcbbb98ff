package gomod

import (
	"fmt"
	"go/version"
	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
)

// maxModules is how many modules a dependency set or a module graph may have.
const maxModules = 100_000

// A mainModule is the main module's go.mod, checked.
type mainModule struct {
	path      string
	dir       string // where relative replacements start
	goVersion string // "" without a go line
	toolchain string // "" without a toolchain line

	written []module.Version // all that go.mod requires
	direct  map[string]bool  // by path: required without an "// indirect" comment
	exclude map[module.Version]bool
	replace map[module.Version]module.Version
}

// parseMain reads the main module's go.mod with the go command's strict parser, which
// refuses what it doesn't know.
func parseMain(name, dir string, data []byte) (*mainModule, error) {
	if err := CheckBounded(name, data); err != nil {
		return nil, err
	}
	f, err := modfile.Parse(name, data, canonicalOnly)
	if err != nil {
		return nil, parseError(err)
	}
	if f.Module == nil {
		return nil, fmt.Errorf("%s: no module line", name)
	}
	main := &mainModule{path: f.Module.Mod.Path, dir: dir}
	if err := checkRequired(main.path); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if f.Go != nil {
		main.goVersion = f.Go.Version
	}
	if f.Toolchain != nil {
		main.toolchain = f.Toolchain.Name
	}
	for _, t := range f.Tool {
		if err := module.CheckImportPath(t.Path); err != nil {
			return nil, fmt.Errorf("%s: tool %q: %s", name, cut(t.Path), printable(err.Error()))
		}
	}
	if err := main.setRequirements(f); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return main, nil
}

// canonicalOnly is the version fixer of the parser. The go command resolves a version
// like "latest" or "v1" with the help of the network; that isn't for us.
func canonicalOnly(path, vers string) (string, error) {
	_, pathMajor, ok := module.SplitPathVersion(path)
	if !ok {
		return "", fmt.Errorf("malformed module path %q", cut(path))
	}
	if vers == "" || module.CanonicalVersion(vers) != vers {
		return "", fmt.Errorf("version %q of %q is not canonical: run go mod tidy", cut(vers), cut(path))
	}
	if err := module.CheckPathMajor(vers, pathMajor); err != nil {
		return "", module.VersionError(module.Version{Path: path, Version: vers}, err)
	}
	return vers, nil
}

func (main *mainModule) setRequirements(f *modfile.File) error {
	if len(f.Require) > maxModules {
		return fmt.Errorf("more than %d requirements", maxModules)
	}
	main.exclude = make(map[module.Version]bool, len(f.Exclude))
	for _, x := range f.Exclude {
		main.exclude[x.Mod] = true
	}
	var err error
	if main.replace, err = replacements(f.Replace); err != nil {
		return err
	}
	main.direct = map[string]bool{}
	for _, r := range f.Require {
		if err := checkRequired(r.Mod.Path); err != nil {
			return err
		}
		main.written = append(main.written, r.Mod)
		if main.exclude[r.Mod] {
			continue // the go command ignores it too
		}
		if !r.Indirect {
			main.direct[r.Mod.Path] = true
		}
	}
	return nil
}

// checkRequired reports a path that no go.mod can require. The path of a module that
// is replaced needn't be one that can be downloaded ("require helpers v0.0.0").
func checkRequired(path string) error {
	if path == "go" || path == "toolchain" {
		return fmt.Errorf("module path %q is reserved", path)
	}
	if err := module.CheckImportPath(path); err != nil {
		return fmt.Errorf("module path %q: %s", cut(path), printable(err.Error()))
	}
	return nil
}

// pruned reports whether go.mod lists all that the main module's packages need
// (https://go.dev/ref/mod#graph-pruning).
func (main *mainModule) pruned() bool {
	return compareGo(main.goVersion, "1.17") >= 0
}

// compareGo compares versions as they stand in a go line: 1.21 < 1.21rc1 < 1.21.0. What
// is no version, "" too, is less than every version.
func compareGo(x, y string) int {
	return version.Compare("go"+x, "go"+y)
}
