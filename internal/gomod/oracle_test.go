package gomod

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/module"
)

// readKeys gives what is read of each module of p: module versions, and directories as
// paths without a version. Those used for their go.mod alone are only in all.
func readKeys(p *Project) (content, all map[module.Version]bool) {
	content, all = map[module.Version]bool{}, map[module.Version]bool{}
	for _, m := range p.Modules {
		key := mod(m.Path, m.Version)
		if m.LocalDir != "" {
			key = mod(m.LocalDir, "")
		}
		all[key] = true
		if !m.GoModOnly {
			content[key] = true
		}
	}
	return content, all
}

// A moduleUniverse is a random set of modules that require one another, and a project.
type moduleUniverse struct {
	rand    *rand.Rand
	modules []module.Version
	replace map[module.Version]module.Version
	project map[string]string
}

func (u *moduleUniverse) pick() module.Version { return u.modules[u.rand.IntN(len(u.modules))] }

func newUniverse(w *goWorld, seed uint64, goLines ...string) *moduleUniverse {
	u := &moduleUniverse{rand: rand.New(rand.NewPCG(seed, 1)), replace: map[module.Version]module.Version{}}
	for _, path := range []string{"a", "b", "c", "D/Ee", "f", "g", "h"} {
		for _, v := range []string{"v1.0.0", "v1.1.0-RC.1", "v1.1.0"} {
			u.modules = append(u.modules, mod("example.com/"+path, v))
		}
	}
	u.modules = append(u.modules, mod("example.com/main", "v1.0.0"), mod("example.com/a/v2", "v2.0.0"), mod("gopkg.in/j.v3", "v3.0.1"),
		mod("gopkg.in/j.v3", "v3.1.0"), mod("example.com/b", "v2.0.0+incompatible"), mod("example.com/c", "v1.1.1-0.20240102030405-abcdefabcdef"))
	for _, m := range u.modules {
		gomod := ""
		if !strings.HasSuffix(m.Version, "+incompatible") {
			gomod = "module " + m.Path + "\n" + goLines[u.rand.IntN(len(goLines))]
			for range u.rand.IntN(4) {
				r := u.pick()
				gomod += fmt.Sprintf("require %s %s\n", r.Path, r.Version)
			}
		}
		w.publish(m, gomod, nil)
	}
	return u
}

// makeProject gives the universe a project with a go line: some requirements, or all that
// is needed, and some excludes and replaces.
func (u *moduleUniverse) makeProject(goVersion string, require []module.Version) {
	gomod := "module example.com/main\ngo " + goVersion + "\n"
	for i, m := range require {
		comment := ""
		if i%2 == 0 {
			comment = " // indirect"
		}
		gomod += fmt.Sprintf("require %s %s%s\n", m.Path, m.Version, comment)
	}
	for old, to := range u.replace {
		gomod += strings.TrimRight(fmt.Sprintf("replace %s %s => %s %s", old.Path, old.Version, to.Path, to.Version), " ") + "\n"
	}
	u.project = map[string]string{"go.mod": gomod, "main.go": "package main\nfunc main() {}\n"}
	for _, to := range u.replace {
		if to.Version == "" {
			r := u.pick()
			u.project[to.Path[2:]+"/go.mod"] = fmt.Sprintf("module anything\nrequire %s %s\n", r.Path, r.Version)
		}
	}
}

func (u *moduleUniverse) randomReplace() {
	for i := range u.rand.IntN(4) {
		old, to := u.pick(), u.pick()
		if u.rand.IntN(2) == 0 {
			old.Version = ""
		}
		if u.rand.IntN(3) == 0 {
			to = mod(fmt.Sprintf("./local%d", i), "")
		}
		if _, ok := u.replace[old]; !ok && old.Path != "example.com/main" {
			u.replace[old] = to
		}
	}
}

// read follows the universe's replace directives.
func (u *moduleUniverse) read(m module.Version) module.Version {
	for _, old := range []module.Version{m, {Path: m.Path}} {
		if to, ok := u.replace[old]; ok {
			return to
		}
	}
	return m
}

func checkSet(t *testing.T, what string, got, want map[module.Version]bool) {
	t.Helper()
	if maps.Equal(got, want) {
		return
	}
	sorted := func(set map[module.Version]bool) []module.Version {
		list := slices.Collect(maps.Keys(set))
		module.Sort(list)
		return list
	}
	t.Errorf("%s:\n got %v\nwant %v", what, sorted(got), sorted(want))
}

