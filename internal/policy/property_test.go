package policy_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/modseal/modseal/internal/policy"
)

// drawRequirement makes up a requirement.
func drawRequirement(r *rand.Rand, depth int) string {
	some := func(from ...string) string {
		r.Shuffle(len(from), func(i, j int) { from[i], from[j] = from[j], from[i] })
		return strings.Join(from[:1+r.IntN(len(from))], ", ")
	}
	if depth > 0 && r.IntN(2) == 0 {
		kind := []string{"all-of", "any-of"}[r.IntN(2)]
		var of []string
		for range 1 + r.IntN(3) {
			of = append(of, drawRequirement(r, depth-1))
		}
		return fmt.Sprintf("{%s: [%s]}", kind, strings.Join(of, ", "))
	}
	if r.IntN(4) == 0 {
		return "sumdb"
	}
	out := "{signed-by: [" + some("alice", "bob", "carol", "staff", "main", "tags") + "]"
	if r.IntN(2) == 0 {
		out += fmt.Sprintf(", threshold: %s", []string{"any", "all", "1"}[r.IntN(3)])
	}
	for _, x := range []string{", logs: 2", ", of: [zip, listing]", ", logged-after: 2026-03-01T00:00:00Z", ", logged-within: 2400h"} {
		if r.IntN(4) == 0 {
			out += x
		}
	}
	return out + "}"
}

func drawEvidence(r *rand.Rand) string {
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	if r.IntN(5) == 0 {
		return "record"
	}
	return pick("zip", "listing", "statement") + " by " + pick("alice", "bob", "mallory", "carol@example.com", "dave@example.com", "carol@example.com#refs/heads/main", "dave@example.com#refs/tags/v1", "carol@example.com#refs/tags/v1", "eve@example.org") +
		" in " + pick("A", "B", "C") + pick("", " at 2026-02-01", " at 2026-04-01", " at 2026-07-01")
}

// Property: more evidence never turns allowed into anything else, the order of
// evidence and its repetition have no influence on the outcome, and what is
// allowed is so by the pieces that counted alone.
func TestEvidenceOnlyHelps(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine: nothing for the race detector to find")
	}
	r := rand.New(rand.NewPCG(3, 4))
	outcomes := map[policy.Outcome]int{}
	for range 1500 {
		file := three + "rules: [{modules: example.com, require: " + drawRequirement(r, 2) + "}]\nexempt: [{modules: example.com/other, reason: x, until: 2026-12-31}]\n"
		p, err := policy.Parse("p", []byte(file), keyFile)
		if err != nil {
			if !strings.Contains(err.Error(), "some are one identity") {
				t.Fatalf("%v\n%s", err, file)
			}
			continue
		}
		var words []string
		for range r.IntN(7) {
			words = append(words, drawEvidence(r))
		}
		evidence := pieces(t, words...)
		s := mod([]string{"example.com/m", "example.com/other"}[r.IntN(2)])
		last := policy.Denied
		for n := range len(evidence) + 1 {
			d := p.Decide(s, now, evidence[:n])
			if last == policy.Allowed && d.Outcome != last || last == policy.Exempt && d.Outcome == policy.Denied {
				t.Fatalf("%v after %v with %q\n%s\n%s", d.Outcome, last, words[:n], file, strings.Join(d.Explain, "\n"))
			}
			last = d.Outcome
		}
		outcomes[last]++
		whole := p.Decide(s, now, evidence)
		twice := slices.Concat(evidence, evidence)
		r.Shuffle(len(twice), func(i, j int) { twice[i], twice[j] = twice[j], twice[i] })
		if d := p.Decide(s, now, twice); d.Outcome != last {
			t.Fatalf("%v, and %v in another order and twice: %q\n%s", last, d.Outcome, words, file)
		}
		var counted []policy.Evidence
		for i, e := range evidence {
			if whole.Counted[i] {
				counted = append(counted, e)
			}
		}
		if d := p.Decide(s, now, counted); d.Outcome != last {
			t.Fatalf("%v, and %v by what counted: %q\n%s", last, d.Outcome, words, file)
		}
	}
	for _, o := range []policy.Outcome{policy.Denied, policy.Allowed, policy.Exempt} {
		if outcomes[o] < 100 {
			t.Errorf("the cases are trivial: %v", outcomes)
		}
	}
}
