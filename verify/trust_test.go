package verify_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/internal/testtuf"
	"github.com/modseal/modseal/internal/tufchain"
	"github.com/modseal/modseal/verify"
)

// The bundles of these worlds state 2026-02-03 as their time.
func month(m time.Month) time.Time { return time.Date(2026, m, 1, 0, 0, 0, 0, time.UTC) }

func tufRoles(expires time.Time) testtuf.Roles {
	return testtuf.Roles{Root: []string{"a", "b"}, Threshold: 2, Timestamp: "online", Snapshot: "online", Targets: "t", Expires: expires}
}

// anchored makes a world whose Rekor is trusted through a chain alone: the
// bundle carries it, and the enclave pins its first root. The chain's second
// root expires in June, its timestamp in April.
func anchored(w *world) *testtuf.Repo {
	r := testtuf.New(true, tufRoles(month(1)))
	r.Rotate(tufRoles(month(6)), "a", "b")
	r.Publish(testtuf.State{Target: testlog.TrustedRoot(testlog.TrustedLog{Shard: w.rekor.Shard()}), Timestamp: month(4)})
	w.request.Trust = w.material()
	w.request.Trust.Sigstore = nil
	w.request.Anchor = &verify.Anchor{Root: r.RootFile(1), Name: "root.json"}
	w.carry(r.Chain(1))
	return r
}

func (w *world) carry(chain map[string][]byte) {
	w.edit = func(p *bundles.Payload) { p.Trust = chain }
}

// Property: what the bundle's chain leads to is trusted, judged at the bundle's
// time, and the report says where the walk ended. Without the anchor nothing in
// the chain counts.
func TestBundlesChain(t *testing.T) {
	w := newWorld(t)
	anchored(w)
	r := w.check()
	if !r.OK || r.Trust == nil {
		t.Fatalf("%+v", r)
	}
	if g := r.Trust; g.PinnedVersion != 1 || g.RootVersion != 2 || !g.Moved || g.Chain != "bundle" || g.Given || g.Pinned != "root.json" ||
		!g.At.Equal(time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)) || !g.Timestamp.Expires.Equal(month(4)) {
		t.Errorf("%+v", g)
	}

	w = newWorld(t)
	anchored(w)
	w.request.Anchor = nil
	if r := w.check(); r.OK || r.Trust != nil || r.Counts["not-allowed"] != len(r.Modules) {
		t.Errorf("a chain counted that nobody pins a root of: %+v", r)
	}
}

// Property: a bundle is judged as of its time however late it is opened, and as
// of another time when that is said; a chain that can't be walked then means
// that the bundle can't be trusted.
func TestBundlesChainTimes(t *testing.T) {
	for _, test := range []struct {
		at   time.Time
		says string // "" is a pass
	}{
		{month(1), ""}, {month(4), ""},
		{month(4).Add(time.Second), "timestamp.json: it expired 2026-04-01T00:00:00Z; this is judged as of 2026-04-01T00:00:01Z"},
		{month(7), "the newest root of the chain is version 2, and expired 2026-06-01"},
	} {
		w := newWorld(t)
		anchored(w)
		w.request.At = test.at
		r, err := w.try(context.Background())
		if test.says == "" {
			if err != nil || !r.OK || !r.Trust.Given || !r.Trust.At.Equal(test.at) {
				t.Errorf("%v: %+v, %v", test.at, r, err)
			}
			continue
		}
		var e *tufchain.Error
		if !errors.Is(err, verify.ErrTrust) || !errors.As(err, &e) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%v: error %v, want %q", test.at, err, test.says)
		}
	}
}

