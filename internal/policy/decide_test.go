package policy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/internal/policy"
)

// three are signers for a rule to name; those that it does not name may seal.
const three = `version: 1
signers:
  alice: {key: keys/alice.pub}
  bob: {key: keys/bob.pub}
  carol: {identity: carol@example.com, issuer: "https://issuer.example"}
  staff: {identity-regexp: '.*@example\.com', issuer: "https://issuer.example"}
  main: {identity: carol@example.com, issuer: "https://issuer.example", source-ref: refs/heads/main}
  tags: {identity-regexp: '.*@example\.com', issuer: "https://issuer.example", source-ref-regexp: 'refs/tags/v.*'}
seal: {by: [alice, bob, carol, staff, main, tags]}
`

// Property: a requirement is met by what it asks for and by nothing that is one
// condition short of it. One key, identity or log never counts twice.
func TestRequirements(t *testing.T) {
	witnesses := fmt.Sprintf("witnesses: {w1: {vkey: %q}, w2: {vkey: %q}, w3: {vkey: %q}}\n", vkey("w1", 4, "k1"), vkey("w2", 4, "k2"), vkey("w3", 4, "k3"))
	for _, c := range []struct {
		require string
		met     []string // evidence, "; " between pieces
		not     []string
	}{
		{"sumdb", []string{"record", "record in sumdb.corp.example", "zip by mallory; record"}, []string{"", "listing by alice", "record by alice"}},
		{"{sumdb: sum.golang.org}", []string{"record"}, []string{"record in sumdb.corp.example"}},
		{"{sumdb: [sum.golang.org, b], logs: 2}", []string{"record; record in b"}, []string{"record; record", "record; record in c"}},
		{"{sumdb: [sum.golang.org, b], logs: all}", []string{"record in b; record"}, []string{"record in b"}},
		{"{signed-by: alice}", []string{"zip by alice", "listing by alice", "statement by alice", "signature by alice"},
			[]string{"", "record", "zip by bob", "zip by mallory", "zip by alice@example.com", "statement by alice naming other", "zip", "record by alice", "other by alice"}},
		{"{signed-by: [alice, bob]}", []string{"zip by alice", "zip by bob"}, []string{"zip by carol@example.com"}},
		{"{signed-by: carol}", []string{"zip by carol@example.com", "zip by carol@example.com#x"}, []string{"zip by Carol@example.com", "zip by dave@example.com", "zip by carol"}},
		{"{signed-by: main}", []string{"zip by carol@example.com#refs/heads/main"}, []string{"zip by carol@example.com", "zip by carol@example.com#refs/heads/main2", "zip by dave@example.com#refs/heads/main"}},
		{"{signed-by: tags}", []string{"zip by dave@example.com#refs/tags/v1"}, []string{"zip by dave@example.com", "zip by dave@example.com#refs/tags/w1", "zip by dave@example.com#xrefs/tags/v1"}},

		// distinct signers
		{"{signed-by: [alice, bob, carol], threshold: 2}", []string{"zip by alice; listing by bob", "zip by alice; zip by carol@example.com", "zip by bob; zip by alice; zip by carol@example.com"},
			[]string{"zip by alice", "zip by alice; listing by alice", "zip by alice; zip by alice in B", "zip by alice; zip by mallory", "zip by carol@example.com; zip by carol@example.com#x"}},
		{"{signed-by: [alice, bob, carol], threshold: all}", []string{"zip by alice; zip by bob; zip by carol@example.com"}, []string{"zip by alice; zip by bob"}},
		{"{signed-by: [carol, staff], threshold: 2}", []string{"zip by carol@example.com; zip by dave@example.com", "zip by dave@example.com; zip by carol@example.com"},
			[]string{"zip by carol@example.com", "zip by carol@example.com; zip by carol@example.com#x", "zip by dave@example.com; zip by erin@example.com", "zip by alice; zip by carol@example.com"}},
		{"{signed-by: [main, tags], threshold: 2}", []string{"zip by carol@example.com#refs/heads/main; zip by dave@example.com#refs/tags/v1"},
			[]string{"zip by carol@example.com#refs/heads/main; zip by carol@example.com#refs/tags/v1"}},
		{"{signed-by: [carol, staff, tags], threshold: 3}", []string{"zip by carol@example.com; zip by dave@example.com; zip by erin@example.com#refs/tags/v1"},
			[]string{"zip by carol@example.com; zip by dave@example.com; zip by erin@example.com", "zip by carol@example.com; zip by dave@example.com#refs/tags/v1"}},

		// distinct logs
		{"{signed-by: alice, logs: 2}", []string{"zip by alice; listing by alice in B"}, []string{"zip by alice; listing by alice", "zip by alice; zip by mallory in B", "zip by alice; record"}},
		{"{signed-by: [alice, bob], threshold: 2, logs: 2}", []string{"zip by alice; zip by bob in B", "zip by alice; zip by alice in B; zip by bob"},
			[]string{"zip by alice; zip by bob", "zip by alice; zip by alice in B", "zip by alice; zip by mallory in B; zip by bob"}},
		{"{signed-by: alice, in: B}", []string{"zip by alice in B"}, []string{"zip by alice"}},
		{"{signed-by: alice, in: id-B}", []string{"zip by alice in B"}, []string{"zip by alice"}},
		{"{signed-by: alice, in: [A, B], logs: 2}", []string{"zip by alice in B; zip by alice"}, []string{"zip by alice in B; zip by alice in C"}},

		// what is signed
		{"{signed-by: alice, of: [zip, listing]}", []string{"zip by alice", "listing by alice"}, []string{"statement by alice", "signature by alice"}},
		{"{signed-by: alice, predicate-types: [p, q]}", []string{"statement by alice type p", "statement by alice type q"}, []string{"statement by alice", "statement by alice type pq", "zip by alice type p", "statement by alice type p naming other"}},

		// when
		{"{signed-by: alice, logged-after: 2026-01-02T00:00:00Z}", []string{"zip by alice at 2026-01-02", "zip by alice at 2027-01-02"}, []string{"zip by alice at 2026-01-01", "zip by alice"}},
		{"{signed-by: alice, logged-before: 2026-01-02T00:00:00Z}", []string{"zip by alice at 2026-01-01"}, []string{"zip by alice at 2026-01-02", "zip by alice"}},
		{"{signed-by: alice, logged-within: 36h}", []string{"zip by alice at 2026-06-14"}, []string{"zip by alice at 2026-06-13", "zip by alice at 2026-06-16", "zip by alice"}},
		{"{signed-by: [alice, bob], threshold: 2, logged-after: 2026-01-02T00:00:00Z}", []string{"zip by alice at 2026-01-02; zip by bob at 2026-01-02"}, []string{"zip by alice at 2026-01-02; zip by bob at 2026-01-01"}},

		// witnesses
		{"{signed-by: alice, witnesses: {of: [w1, w2, w3], threshold: 2}}", []string{"zip by alice cosigned w1,w3"}, []string{"zip by alice", "zip by alice cosigned w1", "zip by alice cosigned w1,w1", "zip by alice cosigned w1,w4", "zip by alice cosigned w1; zip by alice in B cosigned w2"}},
		{"{sumdb: sum.golang.org, witnesses: {of: [w1, w2, w3]}}", []string{"record cosigned w3"}, []string{"record", "record cosigned w4"}},

		// all and any
		{"{all-of: [sumdb, {signed-by: alice}]}", []string{"record; zip by alice"}, []string{"record", "zip by alice"}},
		{"{any-of: [sumdb, {signed-by: alice}]}", []string{"record", "zip by alice"}, []string{"", "zip by bob"}},
		{"{all-of: [{signed-by: alice, logs: 2}, {signed-by: bob, logs: 2}]}", []string{"zip by alice; zip by alice in B; zip by bob in B; zip by bob in C"}, []string{"zip by alice; zip by alice in B; zip by bob"}},
		{"{any-of: [{all-of: [sumdb, {signed-by: alice}]}, {signed-by: [alice, bob], threshold: 2}]}", []string{"record; zip by alice", "zip by bob; zip by alice"}, []string{"record; zip by bob", "zip by alice"}},
	} {
		file := three + "rules: [{modules: example.com, require: " + c.require + "}]\n"
		if strings.Contains(c.require, "w1") {
			file += witnesses
		}
		p := parse(t, file)
		for _, e := range c.met {
			if d := decide(t, p, e); d.Outcome != policy.Allowed || d.Reason != "" {
				t.Errorf("%s\n%s: %v\n%s", c.require, e, d.Outcome, strings.Join(d.Explain, "\n"))
			}
		}
		for _, e := range c.not {
			if d := decide(t, p, e); d.Outcome != policy.Denied || d.Reason == "" {
				t.Errorf("%s\n%s: %v, %q\n%s", c.require, e, d.Outcome, d.Reason, strings.Join(d.Explain, "\n"))
			}
		}
	}
}

