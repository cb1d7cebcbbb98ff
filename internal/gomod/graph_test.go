package gomod

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"golang.org/x/mod/module"
)

// fakeGraph is a module graph out of go.mod files in memory. The main module requires all
// of require.
func fakeGraph(t *testing.T, gomods map[string]string, require ...string) *graph {
	t.Helper()
	text := "module example.com/main\n"
	for _, m := range require {
		text += "require " + strings.Replace(m, "@", " ", 1) + "\n"
	}
	main, err := parseMain("go.mod", "/", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	mains, err := newMainSet(nil, main)
	if err != nil {
		t.Fatal(err)
	}
	return &graph{
		mains:  mains,
		limits: graphLimits{modules: 1000, edges: 1000, bytes: 1 << 20},
		read: func(m module.Version) ([]byte, error) {
			data, ok := gomods[m.String()]
			if !ok {
				return nil, fs.ErrNotExist
			}
			return []byte(data), nil
		},
	}
}

// The example of the reference (https://go.dev/ref/mod#minimal-version-selection): the
// highest version that is reached is selected, even if what reached it is not.
func TestMinimalVersionSelection(t *testing.T) {
	gomod := func(path string, require ...string) string {
		text := "module example.com/" + path + "\n"
		for _, m := range require {
			text += "require example.com/" + m + "\n"
		}
		return text
	}
	g := fakeGraph(t, map[string]string{
		"example.com/A@v1.1.0": gomod("A", "B v1.1.0"),
		"example.com/A@v1.2.0": gomod("A", "B v1.2.0", "C v1.3.0"),
		"example.com/B@v1.1.0": gomod("B", "D v1.4.0"),
		"example.com/B@v1.2.0": gomod("B", "C v1.2.0"),
		"example.com/C@v1.2.0": gomod("C", "D v1.3.0"),
		"example.com/C@v1.3.0": gomod("C"),
		"example.com/D@v1.3.0": gomod("D", "E v0.1.0"),
		"example.com/D@v1.4.0": gomod("D"), // not reached: B v1.1.0 isn't
		"example.com/E@v0.1.0": gomod("E", "A v1.2.0", "E v0.1.0"),
	}, "example.com/A@v1.2.0", "example.com/B@v1.2.0")
	if err := g.load(); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"A": "v1.2.0", "B": "v1.2.0", "C": "v1.3.0", "D": "v1.3.0", "E": "v0.1.0"}
	for path, version := range want {
		if got := g.selected["example.com/"+path]; got != version {
			t.Errorf("%s: selected %s, want %s", path, got, version)
		}
	}
	if len(g.selected) != len(want) || len(g.nodes) != 6 || len(g.missing) != 0 {
		t.Errorf("selected %v of %v, missing %v", g.selected, g.nodes, g.missing)
	}
}

// A graph holds each of its limits, and not one more; and ends although it has circles.
func TestGraphLimits(t *testing.T) {
	const a = "module example.com/a\nrequire example.com/b v1.0.0\nrequire example.com/a v1.0.0\n"
	const b = "module example.com/b\nrequire example.com/a v1.0.0\n"
	exact := graphLimits{modules: 2, edges: 4, bytes: int64(len(a) + len(b))}
	for name, tc := range map[string]struct {
		limits graphLimits
		ok     bool
	}{
		"all":     {exact, true},
		"modules": {graphLimits{modules: 1, edges: exact.edges, bytes: exact.bytes}, false},
		"edges":   {graphLimits{modules: exact.modules, edges: 3, bytes: exact.bytes}, false},
		"bytes":   {graphLimits{modules: exact.modules, edges: exact.edges, bytes: exact.bytes - 1}, false},
	} {
		g := fakeGraph(t, map[string]string{"example.com/a@v1.0.0": a, "example.com/b@v1.0.0": b}, "example.com/a@v1.0.0")
		g.limits = tc.limits
		if err := g.load(); (err == nil) != tc.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The main module may have as many requirements as a set has modules, and its go.mod be as
// large as the go command allows.
func TestMainLimits(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine: nothing for the race detector to find")
	}
	for count, ok := range map[int]bool{maxModules: true, maxModules + 1: false} {
		var b strings.Builder
		b.WriteString("module p\ngo 1.17\nrequire (\n")
		for i := range count {
			fmt.Fprintf(&b, "example.com/m%d v1.0.0\n", i)
		}
		b.WriteString(")\n")
		if _, err := parseMain("go.mod", "/", []byte(b.String())); (err == nil) != ok {
			t.Errorf("%d requirements: %v", count, err)
		}
	}
	for size, ok := range map[int]bool{maxGoMod: true, maxGoMod + 1: false} {
		dir := t.TempDir()
		text := "module p\n//"
		writeTree(t, dir, map[string]string{"go.mod": text + strings.Repeat("x", size-len(text))})
		if _, err := Load(Request{Dir: dir}); (err == nil) != ok {
			t.Errorf("go.mod of %d bytes: %v", size, err)
		}
	}
}

// Versions in a go line are ordered as the go command orders them.
func TestPruned(t *testing.T) {
	for line, want := range map[string]bool{
		"": false, "go 1.9": false, "go 1.16": false, "go 1.16.15": false, "go 1.17rc1": false,
		"go 1.17": true, "go 1.17.1": true, "go 1.100": true, "go 1.21rc2": true, "go 2.0": true,
		"go 1.17.1rc1": false, // no version that there could be
	} {
		main, err := parseMain("go.mod", "/", []byte("module p\n"+line+"\n"))
		if err != nil {
			t.Errorf("%q: %v", line, err)
		} else if main.pruned() != want {
			t.Errorf("%q: pruned is %v", line, !want)
		}
	}
}
