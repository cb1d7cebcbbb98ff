package bundles_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/modseal/modseal/bundles"
)

// Property: projects are sorted, each once, and each has a main module or is a
// workspace.
func TestLiesAboutProjects(t *testing.T) {
	projects := func(p ...bundles.Project) func(m *bundles.Manifest) {
		return func(m *bundles.Manifest) { m.Projects = p }
	}
	a, b := bundles.Project{Module: "example.com/a", Go: "1.26"}, bundles.Project{Module: "example.com/b"}
	w, longer := bundles.Project{Workspace: []string{"example.com/a"}}, bundles.Project{Workspace: []string{"example.com/a", "example.com/b"}}
	refuseLies(t, []lie{
		{"unsorted", projects(b, a), "projects are not sorted"},
		{"twice", projects(a, a), "projects are not sorted, or one is there twice"},
		{"a workspace behind", projects(a, w), "projects are not sorted"},
		{"the longer workspace first", projects(longer, w), "projects are not sorted"},
		{"by go line, downwards", projects(a, bundles.Project{Module: "example.com/a", Go: "1.25"}), "projects are not sorted"},
		{"of nothing", projects(bundles.Project{}), "a project without a main module"},
		{"of a go line", projects(bundles.Project{Go: "1.26"}), "a project without a main module"},
		{"not UTF-8", projects(bundles.Project{Module: "a\xff"}), "not in its canonical encoding"},
	})
	files := unpack(t, write(t, sample(true)))
	for name, edit := range map[string]func(m *bundles.Manifest){
		"none":  projects([]bundles.Project{}...),
		"all":   projects(w, longer, bundles.Project{Module: "example.com/a"}, bundles.Project{Module: "example.com/a", Go: "1.25"}, a, b),
		"a few": projects(w, a),
	} {
		edited := edited(t, files, func(m *bundles.Manifest) {
			edit(m)
			if m.Projects == nil {
				m.Projects = []bundles.Project{}
			}
		})
		if _, err := open(repacked(t, edited)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Property: the limit on projects is the format's own, for whoever reads and whoever
// writes.
func TestAtTheLimitOfProjects(t *testing.T) {
	all := make([]bundles.Project, bundles.MaxProjects+1)
	for i := range all {
		all[i].Module = fmt.Sprintf("example.com/m%06d", i)
	}
	p := sample(false)
	p.Manifest.Projects = all[:bundles.MaxProjects]
	payload := write(t, p)
	b, err := open(framed(t, payload))
	if err != nil || len(b.Manifest.Projects) != bundles.MaxProjects {
		t.Errorf("at the limit: %v", err)
	}
	b, err = open(repacked(t, edited(t, unpack(t, payload), func(m *bundles.Manifest) { m.Projects = all })))
	wantDamaged(t, "one over", b, err)
	p.Manifest.Projects = all
	if err := bundles.WritePayload(&bytes.Buffer{}, p); err == nil || !strings.Contains(err.Error(), "10001 projects (at most 10000)") {
		t.Errorf("written one over: %v", err)
	}
}

// Property: Sort orders projects, and leaves one of those that are equal.
func TestSortProjects(t *testing.T) {
	p := sample(false)
	a, b, w := bundles.Project{Module: "example.com/a", Go: "1.26"}, bundles.Project{Module: "example.com/b"}, bundles.Project{Workspace: []string{"example.com/z"}}
	p.Manifest.Projects = []bundles.Project{b, a, w, b, a}
	p.Manifest.Sort()
	if got, want := fmt.Sprint(p.Manifest.Projects), fmt.Sprint([]bundles.Project{w, a, b}); got != want {
		t.Errorf("sorted as %s, want %s", got, want)
	}
	write(t, p)
}
