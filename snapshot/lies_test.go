package snapshot_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/snapshot"
)

// A lie is told in each answer to requests whose path has a part.
type lie struct {
	name string
	path string
	tell func(w *world, a *testlog.Answer)
	says string // in the error
}

// hooked sets the hooks of both logs to one.
func (w *world) hooked(edit func(r *http.Request, a *testlog.Answer)) {
	w.db.Edit.Set(edit)
	w.rekor.Edit.Set(edit)
}

// Property: a lie of a log's server at any place makes the snapshot fail, and
// leaves neither a bundle nor parts of one, nor anything in the cache that would
// make the next snapshot fail or lie.
func TestLies(t *testing.T) {
	for _, l := range append(databaseLies(), rekorLies()...) {
		t.Run(strings.Trim(l.path, "/")+"/"+l.name, func(t *testing.T) {
			t.Parallel()
			w := sharded(t)
			w.rekor.HeadSize = func(e testlog.Entry) uint64 { return e.Index + 1 }
			w.request.CacheDir = w.path("fetched")
			var told atomic.Int64
			w.hooked(func(r *http.Request, a *testlog.Answer) {
				if strings.Contains(r.URL.Path, l.path) {
					told.Add(1)
					l.tell(w, a)
				}
			})
			err := w.fail()
			if told.Load() == 0 {
				t.Fatal("the lie was not told")
			}
			if !strings.Contains(err.Error(), l.says) {
				t.Errorf("%v; want %q in it", err, l.says)
			}
			w.hooked(nil)
			w.take()
			if r := w.enclave(); !r.OK {
				t.Errorf("after the lie: %v", r.Counts)
			}
		})
	}
}

// replaced replaces a part of the answer, which must be there.
func replaced(old, new func(w *world) string) func(w *world, a *testlog.Answer) {
	return func(w *world, a *testlog.Answer) {
		a.Body = bytes.ReplaceAll(a.Body, []byte(old(w)), []byte(new(w)))
	}
}

func text(s string) func(*world) string { return func(*world) string { return s } }

func answer(status int, body string) func(w *world, a *testlog.Answer) {
	return func(_ *world, a *testlog.Answer) { a.Status, a.Body = status, []byte(body) }
}

// cut closes the connection in place of an answer.
func cut(*world, *testlog.Answer) { panic(http.ErrAbortHandler) }

func databaseLies() []lie {
	h1 := func(w *world) string { return sum(w.mod(plain).h1()) }
	evil := func(w *world) string { return sum(newMod(plain).h1()) }
	forked := func(w *world, a *testlog.Answer) { // the database itself signs another history
		other := testlog.NewSumDB(w.db.Name)
		for range w.db.Size() {
			other.AddRecord(w.mods[0].Version, []byte("other"))
		}
		a.Body = other.Checkpoint(other.Size())
	}
	return []lie{
		{"refused", "/latest", answer(500, "no"), "status 500"},
		{"gone", "/latest", answer(404, "no"), "status 404"},
		{"cut", "/latest", cut, ""},
		{"no note", "/latest", answer(200, "x"), "bad tree head"},
		{"changed", "/latest", replaced(text("\n12\n"), text("\n11\n")), "bad tree head"},
		{"another key", "/latest", func(w *world, a *testlog.Answer) { a.Body = testlog.NewSumDB("other.example.org").Checkpoint(0) }, "bad tree head"},
		{"a fork", "/latest", forked, "signed two histories"},
		{"refused", "/lookup/", answer(500, "no"), "status 500"},
		{"not found", "/lookup/", answer(404, "no"), "modules lack evidence"},
		{"cut", "/lookup/", cut, "could not be asked"},
		{"h1 changed", "/lookup/", replaced(h1, evil), "a record is not in the tree"},
		{"of another module", "/lookup/", replaced(text(plain), text("example.com/other")), "is of example.com/other"},
		{"another number", "/lookup/", func(_ *world, a *testlog.Answer) { a.Body = append([]byte("1"), a.Body...) }, "bad record"},
		{"head changed", "/lookup/", replaced(text("go.sum database tree\n12"), text("go.sum database tree\n13")), "bad tree head"},
		{"too long", "/lookup/", func(_ *world, a *testlog.Answer) { a.Body = append(a.Body, make([]byte, 1<<20)...) }, "limit"},
		{"flipped", "/tile/", func(_ *world, a *testlog.Answer) { a.Body[5] ^= 1 }, "tiles of the tree"},
		{"short", "/tile/", func(_ *world, a *testlog.Answer) { a.Body = a.Body[1:] }, "tile"},
		{"refused", "/tile/", answer(500, "no"), "status 500"},
		{"gone", "/tile/", answer(404, "no"), "status 404"},
		{"cut", "/tile/", cut, ""},
	}
}

