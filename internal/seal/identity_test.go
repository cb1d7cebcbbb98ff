package seal_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/fetch"
	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/internal/seal"
	"github.com/modseal/modseal/internal/sign"
	"github.com/modseal/modseal/internal/testlog"
	tr "github.com/modseal/modseal/internal/trust"
)

const (
	alice  = "alice@example.com"
	issuer = "https://issuer.example"
)

// sigstore is where identities seal.
type sigstore struct {
	testing.TB
	all    testlog.Sigstore
	trust  *tr.Material
	fulcio string
	logs   [3]string // by version
	tsa    string
	now    time.Time
}

func newSigstore(t testing.TB) *sigstore {
	t.Helper()
	s := &sigstore{TB: t, now: testlog.Epoch().Add(time.Hour)}
	clock := func() time.Time { return s.now }
	serve := func(h http.Handler) string {
		server := httptest.NewServer(h)
		t.Cleanup(server.Close)
		return server.URL
	}
	v1, v2, ca, tsa := testlog.NewRekor("rekor.example"), testlog.NewRekorV2("log.example"), testlog.NewCA("fulcio"), testlog.NewTSA("tsa")
	v1.Add(testlog.NewSigner("stranger").Body([32]byte{1}))
	v1.Now, tsa.Now = clock, clock
	s.fulcio, s.logs[1], s.logs[2], s.tsa = serve(&testlog.Fulcio{CA: ca, Now: clock}), serve(v1), serve(v2), serve(tsa)
	s.all = testlog.Sigstore{Rekor: []*testlog.Rekor{v1}, V2: []*testlog.RekorV2{v2}, Fulcio: []*testlog.CA{ca}, TSA: []*testlog.TSA{tsa}}
	s.trust = s.trusting(s.all)
	return s
}

func (s *sigstore) trusting(all testlog.Sigstore) *tr.Material {
	s.Helper()
	m := &tr.Material{}
	if err := m.AddTrustedRoot(all.TrustedRoot()); err != nil {
		s.Fatal(err)
	}
	return m
}

func (s *sigstore) service(signer sign.Signer, version int) *sign.Service {
	s.Helper()
	ctx := context.Background()
	log, err := sign.OpenLog(ctx, sign.LogOptions{URL: s.logs[version], Fetch: fetch.New(fetch.Options{MaxTries: 1}), Trust: s.trust})
	if err != nil {
		s.Fatal(err)
	}
	stamps := []string{s.tsa}[:version-1]
	out, err := sign.New(sign.Options{Signer: signer, Log: log, Timestamps: stamps, Trust: s.trust})
	if err != nil {
		s.Fatal(err)
	}
	return out
}

// seal is a seal by an identity over a payload.
func (s *sigstore) seal(email string, version int, payload string) []byte {
	s.Helper()
	signer := &sign.Keyless{Fulcio: s.fulcio, Token: sign.FixedToken(testlog.Token(email, issuer)), Now: func() time.Time { return s.now }}
	out, err := s.service(signer, version).Sign(context.Background(), sign.Content{SHA256: digests(payload).SHA256})
	if err != nil {
		s.Fatal(err)
	}
	return out.Sigstore
}