// In random graphs, the modules of an unpruned project are those that the go command
// selects and downloads, and every go.mod file of its module graph is in the set.
func TestUnprunedOracle(t *testing.T) {
	needGo(t)
	seeds := uint64(12)
	if testing.Short() {
		seeds = 2
	}
	gomodOnly := 0
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newGoWorld(t)
			u := newUniverse(w, seed, "", "go 1.15\n", "go 1.17\n", "go 1.20\n")
			u.randomReplace()
			var require []module.Version
			seen := map[string]bool{"example.com/main": true}
			for range 5 {
				if m := u.pick(); !seen[m.Path] {
					seen[m.Path] = true
					require = append(require, m)
				}
			}
			u.makeProject("1.16", require)
			for range 3 {
				x := u.pick()
				u.project["go.mod"] += fmt.Sprintf("exclude %s %s\n", x.Path, x.Version)
			}

			graph, selected, downloaded := map[module.Version]bool{}, map[module.Version]bool{}, map[module.Version]bool{}
			// With -go, the graph is shown as go.mod asks for it, and not after go.mod was
			// made consistent.
			for _, word := range strings.Fields(w.mustRun(u.project, "mod", "graph", "-go=1.16")) {
				if path, version, ok := strings.Cut(word, "@"); ok && path != "go" && path != "toolchain" {
					graph[u.read(mod(path, version))] = true
				}
			}
			for line := range strings.Lines(w.mustRun(u.project, "list", "-mod=mod", "-m", "all")) {
				// "path version", "path version => path version" or "path version => dir"
				if words := strings.Fields(line); len(words) > 1 {
					selected[u.read(mod(words[0], words[1]))] = true
				}
			}
			for m := range w.download(u.project) {
				downloaded[m] = true
			}

			p, err := w.load(u.project, Request{})
			if err != nil {
				t.Fatal(err)
			}
			content, all := readKeys(p)
			checkSet(t, "all go.mod files", all, graph)
			checkSet(t, "selected", content, selected)
			gomodOnly += len(all) - len(content)
			for key := range content {
				if key.Version == "" {
					delete(content, key)
				}
			}
			checkSet(t, "downloaded", content, downloaded)
			if t.Failed() {
				t.Logf("go.mod:\n%s", u.project["go.mod"])
			}
		})
	}
	if gomodOnly == 0 {
		t.Error("no graph has a version that is passed over: this test shows too little")
	}
}

// The modules of a pruned project are those that the go command downloads, under the names
// that it gives their files, and with the sums that it writes into go.sum.
func TestPrunedOracle(t *testing.T) {
	needGo(t)
	seeds := uint64(5)
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newGoWorld(t)
			u := newUniverse(w, 100+seed, "", "go 1.15\n", "go 1.17\n", "go 1.20\n")
			u.randomReplace()
			// The highest version of every path is required, so that go.mod is consistent
			// with whatever the modules require.
			highest := map[string]module.Version{}
			for _, m := range u.modules {
				if old, ok := highest[m.Path]; !ok || compareModules(Module{Version: old.Version}, Module{Version: m.Version}) < 0 {
					highest[m.Path] = m
				}
			}
			delete(highest, "example.com/main")
			require := slices.SortedFunc(maps.Values(highest), compareVersions)
			u.makeProject([]string{"1.17", "1.21", "1.26"}[seed%3], require)
			u.project["go.sum"] = ""
			for m, d := range w.download(u.project) {
				u.project["go.sum"] += fmt.Sprintf("%s %s %s\n%s %s/go.mod %s\n", m.Path, m.Version, d.Sum, m.Path, m.Version, d.GoModSum)
			}
			downloads := w.download(u.project)

			p, err := w.load(u.project, Request{})
			if err != nil {
				t.Fatal(err)
			}
			got, want := map[module.Version]bool{}, map[module.Version]bool{}
			for m := range downloads {
				want[m] = true
			}
			cache := w.cache()
			for _, m := range p.Modules {
				if m.LocalDir != "" {
					continue
				}
				key := mod(m.Path, m.Version)
				got[key] = true
				d := downloads[key]
				if m.Sum != d.Sum || m.GoModSum != d.GoModSum {
					t.Errorf("%s: sums %s and %s, want %s and %s", key, m.Sum, m.GoModSum, d.Sum, d.GoModSum)
				}
				for name, file := range map[string]func(module.Version) (string, error){
					d.Info: cache.Info, d.GoMod: cache.Mod, d.Zip: cache.Zip, d.Dir: cache.Tree,
				} {
					if got, err := file(key); err != nil || got != name {
						t.Errorf("%s: file %s, %v; want %s", key, got, err, name)
					}
				}
				hashFile, err := cache.Ziphash(key)
				if err != nil {
					t.Fatal(err)
				}
				if hash, err := os.ReadFile(hashFile); err != nil || strings.TrimSpace(string(hash)) != m.Sum {
					t.Errorf("%s: %s has %q, %v", key, hashFile, hash, err)
				}
			}
			checkSet(t, "downloaded", got, want)
			if t.Failed() {
				t.Logf("go.mod:\n%s", u.project["go.mod"])
			}
		})
	}
}

