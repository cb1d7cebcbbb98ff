package verify_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/modseal/modseal/verify"
)

// statuses are verdicts by module path.
type statuses map[string]verify.Status

// all gives every module of the world one verdict.
func all(s verify.Status) statuses {
	out := statuses{}
	for _, m := range worldMods() {
		out[m.Path] = s
	}
	return out
}

// A lie is one thing that is changed in the world. The modules in want get these
// verdicts, and a reason that says so; all others must be reported as they are
// in the honest world, to the letter.
type lie struct {
	name string
	do   func(w *world)
	want statuses
	says string // in the reason of each module in want, unless it is verified
}

// tell runs lies, each in a world of its own. Prepare makes the world in which
// they are told, and which is honest. Copies of a world's modules get the same
// verdicts.
func tell(t *testing.T, prepare func(w *world), lies []lie) {
	t.Helper()
	honest := newWorld(t)
	prepare(honest)
	r := honest.check()
	if !r.OK {
		t.Fatalf("the honest world is not verified: %+v", r.Counts)
	}
	before := reported(t, honest, r)
	for _, l := range lies {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			prepare(w)
			l.do(w)
			r := w.check()
			l.judge(t, r)
			if w.request.Progress == nil && w.request.Dir != "" && r.Project.Vendor == "" {
				w.agrees(t, r)
			}
			after := reported(t, w, r)
			for path := range before {
				if _, ok := l.want[path]; !ok && after[path] != before[path] {
					t.Errorf("%s is reported otherwise:\n%s\nin the honest world:\n%s", path, after[path], before[path])
				}
			}
			if len(after) != len(before) {
				t.Errorf("%d modules reported, want %d", len(after), len(before))
			}
		})
	}
}

func asIs(*world) {}

func (l lie) judge(t *testing.T, r *verify.Report) {
	t.Helper()
	ok := true
	for _, path := range slices.Sorted(maps.Keys(l.want)) {
		m := moduleIn(t, r, path)
		if m.Status != l.want[path] {
			t.Errorf("%s is %s, want %s\n%s", path, m.Status, l.want[path], m.Reason)
		}
		ok = ok && (l.want[path] == verify.Verified || l.want[path] == verify.Exempt)
		if (m.Reason == "") != (m.Status == verify.Verified) || m.Status != verify.Verified && !strings.Contains(m.Reason, l.says) {
			t.Errorf("%s: reason %q, want %q in it", path, m.Reason, l.says)
		}
	}
	if r.OK != ok {
		t.Errorf("the report's OK is %t", r.OK)
	}
}

func moduleIn(t testing.TB, r *verify.Report, path string) *verify.ModuleReport {
	t.Helper()
	i := slices.IndexFunc(r.Modules, func(m verify.ModuleReport) bool { return m.Path == path })
	if i < 0 {
		t.Fatalf("%s is not in the report", path)
	}
	return &r.Modules[i]
}

// reported is what a report says of each module, without the place of the world.
func reported(t testing.TB, w *world, r *verify.Report) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, m := range r.Modules {
		b, err := json.MarshalIndent(m, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		out[m.Path] = strings.ReplaceAll(string(b), w.dir, "DIR")
	}
	return out
}

// consistent demands of every report: each module has a verdict, is there once
// and in order, the counts are those of the verdicts and add up, and all is well
// only if each module is.
func consistent(t testing.TB, r *verify.Report) {
	t.Helper()
	counts, sum, ok := map[string]int{}, 0, len(r.Modules)+len(r.Binaries) > 0
	for i, m := range r.Modules {
		counts[m.Status.String()]++
		ok = ok && m.OK
		if m.Status == verify.Unchecked {
			t.Errorf("%s has no verdict", m.Path)
		}
		if m.OK != (m.Status == verify.Verified || m.Status == verify.Exempt || m.Status == verify.Local && m.OK) {
			t.Errorf("%s: %s is ok=%t", m.Path, m.Status, m.OK)
		}
		if i > 0 && r.Modules[i-1].Path+"@"+r.Modules[i-1].Version >= m.Path+"@"+m.Version {
			t.Errorf("%s is not sorted after %s", m.Path, r.Modules[i-1].Path)
		}
	}
	all := len(r.Modules)
	for _, b := range r.Binaries {
		all, ok = all+len(b.Modules), ok && len(b.Modules) > 0
		for _, m := range b.Modules {
			counts[m.Status.String()]++
			ok = ok && m.OK
		}
	}
	for _, n := range r.Counts {
		sum += n
	}
	if !maps.Equal(counts, r.Counts) || sum != all {
		t.Errorf("counts are %v, the verdicts make %v", r.Counts, counts)
	}
	if r.OK != ok {
		t.Errorf("the report's OK is %t, its modules make %t", r.OK, ok)
	}
}
