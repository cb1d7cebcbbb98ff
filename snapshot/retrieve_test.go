package snapshot_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modseal/modseal/internal/fetch"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/merkle"
	"github.com/modseal/modseal/snapshot"
)

// large makes a world of n modules, each with one entry over each of its two
// digests.
func large(t testing.TB, n int) *world {
	t.Helper()
	w := newWorld(t)
	for i := range n - len(w.mods) {
		m := newMod(fmt.Sprintf("example.com/more%02d", i))
		w.mods = append(w.mods, m)
		m.install(t, w.path("cache"))
		write(t, w.path("project/go.mod"), string(read(t, w.path("project/go.mod")))+"require "+m.Path+" v1.0.0\n")
		w.db.Add(m.Version, sum(m.h1()), sum(m.goModH1()))
		w.attest(m, w.alice)
	}
	return w
}

// uuid is the one of alice's entry over a digest.
func (w *world) uuid(digest [32]byte) string {
	return fmt.Sprintf("%016x%x", treeID(w), merkle.LeafHash(w.alice.Body(digest)))
}

func (w *world) retrievals() int {
	return counted(w.rekor.Requests())["/api/v1/log/entries/retrieve"]
}

// Property: what many digests need is retrieved together, ten entries a call.
func TestRetrieveInTens(t *testing.T) {
	for modules, calls := range map[int]int{3: 1, 5: 1, 6: 2, 10: 2, 11: 3, 25: 5} {
		for _, parallel := range []int{1, 16} {
			w := large(t, modules)
			w.request.Parallel = parallel
			w.take()
			if got := w.retrievals(); got != calls {
				t.Errorf("%d modules, %d at once: %d calls for %d entries, want %d", modules, parallel, got, 2*modules, calls)
			}
			if r := w.enclave(); !r.OK || r.Counts["verified"] != modules {
				t.Errorf("%d modules: counts %v", modules, r.Counts)
			}
		}
	}
}

// Property: progress counts digests while they are searched for, and then the
// entries that are retrieved; where none are, there is no such phase.
func TestRetrieveProgress(t *testing.T) {
	w := large(t, 6)
	w.request.CacheDir = w.path("fetched")
	var now atomic.Pointer[snapshot.Phase]
	for _, want := range []map[string]int64{{"search Rekor": 12, "retrieve entries": 12}, {"search Rekor": 12}} {
		var mu sync.Mutex
		totals, done, counts := map[string]int64{}, map[string]string{}, map[string]int64{}
		w.request.Phase = func(p snapshot.Phase) {
			now.Store(&p)
			if p.Done != "" {
				done[p.Name] = p.Done
			} else if p.Unit == "digests" || p.Unit == "entries" {
				totals[p.Name] = p.Total
			}
		}
		w.request.Count = func(n int64) {
			mu.Lock()
			defer mu.Unlock()
			if p := now.Load(); p.Unit == "digests" || p.Unit == "entries" {
				counts[p.Name] += n
			}
		}
		w.take()
		if !maps.Equal(totals, want) || !maps.Equal(counts, want) {
			t.Errorf("totals %v, counts %v, want %v", totals, counts, want)
		}
		if !strings.HasPrefix(done["search Rekor"], "12 digests, 12 entries found") || (done["retrieve entries"] != "") != (len(want) == 2) {
			t.Errorf("said %q", done)
		}
		if last := done["retrieve entries"] + done["search Rekor"]; !strings.Contains(last, ", 12 kept") {
			t.Errorf("said %q", done)
		}
	}
}

// inOne lies about one entry wherever it is served.
func inOne(uuid string, lie func(e map[string]any)) func(r *http.Request, a *testlog.Answer) {
	return func(r *http.Request, a *testlog.Answer) {
		if strings.Contains(r.URL.Path, retrieve) {
			a.EditEntries(func(u string, e map[string]any) {
				if u == uuid {
					lie(e)
				}
			})
		}
	}
}