func identity(t testing.TB, subject, issuer string) policy.Signer {
	t.Helper()
	s, err := policy.IdentitySigner(policy.Identity{Subject: subject, Issuer: issuer})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func rule(threshold int, sealers ...policy.Signer) policy.SealRule {
	return policy.FromFlags(policy.Flags{Sealers: sealers, SealThreshold: threshold}).Seal
}

// Property: a seal by an identity counts for who trusts that identity by that
// issuer, and the logs and authorities that prove it; in either Rekor.
func TestIdentity(t *testing.T) {
	s := newSigstore(t)
	d := digests("payload")
	trusted := seal.Trusted{Rule: rule(0, identity(t, alice, issuer)), Trust: s.trust}
	without := func(do func(*testlog.Sigstore)) seal.Trusted {
		all := s.all
		do(&all)
		return seal.Trusted{Rule: trusted.Rule, Trust: s.trusting(all)}
	}
	for version := 1; version <= 2; version++ {
		good := s.seal(alice, version, "payload")
		if by, err := verified(trusted, good, d); err != nil || by != `identity "alice@example.com" of "https://issuer.example"` {
			t.Errorf("v%d: %q, %v", version, by, err)
		}
		if at := trusted.VerifySeals([][]byte{good}, d).Accepted[0].Time; at.IsZero() || at.Sub(s.now).Abs() > time.Hour {
			t.Errorf("v%d: logged at %v, now is %v", version, at, s.now)
		}
		lies := map[string]struct {
			trusted seal.Trusted
			seal    []byte
			want    string
		}{
			"another payload":     {trusted, s.seal(alice, version, "another"), "it is over another payload"},
			"another identity":    {trusted, s.seal("bob@example.com", version, "payload"), `it is by identity "bob@example.com" of "https://issuer.example" (not verified), who is not trusted to seal`},
			"another issuer":      {seal.Trusted{Rule: rule(0, identity(t, alice, "https://other.example")), Trust: s.trust}, good, "who is not trusted to seal"},
			"only keys":           {seal.Trusted{Rule: trust(generate(t, keys.ECDSA)).Rule, Trust: s.trust}, good, "only keys are trusted here"},
			"no trust material":   {seal.Trusted{Rule: trusted.Rule}, good, "only keys are trusted here"},
			"nobody":              {seal.Trusted{Trust: s.trust}, good, "only keys are trusted here"},
			"another authority":   {without(func(a *testlog.Sigstore) { a.Fulcio = []*testlog.CA{testlog.NewCA("other")} }), good, ""},
			"another log":         {without(func(a *testlog.Sigstore) { a.Rekor, a.V2 = nil, nil }), good, "log is not trusted here"},
			"a changed signature": {trusted, changed(good), ""},
		}
		if version == 2 {
			lies["another timestamp authority"] = struct {
				trusted seal.Trusted
				seal    []byte
				want    string
			}{without(func(a *testlog.Sigstore) { a.TSA = []*testlog.TSA{testlog.NewTSA("other")} }), good, ""}
		}
		for name, c := range lies {
			by, err := verified(c.trusted, c.seal, d)
			if err == nil || by != "" || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 600 {
				t.Errorf("v%d, %s: %q, %v; want %q", version, name, by, err, c.want)
			}
		}
	}
}

// changed is a seal with another signature.
func changed(file []byte) []byte {
	out := bytes.Clone(file)
	i := bytes.LastIndex(out, []byte(`"signature":"`)) + len(`"signature":"`) + 20
	if out[i] == 'b' {
		out[i] = 'c'
	} else {
		out[i] = 'b'
	}
	return out
}

// Property: a certificate's seal needs proof of when it was made: a Rekor v1's
// signed time and inclusion proof, or a Rekor v2's proof and a timestamp.
func TestIdentityNeedsProof(t *testing.T) {
	s := newSigstore(t)
	trusted := seal.Trusted{Rule: rule(0, identity(t, alice, issuer)), Trust: s.trust}
	d := digests("payload")
	for version := 1; version <= 2; version++ {
		p, err := evidence.ReadBundle(s.seal(alice, version, "payload"))
		if err != nil {
			t.Fatal(err)
		}
		for name, cut := range map[string]func(e *evidence.Entry){
			"nothing":       nil,
			"SET":           func(e *evidence.Entry) { e.SET = nil },
			"timestamps":    func(e *evidence.Entry) { e.Timestamps = nil },
			"checkpoint":    func(e *evidence.Entry) { e.Checkpoint = nil },
			"proof's path":  func(e *evidence.Entry) { e.Inclusion.Path = nil },
			"log's own key": func(e *evidence.Entry) { e.LogID = [32]byte{1} },
			"log's origin": func(e *evidence.Entry) { // signed, and not what a Rekor v1 signs
				_, tree, _ := strings.Cut(string(e.Checkpoint), "\n")
				tree, _, _ = strings.Cut(tree, "\n\n")
				e.Checkpoint = s.all.Rekor[0].Shard().SignNote("rekor.example\n" + tree + "\n")
			},
		} {
			e := p[0].Entry
			if cut != nil {
				cut(&e)
			}
			file, err := e.MarshalSigstore()
			if err != nil {
				t.Fatal(err)
			}
			fine := cut == nil || name == "SET" && version == 2 || name == "timestamps" && version == 1 || name == "proof's path" && len(p[0].Inclusion.Path) == 0
			if by, err := verified(trusted, file, d); (err == nil) != fine {
				t.Errorf("v%d without %s: %q, %v", version, name, by, err)
			}
		}
		// a seal that no log has
		b := p[0].Entry.Unlogged(p[0].Claim)
		file, err := evidence.MarshalBundle(b)
		if err != nil {
			t.Fatal(err)
		}
		if by, err := verified(trusted, file, d); err == nil {
			t.Errorf("v%d, not logged: %q", version, by)
		}
	}
}

// Property: as many different sealers must have sealed as the rule asks for. Who
// sealed twice counts once.
func TestThreshold(t *testing.T) {
	s := newSigstore(t)
	d := digests("payload")
	one, two, mallory := generate(t, keys.ECDSA), generate(t, keys.Ed25519), generate(t, keys.ECDSA)
	by := func(k *keys.Private) []byte { return []byte(sealOf(t, k, "payload")) }
	hers, again, v2 := s.seal(alice, 1, "payload"), s.seal(alice, 1, "payload"), s.seal(alice, 2, "payload")
	sealers := []policy.Signer{policy.KeySigner(one.Public()), policy.KeySigner(two.Public()), identity(t, alice, issuer)}
	wrong := []byte(sealOf(t, two, "another"))
	for i, c := range []struct {
		threshold int
		seals     [][]byte
		accepted  int
		enough    bool
	}{
		{0, [][]byte{by(two)}, 1, true},
		{1, [][]byte{by(mallory), hers}, 1, true},
		{1, [][]byte{by(mallory)}, 0, false},
		{1, nil, 0, false},
		{2, [][]byte{by(one)}, 1, false},
		{2, [][]byte{by(one), by(one), by(one)}, 3, false},
		{2, [][]byte{by(one), by(mallory)}, 1, false},
		{2, [][]byte{by(one), wrong}, 1, false},
		{2, [][]byte{hers, again, v2}, 3, false},
		{2, [][]byte{by(one), by(two)}, 2, true},
		{2, [][]byte{by(mallory), hers, wrong, by(one)}, 2, true},
		{3, [][]byte{by(one), by(two), by(two)}, 3, false},
		{3, [][]byte{by(two), hers, by(one)}, 3, true},
		{policy.AllSealers, [][]byte{by(two), hers}, 2, false},
		{policy.AllSealers, [][]byte{v2, by(two), by(one)}, 3, true},
	} {
		got := seal.Trusted{Rule: rule(c.threshold, sealers...), Trust: s.trust}.VerifySeals(c.seals, d)
		if len(got.Accepted) != c.accepted || len(got.Refused) != len(c.seals)-c.accepted || (got.Lacks == nil && c.accepted > 0) != c.enough {
			t.Errorf("%d (%d of %d): accepted %v, refused %v, lacks %v", i, c.threshold, len(c.seals), got.Accepted, got.Refused, got.Lacks)
		}
	}
	got := seal.Trusted{Rule: rule(2, sealers...), Trust: s.trust}.VerifySeals([][]byte{by(mallory), hers}, d)
	if want := fmt.Sprintf("sealed by identity %s of %s; the policy requires seals by 2 of ", alice, issuer); got.Lacks == nil || !strings.HasPrefix(got.Lacks.Error(), want) || got.Accepted[0].Index != 1 {
		t.Errorf("%v; want %q", got.Lacks, want)
	}
}
