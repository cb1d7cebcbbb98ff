package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/modseal/modseal/internal/policy"
)

// Property: a bundle is sealed by as many different sealers as the policy asks
// for. The zero rule trusts nobody.
func TestSeal(t *testing.T) {
	file := func(seal string) string {
		return `version: 1
signers: {alice: {key: alice.pub}, bob: {key: bob.pub}, carol: {identity: carol@example.com, issuer: "https://issuer.example"}}
rules: [{modules: "*", require: {signed-by: [alice, bob, carol]}}]
seal: ` + seal + "\n"
	}
	a, b, m := policy.Principal{Key: key(t, "alice")}, policy.Principal{Key: key(t, "bob")}, policy.Principal{Key: key(t, "mallory")}
	s, dave := summary("carol@example.com", issuer), summary("dave@example.com", issuer)
	c, d := policy.Principal{Certificate: &s}, policy.Principal{Certificate: &dave}
	day := 24 * time.Hour
	for _, x := range []struct {
		seal string
		by   []policy.Principal
		want string // "" is met
	}{
		{"{by: alice}", []policy.Principal{a}, ""},
		{"{by: alice}", []policy.Principal{m, a}, ""},
		{"{by: alice}", nil, "sealed by none that counts; the policy requires a seal by alice"},
		{"{by: alice}", []policy.Principal{m, b, c, {}}, "sealed by none that counts"},
		{"{by: [alice, bob]}", []policy.Principal{b}, ""},
		{"{by: [alice, bob, carol], threshold: 2}", []policy.Principal{c, b}, ""},
		{"{by: [alice, bob, carol], threshold: 2}", []policy.Principal{a, a}, "sealed by alice; the policy requires seals by 2 of alice, bob, carol"},
		{"{by: [alice, bob, carol], threshold: 2}", []policy.Principal{a, m, d}, "sealed by alice; the"},
		{"{by: [alice, bob, carol], threshold: all}", []policy.Principal{c, b, a}, ""},
		{"{by: [alice, bob, carol], threshold: all}", []policy.Principal{c, b}, "requires seals by 3"},
		{"{by: [alice, bob, carol], threshold: any}", []policy.Principal{c}, ""},
		{"{by: alice}", []policy.Principal{a}, ""},
		{"{by: alice, max-age: 24h}", []policy.Principal{b}, "sealed by none"},
	} {
		p := parse(t, file(x.seal))
		ok, why := p.Seal.Enough(x.by)
		if ok != (x.want == "") || ok != (why == "") || !strings.Contains(why, x.want) {
			t.Errorf("%s, %v: %v, %q", x.seal, x.by, ok, why)
		}
	}
	for seal, want := range map[string]time.Duration{"{by: alice, max-age: 24h}": day, "{by: alice}": 0} {
		p := parse(t, file(seal))
		if got := p.Seal.MaxAge(); got != want {
			t.Errorf("%s: %v", seal, got)
		}
		if got := p.Seal.Sealers(); len(got) != 1 || got[0].Name != "alice" {
			t.Errorf("%v", got)
		}
	}
	two := []policy.Signer{policy.KeySigner(key(t, "alice")), policy.KeySigner(key(t, "bob"))}
	for threshold, want := range map[int][3]bool{0: {false, true, true}, 1: {false, true, true}, 2: {false, false, true}, policy.AllSealers: {false, false, true}, 3: {}, -2: {}} {
		r := policy.FromFlags(policy.Flags{Sealers: two, SealThreshold: threshold}).Seal
		for i, by := range [][]policy.Principal{nil, {a}, {a, b}} {
			if ok, _ := r.Enough(by); ok != want[i] {
				t.Errorf("%d of two by %d: %v", threshold, i, ok)
			}
		}
	}
	var zero policy.SealRule
	for _, r := range []policy.SealRule{zero, parse(t, "version: 1\nrules: [{modules: m, require: sumdb}]\n").Seal} {
		if ok, why := r.Enough([]policy.Principal{a}); ok || !strings.Contains(why, "nobody") {
			t.Errorf("%v, %q", ok, why)
		}
	}
}
