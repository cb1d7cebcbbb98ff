package gate

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modseal/modseal/e2e/keyless"
)

// rekorV2 is the name of Rekor v2 in its checkpoints.
const rekorV2 = "127.0.0.1"

// rekorV1 is the name of a shard of Rekor v1.
func rekorV1() string { return shared.rekor.Hostname + " - " + shared.rekor.TreeID }

// What was signed without keys, and logged in either Rekor, is judged by a policy file, where there is no network. Alice signed
// the zip and has it in both logs; bob signed the listing, in Rekor v2 alone.
func TestPolicy(t *testing.T) {
	t.Parallel()
	const module = "rsc.io/quote@v1.0.0"
	s := newSite(t, module)
	s.logKey = ""
	s.publish(
		keyless.Request{Artifact: s.zipOf(module), Email: alice, V1: true, V2: true},
		keyless.Request{Artifact: s.listing(module), Email: bob, V2: true},
	)
	said := s.snapshot(0, slices.Concat(trusting(), s.require("{signed-by: [alice, bob], threshold: all}"), []string{"--attestations", published})...)
	s.says(said.stdout, "1 module, 1 proven; sealed", "rekor-v1", "1 entry", "rekor-v2", "2 entries")

	hour := func(n int) string { return time.Now().Add(time.Duration(n) * time.Hour).UTC().Format(time.RFC3339) }
	for _, c := range []struct {
		require string
		counts  string // "" if the module is not allowed
		says    string // of the explanation
	}{
		{"{signed-by: alice}", "zip zip", "counted: zip in " + rekorV2 + ", signed by alice"},
		{"{signed-by: bob}", "listing", "counted: listing in " + rekorV2 + ", signed by bob"},
		{"{signed-by: carol}", "", "not met"},
		{"{signed-by: [alice, bob], threshold: 2}", "listing zip zip", "2 of 2 signers: alice, bob"},
		{"{signed-by: [alice, carol], threshold: 2}", "", "1 of 2 signers: alice"},
		{"{signed-by: [alice, carol], threshold: any}", "zip zip", "1 of 1 signer: alice"},
		{"{signed-by: alice, logs: 2}", "zip zip", "2 of 2 logs"},
		{"{signed-by: bob, logs: 2}", "", "1 of 2 logs: " + rekorV2},
		{"{signed-by: [alice, bob], threshold: 2, logs: 2}", "listing zip zip", "2 of 2 logs"},
		{"{signed-by: alice, in: " + rekorV2 + "}", "zip", "met"},
		{fmt.Sprintf("{signed-by: alice, in: %q}", rekorV1()), "zip", "met"},
		{fmt.Sprintf("{signed-by: bob, in: %q}", rekorV1()), "", "not counted: listing in " + rekorV2},
		{"{signed-by: bob, of: [listing]}", "listing", "met"},
		{"{signed-by: bob, of: [zip]}", "", "not counted: listing in " + rekorV2},
		{"{signed-by: [alice, bob], of: statement}", "", "not counted: zip in " + rekorV2},
		{fmt.Sprintf("{signed-by: [alice, bob], threshold: 2, logged-after: %q, logged-before: %q}", hour(-1), hour(1)), "listing zip zip", "met"},
		{fmt.Sprintf("{signed-by: [alice, bob], logged-after: %q}", hour(1)), "", "not counted: zip"},
		{fmt.Sprintf("{signed-by: [alice, bob], logged-before: %q}", hour(-1)), "", "not counted: listing"},
		{"{signed-by: alice, logged-within: 1h}", "zip zip", "met"},
		{"{all-of: [{signed-by: alice, logs: 2}, {signed-by: bob}]}", "listing zip zip", "met"},
		{"{any-of: [{signed-by: carol}, {signed-by: bob, logs: 2}]}", "", "not met"},
		{"sumdb", "", "not met"},
	} {
		t.Run(c.require, func(t *testing.T) {
			s := *s
			s.T = t
			want, status := 0, "verified"
			if c.counts == "" {
				want, status = 1, "not-allowed"
			}
			r := s.enclave(want, slices.Concat(trusting(), s.require(c.require), []string{"--explain", module})...)
			m := s.status(r, module, status)
			accepted := strings.Fields(m.accepted())
			if slices.Sort(accepted); want == 0 && strings.Join(accepted, " ") != c.counts {
				t.Errorf("accepted is evidence over %q, want %q", accepted, c.counts)
			}
			s.says(strings.Join(m.Explain, "\n"), c.says)
			if want == 1 && m.Reason == "" {
				t.Error("no reason")
			}
		})
	}

	// Whoever goes by two names is one signer: two are needed, and alice is staff too.
	staff := fmt.Sprintf("%s  staff: {identity-regexp: '.*@example\\.test', issuer: %q}\nrules:\n", s.signers("alice"), shared.rekor.Sigstore.IssuerURL)
	two := func(more string) []string {
		return append(trusting(), s.policy(staff+"  - {modules: \"*\", require: {signed-by: [alice, staff], threshold: 2"+more+"}}\n")...)
	}
	s.allVerified(s.enclave(0, two("")...))
	s.status(s.enclave(1, two(", of: zip")...), module, "not-allowed")

	// A log that could have witnesses, and has none, is said to have none.
	text := slices.Concat([]string{"verify", "--seal-key", "seal.pub"}, trusting(), s.require("{signed-by: alice}"), []string{"--explain", module, s.bundle(), "project"})
	said = s.alone(0, text...)
	s.says(said.stdout, "PASS", rekorV2+"   2 entries", ", unwitnessed", "rule 1 (line 5), modules *: met", "counted: zip in "+rekorV1()+", signed by alice", "1 of 1 signer: alice")
	// An expression must match all of a name.
	for expression, want := range map[string]int{`[a-c].*@example\.test`: 0, `lice@example\.test`: 1, `alice@example`: 1} {
		s.enclave(want, append(trusting(), "--require", "rekor", "--certificate-identity-regexp", expression, "--certificate-oidc-issuer-regexp", "http://127.0.0.1:.*")...)
	}
	// The same names say nothing from another issuer, and nothing where these servers are not trusted.
	other := s.policy("rules:\n  - {modules: \"*\", require: {signed-by: alice}}\n")
	file := strings.ReplaceAll(string(s.read(s.home+"/"+other[1])), shared.rekor.Sigstore.IssuerURL, "https://issuer.example")
	s.write(s.home+"/"+other[1], file)
	s.status(s.enclave(1, append(trusting(), other...)...), module, "not-allowed")
	s.status(s.enclave(1, s.require("{signed-by: alice}")...), module, "not-allowed", "not trusted here")
}

