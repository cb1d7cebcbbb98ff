package policy_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/internal/policy"
)

// Property: each policy in docs/policy.md is one, and each table below it says
// what it decides; the explanation there is what is printed.
func TestDocs(t *testing.T) {
	data, err := os.ReadFile("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(data)
	policies, rows := 0, map[policy.Outcome]int{}
	block := regexp.MustCompile("(?s)\n```yaml\n(.*?)\n```\n(.*?)(?:\n#|\n```|$)")
	for _, m := range block.FindAllStringSubmatch(doc, -1) {
		policies++
		p := parse(t, m[1]+"\n")
		_, table, _ := strings.Cut(m[2], "| outcome |\n| --- | --- | --- |\n")
		for _, line := range strings.Split(table, "\n") {
			cells := strings.Split(strings.Trim(line, "|"), "|")
			if len(cells) != 3 {
				continue
			}
			name, has, want := strings.TrimSpace(cells[0]), strings.TrimSpace(cells[1]), strings.TrimSpace(cells[2])
			s := policy.Subject{Artifact: name}
			if path, version, ok := strings.Cut(name, "@"); ok {
				s = policy.Subject{Module: module.Version{Path: path, Version: version}}
			}
			d := p.Decide(s, now, pieces(t, words(has)...))
			if d.Outcome.String() != want {
				t.Errorf("%s with %s: %v, the table says %s\n%s", name, has, d.Outcome, want, strings.Join(d.Explain, "\n"))
			}
			rows[d.Outcome]++
		}
	}
	if policies != 8 || rows[policy.Denied] < 15 || rows[policy.Allowed] < 10 || rows[policy.Exempt] == 0 {
		t.Errorf("read %d policies and %v rows", policies, rows)
	}

	_, example, _ := strings.Cut(doc, "### Two pairs of eyes")
	p := parse(t, block.FindStringSubmatch(example)[1]+"\n")
	d := p.Decide(mod("example.com/m"), now, pieces(t, "zip by alice in A", "listing by bob in A"))
	if printed := "```text\n" + strings.Join(d.Explain, "\n") + "\n```\n"; !strings.Contains(doc, printed) {
		t.Errorf("the explanation is not in the page:\n%s", printed)
	}
	for _, f := range []string{"source-repository", "source-visibility", "run-invocation-uri", "github-workflow-trigger"} {
		if !strings.Contains(doc, "`"+f+"`") {
			t.Errorf("the page does not name %s", f)
		}
	}
}