// What Rekor's requests are told apart by.
const log, search, retrieve, proof = "/api/v1/log", "/index/retrieve", "/entries/retrieve", "/log/proof"

// bad begins what is said of an answer that no honest server gives.
const bad = "rekor: bad answer"

func rekorLies() []lie {
	const badShard = "can't be used"
	return append(entryLies(), []lie{
		{"refused", log, inAny(answer(500, "no")), badShard},
		{"cut", log, inAny(cut), badShard},
		{"no JSON", log, inAny(answer(200, "{")), badShard},
		{"null", log, inAny(answer(200, "null")), badShard},
		{"larger than signed", log, inLog(func(_ *world, v map[string]any) { v["treeSize"] = 1000 }), "disagree"},
		{"another root", log, inLog(func(_ *world, v map[string]any) { v["rootHash"] = strings.Repeat("0", 64) }), "disagree"},
		{"head by the key of another trusted shard", log, inLog(func(w *world, v map[string]any) {
			first := v["inactiveShards"].([]any)[0].(map[string]any)
			text, _, _ := strings.Cut(first["signedTreeHead"].(string), "\n\n")
			first["signedTreeHead"] = string(w.rekor.Shards()[1].SignNote(text + "\n"))
		}), "no verifiable signatures"},
		{"refused", search, answer(500, "no"), "the search of Rekor failed"},
		{"cut", search, cut, "the search of Rekor failed"},
		{"no JSON", search, answer(200, "[["), bad},
		{"no UUID", search, answer(200, `["x"]`), bad},
		{"an entry that does not exist", search, func(w *world, a *testlog.Answer) { appendUUID(w, a) }, "entries missing"},
		{"nothing", search, answer(200, "[]"), "modules lack evidence"},
		{"refused", proof, answer(500, "no"), "status 500"},
		{"cut", proof, cut, "rekor"},
		{"nothing", proof, answer(200, `{"hashes":[]}`), "does not lead to the head"},
		{"flipped", proof, func(_ *world, a *testlog.Answer) {
			a.EditJSON(func(v any) any {
				h := v.(map[string]any)["hashes"].([]any)
				h[len(h)-1] = strings.Repeat("0", 64)
				return v
			})
		}, "does not lead to the head"},
	}...)
}

func entryLies() []lie {
	set := func(name string, value any) func(w *world, a *testlog.Answer) {
		return inEntry(func(_ *world, e, _ map[string]any) { e[name] = value })
	}
	inProof := func(name string, edit func(v any) any) func(w *world, a *testlog.Answer) {
		return inEntry(func(_ *world, _, p map[string]any) { p[name] = edit(p[name]) })
	}
	otherKey := func(note any) any { // another Rekor of the same name
		text, _, _ := strings.Cut(note.(string), "\n\n")
		return string(testlog.NewRekor("rekor.example").Rotate().SignNote(text + "\n"))
	}
	return []lie{
		{"refused", retrieve, answer(500, "no"), "status 500"},
		{"cut", retrieve, cut, "the search of Rekor failed"},
		{"no JSON", retrieve, answer(200, "[{"), bad},
		{"nothing", retrieve, answer(200, "[]"), "entries missing"},
		{"twice", retrieve, func(_ *world, a *testlog.Answer) {
			a.EditJSON(func(v any) any { l := v.([]any); return append(l, l...) })
		}, bad},
		{"another body", retrieve, inEntry(func(w *world, e, _ map[string]any) { e["body"] = evilBody(w) }), "differs from its UUID"},
		{"another time", retrieve, set("integratedTime", 1700000000), "timestamp"},
		{"another log index", retrieve, set("logIndex", 999), "timestamp"},
		{"another log ID", retrieve, set("logID", strings.Repeat("0", 64)), "not trusted"},
		{"no timestamp", retrieve, inEntry(func(_ *world, e, _ map[string]any) {
			delete(e["verification"].(map[string]any), "signedEntryTimestamp")
		}), bad},
		{"another timestamp", retrieve, inEntry(func(w *world, e, _ map[string]any) {
			e["verification"].(map[string]any)["signedEntryTimestamp"] = base64.StdEncoding.EncodeToString(w.alice.Sign([32]byte{}))
		}), "timestamp"},
		{"head by another key", retrieve, inProof("checkpoint", otherKey), "checkpoint"},
		{"another root", retrieve, inProof("rootHash", func(any) any { return strings.Repeat("0", 64) }), "disagree"},
		{"another size", retrieve, inProof("treeSize", func(any) any { return 11 }), "disagree"},
		{"another place", retrieve, inProof("logIndex", func(v any) any { return 0 }), "inclusion proof fails"},
		{"proof cut", retrieve, inProof("hashes", func(any) any { return []string{} }), "inclusion proof fails"},
	}
}

