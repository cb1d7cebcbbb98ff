package catalogue

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/internal/gomod"
)

// A tally is what was compared in all projects.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

// What is counted.
const (
	projects    = "projects"
	unpruned    = "projects before go 1.17"
	modules     = "modules"
	goModsRead  = "go.mod files read for the set"
	goModOnly   = "modules of which only go.mod is read"
	unlisted    = "modules that go.mod does not list"
	directories = "directories"
	different   = "differences"
)

func (s *tally) add(counts map[string]int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for what, n := range counts {
		s.counts[what] += n
	}
}

// varieties are what can make a difference in a go.mod.
var varieties = map[string]func(p *project) bool{
	"exclude":   func(p *project) bool { return len(p.parsed.Exclude) > 0 },
	"retract":   func(p *project) bool { return len(p.parsed.Retract) > 0 },
	"tool":      func(p *project) bool { return len(p.parsed.Tool) > 0 },
	"toolchain": func(p *project) bool { return p.parsed.Toolchain != nil },
	"godebug":   func(p *project) bool { return len(p.parsed.Godebug) > 0 },
}

// kinds are what can make a difference in a module of the set.
var kinds = map[string]func(m gomod.Module) bool{
	modules:                             func(m gomod.Module) bool { return !m.GoModOnly },
	goModOnly:                           func(m gomod.Module) bool { return m.GoModOnly },
	directories:                         func(m gomod.Module) bool { return m.LocalDir != "" },
	"directories outside of the module": func(m gomod.Module) bool { return m.LocalDir != "" && !m.InTree },
	"modules replaced by others":        func(m gomod.Module) bool { return m.LocalDir == "" && m.Path != m.Required.Path },
	"modules replaced by a version": func(m gomod.Module) bool {
		return m.LocalDir == "" && m.Path == m.Required.Path && m.Version != m.Required.Version
	},
	"pseudo-versions":  func(m gomod.Module) bool { return module.IsPseudoVersion(m.Version) },
	"+incompatible":    func(m gomod.Module) bool { return strings.HasSuffix(m.Version, "+incompatible") },
	"upper-case paths": func(m gomod.Module) bool { return m.Path != strings.ToLower(m.Path) },
	"gopkg.in":         func(m gomod.Module) bool { return strings.HasPrefix(m.Path, "gopkg.in/") },
}

func count(counts map[string]int, p *project, ours *gomod.Project) {
	counts[projects]++
	if !ours.Pruned {
		counts[unpruned]++
	}
	for what, has := range varieties {
		if has(p) {
			counts[what]++
		}
	}
	for _, m := range ours.Modules {
		for what, is := range kinds {
			if is(m) && (!m.GoModOnly || what == goModOnly) {
				counts[what]++
			}
		}
	}
}

// checkVariety demands that the catalogue has some of everything that can make a difference, and the projects that it
// must have.
func (s *tally) checkVariety(t *testing.T) {
	const least = 30
	if s.counts[projects] < least {
		t.Errorf("%d projects were compared, want %d", s.counts[projects], least)
	}
	want := []string{unpruned, goModsRead, unlisted}
	for what := range varieties {
		want = append(want, what)
	}
	for what := range kinds {
		want = append(want, what)
	}
	for _, what := range want {
		if s.counts[what] == 0 {
			t.Errorf("the catalogue shows too little: it has none of %s", what)
		}
	}
	for _, path := range []string{"k8s.io/kubernetes", "github.com/prometheus/prometheus", "github.com/hashicorp/terraform", "github.com/sigstore/cosign/v3"} {
		if !slices.ContainsFunc(catalogue, func(e entry) bool { return e.path == path }) {
			t.Errorf("the catalogue lacks %s", path)
		}
	}
}