func decide(t *testing.T, p *policy.Policy, evidence string) policy.Decision {
	t.Helper()
	var words []string
	if evidence != "" {
		words = strings.Split(evidence, "; ")
	}
	d := p.Decide(mod("example.com/m"), now, pieces(t, words...))
	if len(d.Counted) != len(words) || len(d.Why) != len(words) {
		t.Fatalf("%d pieces, %d counted, %d whys", len(words), len(d.Counted), len(d.Why))
	}
	for i, w := range words {
		if d.Counted[i] != (d.Why[i] == "") {
			t.Errorf("%s: counted %v, why %q", w, d.Counted[i], d.Why[i])
		}
	}
	return d
}

// Property: one log is one log under any name and of any kind as long as its key
// is the same, and what is of no log counts for nothing.
func TestOneLog(t *testing.T) {
	p := parse(t, three+"rules: [{modules: example.com, require: {signed-by: alice, logs: 2}}]\n")
	e := func(kind, name, id string) policy.Evidence {
		out := piece(t, "zip by alice")
		out.Log = policy.Log{Kind: kind, Name: name, ID: id}
		return out
	}
	for _, c := range []struct {
		a, b policy.Evidence
		want policy.Outcome
	}{
		{e("rekor", "A", "1"), e("rekor", "B", "2"), policy.Allowed},
		{e("rekor", "A", "1"), e("rekor", "B", "1"), policy.Denied},
		{e("rekor", "A", "1"), e("rekor-v2", "A", "1"), policy.Denied},
		{e("rekor", "A", ""), e("rekor", "B", ""), policy.Allowed},
		{e("rekor", "A", ""), e("rekor", "A", ""), policy.Denied},
		{e("rekor", "A", ""), e("rekor", "", ""), policy.Denied},
	} {
		if d := p.Decide(mod("example.com/m"), now, []policy.Evidence{c.a, c.b}); d.Outcome != c.want {
			t.Errorf("%+v and %+v: %v", c.a.Log, c.b.Log, d.Outcome)
		}
	}
}

