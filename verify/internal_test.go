package verify

import "testing"

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
