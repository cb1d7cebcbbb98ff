package policy_test

import (
	"fmt"
	"strings"
	"testing"
)

// Property: an explanation says which rule was applied, and of each requirement
// whether it is met and by what.
func TestExplain(t *testing.T) {
	p := parse(t, three+`rules:
  - modules: example.com
    require:
      any-of:
        - all-of:
            - sumdb
            - {signed-by: [alice, carol], threshold: 2, logs: 2, logged-after: 2026-01-01T00:00:00Z}
        - {signed-by: bob, of: statement, predicate-types: [p]}
exempt: [{modules: example.com/m, reason: long gone, until: 2026-01-31}]
`)
	d := decide(t, p, "record; zip by alice at 2026-02-01; listing by carol@example.com at 2025-02-01; zip by bob; statement by bob type q; zip by mallory; zip by dave@example.com")
	want := `rule 1 (line 11), modules example.com: not met
  any-of: not met
    all-of: not met
      sumdb: met
        counted: the record of sum.golang.org
        1 of 1 database: sum.golang.org
      signed-by [alice, carol], in 2 logs, logged at or after 2026-01-01T00:00:00Z: not met
        counted: zip in A, signed by alice
        not counted: listing in A: logged at 2025-02-01T00:00:00Z, before 2026-01-01T00:00:00Z
        not counted: zip in A: signed by bob, whom rule 1 (line 11) does not name
        not counted: statement in A: signed by bob, whom rule 1 (line 11) does not name
        not counted: zip in A: signed by key MALLORY, whom the policy does not name
        not counted: zip in A: signed by staff, whom rule 1 (line 11) does not name
        1 of 2 signers: alice
        1 of 2 logs: A
`
	got := strings.ReplaceAll(strings.Join(d.Explain, "\n")+"\n", key(t, "mallory").String(), "MALLORY")
	if !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "\nexemption 1 (line 18), modules example.com/m: expired on 2026-01-31 (long gone)\n") {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	for i, why := range []string{"", "", "before 2026-01-01T00:00:00Z", "it is over a zip; the rule asks for statement", `is of type "q"; the rule asks for p`, "whom the policy does not name", "whom rule 1 (line 11) does not name"} {
		if !strings.HasSuffix(d.Why[i], why) || d.Counted[i] != (why == "") {
			t.Errorf("piece %d: %v, %q", i, d.Counted[i], d.Why[i])
		}
	}
	wantReason := "it has a checksum-database record, an entry signed by alice, an entry signed by carol, an entry signed by staff, an entry signed by bob; rule 1 (line 11) requires " +
		"(both a checksum-database record and entries signed by 2 of alice, carol, in 2 logs, logged at or after 2026-01-01T00:00:00Z) or an entry signed by bob, over the statement, of type p"
	if d.Reason != wantReason {
		t.Errorf("%s\nwant\n%s", d.Reason, wantReason)
	}
}

// Property: strangers, who can log as many entries as they like, do not fill an
// explanation.
func TestExplainFlood(t *testing.T) {
	p := parse(t, three+"rules: [{modules: example.com, require: {signed-by: alice}}]\n")
	var flood []string
	for i := range 500 {
		flood = append(flood, fmt.Sprintf("zip by mallory%d", i%5))
	}
	d := decide(t, p, strings.Join(append(flood, "zip by alice"), "; "))
	if len(d.Explain) > 30 || !d.Counted[500] || !strings.Contains(strings.Join(d.Explain, "\n"), "1 of 1 signer: alice") {
		t.Errorf("%d lines\n%s", len(d.Explain), strings.Join(d.Explain, "\n"))
	}
}