// Property: a principal is a key or a certificate; what is both or neither, or a
// certificate of nobody, is no signer.
func TestNobody(t *testing.T) {
	p := parse(t, three+"rules: [{modules: example.com, require: {signed-by: [alice, staff]}}]\n")
	s, anonymous := summary("carol@example.com", issuer), summary("", issuer)
	for _, who := range []policy.Principal{{}, {Key: key(t, "alice"), Certificate: &s}, {Certificate: &anonymous}} {
		if d := p.Decide(mod("example.com/m"), now, []policy.Evidence{{Of: policy.OfZip, Log: policy.Log{Name: "A"}, By: who}}); d.Outcome != policy.Denied || len(p.Names(who)) != 0 {
			t.Errorf("%v is %v", who, p.Names(who))
		}
	}
	if got := p.Names(policy.Principal{Certificate: &s}); strings.Join(got, " ") != "carol staff" {
		t.Errorf("carol is %q", got)
	}
	if len(p.Signers) != 2 || len(p.Keys()) != 1 || !p.NamesIdentities() {
		t.Errorf("who only seals may vouch: %+v", p.Signers)
	}
}

// Property: the first rule that matches decides, even if a later one would allow;
// what no rule matches is denied; modules and artifacts have rules of their own.
func TestFirstMatch(t *testing.T) {
	p := parse(t, three+`rules:
  - {modules: "example.com/secret,*.corp.example", require: {signed-by: alice}}
  - {modules: example.com/bad@v1.0.0, deny: it was yanked}
  - {modules: example.com, require: sumdb}
  - {artifacts: "go1.*.tar.gz", require: {signed-by: bob}}
`)
	for _, c := range []struct {
		subject  policy.Subject
		evidence string
		want     policy.Outcome
		rule     string
		reason   string
	}{
		{mod("example.com/m"), "record", policy.Allowed, "rule 3 (line 13)", ""},
		{mod("example.com"), "record", policy.Allowed, "rule 3 (line 13)", ""},
		{mod("example.com/secret/x"), "record", policy.Denied, "rule 1 (line 11)", "it has a checksum-database record; rule 1 (line 11) requires an entry signed by alice"},
		{mod("example.com/secret"), "zip by alice", policy.Allowed, "rule 1 (line 11)", ""},
		{mod("git.corp.example/x"), "zip by alice", policy.Allowed, "rule 1 (line 11)", ""},
		{mod("example.com/secretive"), "record", policy.Allowed, "rule 3 (line 13)", ""},
		{mod("example.com/bad"), "record", policy.Denied, "rule 2 (line 12)", "rule 2 (line 12) denies it: it was yanked"},
		{policy.Subject{Module: module.Version{Path: "example.com/bad", Version: "v1.0.1"}}, "record", policy.Allowed, "rule 3 (line 13)", ""},
		{mod("example.community/m"), "record", policy.Denied, "", "no rule of the policy is for it"},
		{mod("go1.9.tar.gz"), "signature by bob", policy.Denied, "", "no rule of the policy is for it"},
		{policy.Subject{Artifact: "go1.27.tar.gz"}, "signature by bob", policy.Allowed, "rule 4 (line 14)", ""},
		{policy.Subject{Artifact: "go1.27.tar.gz"}, "signature by alice", policy.Denied, "rule 4 (line 14)", "signed by alice, whom rule 4 (line 14) does not name; rule 4 (line 14) requires an entry signed by bob"},
		{policy.Subject{Artifact: "go1.27.zip"}, "signature by bob", policy.Denied, "", "no rule of the policy is for it"},
		{policy.Subject{Artifact: "example.com"}, "record", policy.Denied, "", "no rule of the policy is for it"},
		{policy.Subject{}, "record", policy.Denied, "", "no rule of the policy is for it"},
		{policy.Subject{Artifact: "go1.27.tar.gz", Module: mod("example.com").Module}, "record; signature by bob", policy.Denied, "", "no rule of the policy is for it"},
	} {
		d := p.Decide(c.subject, now, pieces(t, strings.Split(c.evidence, "; ")...))
		if d.Outcome != c.want || d.Rule != c.rule || d.Reason != c.reason {
			t.Errorf("%v with %s: %v by %q, %q", c.subject, c.evidence, d.Outcome, d.Rule, d.Reason)
		}
	}
}

