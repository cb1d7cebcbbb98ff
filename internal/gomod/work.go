package gomod

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
)

const (
	// maxGoWork is how many bytes a go.work file may have.
	maxGoWork = 16 << 20
	// maxMains is how many modules a workspace may use.
	maxMains = 10_000
	// maxUseName is how many bytes the name of a directory in go.work may have.
	maxUseName = 4096
	// maxMainBytes is how many bytes the go.mod files of a workspace's modules may have in
	// all, and how many its go.sum and go.work.sum files.
	maxMainBytes = 128 << 20
	// maxMainLines is how many lines the go.mod files of a workspace's modules may have in
	// all, empty ones aside.
	maxMainLines = 300_000
)

// A workFile is a go.work file, checked.
type workFile struct {
	file, dir string // absolute; dir is where relative names start
	goVersion string // "" without a go line
	toolchain string // "" without a toolchain line
	use       []string
	replace   map[module.Version]module.Version
	maxBytes  int // of all go.mod files, and of all sum files
	maxLines  int // of all go.mod files
}

// findWork names the go.work file that the go command would use, or "": GOWORK, else one
// in the directory or above it (FindGoWork in cmd/go/internal/modload/init.go).
func findWork(req Request) (string, error) {
	switch file := req.Env.GOWORK; file {
	case "off":
		return "", nil
	case "", "auto":
		return findUp(req.Dir, "go.work", req.Env.GOROOT), nil
	default:
		if !filepath.IsAbs(file) {
			return "", fmt.Errorf("GOWORK=%q is not an absolute path", cut(file))
		}
		return file, nil
	}
}

// parseWork reads a go.work file with the go command's strict parser.
func parseWork(file string, data []byte) (*workFile, error) {
	if err := CheckBounded(file, data); err != nil {
		return nil, err
	}
	f, err := modfile.ParseWork(file, data, nil)
	if err != nil {
		return nil, parseError(err)
	}
	w := &workFile{file: file, dir: filepath.Dir(file), maxBytes: maxMainBytes, maxLines: maxMainLines}
	if f.Go != nil {
		w.goVersion = f.Go.Version
	}
	if f.Toolchain != nil {
		w.toolchain = f.Toolchain.Name
	}
	if len(f.Use) == 0 {
		return nil, fmt.Errorf("%s: no module is used: the workspace has nothing to build", file)
	}
	if len(f.Use) > maxMains {
		return nil, fmt.Errorf("%s: more than %d modules are used", file, maxMains)
	}
	seen := map[string]bool{}
	for _, use := range f.Use {
		if len(use.Path) > maxUseName {
			return nil, fmt.Errorf("%s: use of the directory %q, whose name has more than %d bytes", file, cut(use.Path), maxUseName)
		}
		if use.Path == "" || strings.ContainsFunc(use.Path, func(r rune) bool { return !unicode.IsGraphic(r) }) {
			return nil, fmt.Errorf("%s: use of the directory %q, whose name is not printable", file, cut(use.Path))
		}
		dir := filepath.FromSlash(use.Path)
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(w.dir, dir)
		}
		if dir = filepath.Clean(dir); seen[dir] {
			return nil, fmt.Errorf("%s: directory %s is used twice", file, dir)
		}
		seen[dir] = true
		w.use = append(w.use, dir)
	}
	if w.replace, err = replacements(f.Replace); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return w, nil
}

// replacements are replace directives by what they replace.
func replacements(list []*modfile.Replace) (map[module.Version]module.Version, error) {
	out := make(map[module.Version]module.Version, len(list))
	for _, r := range list {
		if other, ok := out[r.Old]; ok && other != r.New {
			return nil, fmt.Errorf("two replacements of %q version %q", cut(r.Old.Path), r.Old.Version)
		}
		out[r.Old] = r.New
	}
	return out, nil
}

// replaced lists what replace directives name, in order.
func replaced(replace map[module.Version]module.Version) []module.Version {
	olds := slices.Collect(maps.Keys(replace))
	module.Sort(olds)
	return olds
}

