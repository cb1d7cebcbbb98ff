package policy_test

import (
	"strings"
	"testing"

	"github.com/modseal/modseal/internal/policy"
)

// needs is what each requirement asks for, in words, and whether it is met with a
// record, and with a signer's entry; all asks for both.
var needs = map[policy.Require]struct {
	words          string
	record, signed bool
}{
	policy.RequireAny:   {"a checksum-database record or a trusted signer's entry in Rekor", true, true},
	policy.RequireAll:   {"both a checksum-database record and a trusted signer's entry in Rekor", false, false},
	policy.RequireRekor: {"a trusted signer's entry in Rekor", false, true},
	policy.RequireSumDB: {"a checksum-database record", true, false},
	"":                  {"what nothing meets", false, false},
	"ANY":               {"what nothing meets", false, false},
}

// Property: flags stand for a policy that allows what they ask for, for modules
// and artifacts alike, and say it in the same words.
func TestFromFlags(t *testing.T) {
	alice := policy.KeySigner(key(t, "alice"))
	stranger := "signed by " + policy.KeySigner(key(t, "bob")).Name + ", whom the policy does not name"
	for r, need := range needs {
		p := policy.FromFlags(policy.Flags{Require: r, Signers: []policy.Signer{alice}, AllowLocal: true})
		for _, e := range []struct {
			evidence      string
			sumdb, signed bool
			have          string
		}{
			{"", false, false, "nothing that counts"}, {"record", true, false, "a checksum-database record"},
			{"zip by alice", false, true, "a trusted signer's entry"}, {"record; listing by alice", true, true, "a checksum-database record, a trusted signer's entry"},
			{"zip by bob", false, false, ""}, {"record; zip by bob", true, false, ""},
		} {
			for _, s := range []policy.Subject{mod("example.com/m"), {Artifact: "a/b"}} {
				d := p.Decide(s, now, pieces(t, words(e.evidence)...))
				if (d.Outcome == policy.Allowed) != (need.record && e.sumdb || need.signed && e.signed || r == policy.RequireAll && e.sumdb && e.signed) {
					t.Errorf("%q with %s: %v", r, e.evidence, d.Outcome)
				}
				want := "it has " + e.have + "; the policy requires " + need.words
				if e.have == "" && r != policy.RequireSumDB && need.words != "what nothing meets" {
					want = stranger
				}
				if d.Outcome == policy.Denied && d.Reason != want && e.have != "" {
					t.Errorf("%q with %s: %q, want %q", r, e.evidence, d.Reason, want)
				}
				if strings.HasSuffix(d.Reason, "not name") && !strings.Contains(d.Hint, "--key") {
					t.Errorf("hint %q", d.Hint)
				}
			}
		}
	}
	var zero policy.Policy
	for _, p := range []*policy.Policy{&zero, policy.FromFlags(policy.Flags{}), policy.FromFlags(policy.Flags{Signers: []policy.Signer{alice}})} {
		if d := p.Decide(mod("example.com/m"), now, pieces(t, "record", "zip by alice")); d.Outcome != policy.Denied || d.Reason == "" || d.Why[0] == "" || d.Why[1] == "" {
			t.Errorf("%+v", d)
		}
		if ok, _ := p.Seal.Enough([]policy.Principal{{Key: key(t, "alice")}}); ok {
			t.Error("anybody may seal")
		}
	}
}

func words(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "; ")
}
