package verify

import (
	"strings"
	"testing"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/gomod"
	"github.com/modseal/modseal/internal/modhash"
	"github.com/modseal/modseal/merkle"
)

// Property: a report passes only if there is a module and each is judged and
// passes. What was never looked at does not.
func TestFinish(t *testing.T) {
	good := ModuleReport{Verdict: Verdict{Status: Verified, OK: true}}
	for name, c := range map[string]struct {
		modules []ModuleReport
		ok      bool
	}{
		"no modules":             {nil, false},
		"one that passes":        {[]ModuleReport{good}, true},
		"one that was not seen":  {[]ModuleReport{good, {}}, false},
		"one that does not pass": {[]ModuleReport{good, {Verdict: Verdict{Status: Mismatch}}, good}, false},
	} {
		r := Report{OK: true, Modules: c.modules}
		r.finish()
		sum := 0
		for _, n := range r.Counts {
			sum += n
		}
		if r.OK != c.ok || sum != len(c.modules) || (name == "one that was not seen") != (r.Counts["unchecked"] == 1) {
			t.Errorf("%s: ok %t, counts %v", name, r.OK, r.Counts)
		}
	}
}

// Property: every status has a word of its own, and a number that is none says so.
func TestStatusWords(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range append(Statuses(), -1, Status(numStatuses)) {
		word, err := s.MarshalText()
		if err != nil || len(word) == 0 || seen[string(word)] {
			t.Errorf("%d: %q, %v", s, word, err)
		}
		seen[string(word)] = true
	}
}

// Property: the tiles of a tree that is too large to compute in are an error at once.
func TestTilesOfTheLargestTree(t *testing.T) {
	l := &bundles.Log{LogInfo: bundles.LogInfo{Kind: bundles.SumDB, Name: "sum.example", Size: merkle.MaxSize}, Entries: []bundles.Entry{{Index: 1}}}
	if err := checkTilesOf(l, strings.Repeat("0", 64), t.TempDir()); err == nil || !strings.Contains(err.Error(), "has no tiles") {
		t.Error(err)
	}
	l.Size-- // which only lacks its tiles
	if err := checkTilesOf(l, strings.Repeat("0", 64), t.TempDir()); err == nil || strings.Contains(err.Error(), "has no tiles") {
		t.Error(err)
	}
}

// Property: no more than the first modules of a large set are hashed ahead.
func TestModulesAheadAtTheLimit(t *testing.T) {
	for _, n := range []int{maxAheadModules, maxAheadModules + 1} {
		set := make([]gomod.Module, n)
		for i := range set {
			set[i].LocalDir = "nowhere"
		}
		a := (&reader{hasher: modhash.New(modhash.Options{})}).hashAhead(t.Context(), set, maxAhead)
		if last := a.at(n - 1); len(a.of) != maxAheadModules || (last == &a.of[maxAheadModules-1]) != (n == maxAheadModules) {
			t.Errorf("%d of %d are hashed ahead", len(a.of), n)
		}
		a.close()
	}
}