// Property: an entry that can't be had, or that fails a check, fails the modules
// that it belongs to and no others, in words about it; whose fault it is is
// found out with few calls.
func TestOneBadEntryOfTen(t *testing.T) {
	const found = 1 + 2 + 2 + 2 + 2 // halves of ten down to the one, which may be found earlier by two
	whole := func(lie func(list []any, uuid string) any) func(uuid string) func(r *http.Request, a *testlog.Answer) {
		return func(uuid string) func(r *http.Request, a *testlog.Answer) {
			return func(r *http.Request, a *testlog.Answer) {
				if strings.Contains(r.URL.Path, retrieve) && bytes.Contains(a.Body, []byte(uuid)) {
					a.EditJSON(func(v any) any { return lie(v.([]any), uuid) })
				}
			}
		}
	}
	entry := func(lie func(e map[string]any)) func(uuid string) func(r *http.Request, a *testlog.Answer) {
		return func(uuid string) func(r *http.Request, a *testlog.Answer) { return inOne(uuid, lie) }
	}
	status := func(status int) func(uuid string) func(r *http.Request, a *testlog.Answer) {
		return func(uuid string) func(r *http.Request, a *testlog.Answer) {
			return func(r *http.Request, a *testlog.Answer) {
				if strings.Contains(r.URL.Path, retrieve) && bytes.Contains(a.Body, []byte(uuid)) {
					a.Status, a.Body = status, []byte("no")
				}
			}
		}
	}
	for _, c := range []struct {
		name  string
		lie   func(uuid string) func(r *http.Request, a *testlog.Answer)
		calls int
		says  string
	}{
		{"another body", entry(func(e map[string]any) { e["body"] = "e30=" }), 1, "entry differs from its UUID"},
		{"no body", entry(func(e map[string]any) { delete(e, "body") }), 1, "body is missing"},
		{"another time", entry(func(e map[string]any) { e["integratedTime"] = 1700000000 }), 1, "timestamp does not verify"},
		{"another log", entry(func(e map[string]any) { e["logID"] = strings.Repeat("0", 64) }), 1, "log is not trusted here"},
		{"left out", whole(func(list []any, uuid string) any {
			return slices.DeleteFunc(list, func(v any) bool { return v.(map[string]any)[uuid] != nil })
		}), 1, "entries missing: 1 left out"},
		{"body is a number", entry(func(e map[string]any) { e["body"] = 1 }), found, "malformed"},
		{"no list", whole(func([]any, string) any { return "welcome to the hotel" }), found, "malformed"},
		{"twice", whole(func(list []any, uuid string) any {
			return append(list, list[slices.IndexFunc(list, func(v any) bool { return v.(map[string]any)[uuid] != nil })])
		}), found, "entry is there twice"},
		{"another's name", whole(func(list []any, uuid string) any {
			for _, v := range list {
				if e := v.(map[string]any); e[uuid] != nil {
					e[uuid[:16]+strings.Repeat("0", 64)] = e[uuid]
					delete(e, uuid)
				}
			}
			return list
		}), found, "entry differs from its UUID"},
		{"refused", status(400), found, "entries missing: 1 refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := large(t, 5) // ten entries
			w.request.CacheDir = w.path("fetched")
			w.rekor.Edit.Set(c.lie(w.uuid(w.mod(plain).h1())))
			e := incomplete(t, w.fail(), false, plain)
			if !strings.Contains(e.Error(), c.says) || e.What != "the search of Rekor failed" {
				t.Error(e)
			}
			if got := w.retrievals(); got != c.calls && (c.calls == 1 || got != c.calls-2) {
				t.Errorf("%d calls, want %d", got, c.calls)
			}
			if n := len(files(t, w.path("fetched/rekor"))); n != 9 {
				t.Errorf("%d entries are kept for another time, want 9", n)
			}
			w.request.AllowMissing = true
			s := w.take()
			if len(s.Failed) != 1 || s.Failed[0].Module.Path != plain || !strings.Contains(s.Failed[0].Error(), c.says) {
				t.Errorf("failed: %v", s.Failed)
			}
			if s.Entries[0] != 9 || w.kept(w.mod(plain).h1()) != 0 {
				t.Errorf("the bundle has %d entries, want all but the bad one", s.Entries[0])
			}
			if got := w.retrievals(); got != 1 {
				t.Errorf("then %d calls for the one, want 1", got)
			}
			w.rekor.Edit.Set(nil)
			w.request.AllowMissing = false
			w.take()
		})
	}
}

// Property: an entry that the index names for two modules, and that can't be
// had, fails both.
func TestSharedBadEntry(t *testing.T) {
	w := large(t, 5)
	uuid := w.uuid(w.mod(plain).h1())
	w.rekor.AddToIndex(w.mod(upper).h1(), uuid)
	w.rekor.AddToIndex(w.mod(corp).zipDigest(), uuid[16:]) // as older entries are named
	s := w.take()
	for _, path := range []string{corp, upper} {
		if left, n := w.leftOut(s, path); n != 1 || len(left) != 1 || !strings.Contains(left[0].Why, "over another digest") {
			t.Errorf("%s: left out: %v", path, left)
		}
	}
	if got := w.retrievals(); got != 1 {
		t.Errorf("%d calls, want 1", got)
	}
	w.rekor.Edit.Set(inOne(uuid, func(e map[string]any) { e["body"] = "e30=" }))
	incomplete(t, w.retake(), false, corp, upper, plain)
}