// inLog changes the answer to "GET log".
func inLog(edit func(w *world, v map[string]any)) func(w *world, a *testlog.Answer) {
	return inAny(func(w *world, a *testlog.Answer) {
		a.EditJSON(func(v any) any { edit(w, v.(map[string]any)); return v })
	})
}

// inEntry changes each entry that is served, or its inclusion proof.
func inEntry(edit func(w *world, e, proof map[string]any)) func(w *world, a *testlog.Answer) {
	return func(w *world, a *testlog.Answer) {
		a.EditEntries(func(_ string, e map[string]any) {
			edit(w, e, e["verification"].(map[string]any)["inclusionProof"].(map[string]any))
		})
	}
}

// inAny tells a lie in the answers to "GET log" alone, not to what is below it.
func inAny(tell func(w *world, a *testlog.Answer)) func(w *world, a *testlog.Answer) {
	return func(w *world, a *testlog.Answer) {
		if _, isLog := jsonOf(a)["signedTreeHead"]; isLog {
			tell(w, a)
		}
	}
}

// jsonOf is the object in an answer, if it is one.
func jsonOf(a *testlog.Answer) map[string]any {
	var v map[string]any
	_ = json.Unmarshal(a.Body, &v)
	return v
}

func evilBody(w *world) string {
	return base64.StdEncoding.EncodeToString(w.alice.Body([32]byte{1}))
}

// appendUUID makes the index name an entry of the active shard that isn't there.
func appendUUID(w *world, a *testlog.Answer) {
	a.EditJSON(func(v any) any { return append(v.([]any), fmt.Sprintf("%016x%064x", treeID(w), 1)) })
}

func treeID(w *world) (id uint64) {
	_, err := fmt.Sscan(w.rekor.Shard().TreeID(), &id)
	if err != nil {
		w.Fatal(err)
	}
	return id
}

// Property: a snapshot that is cancelled at any request ends with the context's
// error and leaves nothing.
func TestCancelledAnywhere(t *testing.T) {
	for _, path := range []string{"/latest", "/lookup/", "/tile/", "/api/v1/log", "/index/retrieve", "/entries/retrieve", "/log/proof"} {
		w := sharded(t)
		w.rekor.HeadSize = func(e testlog.Entry) uint64 { return e.Index + 1 }
		ctx, cancel := context.WithCancel(context.Background())
		w.hooked(func(r *http.Request, a *testlog.Answer) {
			if strings.Contains(r.URL.Path, path) {
				cancel()
			}
		})
		s, err := snapshot.Take(ctx, w.asked())
		if s != nil || !errors.Is(err, context.Canceled) || ctx.Err() == nil {
			t.Errorf("%s: %v, %v", path, s, err)
		}
		w.left()
		cancel()
	}
	// before anything, while modules are hashed, and while the bundle is checked
	for _, phase := range []string{"", "hash modules", "check and seal"} {
		w := newWorld(t)
		ctx, cancel := context.WithCancel(context.Background())
		if phase == "" {
			cancel()
		}
		w.request.Phase = func(p snapshot.Phase) {
			if p.Name == phase && p.Done == "" {
				cancel()
			}
		}
		if s, err := snapshot.Take(ctx, w.asked()); s != nil || !errors.Is(err, context.Canceled) {
			t.Errorf("%q: %v, %v", phase, s, err)
		}
		w.left()
		cancel()
	}
}

// Property: a log that nobody trusts here is not told of any module.
func TestUntrustedRekor(t *testing.T) {
	w := newWorld(t)
	w.request.Trust.Sigstore = nil
	var e *snapshot.RekorError
	if err := w.fail(); !errors.As(err, &e) || !strings.Contains(e.Hint(), "--rekor-public-key") {
		t.Error(err)
	}
	if asked := counted(w.rekor.Requests()); len(asked) != 1 || asked["/api/v1/log"] != 1 {
		t.Errorf("asked: %v", asked)
	}
	w.request.RekorURL = "file://" + os.DevNull
	if err := w.fail(); !errors.As(err, &e) {
		t.Error(err)
	}
}