// loadWorkspace gives the dependency set of the workspace that a go.work file describes.
func (req Request) loadWorkspace(file string, flags Flags) (*Project, error) {
	switch {
	case flags.ModFile != "":
		return nil, fmt.Errorf("-modfile can't be used in a workspace, which %s is: remove it from GOFLAGS, or set GOWORK=off", file)
	case flags.Mod == "mod":
		return nil, fmt.Errorf("-mod=mod can't be used in a workspace, which %s is: the go command takes readonly and vendor there; or set GOWORK=off", file)
	}
	file = filepath.Clean(file)
	data, err := readProject(file, maxGoWork)
	if err != nil {
		return nil, fmt.Errorf("go.work: %w", err)
	}
	work, err := parseWork(file, data)
	if err != nil {
		return nil, err
	}
	p := &Project{
		Work: file, Dir: work.dir, SumFile: file + ".sum", Mod: cmp.Or(flags.Mod, "readonly"),
		GoVersion: work.goVersion, Toolchain: work.toolchain,
	}
	mains, err := work.readMains()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	p.Mains = mains.projects()
	slices.SortFunc(p.Mains, func(a, b MainModule) int { return strings.Compare(a.Path, b.Path) })
	if p.Sums, err = work.readSums(); err != nil {
		return nil, err
	}
	if err := req.finish(p, mains, flags.Mod); err != nil {
		return nil, err
	}
	return p, nil
}

// readMains reads the go.mod files of the modules that are used.
func (w *workFile) readMains() (*mainSet, error) {
	list := make([]*mainModule, 0, len(w.use))
	size, lines := 0, 0
	for _, dir := range w.use {
		name := filepath.Join(dir, "go.mod")
		data, err := readProject(name, maxGoMod)
		if err != nil {
			return nil, fmt.Errorf("module in %s, which is used: %w", dir, err)
		}
		if size += len(data); size > w.maxBytes {
			return nil, fmt.Errorf("go.mod files of more than %d bytes in all", w.maxBytes)
		}
		n, err := boundedLines(name, data)
		if err != nil {
			return nil, err
		}
		if lines += n; lines > w.maxLines {
			return nil, fmt.Errorf("go.mod files of more than %d lines in all", w.maxLines)
		}
		main, err := parseMain(name, dir, data)
		if err != nil {
			return nil, err
		}
		if err := w.checkGoLine(main); err != nil {
			return nil, err
		}
		list = append(list, main)
	}
	return newMainSet(w, list...)
}

// checkGoLine refuses a module for a newer version of Go than the workspace's, from go 1.21
// on, as loadModFile in cmd/go/internal/modload/init.go does.
func (w *workFile) checkGoLine(main *mainModule) error {
	has := cmp.Or(w.goVersion, "1.18")
	if compareGo(main.goVersion, "1.21") >= 0 && compareGo(main.goVersion, has) > 0 {
		return fmt.Errorf("module %q needs go %s, and the workspace is of go %s: run go work use", cut(main.path), main.goVersion, has)
	}
	return nil
}

// readSums reads go.work.sum, and go.sum of each module that is used. None of them need
// be there.
func (w *workFile) readSums() (*SumFile, error) {
	size, budget := 0, newSumBudget()
	read := func(file string) (*SumFile, error) {
		data, err := readProject(file, maxSumFile)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if size += len(data); size > w.maxBytes {
			return nil, fmt.Errorf("sum files of the workspace %s: more than %d bytes in all", w.file, w.maxBytes)
		}
		sums, err := parseSums(file, data, budget)
		if err == nil {
			sums.name = file
			if rel, err := filepath.Rel(w.dir, file); err == nil && filepath.IsLocal(rel) {
				sums.name = filepath.ToSlash(rel)
			}
		}
		return sums, err
	}
	sums, err := read(w.file + ".sum")
	if err != nil {
		return nil, err
	}
	for _, dir := range w.use {
		beside, err := read(filepath.Join(dir, "go.sum"))
		if err != nil {
			return nil, err
		}
		sums.beside = append(sums.beside, beside)
	}
	return sums, nil
}