// retake removes what the last snapshot wrote, and takes one that must fail.
func (w *world) retake() error {
	w.Helper()
	w.request.Output = w.path("out/again.modseal")
	s, err := snapshot.Take(context.Background(), w.asked())
	if err == nil || s != nil {
		w.Fatalf("%+v, %v; want an error alone", s, err)
	}
	return err
}

// patient makes so many tries, without waiting.
func patient(tries int) *fetch.Client {
	return fetch.New(fetch.Options{MaxTries: tries, Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }})
}

// Property: a server that fails costs the tries of each ten, once: what was asked
// for is not asked for again in parts, and all modules say why.
func TestFailingServerIsNotAskedInParts(t *testing.T) {
	const tries = 4
	for name, fails := range map[string]func(a *testlog.Answer){
		"500": func(a *testlog.Answer) { a.Status, a.Body = 500, []byte("no") },
		"503": func(a *testlog.Answer) { a.Status, a.Body = 503, []byte("no") },
		"cut": func(*testlog.Answer) { panic(http.ErrAbortHandler) },
	} {
		w := large(t, 11)
		w.request.Fetch = patient(tries)
		w.rekor.Edit.Set(func(r *http.Request, a *testlog.Answer) {
			if strings.Contains(r.URL.Path, retrieve) {
				fails(a)
			}
		})
		var e *snapshot.IncompleteError
		if err := w.fail(); !errors.As(err, &e) || len(e.Modules) != 11 {
			t.Errorf("%s: %v", name, err)
		}
		if got := w.retrievals(); got != 3*tries {
			t.Errorf("%s: %d requests for 3 tens, want %d", name, got, 3*tries)
		}
	}
	// nor when it fails while a bad answer is looked into
	w := large(t, 5)
	w.request.Fetch = patient(tries)
	var asked atomic.Int64
	w.rekor.Edit.Set(func(r *http.Request, a *testlog.Answer) {
		if strings.Contains(r.URL.Path, retrieve) {
			if a.Body = []byte("{"); asked.Add(1) > 1 {
				a.Status = 500
			}
		}
	})
	incomplete(t, w.fail(), false, corp, upper, "example.com/more00", "example.com/more01", plain)
	if got := w.retrievals(); got != 1+tries {
		t.Errorf("%d requests, want %d", got, 1+tries)
	}
}

// Property: trouble with one ten is trouble of the modules in it, not of those
// whose entries came.
func TestOneFailingTen(t *testing.T) {
	w := large(t, 15)
	uuid := w.uuid(w.mod(plain).h1())
	var mu sync.Mutex
	var lost []byte
	w.rekor.Edit.Set(func(r *http.Request, a *testlog.Answer) {
		if strings.Contains(r.URL.Path, retrieve) && bytes.Contains(a.Body, []byte(uuid)) {
			mu.Lock()
			defer mu.Unlock()
			lost = a.Body
			a.Status, a.Body = 500, []byte("out of order")
		}
	})
	err := w.fail()
	var want []string
	for _, m := range w.mods {
		if bytes.Contains(lost, []byte(w.uuid(m.h1()))) || bytes.Contains(lost, []byte(w.uuid(m.zipDigest()))) {
			want = append(want, m.Path)
		}
	}
	slices.Sort(want)
	if len(want) < 5 || len(want) > 10 {
		t.Fatalf("modules of the ten: %q", want)
	}
	if e := incomplete(t, err, false, want...); !strings.Contains(e.Error(), "out of order") {
		t.Error(e)
	}
}

// Property: what was retrieved before an interruption is not retrieved again.
func TestInterruptedRetrieval(t *testing.T) {
	w := large(t, 15) // three tens
	w.request.CacheDir, w.request.Parallel = w.path("fetched"), 1
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	asked := 0
	w.request.Fetch = client(roundTrip(func(r *http.Request) (*http.Response, error) {
		if strings.Contains(r.URL.Path, retrieve) {
			if asked++; asked == 3 {
				cancel()
				return nil, io.ErrUnexpectedEOF
			}
		}
		return http.DefaultTransport.RoundTrip(r)
	}))
	if s, err := snapshot.Take(ctx, w.asked()); s != nil || !errors.Is(err, context.Canceled) {
		t.Fatal(s, err)
	}
	if n := len(files(t, w.path("fetched/rekor"))); n != 20 {
		t.Errorf("%d entries are kept, want 20", n)
	}
	w.rekor.Requests()
	w.request.Fetch = client(nil)
	w.take()
	if got := w.retrievals(); got != 1 {
		t.Errorf("%d calls for the rest, want 1", got)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
