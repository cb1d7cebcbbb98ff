package testlog_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modseal/modseal/internal/fetch"
	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/internal/rekor"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/internal/trust"
	"github.com/modseal/modseal/merkle"
)

// serve gives a client of the log that does not wait between tries.
func serve(t *testing.T, log http.Handler) *rekor.Client {
	t.Helper()
	server := httptest.NewServer(log)
	t.Cleanup(server.Close)
	return rekor.New(rekor.Options{URL: server.URL, Fetch: fetch.New(fetch.Options{
		MaxTries: 2, Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})})
}

// Property: modseal's own client, which checks every answer, is content with
// all that an honest log says: entries at older heads, both shards, searches.
func TestRekorSatisfiesTheClient(t *testing.T) {
	ctx := context.Background()
	log := testlog.NewRekor("rekor.example")
	client := serve(t, log)
	alice, bob := testlog.NewSigner("alice"), testlog.NewSigner("bob")
	digest := sha256.Sum256([]byte("a module"))

	var bodies [][]byte
	for i, s := range []*testlog.Signer{alice, bob, alice} {
		if i == 2 {
			log.Rotate()
		}
		bodies = append(bodies, s.Body(digest))
		e, existed, err := client.Create(ctx, s.Body(digest))
		if err != nil || existed || !bytes.Equal(e.Body, s.Body(digest)) || e.LogIndex != uint64(i) {
			t.Fatalf("create %d: %+v, %v, %v", i, e, existed, err)
		}
	}
	if e, existed, err := client.Create(ctx, bodies[2]); err != nil || !existed || e.LogIndex != 2 {
		t.Errorf("the same entry again: log index %d, existed %v, %v", e.LogIndex, existed, err)
	}
	for i := range 20 {
		log.Add(fmt.Appendf(nil, "filler %d", i))
	}

	shards, err := client.Shards(ctx)
	if err != nil || len(shards) != 2 || shards[0].Active || !shards[1].Active || shards[0].Size != 2 || shards[1].Size != 21 {
		t.Fatalf("shards: %+v, %v", shards, err)
	}
	log.HeadSize = func(e testlog.Entry) uint64 { return e.Index + 1 } // each in a tree of its own
	found, err := client.Search(ctx, digest)
	if err != nil || len(found.UUIDs) != 3 {
		t.Fatalf("search: %+v, %v", found, err)
	}
	entries, err := client.Entries(ctx, found.UUIDs)
	if err != nil || len(entries) != 3 {
		t.Fatalf("entries: %v", err)
	}
	for _, e := range entries {
		i := slices.IndexFunc(shards, func(s rekor.Shard) bool { return s.TreeID == e.TreeID })
		head := merkle.Tree{Size: shards[i].Size, Root: shards[i].Root}
		proof, err := client.Consistency(ctx, e.TreeID, e.Inclusion.Tree.Size, head.Size)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := merkle.Rebase(e.Inclusion, head, proof); err != nil {
			t.Errorf("entry %d: %v", e.LogIndex, err)
		}
		if e.LogID != log.Shards()[i].LogID() {
			t.Errorf("entry %d has another log ID than its shard", e.LogIndex)
		}
	}
	bobs, err := client.SearchSigned(ctx, digest, rekor.SearchBy{PublicKey: bob.PEM})
	if err != nil || len(bobs.UUIDs) != 1 || bobs.UUIDs[0] != entries[1].UUID {
		t.Errorf("search for bob's: %+v, %v", bobs, err)
	}
}

// Property: each shard signs its checkpoints with its own key, as trust demands.
func TestRekorCheckpoints(t *testing.T) {
	log := testlog.NewRekor("rekor.example")
	log.Add([]byte("one"))
	log.Rotate()
	log.Add([]byte("two"))
	client := serve(t, log)
	for i, s := range log.Shards() {
		file, err := client.PublicKey(context.Background(), s.TreeID())
		if err != nil {
			t.Fatal(err)
		}
		key, err := keys.ParsePublic(file)
		if err != nil || key.Fingerprint() != s.LogID() {
			t.Fatalf("key of shard %d: %v", i, err)
		}
		var m trust.Material
		m.AddRekorKey(key)
		for j, other := range log.Shards() {
			c, err := m.OpenRekorV1(s.LogID(), other.Checkpoint(1))
			if (err == nil) != (i == j) {
				t.Errorf("checkpoint of shard %d by the key of shard %d: %v", j, i, err)
			}
			if i == j && (c.Tree != s.Head(1) || c.Origin != s.Origin()) {
				t.Errorf("checkpoint says %+v", c)
			}
		}
	}
}

