package snapshot_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/internal/testtuf"
	"github.com/modseal/modseal/internal/tufchain"
	"github.com/modseal/modseal/snapshot"
	"github.com/modseal/modseal/verify"
)

// anchored has the Rekor trusted through a chain alone. The snapshot's time is
// 2026-02-03.
func anchored(w *world, expires time.Time) *testtuf.Repo {
	roles := testtuf.Roles{Root: []string{"a", "b"}, Threshold: 2, Timestamp: "online", Snapshot: "online", Targets: "t", Expires: expires}
	r := testtuf.New(true, roles)
	r.Rotate(roles, "a", "b")
	r.Publish(testtuf.State{Target: testlog.TrustedRoot(testlog.TrustedLog{Shard: w.rekor.Shard()})})
	w.request.Trust.Sigstore = nil
	w.request.Anchor = &verify.Anchor{Root: r.RootFile(1), Name: "root.json", Chain: r.Chain(1)}
	return r
}

// Property: the chain is what the snapshot trusts by, all of it is carried in the
// bundle, and the self-check walks it there.
func TestCarriesChain(t *testing.T) {
	w := newWorld(t)
	r := anchored(w, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	s, err := snapshot.Take(context.Background(), w.asked())
	if err != nil {
		t.Fatal(err)
	}
	if s.Reports[0].Trust == nil || s.Reports[0].Trust.RootVersion != 2 || s.Reports[0].Trust.Chain != "bundle" {
		t.Errorf("%+v", s.Reports[0].Trust)
	}
	file, err := os.ReadFile(w.request.Output)
	if err != nil {
		t.Fatal(err)
	}
	b, err := bundles.Open(bytes.NewReader(file), int64(len(file)), bundles.OpenOptions{InsecureIgnoreSeals: true})
	if err != nil || !maps.EqualFunc(b.Trust, r.Chain(1), slices.Equal) {
		t.Errorf("%q, %v", b.Trust, err)
	}
}

// Property: a chain that has expired at the time that the bundle is going to
// state is refused before anything is asked for, and nothing is written.
func TestExpiredChain(t *testing.T) {
	w := newWorld(t)
	anchored(w, time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC))
	_, err := snapshot.Take(context.Background(), w.asked())
	var e *tufchain.Error
	if !errors.As(err, &e) || e.Kind != tufchain.Expired || len(w.rekor.Requests()) > 0 {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(w.request.Output); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something was written: %v", err)
	}
}