// Property: lies about the chain end the verification, also where the enclave
// could do without a chain.
func TestBundlesChainLies(t *testing.T) {
	for name, lie := range map[string]func(w *world, r *testtuf.Repo, chain map[string][]byte){
		"a withheld rotation": func(w *world, r *testtuf.Repo, chain map[string][]byte) { delete(chain, "2.root.json") },
		"a swapped target": func(w *world, r *testtuf.Repo, chain map[string][]byte) {
			for name := range chain {
				if strings.HasPrefix(name, "targets/") {
					chain[name] = testlog.TrustedRoot(testlog.TrustedLog{Shard: testlog.NewRekor("evil.example").Shard()})
				}
			}
		},
		"a file more": func(w *world, r *testtuf.Repo, chain map[string][]byte) { chain["README"] = nil },
		"another root is pinned": func(w *world, r *testtuf.Repo, chain map[string][]byte) {
			o := tufRoles(month(6))
			o.Root = []string{"x", "y"}
			w.request.Anchor.Root = testtuf.New(true, o).RootFile(1)
		},
		"a target that is no trusted root": func(w *world, r *testtuf.Repo, chain map[string][]byte) {
			r.Publish(testtuf.State{Target: []byte("{}"), Timestamp: month(4)})
			clear(chain)
			maps.Copy(chain, r.Chain(1))
		},
	} {
		for _, optional := range []bool{false, true} {
			w := newWorld(t)
			r := anchored(w)
			if optional {
				w.request.Anchor.Fallback = testlog.TrustedRoot(testlog.TrustedLog{Shard: w.rekor.Shard()})
			}
			chain := r.Chain(1)
			lie(w, r, chain)
			w.carry(chain)
			if report, err := w.try(context.Background()); !errors.Is(err, verify.ErrTrust) {
				t.Errorf("%s (optional %v): %+v, %v", name, optional, report, err)
			}
		}
	}
}

// Property: a bundle without a chain is refused where one is needed; otherwise
// the fallback is trusted, which no other time can be asked of.
func TestBundleWithoutChain(t *testing.T) {
	w := newWorld(t)
	anchored(w)
	w.edit = nil
	if _, err := w.try(context.Background()); !errors.Is(err, verify.ErrTrust) {
		t.Errorf("%v", err)
	}
	w.request.Anchor.Fallback = testlog.TrustedRoot(testlog.TrustedLog{Shard: w.rekor.Shard()})
	if r := w.check(); !r.OK || r.Trust != nil {
		t.Errorf("%+v", r)
	}
	w.request.Anchor.Fallback = testlog.TrustedRoot(testlog.TrustedLog{Shard: testlog.NewRekor("other.example").Shard()})
	if r := w.check(); r.OK {
		t.Error("a log was trusted that the fallback does not name")
	}
}

// Property: the enclave's own chain takes the place of the bundle's, whatever
// that one is, and an error in it is not the bundle's.
func TestEnclavesChain(t *testing.T) {
	w := newWorld(t)
	r := anchored(w)
	w.carry(map[string][]byte{"timestamp.json": []byte("evil")})
	w.request.Anchor.Chain = r.Chain(1)
	if r := w.check(); !r.OK || r.Trust.Chain != "enclave" || r.Trust.RootVersion != 2 {
		t.Errorf("%+v", r)
	}
	w.request.Anchor.Chain = tufchain.Files{}
	_, err := w.try(context.Background())
	var e *tufchain.Error
	if errors.Is(err, verify.ErrTrust) || !errors.As(err, &e) {
		t.Errorf("%v", err)
	}
}

// Property: evidence that is newer than the time that a bundle states is pointed
// out, as its chain may have expired by then; not when the time was given, and
// not for the time that a snapshot takes.
func TestBackdated(t *testing.T) {
	for created, noted := range map[string]bool{"2026-02-03T04:05:06Z": false, "2025-12-31T23:30:00Z": false, "2025-12-31T22:30:00Z": true} {
		w := newWorld(t)
		chain := anchored(w).Chain(1)
		w.edit = func(p *bundles.Payload) { p.Trust, p.Manifest.Created = chain, created }
		r := w.check()
		if !r.OK || (len(r.Notes) > 0) != noted || noted && !strings.Contains(r.Notes[0], "evidence that was logged 2026-01-01T00:00:") {
			t.Errorf("%s: %v, %q", created, r.OK, r.Notes)
		}
		w.request.At = month(1)
		if r := w.check(); len(r.Notes) > 0 {
			t.Errorf("%s: %q", created, r.Notes)
		}
	}
}

// Property: the key of a shard that has been retired since counts for what was
// logged while it was in use, and for nothing after.
func TestRetiredShard(t *testing.T) {
	for end, ok := range map[time.Time]bool{testlog.Epoch().AddDate(0, 0, 1): true, testlog.Epoch().Add(-time.Hour): false} {
		w := newWorld(t)
		recordless(w)
		r := anchored(w)
		r.Publish(testtuf.State{Timestamp: month(4), Target: testlog.TrustedRoot(testlog.TrustedLog{Shard: w.rekor.Shard(), To: end})})
		w.carry(r.Chain(1))
		got := w.check()
		if got.OK != ok || !ok && got.Counts["invalid"] != len(got.Modules) {
			t.Errorf("retired %v: %v %+v", end, got.Counts, got.Modules[0])
		}
	}
}