// What makes a pruned set whole: with -mod=readonly the go command does not load packages
// for the main module from a module that go.mod doesn't list, although the module graph has
// it.
func TestReadonlyOracle(t *testing.T) {
	w := newGoWorld(t)
	a, b := mod("example.com/a", "v1.0.0"), mod("example.com/b", "v1.0.0")
	w.publish(b, "module example.com/b\ngo 1.17\n", nil)
	w.publish(a, "module example.com/a\ngo 1.17\nrequire example.com/b v1.0.0\n",
		map[string]string{"x.go": "package x\nimport _ \"example.com/b\"\n"})
	project := map[string]string{
		"go.mod":  "module example.com/main\ngo 1.21\nrequire example.com/a v1.0.0\n",
		"main.go": "package main\nimport _ \"example.com/a\"\nfunc main() {}\n",
	}
	full := maps.Clone(project)
	full["go.mod"] += "require example.com/b v1.0.0 // indirect\n"
	full["go.sum"] = ""
	for m, d := range w.download(full) {
		full["go.sum"] += fmt.Sprintf("%s %s %s\n%s %s/go.mod %s\n", m.Path, m.Version, d.Sum, m.Path, m.Version, d.GoModSum)
	}
	project["go.sum"] = full["go.sum"]

	w.mustRun(full, "list", "-deps", "-mod=readonly", ".")
	_, stderr, err := w.run(project, "list", "-deps", "-mod=readonly", ".")
	if err == nil || !strings.Contains(stderr, "updates to go.mod needed") {
		t.Errorf("packages from a module that go.mod doesn't list: %v\n%s", err, stderr)
	}

	// Of two h1s in go.sum, the first decides.
	lie := fmt.Sprintf("%s %s %s\n", a.Path, a.Version, h1("lie"))
	for sums, ok := range map[string]bool{full["go.sum"] + lie: true, lie + full["go.sum"]: false} {
		full["go.sum"] = sums
		_, stderr, err := w.run(full, "list", "-deps", "-mod=readonly", ".")
		if (err == nil) != ok || !ok && !strings.Contains(stderr, "checksum mismatch") {
			t.Errorf("the true sum first is %v: %v\n%s", ok, err, stderr)
		}
	}
}

// A vendor directory is refused exactly when the go command would use it. With the empty
// one here, that is when it complains that vendoring is inconsistent.
func TestVendorOracle(t *testing.T) {
	w := newGoWorld(t)
	w.publish(mod("example.com/a", "v1.0.0"), "module example.com/a\n", nil)
	type vendorCase struct{ goLine, file, text, flag string }
	var cases []vendorCase
	for _, goLine := range []string{"", "go 1.13\n", "go 1.14\n", "go 1.17rc1\n", "go 1.21.0\n"} {
		cases = append(cases, vendorCase{goLine: goLine, file: "vendor/modules.txt"})
	}
	for _, text := range []string{"## workspace\n", "## a; workspace ;b\n", "# workspace\n", "##workspace\n", "\n## workspace\n"} {
		cases = append(cases, vendorCase{goLine: "go 1.21.0\n", file: "vendor/modules.txt", text: text})
	}
	for _, file := range []string{"vendor/x", "vendor", "other/modules.txt"} {
		cases = append(cases, vendorCase{goLine: "go 1.21.0\n", file: file})
	}
	for _, flag := range []string{"-mod=mod", "-mod=readonly", "-mod=vendor"} {
		cases = append(cases, vendorCase{goLine: "go 1.21.0\n", file: "vendor/modules.txt", flag: flag})
	}
	refused := 0
	for _, tc := range cases {
		project := map[string]string{
			"go.mod": "module example.com/main\n" + tc.goLine + "require example.com/a v1.0.0\n",
			"m.go":   "package m\n", tc.file: tc.text,
		}
		args := []string{"list", "."}
		if tc.flag != "" {
			args = []string{"list", tc.flag, "."}
		}
		_, stderr, err := w.run(project, args...)
		want := err != nil && strings.Contains(stderr, "inconsistent vendoring")
		_, err = w.load(project, Request{Env: Env{GOFLAGS: tc.flag}})
		_, got := errors.AsType[*UnsupportedError](err)
		if _, missing := errors.AsType[*MissingGoModError](err); err != nil && !got && !missing {
			t.Errorf("%+v: %v", tc, err)
		}
		if got != want {
			t.Errorf("%+v: refused is %v, want %v: %s", tc, got, want, stderr)
		}
		if want {
			refused++
		}
	}
	if refused == 0 || refused == len(cases) {
		t.Errorf("the go command used %d of %d vendor directories: this test shows too little", refused, len(cases))
	}
}
