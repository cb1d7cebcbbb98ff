package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/modseal/modseal/internal/policy"
)

// Property: no file makes Parse or Decide panic; an error has the file's name and
// is of one line; and no policy allows what has no evidence.
func FuzzParse(f *testing.F) {
	f.Add([]byte(three + "rules: [{modules: example.com, require: {all-of: [sumdb, {signed-by: [alice, bob], threshold: 2, logs: 2}]}}]\n"))
	f.Add([]byte("version: 1\nwitnesses: {w: {vkey: " + vkey("w", 4, "w") + "}}\nrules:\n- modules: '*'\n  require: {sumdb: [a, b], logs: 2, witnesses: {of: w}}\n"))
	f.Add([]byte("version: 1\nrules: [{artifacts: 'x*', deny: no}]\nlocal: in-tree\nexempt: [{modules: a.b/c@v1.0.0, reason: r, until: 2026-01-31}]\n"))
	f.Add([]byte(three + "rules:\n- {modules: m, require: {signed-by: staff, in: [A], of: statement, predicate-types: p, logged-after: 2026-01-01T00:00:00Z, logged-within: 1h}}\n"))
	f.Add([]byte("!%0A")) // a tag with a line end
	f.Add([]byte("version: 1\nversion: 1\nrules: " + strings.Repeat("[", 1000)))
	f.Add([]byte("version: 1\na0: &a0 x\na1: &a1 [*a0,*a0,*a0]\na2: &a2 [*a1,*a1,*a1]\nrules: *a2\n"))
	f.Add([]byte("a: &a [x]\nb: *a\n---\n<<: {}\n? [x]\n: !!str y\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		p, err := policy.Parse("p.yaml", file, keyFile)
		if err != nil {
			if p != nil || !strings.HasPrefix(err.Error(), "p.yaml:") || strings.Contains(err.Error(), "\n") {
				t.Fatalf("%v, %q", p, err)
			}
			return
		}
		for _, s := range []policy.Subject{mod("example.com/m"), mod("m"), {Artifact: "x"}} {
			for _, now := range []time.Time{{}, now} {
				if d := p.Decide(s, now, nil); d.Outcome == policy.Allowed {
					t.Fatalf("allowed without evidence by %s\n%s", d.Rule, strings.Join(d.Explain, "\n"))
				}
				p.Decide(s, now, pieces(t, "record", "zip by alice", "statement by carol@example.com", "listing by bob"))
			}
		}
	})
}