// What is denied stays denied whoever signed it; what is exempt passes without evidence until the day that is named.
func TestExemptAndDenied(t *testing.T) {
	t.Parallel()
	const signed, bare = "rsc.io/quote@v1.2.0", "github.com/google/uuid@v1.0.0"
	s := newSite(t, signed, bare)
	s.logKey = ""
	s.publish(keyless.Request{Artifact: s.zipOf(signed), Email: alice, V1: true})
	s.snapshot(0, slices.Concat(trusting(), s.require("{signed-by: alice}"), []string{"--attestations", published, "--allow-missing"})...)

	exempt := func(until time.Time) string {
		return fmt.Sprintf("exempt:\n  - {modules: github.com/google/uuid, reason: nobody has asked yet, until: %s}\n", until.UTC().Format(time.DateOnly))
	}
	const rule = "rules:\n  - {modules: \"*\", require: {signed-by: alice}}\n"
	tomorrow, yesterday := time.Now().Add(24*time.Hour), time.Now().Add(-24*time.Hour)
	verify := func(want int, rules string, flags ...string) *report {
		t.Helper()
		return s.enclave(want, slices.Concat(trusting(), s.policy(rules), flags)...)
	}
	r := verify(0, rule+exempt(tomorrow))
	s.status(r, signed, "verified")
	s.status(r, bare, "exempt", "nobody has asked yet")
	r = verify(1, rule+exempt(yesterday))
	s.status(r, signed, "verified")
	s.status(r, bare, "not-logged")
	s.status(verify(0, rule+exempt(yesterday), "--at", yesterday.Add(-time.Hour).UTC().Format(time.RFC3339)), bare, "exempt")
	s.status(verify(1, rule+exempt(tomorrow), "--at", "2100-01-01"), bare, "not-logged")

	r = verify(1, "rules:\n  - {modules: rsc.io/quote@v1.2.0, deny: it deletes files}\n"+strings.TrimPrefix(rule, "rules:\n")+exempt(tomorrow))
	s.status(r, signed, "not-allowed", "it deletes files")
	s.status(r, bare, "exempt")
}
