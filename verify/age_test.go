package verify_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/verify"
)

// aged verifies at a moment, and gives the refusal in its place if there is one.
func (w *world) aged(now time.Time) (*verify.AgeReport, string) {
	w.Helper()
	w.request.Now = now
	r, err := w.try(context.Background())
	var refused *verify.RefusedError
	switch {
	case errors.As(err, &refused):
		if len(refused.Refusals) != 1 || refused.Refusals[0].Kind != verify.RefusedStale || r != nil || refused.Hint() == "" {
			w.Errorf("%+v, %v", refused, r)
		}
		return nil, refused.Refusals[0].What
	case err != nil || !r.OK:
		w.Fatal(err)
	}
	return r.Age, ""
}

// Property: a sealed bundle is as old as its sealer states, at most. It is warned
// of from four fifths of the time on, and refused after it; and so is one of the
// future.
func TestAge(t *testing.T) {
	created := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC) // of the worlds' bundles
	for _, x := range []struct {
		age     time.Duration
		warning bool
		refused string
	}{
		{0, false, ""}, {80*time.Hour - time.Second, false, ""}, {80 * time.Hour, true, ""}, {100 * time.Hour, true, ""},
		{100*time.Hour + time.Second, false, "and is older than 100h0m0s at 2026-02-07T08:05:07Z"},
		{-time.Hour, false, ""}, {-time.Hour - time.Second, false, "a clock is wrong"},
	} {
		w := newWorld(t)
		w.request.MaxAge = 100 * time.Hour
		a, why := w.aged(created.Add(x.age))
		if x.refused != "" {
			if !strings.Contains(why, x.refused) || !strings.Contains(why, "2026-02-03T04:05:06Z (sealer, ") {
				t.Errorf("%s: %s", x.age, why)
			}
			continue
		}
		if why != "" || a == nil || a.Warning != x.warning || a.By != verify.TimeSealer || !a.Time.Equal(created) || a.Seconds != int64(max(x.age, 0)/time.Second) || a.MaxSeconds != 360000 {
			t.Errorf("%s: %+v, %s", x.age, a, why)
		}
	}
	w := newWorld(t)
	if a, why := w.aged(created.Add(10000 * time.Hour)); a != nil || why != "" {
		t.Errorf("no greatest age: %+v, %s", a, why)
	}
	w = newWorld(t)
	w.request.MaxAge = time.Hour
	if _, why := w.aged(time.Time{}); !strings.Contains(why, "nothing that is signed by anybody trusted says how old it is") {
		t.Errorf("no moment of judging: %s", why)
	}
}

// Property: the policy's greatest age is judged in the same way, and of two the
// smaller one counts.
func TestAgeByPolicy(t *testing.T) {
	created := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	for _, x := range []struct {
		flag time.Duration
		age  time.Duration
		fine bool
	}{{0, 24 * time.Hour, true}, {0, 24*time.Hour + 1, false}, {time.Hour, time.Hour, true}, {time.Hour, 2 * time.Hour, false}, {100 * time.Hour, 25 * time.Hour, false}} {
		w := newWorld(t)
		w.rules = "signers: {sealer: {key: sealer.pub}}\nrules: [{modules: \"*\", require: sumdb}]\nseal: {by: sealer, max-age: 24h}\n"
		w.request.MaxAge = x.flag
		if _, why := w.aged(created.Add(x.age)); (why == "") != x.fine {
			t.Errorf("%+v: %s", x, why)
		}
	}
}

