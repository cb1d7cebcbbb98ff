package gomod

import (
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/module"
)

// A randomWorkspace is one over a universe of modules.
type randomWorkspace struct {
	*moduleUniverse
	dirs []string
}

func newRandomWorkspace(w *goWorld, seed uint64) *randomWorkspace {
	goLines := []string{"go 1.17\n", "go 1.20\n", "go 1.18\n", "go 1.17\n", "go 1.20\n", "go 1.19\n", ""}
	if seed%4 == 0 {
		goLines = []string{"", "go 1.15\n", "go 1.17\n", "go 1.20\n"}
	}
	u := &randomWorkspace{moduleUniverse: newUniverse(w, seed, goLines...)}
	u.rand = rand.New(rand.NewPCG(seed, 2))
	u.project = map[string]string{}
	goWork := []string{"", "go 1.18\n", "go 1.21\n", "go 1.26\n", "go 1.26\ntoolchain go1.26.1\n"}[u.rand.IntN(5)]
	for i := range 2 + u.rand.IntN(3) {
		dir := []string{"one", "two/deep", "three", "two"}[i]
		u.dirs = append(u.dirs, dir)
		goWork += "use ./" + dir + "\n"
	}
	for i := range u.rand.IntN(3) {
		goWork += u.replaceLine(fmt.Sprintf("./w%d", i), "")
	}
	u.project["go.work"] = goWork
	for i, dir := range u.dirs {
		// Some main modules are also required, as the versions that others published.
		path := []string{"example.com/main", "example.com/one", "example.com/b", "example.com/other"}[i]
		gomod := "module " + path + "\n" + []string{"", "go 1.15\n", "go 1.16\n", "go 1.17\n", "go 1.18\n", "go 1.18\ntool example.com/a/cmd\nignore ./x\n"}[u.rand.IntN(6)]
		for range u.rand.IntN(5) {
			r := u.pick()
			gomod += fmt.Sprintf("require %s %s%s\n", r.Path, r.Version, []string{"", " // indirect"}[u.rand.IntN(2)])
		}
		for range u.rand.IntN(3) {
			x := u.pick()
			gomod += fmt.Sprintf("exclude %s %s\n", x.Path, x.Version)
		}
		if u.rand.IntN(3) == 0 {
			gomod += u.replaceLine(fmt.Sprintf("./r%d", i), dir)
		}
		u.project[dir+"/go.mod"] = gomod
		u.project[dir+"/x.go"] = "package x\n"
	}
	return u
}

// replaceLine is a random replace directive for a file in a folder of the workspace.
func (u *randomWorkspace) replaceLine(local, folder string) string {
	old, to := u.pick(), u.pick()
	if u.rand.IntN(2) == 0 {
		old.Version = ""
	}
	if u.rand.IntN(2) == 0 {
		r := u.pick()
		to = mod(local, "")
		u.project[strings.TrimPrefix(folder+"/"+local[2:]+"/go.mod", "/")] = fmt.Sprintf("module anything\nrequire %s %s\n", r.Path, r.Version)
	}
	return strings.TrimRight(fmt.Sprintf("replace %s %s => %s %s", old.Path, old.Version, to.Path, to.Version), " ") + "\n"
}

// modFiles gives the modules of which the go command has put a go.mod into its cache.
func (w *goWorld) modFiles() map[module.Version]bool {
	w.t.Helper()
	root := w.cache().download().Root
	set := map[module.Version]bool{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".mod") {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		path, version, ok := strings.Cut(filepath.ToSlash(rel), "/@v/")
		if !ok {
			return fmt.Errorf("%s is no module's", name)
		}
		if path, err = module.UnescapePath(path); err != nil {
			return err
		}
		if version, err = module.UnescapeVersion(strings.TrimSuffix(version, ".mod")); err != nil {
			return err
		}
		set[mod(path, version)] = true
		return nil
	})
	if err != nil && !os.IsNotExist(err) {
		w.t.Fatal(err)
	}
	return set
}

// selected gives what the go command reads of each module of the build list that isn't a
// main module: module versions, and directories without a version.
func (w *goWorld) selected(project map[string]string) map[module.Version]bool {
	w.t.Helper()
	set := map[module.Version]bool{}
	const format = "{{if not .Main}}{{if .Replace}}{{.Replace.Path}} {{.Replace.Version}}{{else}}{{.Path}} {{.Version}}{{end}}{{end}}"
	for line := range strings.Lines(w.mustRun(project, "list", "-m", "-f", format, "all")) {
		if words := strings.Fields(line); len(words) == 2 {
			set[mod(words[0], words[1])] = true
		} else if len(words) == 1 {
			set[mod("./"+strings.TrimPrefix(words[0], "./"), "")] = true
		}
	}
	return set
}

// In random workspaces, the modules are those that the go command selects and downloads;
// those whose go.mod decided are those that it reads with an empty module cache; and it
// refuses the others.
func TestWorkspaceOracle(t *testing.T) {
	needGo(t)
	seeds := uint64(workspaceSeeds(t))
	passed, gomodOnly, unread, local, refused, stricter := 0, 0, 0, 0, 0, 0
	for seed := range seeds {
		if t.Failed() {
			break
		}
		w := newGoWorld(t)
		u := newRandomWorkspace(w, 200+seed)
		_, stderr, goErr := w.run(u.project, "mod", "graph")
		read := w.modFiles()
		p, err := w.load(u.project, Request{})
		if err != nil || goErr != nil {
			if goErr == nil && err != nil && strings.Contains(err.Error(), "conflicting replacements of ") {
				stricter++ // the go command takes the last of two, if that is for all versions
			} else if (err == nil) != (goErr == nil) {
				t.Errorf("seed %d: %v; the go command: %v\n%s", seed, err, goErr, stderr)
			}
			refused++
			continue
		}
		passed++
		selected := w.selected(u.project)
		downloaded := map[module.Version]bool{}
		for m := range w.download(u.project) {
			downloaded[m] = true
		}
		content, all := readKeys(p)
		checkSet(t, fmt.Sprintf("seed %d: selected", seed), content, selected)
		ours := map[module.Version]bool{}
		for _, m := range p.Modules {
			switch {
			case m.LocalDir != "":
				local++
			case m.GoModRead != "":
				ours[mod(m.Path, m.Version)] = true
			default:
				unread++
			}
			if m.GoModOnly && m.GoModRead == "" {
				t.Errorf("seed %d: nothing is read of %+v", seed, m)
			}
		}
		checkSet(t, fmt.Sprintf("seed %d: go.mod files", seed), ours, read)
		gomodOnly += len(all) - len(content)
		maps.DeleteFunc(content, func(m module.Version, _ bool) bool { return m.Version == "" })
		checkSet(t, fmt.Sprintf("seed %d: downloaded", seed), content, downloaded)
		if t.Failed() {
			for _, name := range slices.Sorted(maps.Keys(u.project)) {
				if strings.HasSuffix(name, "go.mod") || name == "go.work" {
					t.Logf("-- %s --\n%s", name, u.project[name])
				}
			}
		}
	}
	t.Logf("%d passed, %d refused, %d of them by us alone; %d go.mod files alone, %d modules whose go.mod is not read, %d directories", passed, refused, stricter, gomodOnly, unread, local)
	if passed == 0 || gomodOnly == 0 || unread == 0 || local == 0 {
		t.Error("this test shows too little")
	}
}

func workspaceSeeds(t *testing.T) int {
	if testing.Short() {
		return 6
	}
	return 30
}
