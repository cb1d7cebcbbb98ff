package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/modseal/modseal/internal/policy"
)

// Property: a bundle is sealed by as many different sealers as the policy asks
// for, and is not older than it wants. The zero rule trusts nobody.
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
		age  time.Duration
		want string // "" is met
	}{
		{"{by: alice}", []policy.Principal{a}, 0, ""},
		{"{by: alice}", []policy.Principal{m, a}, 0, ""},
		{"{by: alice}", nil, 0, "sealed by none that counts; the policy requires a seal by alice"},
		{"{by: alice}", []policy.Principal{m, b, c, {}}, 0, "sealed by none that counts"},
		{"{by: [alice, bob]}", []policy.Principal{b}, 0, ""},
		{"{by: [alice, bob, carol], threshold: 2}", []policy.Principal{c, b}, 0, ""},
		{"{by: [alice, bob, carol], threshold: 2}", []policy.Principal{a, a}, 0, "sealed by alice; the policy requires seals by 2 of alice, bob, carol"},
		{"{by: [alice, bob, carol], threshold: 2}", []policy.Principal{a, m, d}, 0, "sealed by alice; the"},
		{"{by: [alice, bob, carol], threshold: all}", []policy.Principal{c, b, a}, 0, ""},
		{"{by: [alice, bob, carol], threshold: all}", []policy.Principal{c, b}, 0, "requires seals by 3"},
		{"{by: [alice, bob, carol], threshold: any}", []policy.Principal{c}, 0, ""},
		{"{by: alice, max-age: 24h}", []policy.Principal{a}, day, ""},
		{"{by: alice, max-age: 24h}", []policy.Principal{a}, day + 1, "is older than 24h0m0s at 2026-06-15T12:00:00Z"},
		{"{by: alice, max-age: 24h}", []policy.Principal{a}, -time.Hour, ""},
		{"{by: alice, max-age: 24h}", []policy.Principal{a}, -time.Hour - 1, "a clock is wrong"},
		{"{by: alice}", []policy.Principal{a}, 100 * 365 * day, ""},
		{"{by: alice, max-age: 24h}", []policy.Principal{b}, 0, "sealed by none"},
	} {
		p := parse(t, file(x.seal))
		ok, why := p.Seal.Met(x.by, now.Add(-x.age), now)
		if ok != (x.want == "") || ok != (why == "") || !strings.Contains(why, x.want) {
			t.Errorf("%s, %v, %v old: %v, %q", x.seal, x.by, x.age, ok, why)
		}
	}
	for _, seal := range []string{"{by: alice, max-age: 24h}"} {
		p := parse(t, file(seal))
		for _, when := range [][2]time.Time{{{}, now}, {now, {}}, {}} {
			if ok, why := p.Seal.Met([]policy.Principal{a}, when[0], when[1]); ok || !strings.Contains(why, "how old") {
				t.Errorf("created %v, at %v: %v, %q", when[0], when[1], ok, why)
			}
		}
		if got := p.Seal.Sealers(); len(got) != 1 || got[0].Name != "alice" {
			t.Errorf("%v", got)
		}
	}
	two := []policy.Signer{policy.KeySigner(key(t, "alice")), policy.KeySigner(key(t, "bob"))}
	for threshold, want := range map[int][3]bool{0: {false, true, true}, 1: {false, true, true}, 2: {false, false, true}, policy.AllSealers: {false, false, true}, 3: {}, -2: {}} {
		r := policy.FromFlags(policy.Flags{Sealers: two, SealThreshold: threshold}).Seal
		for i, by := range [][]policy.Principal{nil, {a}, {a, b}} {
			if ok, _ := r.Met(by, now, now); ok != want[i] {
				t.Errorf("%d of two by %d: %v", threshold, i, ok)
			}
		}
	}
	var zero policy.SealRule
	for _, r := range []policy.SealRule{zero, parse(t, "version: 1\nrules: [{modules: m, require: sumdb}]\n").Seal} {
		if ok, why := r.Met([]policy.Principal{a}, now, now); ok || !strings.Contains(why, "nobody") {
			t.Errorf("%v, %q", ok, why)
		}
	}
}