// Property: errors have the statuses and words of rekor-server 1.5.4, as they
// were recorded from one.
func TestRekorAnswersAsRecorded(t *testing.T) {
	log := testlog.NewRekor("rekor.example")
	var first testlog.Entry
	for i := range 7 {
		if e := log.Add(testlog.NewSigner("alice").Body([32]byte{byte(i)})); i == 0 {
			first = e
		}
	}
	eleven := strings.TrimSuffix(strings.Repeat("1,", 11), ",")
	ask := `{"entryUUIDs":["` + first.UUID + `"]}`
	for _, c := range []struct {
		request, body string
		status        int
		want          string
	}{
		{"GET log/proof?firstSize=0&lastSize=5", "", 422, `{"code":609,"message":"firstSize in query should be greater than or equal to 1"}`},
		{"GET log/proof?firstSize=2", "", 422, `{"code":602,"message":"lastSize in query is required"}`},
		{"GET log/proof?firstSize=5&lastSize=2", "", 400, `{"code":400,"message":"firstSize(5) must be less than lastSize(2)"}`},
		{"GET log/proof?firstSize=2&lastSize=12", "", 400, `{"code":400,"message":"the tree size requested(12) was greater than what is currently observable(7)"}`},
		{"GET log/proof?firstSize=2&lastSize=5&treeID=42", "", 400, `{"code":400,"message":"no log range found for tree ID 42"}`},
		{"GET log/proof?firstSize=5&lastSize=5", "", 200, `{"hashes":[],"rootHash":`},
		{"GET log/publicKey?treeID=42", "", 400, `{"code":400,"message":"Bad Request"}`},
		{"GET log/publicKey", "", 200, "-----BEGIN PUBLIC KEY-----\n"},
		{"GET log/entries?logIndex=99", "", 404, ""},
		{"GET log/entries?logIndex=0", "", 200, `{"` + first.UUID + `":{"body":"`},
		{"GET log/entries/" + first.UUID[16:], "", 200, `{"` + first.UUID + `":{"body":"`},
		{"POST log/entries/retrieve", `{"logIndexes":[` + eleven + `]}`, 422, `{"code":611,`},
		{"POST log/entries/retrieve", `{"entryUUIDs":["` + strings.Repeat("f", 80) + `"]}`, 400, `{"code":400,"message":"invalid entryID ffff`},
		{"POST log/entries/retrieve", `{"entryUUIDs":["` + strings.Repeat("f", 64) + `"]}`, 200, `[]`},
		{"POST log/entries/retrieve", ask, 200, `[{"` + first.UUID + `":{"body":"`},
		{"POST index/retrieve", `{"hash":"sha256:` + strings.Repeat("f", 64) + `"}`, 200, `[]`},
		{"POST index/retrieve", `{"hash":"nonsense"}`, 422, `{"code":605,`},
		{"POST log/entries", `{}`, 400, `{"code":400,"message":"error processing entry: `},
		{"POST log/entries", string(first.Body), 409, `{"code":409,"message":"an equivalent entry already exists in the transparency log with UUID ` + first.UUID + `"}`},
		{"POST log/entries", strings.Replace(string(first.Body), `:"00`, `:"01`, 1), 400, `{"code":400,"message":"error processing entry: verifying signature`},
	} {
		method, path, _ := strings.Cut(c.request, " ")
		w := httptest.NewRecorder()
		log.ServeHTTP(w, httptest.NewRequest(method, "/api/v1/"+path, strings.NewReader(c.body)))
		if w.Code != c.status || !strings.HasPrefix(w.Body.String(), c.want) {
			t.Errorf("%s %s: %d %.200s, want %d %s", c.request, c.body, w.Code, w.Body, c.status, c.want)
		}
	}
	if got := log.Requests(); len(got) != 20 || got[0] != "GET /api/v1/log/proof" || len(log.Requests()) != 0 {
		t.Errorf("requests: %q", got)
	}
}

// Property: an edited answer is what the client gets, and its checks see it.
func TestRekorLies(t *testing.T) {
	log := testlog.NewRekor("rekor.example")
	e := log.Add([]byte("one"))
	log.Edit.Set(func(_ *http.Request, a *testlog.Answer) {
		a.EditEntries(func(_ string, entry map[string]any) { entry["body"] = "dHdv" })
	})
	client := serve(t, log)
	_, err := client.Entries(context.Background(), []rekor.UUID{rekor.UUID(e.UUID)})
	var bad *rekor.AnswerError
	if !errors.As(err, &bad) || bad.Problem != rekor.WrongLeaf {
		t.Errorf("another body: %v", err)
	}
	log.Edit.Set(func(_ *http.Request, a *testlog.Answer) { a.Status = 503 })
	if _, err := client.Shards(context.Background()); err == nil {
		t.Error("status 503 was taken for an answer")
	}
}

// Property: two logs of one name that are told the same are the same.
func TestReproducible(t *testing.T) {
	build := func() any {
		log := testlog.NewRekor("rekor.example")
		ca := testlog.NewCA("fulcio.example")
		signer := ca.Issue("alice@example.com", "https://issuer.example", testlog.Epoch())
		log.Add(testlog.NewSigner("alice").Body([32]byte{1}))
		e := log.Add(signer.Body([32]byte{2}))
		db := testlog.NewSumDB("sum.example")
		db.Add(modV("example.com/a", "v1.0.0"), "h1:x", "h1:y")
		return []any{e, string(log.Shard().Checkpoint(2)), db.Key(), string(db.Checkpoint(1)), string(signer.PrivatePEM())}
	}
	if a, b := build(), build(); !reflect.DeepEqual(a, b) {
		t.Errorf("%v\nand\n%v", a, b)
	}
}

// get asks a handler for a path.
func get(h http.Handler, path string) (int, string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	b, _ := io.ReadAll(w.Body)
	return w.Code, string(b)
}
