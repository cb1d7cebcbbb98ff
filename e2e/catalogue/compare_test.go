package catalogue

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/internal/gomod"
)

// differences names what only one of two sets has, sorted.
func differences[K comparable](ours, theirs map[K]bool) (list []string) {
	for k := range ours {
		if !theirs[k] {
			list = append(list, fmt.Sprintf("only modseal has %v", k))
		}
	}
	for k := range theirs {
		if !ours[k] {
			list = append(list, fmt.Sprintf("only the go command has %v", k))
		}
	}
	slices.Sort(list)
	return list
}

// A use is a module that a build uses, with all that both sides say of it.
type use struct {
	required, read module.Version // read is zero for a directory
	direct         bool
	dir, goMod     string // where its content and its go.mod are
}

func (u use) String() string {
	s := u.required.String()
	if u.read != u.required {
		s += " => " + strings.Trim(u.read.String(), "@")
	}
	if u.direct {
		s += ", direct"
	}
	return fmt.Sprintf("%s, in %s, go.mod in %s", s, u.dir, u.goMod)
}

// ourUses gives the modules whose content the build uses. read is like the key of "go mod download".
func ourUses(p *gomod.Project, cache gomod.Cache) (uses map[use]bool, read map[module.Version]bool, err error) {
	uses, read = map[use]bool{}, map[module.Version]bool{}
	for _, m := range p.Modules {
		if m.GoModOnly {
			continue
		}
		u := use{required: m.Required, direct: m.Direct, dir: m.LocalDir}
		if m.LocalDir != "" {
			u.goMod = filepath.Join(m.LocalDir, "go.mod")
			uses[u] = true
			continue
		}
		u.read = module.Version{Path: m.Path, Version: m.Version}
		if u.dir, err = cache.Tree(u.read); err != nil {
			return nil, nil, err
		}
		if u.goMod, err = cache.Mod(u.read); err != nil {
			return nil, nil, err
		}
		uses[u], read[u.read] = true, true
	}
	return uses, read, nil
}

// theirUses gives the modules that "go list" has. Of those that are replaced by one, it is the first as required, and
// direct if any is.
func theirUses(list []listing) map[use]bool {
	byRead := map[use]use{} // without required and direct
	for _, l := range list {
		if l.Main {
			continue
		}
		u := use{
			required: module.Version{Path: l.Path, Version: l.Version},
			read:     module.Version{Path: l.Path, Version: l.Version},
			direct:   !l.Indirect, dir: l.Dir, goMod: l.GoMod,
		}
		if r := l.Replace; r != nil {
			u.read, u.dir, u.goMod = module.Version{Path: r.Path, Version: r.Version}, r.Dir, r.GoMod
			if r.Version == "" {
				u.read = module.Version{}
			}
		}
		key := use{read: u.read, dir: u.dir}
		if old, ok := byRead[key]; ok {
			u.direct = u.direct || old.direct
			if strings.Compare(old.required.Path, u.required.Path) < 0 {
				u.required = old.required
			}
		}
		byRead[key] = u
	}
	uses := map[use]bool{}
	for _, u := range byRead {
		uses[u] = true
	}
	return uses
}

// Two sets that differ by one are told apart, whichever way, and whatever it is that differs.
func TestDifferences(t *testing.T) {
	m := func(path, version string) module.Version { return module.Version{Path: path, Version: version} }
	a := use{required: m("a", "v1.0.0"), read: m("a", "v1.0.0"), dir: "/a", goMod: "/a.mod"}
	b := use{required: m("b", "v1.0.0"), dir: "/b", goMod: "/b/go.mod", direct: true}
	set := func(uses ...use) map[use]bool {
		s := map[use]bool{}
		for _, u := range uses {
			s[u] = true
		}
		return s
	}
	if d := differences(set(a, b), set(b, a)); len(d) != 0 {
		t.Errorf("equal sets: %q", d)
	}
	if d := differences(set(a, b), set(a)); len(d) != 1 || !strings.HasPrefix(d[0], "only modseal has b@v1.0.0") {
		t.Errorf("one more: %q", d)
	}
	if d := differences(set(a), set(a, b)); len(d) != 1 || !strings.HasPrefix(d[0], "only the go command has b@v1.0.0") {
		t.Errorf("one less: %q", d)
	}
	if d := differences(set(), set(a, b)); len(d) != 2 {
		t.Errorf("empty: %q", d)
	}
	changes := map[string]func(u *use){
		"required": func(u *use) { u.required.Version = "v1.0.1" },
		"version":  func(u *use) { u.read.Version = "v1.0.1" },
		"path":     func(u *use) { u.read.Path = "A" },
		"direct":   func(u *use) { u.direct = true },
		"dir":      func(u *use) { u.dir = "/A" },
		"goMod":    func(u *use) { u.goMod = "" },
	}
	for name, change := range changes {
		other := a
		change(&other)
		if d := differences(set(a, b), set(other, b)); len(d) != 2 {
			t.Errorf("another %s: %q", name, d)
		}
	}
}

// What the go command prints becomes what it is compared as.
func TestTheirUses(t *testing.T) {
	m := func(path, version string) module.Version { return module.Version{Path: path, Version: version} }
	list := []listing{
		{Path: "main", Main: true},
		{Path: "a", Version: "v1.0.0", Dir: "/a", GoMod: "/a.mod", Indirect: true},
		{Path: "b", Version: "v1.0.0", Replace: &listing{Path: "./b", Dir: "/b", GoMod: "/b/go.mod"}},
		{Path: "d", Version: "v1.0.0", Replace: &listing{Path: "f", Version: "v1.2.0", Dir: "/f", GoMod: "/f.mod"}},
		{Path: "c", Version: "v1.0.0", Indirect: true, Replace: &listing{Path: "f", Version: "v1.2.0", Dir: "/f", GoMod: "/f.mod"}},
	}
	want := map[use]bool{
		{required: m("a", "v1.0.0"), read: m("a", "v1.0.0"), dir: "/a", goMod: "/a.mod"}:               true,
		{required: m("b", "v1.0.0"), dir: "/b", goMod: "/b/go.mod", direct: true}:                      true,
		{required: m("c", "v1.0.0"), read: m("f", "v1.2.0"), dir: "/f", goMod: "/f.mod", direct: true}: true,
	}
	if d := differences(theirUses(list), want); len(d) != 0 {
		t.Error(strings.Join(d, "\n"))
	}
}
