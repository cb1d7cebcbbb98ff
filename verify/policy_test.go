package verify_test

import (
	"context"
	"strings"
	"testing"

	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/verify"
)

// Property: each requirement accepts what it says, and a policy that says nothing
// accepts nothing, however good the evidence is.
func TestRequirements(t *testing.T) {
	const v, n, none = verify.Verified, verify.NotAllowed, verify.NotLogged
	for _, c := range []struct {
		there string
		kinds []string // left out
		want  map[policy.Require]verify.Status
	}{
		{there: "nothing", kinds: []string{"record", "zip", "listing"}, want: map[policy.Require]verify.Status{"any": none, "all": none, "rekor": none, "sumdb": none, "": none, "other": none}},
		{there: "a record", kinds: []string{"zip", "listing"}, want: map[policy.Require]verify.Status{"any": v, "all": n, "rekor": n, "sumdb": v, "": n, "other": n}},
		{there: "a signer's entries", kinds: []string{"record"}, want: map[policy.Require]verify.Status{"any": v, "all": n, "rekor": v, "sumdb": n, "": n, "other": n}},
		{there: "both", want: map[policy.Require]verify.Status{"any": v, "all": v, "rekor": v, "sumdb": v, "": n, "other": n}},
	} {
		w := newWorld(t)
		for _, m := range w.mods {
			w.drop(m.Path, c.kinds...)
		}
		for require, want := range c.want {
			w.flags.Require = require
			r := w.check()
			says := map[verify.Status]string{verify.NotAllowed: "the policy requires " + map[policy.Require]string{
				"any": "a checksum-database record or a trusted signer's entry in Rekor", "all": "both a checksum-database record and a trusted signer's entry in Rekor",
				"rekor": "a trusted signer's entry in Rekor", "sumdb": "a checksum-database record",
			}[require], verify.NotLogged: "no evidence"}[want]
			lie{want: all(want), says: says}.judge(t, r)
			if t.Failed() {
				t.Fatalf("with %s, require %q", c.there, require)
			}
		}
	}
}

// Property: the zero value of whatever the enclave says accepts nothing.
func TestZeroValues(t *testing.T) {
	if r, err := verify.Check(context.Background(), verify.Request{}); r != nil || err == nil {
		t.Errorf("zero request: %v, %v", r, err)
	}
	w := newWorld(t)
	w.flags = policy.Flags{}
	lie{want: all(verify.NotAllowed), says: "the policy"}.judge(t, w.check())

	w = newWorld(t)
	w.request.Trust = &verify.Material{}
	r := w.check()
	lie{want: all(verify.NotAllowed), says: "not trusted here"}.judge(t, r)
	for _, l := range r.Logs {
		if l.Proven {
			t.Errorf("log %+v", l)
		}
	}

	w = newWorld(t)
	w.request.Trust = nil
	if r, err := w.try(context.Background()); r != nil || err == nil || !strings.Contains(err.Error(), "trust") {
		t.Errorf("no trust: %v, %v", r, err)
	}
	if s := verify.Statuses(); s[0] != verify.Unchecked || s[0].String() != "unchecked" || len(s) != 9 {
		t.Errorf("statuses %v", s)
	}
}

// Property: who vouches is the policy's to say; naming one signer names no other,
// and a signer without a key or an identity is nobody.
func TestSigners(t *testing.T) {
	mallory := policy.KeySigner(public(t, testlog.NewSigner("mallory")))
	alice := policy.KeySigner(public(t, testlog.NewSigner("alice")))
	for _, c := range []struct {
		name    string
		signers []verify.Signer
		want    verify.Status
	}{
		{"nobody", nil, verify.NotAllowed},
		{"another", []verify.Signer{mallory}, verify.NotAllowed},
		{"nobody in particular", []verify.Signer{{Name: "key of alice"}}, verify.NotAllowed},
		{"alice", []verify.Signer{alice}, verify.Verified},
		{"another and alice", []verify.Signer{mallory, alice}, verify.Verified},
	} {
		w := newWorld(t)
		w.flags.Signers = c.signers
		for _, require := range []policy.Require{policy.RequireRekor, policy.RequireAll} {
			w.flags.Require = require
			lie{want: all(c.want)}.judge(t, w.check())
		}
		w.flags.Require = policy.RequireAny // by the record
		lie{want: all(verify.Verified)}.judge(t, w.check())
		if t.Failed() {
			t.Fatalf("signers: %s", c.name)
		}
	}
}
