package catalogue

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/internal/gomod"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// A project waits for the network, then for the disk, then for a processor.
	if at := flag.Lookup("test.parallel").Value; at.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		at.Set(strconv.Itoa(2 * runtime.GOMAXPROCS(0)))
	}
	os.Exit(m.Run())
}

// The dependency set of every project of the catalogue is the go command's.
func TestCatalogue(t *testing.T) {
	upstream, err := upstreamProxy(t.Context())
	var proxy *modProxy
	if err == nil {
		proxy = newModProxy(upstream)
		t.Cleanup(proxy.Close)
		_, err = proxy.goMod(catalogue[0].module())
	}
	if errors.Is(err, errNoNetwork) {
		t.Skipf("SKIPPED, nothing was compared: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	total := tally{counts: map[string]int{}}
	began, begun := time.Now(), 0
	t.Run("projects", func(t *testing.T) {
		for _, e := range catalogue {
			t.Run(strings.ReplaceAll(e.module().String(), "/", "_"), func(t *testing.T) {
				begun++
				t.Parallel()
				c := &comparison{T: t, project: mustProject(t, e, proxy), cmd: goCommand{home: tempDir(t), proxy: proxy}, counts: map[string]int{}}
				c.run()
				total.add(c.counts)
			})
		}
	})
	if len(proxy.odd) > 0 {
		t.Errorf("the go command asked for more than modules: %q", proxy.odd)
	}
	if begun == len(catalogue) { // and not only those that -run names
		total.checkVariety(t)
	}
	n := total.counts
	t.Logf("%d projects (%d before go 1.17), %d modules, %d go.mod files read for the set, %d directories: %d differences; %.0f s, %d files of %d KB fetched",
		n[projects], n[unpruned], n[modules], n[goModsRead], n[directories], n[different], time.Since(began).Seconds(), len(proxy.files), proxy.bytes>>10)
}

// tempDir is like t.TempDir, but in memory where that can be had: a module cache is many folders with a small file in
// each, which takes a disk several times as long.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(memoryDir(), "modseal-catalogue-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func mustProject(t *testing.T, e entry, proxy *modProxy) *project {
	t.Helper()
	p, err := newProject(t.TempDir(), e, proxy)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A comparison is one project under way.
type comparison struct {
	*testing.T
	project *project
	cmd     goCommand
	counts  map[string]int // see tally
}

// same demands two equal sets.
func same[K comparable](c *comparison, what string, ours, theirs map[K]bool) {
	c.Helper()
	list := differences(ours, theirs)
	c.counts[different] += len(list)
	if len(list) > 0 {
		c.Errorf("%s: %d differences\n%s", what, len(list), strings.Join(list[:min(len(list), 20)], "\n"))
	}
}

// run lets the go command fill its module cache with what the project needs and with nothing else, reads the set from
// that, and compares.
func (c *comparison) run() {
	downloads, err := c.cmd.download(c.Context(), c.project)
	if err != nil {
		c.Fatal(err)
	}
	goMods, err := c.cmd.goMods()
	if err != nil {
		c.Fatal(err)
	}
	ours := c.load(c.cmd.cache())
	c.compareDownloads(ours, downloads)
	c.compareGoMods(ours, goMods, downloads)

	list, err := c.cmd.list(c.Context(), c.project)
	if err != nil {
		c.Fatal(err)
	}
	c.compareMain(ours, list)
	c.compareList(ours, list)
	count(c.counts, c.project, ours)
	c.Logf("%d modules, %d go.mod files read for the set", c.counts[modules], c.counts[goModsRead])
}

func (c *comparison) load(cache gomod.Cache) *gomod.Project {
	c.Helper()
	p, err := gomod.Load(gomod.Request{Dir: c.project.dir, Cache: &cache})
	if err != nil {
		c.Fatal(err)
	}
	return p
}

// compareDownloads compares what is downloaded, and where it is put.
func (c *comparison) compareDownloads(ours *gomod.Project, downloads map[module.Version]download) {
	_, read, err := ourUses(ours, c.cmd.cache())
	if err != nil {
		c.Fatal(err)
	}
	theirs := map[module.Version]bool{}
	cache := c.cmd.cache()
	for m, d := range downloads {
		theirs[m] = true
		for name, file := range map[string]func(module.Version) (string, error){
			d.Info: cache.Info, d.GoMod: cache.Mod, d.Zip: cache.Zip, d.Dir: cache.Tree,
		} {
			if got, err := file(m); err != nil || got != name {
				c.Errorf("%s: %s, %v; the go command has it in %s", m, got, err, name)
			}
		}
	}
	same(c, "go mod download", read, theirs)
}

// compareGoMods compares which go.mod files decide the set. With all others away, the set is the same.
func (c *comparison) compareGoMods(ours *gomod.Project, goMods map[module.Version]bool, downloads map[module.Version]download) {
	all := map[module.Version]bool{}
	few := gomod.Cache{Root: tempDir(c.T)}
	cache := c.cmd.cache()
	for _, m := range ours.Modules {
		if m.LocalDir != "" {
			continue
		}
		key := module.Version{Path: m.Path, Version: m.Version}
		all[key] = true
		if d, ok := downloads[key]; ok && m.GoModRead != "" && m.GoModRead != d.GoModSum {
			c.Errorf("go.mod of %s has h1 %s; the go command says %s", key, m.GoModRead, d.GoModSum)
		}
		if ours.Pruned == (m.GoModRead != "") {
			c.Errorf("go.mod of %s: pruned is %v, and its h1 %q", key, ours.Pruned, m.GoModRead)
		}
		if !ours.Pruned {
			c.link(cache, few, key)
			c.counts[goModsRead]++
		}
	}
	if !ours.Pruned {
		same(c, "go.mod files of the module graph", all, goMods)
	}
	if again := c.load(few); !reflect.DeepEqual(again, ours) {
		c.Errorf("with no other go.mod files than those of the set, the set is another")
	}
}

func (c *comparison) link(from, to gomod.Cache, m module.Version) {
	c.Helper()
	old, err := from.Mod(m)
	if err != nil {
		c.Fatal(err)
	}
	name, err := to.Mod(m)
	if err != nil {
		c.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		c.Fatal(err)
	}
	if err := os.Link(old, name); err != nil {
		c.Fatal(err)
	}
}

func (c *comparison) compareMain(ours *gomod.Project, list []listing) {
	type main struct{ path, dir, goMod, goVersion string }
	theirs := map[main]bool{}
	for _, l := range list {
		if l.Main {
			theirs[main{l.Path, l.Dir, l.GoMod, l.GoVersion}] = true
		}
	}
	same(c, "main module", map[main]bool{{ours.Main, ours.Dir, ours.ModFile, ours.GoVersion}: true}, theirs)
}

// compareList compares the set with the modules that are selected. With a pruned graph these are more: the go command
// goes on to the requirements of modules that go.mod does not list, from which no package of the main module comes.
func (c *comparison) compareList(ours *gomod.Project, list []listing) {
	uses, _, err := ourUses(ours, c.cmd.cache())
	if err != nil {
		c.Fatal(err)
	}
	if ours.Pruned {
		var listed []listing
		for _, l := range list {
			if _, ok := c.project.listed[l.Path]; ok || l.Main {
				listed = append(listed, l)
			}
		}
		c.counts[unlisted] += len(list) - len(listed)
		list = listed
	}
	same(c, "go list -m all", uses, theirUses(list))
}