// Property: what nobody sealed states no time; entries that count, and witnesses,
// date it all the same. Entries that don't count do not.
func TestAgeOfUnsealed(t *testing.T) {
	unsealed := func() *world {
		w := newWorld(t)
		w.sealers, w.request.InsecureIgnoreSeals, w.request.MaxAge = nil, true, 100*time.Hour
		return w
	}
	w := unsealed() // entries are logged a second after another, from Epoch on
	a, why := w.aged(testlog.Epoch().Add(10 * time.Hour))
	if why != "" || a.By != verify.TimeEntry || !strings.HasPrefix(a.Who, "rekor.example - ") || a.Time.Before(testlog.Epoch()) || a.Time.After(testlog.Epoch().Add(time.Minute)) || len(a.Evidence) != 1 {
		t.Errorf("%+v, %s", a, why)
	}
	w = unsealed()
	if _, why := w.aged(testlog.Epoch().Add(101 * time.Hour)); !strings.Contains(why, "is older than 100h0m0s") {
		t.Errorf("created, which nobody sealed, counted: %s", why)
	}
	w = unsealed()
	w.flags.Require, w.flags.Signers = "any", []policy.Signer{policy.KeySigner(public(t, testlog.NewSigner("bob")))}
	if a, why := w.aged(testlog.Epoch().Add(time.Hour)); !strings.Contains(why, "nothing that is signed") {
		t.Errorf("alice's entries do not count: %+v, %s", a, why)
	}
	w = unsealed()
	w.rules = "signers: {alice: {key: alice.pub}}\nrules: [{modules: \"*\", require: {any-of: [sumdb, {signed-by: alice, logged-before: \"2020-01-01T00:00:00Z\"}]}}]\n"
	if a, why := w.aged(testlog.Epoch().Add(time.Hour)); !strings.Contains(why, "nothing that is signed") {
		t.Errorf("alice's entries are outside of the window: %+v, %s", a, why)
	}
	w = unsealed()
	w.flags.Require = "sumdb"
	for _, l := range w.leaves {
		l.dropped = l.what != "record"
	}
	if _, why := w.aged(testlog.Epoch().Add(time.Hour)); !strings.Contains(why, "nothing that is signed") {
		t.Errorf("records have no time: %s", why)
	}
}

// Property: the time in a cosignature by a witness of the policy counts, and that
// of a stranger does not.
func TestAgeByWitness(t *testing.T) {
	witness, stranger := testlog.NewWitness("w.example"), testlog.NewWitness("stranger.example")
	at := time.Date(2026, 2, 10, 0, 0, 0, 0, time.UTC)
	for name, by := range map[string]*testlog.Witness{"": witness, "is older": stranger} {
		w := newWorld(t)
		w.rules = "witnesses: {w: {vkey: \"" + witness.VKey() + "\"}}\nrules: [{modules: \"*\", require: {any-of: [{sumdb: " + w.db.Name + ", witnesses: {of: [w]}}, sumdb]}}]\n"
		w.cosign = func(text string) string { return by.Cosignature(text, uint64(at.Unix())) }
		w.request.MaxAge = 100 * time.Hour
		a, why := w.aged(at.Add(time.Hour))
		if name != "" {
			if !strings.Contains(why, name) {
				t.Errorf("a stranger's: %+v, %s", a, why)
			}
			continue
		}
		if why != "" || a.By != verify.TimeWitness || a.Who != "w" || !a.Time.Equal(at) || len(a.Evidence) != 2 {
			t.Errorf("%+v, %s", a, why)
		}
	}
}

// Property: a bundle was made before the TUF timestamp in it expired, whatever its
// sealer states.
func TestAgeByTUF(t *testing.T) {
	w := newWorld(t)
	anchored(w)
	chain := w.edit
	w.edit = func(p *bundles.Payload) {
		chain(p)
		p.Manifest.Created = "2026-07-01T00:00:00Z"
	}
	w.request.MaxAge = 24 * time.Hour
	w.request.At = month(3) // as of which the chain is walked; its timestamp expires in April
	if _, why := w.aged(time.Date(2026, 7, 1, 1, 0, 0, 0, time.UTC)); !strings.Contains(why, "it was made before 2026-04-01T00:00:00Z, when its TUF timestamp expired, and so is older than 24h0m0s") {
		t.Errorf("%s", why)
	}
	w = newWorld(t)
	anchored(w)
	w.request.MaxAge = 24 * time.Hour
	if a, why := w.aged(time.Date(2026, 2, 3, 5, 0, 0, 0, time.UTC)); why != "" || len(a.Evidence) != 3 || a.Evidence[2].By != verify.TimeTUF {
		t.Errorf("%+v, %s", a, why)
	}
}

// dating accepts any seal, as logged at a time.
type dating time.Time

func (d dating) VerifySeals(seals [][]byte, _ bundles.Digests) bundles.Sealing {
	return bundles.Sealing{Accepted: []bundles.Seal{{By: "somebody", Time: time.Time(d)}}}
}

// Property: when a seal was logged counts if it is newer than what it states.
func TestAgeBySeal(t *testing.T) {
	created := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	for logged, by := range map[time.Time]string{{}: verify.TimeSealer, created.Add(-time.Hour): verify.TimeSealer, created.Add(time.Hour): verify.TimeSeal} {
		w := newWorld(t)
		w.request.Seals, w.request.MaxAge = dating(logged), 24*time.Hour
		if a, why := w.aged(created.Add(2 * time.Hour)); why != "" || a.By != by || a.Who != "somebody" {
			t.Errorf("%v: %+v, %s", logged, a, why)
		}
	}
}