// Property: an exemption holds through its last day, in UTC, for what it names,
// where no rule allows it anyway, and never against a rule that denies.
func TestExempt(t *testing.T) {
	p := parse(t, three+`rules:
  - {modules: example.com/bad, deny: no}
  - {modules: example.com, require: sumdb}
exempt:
  - {modules: example.com/old, reason: long gone, until: 2026-01-31}
  - {modules: "example.com/legacy,example.com/bad,example.com/one@v1.0.0,other.example", reason: nobody answers, until: 2026-12-31}
`)
	for _, c := range []struct {
		path, evidence string
		at             time.Time
		want           policy.Outcome
		reason, hint   string
	}{
		{"example.com/legacy", "", now, policy.Exempt, "exempt until 2026-12-31: nobody answers", ""},
		{"example.com/legacy", "record", now, policy.Allowed, "", ""},
		{"example.com/legacy", "", at("2027-01-01").Add(-time.Nanosecond), policy.Exempt, "exempt until 2026-12-31: nobody answers", ""},
		{"example.com/legacy", "", at("2027-01-01"), policy.Denied, "it has nothing that counts; rule 2 (line 12) requires a checksum-database record", `exemption 2 (line 15), "nobody answers", held until 2026-12-31: renew it, or have the evidence made`},
		{"example.com/legacy", "", time.Time{}, policy.Denied, "it has nothing", "renew"},
		{"example.com/old", "", now, policy.Denied, "it has nothing", "held until 2026-01-31"},
		{"example.com/old", "", at("2026-01-31"), policy.Exempt, "long gone", ""},
		{"example.com/one", "", now, policy.Exempt, "nobody answers", ""},
		{"example.com/one/v2", "", now, policy.Denied, "it has nothing", "--explain example.com/one/v2@v1.0.0"},
		{"other.example/m", "", now, policy.Exempt, "nobody answers", ""},
		{"example.com/bad", "", now, policy.Denied, "rule 1 (line 11) denies it: no", "another version"},
	} {
		var e []policy.Evidence
		if c.evidence != "" {
			e = pieces(t, c.evidence)
		}
		d := p.Decide(mod(c.path), c.at, e)
		if d.Outcome != c.want || !strings.Contains(d.Reason, c.reason) || !strings.Contains(d.Hint, c.hint) || (d.Outcome == policy.Denied) != (d.Hint != "") {
			t.Errorf("%s at %v: %v, %q, %q", c.path, c.at, d.Outcome, d.Reason, d.Hint)
		}
	}
}
