package diff

import (
	"maps"
	"slices"
	"strings"

	"github.com/modseal/modseal/bundles"
)

// projects compares what two bundles were made of.
func projects(old, new *bundles.Manifest) []Project {
	before, after := byMains(old), byMains(new)
	out := []Project{}
	for _, key := range slices.Sorted(maps.Keys(union(before, after))) {
		gone, come := without(before[key], after[key]), without(after[key], before[key])
		if len(before[key]) == 1 && len(gone) == 1 && len(after[key]) == 1 { // at another go line
			out = append(out, Project{Changed, gone[0], come[0]})
			continue
		}
		for _, p := range gone {
			out = append(out, Project{Removed, p, nil})
		}
		for _, p := range come {
			out = append(out, Project{Added, nil, p})
		}
	}
	return out
}

// byMains groups projects by their main modules: those of one group differ in their go
// lines.
func byMains(m *bundles.Manifest) map[string][]*bundles.Project {
	out := map[string][]*bundles.Project{}
	for i := range m.Projects {
		p := &m.Projects[i]
		key := strings.Join(append([]string{p.Module}, p.Workspace...), "\x00")
		out[key] = append(out[key], p)
	}
	return out
}

// without are those of a that are not among b, all of one group.
func without(a, b []*bundles.Project) []*bundles.Project {
	lines := map[string]bool{}
	for _, p := range b {
		lines[p.Go] = true
	}
	var out []*bundles.Project
	for _, p := range a {
		if !lines[p.Go] {
			out = append(out, p)
		}
	}
	return out
}

// either is the project as it is, or as it was.
func (p *Project) either() *bundles.Project {
	if p.New != nil {
		return p.New
	}
	return p.Old
}
