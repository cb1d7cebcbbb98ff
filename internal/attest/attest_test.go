package attest_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/internal/attest"
	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/fetch"
	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/internal/modhash"
	"github.com/modseal/modseal/internal/sign"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/internal/trust"
)

var plain = module.Version{Path: "example.com/plain", Version: "v1.0.0"}

// world is a Rekor, a key and a module's zip.
type world struct {
	testing.TB
	log       *testlog.Rekor
	url       string
	fetch     *fetch.Client
	key       *keys.Private
	trust     *trust.Material
	zip       *modhash.ZipResult
	dir       string // of the Sigstore bundles
	statement bool
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{TB: t, log: testlog.NewRekor("rekor.example"), zip: hashed(t), dir: t.TempDir()}
	for i := range byte(5) {
		w.log.Add(testlog.NewSigner("stranger").Body([32]byte{i}))
	}
	server := httptest.NewServer(w.log)
	t.Cleanup(server.Close)
	w.url = server.URL
	w.fetch = fetch.New(fetch.Options{MaxTries: 1, Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }})
	key, err := keys.ParsePrivate(testlog.NewSigner("alice").PrivatePEM(), nil)
	if err != nil {
		t.Fatal(err)
	}
	w.key, w.trust = key, trusting(t, w.log.Shard())
	return w
}

func trusting(t testing.TB, s *testlog.Shard) *trust.Material {
	t.Helper()
	k, err := keys.ParsePublic(s.PublicPEM())
	if err != nil {
		t.Fatal(err)
	}
	m := &trust.Material{}
	m.AddRekorKey(k)
	return m
}

// hashed is a module's zip, hashed and checked.
func hashed(t testing.TB) *modhash.ZipResult {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	f, err := z.Create(plain.String() + "/plain.go")
	if err == nil {
		_, err = f.Write([]byte("package plain\n"))
	}
	name := filepath.Join(t.TempDir(), "plain.zip")
	if err := errors.Join(err, z.Close(), os.WriteFile(name, b.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
	r, err := modhash.New(modhash.Options{}).Zip(context.Background(), name, plain)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// attester is one that found the log to be as the world was made.
func (w *world) attester() *attest.Attester {
	w.Helper()
	edit, trusted := w.log.Edit.Set(nil), w.trust
	w.trust = trusting(w, w.log.Shard())
	log, err := sign.OpenLog(context.Background(), sign.LogOptions{URL: w.url, Fetch: w.fetch, Trust: w.trust})
	if err != nil {
		w.Fatal(err)
	}
	w.log.Edit.Set(edit)
	w.trust = trusted
	s, err := sign.New(sign.Options{Signer: sign.ByKey(w.key), Log: log, Trust: w.trust})
	if err != nil {
		w.Fatal(err)
	}
	return attest.New(attest.Options{Sign: s, Dir: w.dir, Statement: w.statement})
}

// bundle is a Sigstore bundle that was written.
func (w *world) bundle(a attest.Attestation) []byte {
	w.Helper()
	file, err := os.ReadFile(a.File)
	if err != nil {
		w.Fatal(err)
	}
	return file
}

// empties forgets the Sigstore bundles.
func (w *world) empties() { w.dir = w.TempDir() }

// attest attests the module, which must succeed: first its zip, then its listing.
func (w *world) attest() []attest.Attestation {
	w.Helper()
	list, err := w.attester().Module(context.Background(), plain, w.zip)
	if err != nil {
		w.Fatal(err)
	}
	if len(list) != 2 || list[0].Of != "zip" || list[1].Of != "listing" {
		w.Fatalf("%+v", list)
	}
	return list
}

// refused demands an error that says so, and nothing handed out beside it.
func (w *world) refused(says string) {
	w.Helper()
	list, err := w.attester().Module(context.Background(), plain, w.zip)
	if list != nil || err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), plain.String()) {
		w.Errorf("%+v, %v; want %q", list, err, says)
	}
}

// Property: a module gets two entries by the key, over zip and listing, each
// handed out as a Sigstore bundle with the proof that the log has it.
func TestAttest(t *testing.T) {
	w := newWorld(t)
	digests := [][32]byte{w.zip.Digest, w.zip.Listing.H1()}
	for i, a := range w.attest() {
		if a.Existed || a.LogIndex != uint64(5+i) {
			t.Errorf("%s: existed %t, index %d", a.Of, a.Existed, a.LogIndex)
		}
		h, err := (&evidence.Entry{Body: w.log.Shard().Leaf(a.LogIndex)}).Claim()
		if err != nil || h.Digest != evidence.SHA256(digests[i]) || h.Key.Fingerprint() != w.key.Public().Fingerprint() || h.Certificate != nil {
			t.Errorf("%s: the log has %+v, %v", a.Of, h, err)
		}
		var b struct {
			MediaType            string
			VerificationMaterial struct {
				TlogEntries []struct {
					LogIndex       string
					InclusionProof struct{ Checkpoint struct{ Envelope string } }
				}
			}
		}
		if err := json.Unmarshal(w.bundle(a), &b); err != nil || b.MediaType != evidence.BundleMediaType || len(b.VerificationMaterial.TlogEntries) != 1 {
			t.Fatalf("%s: %s, %v", a.Of, w.bundle(a), err)
		}
		if e := b.VerificationMaterial.TlogEntries[0]; !strings.HasPrefix(e.InclusionProof.Checkpoint.Envelope, w.log.Shard().Origin()) {
			t.Errorf("%s: %+v", a.Of, e)
		}
	}
}

// Property: attesting again finds the entries that there are, and makes no more,
// also where the search does not find them.
func TestAttestAgain(t *testing.T) {
	w := newWorld(t)
	first := w.attest()
	size := w.log.Shard().Size()
	again := func(what string, create int) {
		t.Helper()
		w.log.Requests()
		for i, a := range w.attest() {
			if !a.Existed || a.LogIndex != first[i].LogIndex {
				t.Errorf("%s: %+v, want entry %d", what, a, first[i].LogIndex)
			}
		}
		n := 0
		for _, r := range w.log.Requests() {
			if r == "POST /api/v1/log/entries" {
				n++
			}
		}
		if n != create || w.log.Shard().Size() != size {
			t.Errorf("%s: %d posted, want %d; %d entries, were %d", what, n, create, w.log.Shard().Size(), size)
		}
	}
	again("there", 0)
	w.empties()
	again("found", 0)
	w.empties()
	w.log.Edit.Set(func(r *http.Request, a *testlog.Answer) {
		if strings.HasSuffix(r.URL.Path, "/index/retrieve") {
			a.Body = []byte("[]")
		}
	})
	again("not found by the search", 2) // 409 both
	w.log.Edit.Set(nil)
	// others attested it as well, before and after
	w = newWorld(t)
	w.log.Add(testlog.NewSigner("stranger").Body(w.zip.Digest))
	first = w.attest()
	w.log.Add(testlog.NewSigner("other").Body(w.zip.Digest))
	size = w.log.Shard().Size()
	w.empties()
	again("among others", 0)
}

// Property: an entry that the search names and that is not by the key, over the
// digest, is passed over; a new one is made.
func TestSearchThatLies(t *testing.T) {
	w := newWorld(t)
	other := w.log.Add(testlog.NewSigner("stranger").Body(w.zip.Digest))
	w.log.Edit.Set(func(r *http.Request, a *testlog.Answer) {
		if strings.HasSuffix(r.URL.Path, "/index/retrieve") {
			a.Body = []byte(`["` + other.UUID + `"]`)
		}
	})
	for _, a := range w.attest() {
		if a.Existed || a.LogIndex <= other.LogIndex {
			t.Errorf("%+v", a)
		}
	}
	w.empties()
	gone := strings.Repeat("0", 63) + "1"
	w.log.Edit.Set(func(r *http.Request, a *testlog.Answer) {
		if strings.HasSuffix(r.URL.Path, "/index/retrieve") {
			a.Body = []byte(`["` + other.UUID[:16] + gone + `"]`)
		}
	})
	for _, a := range w.attest() { // by way of 409
		if !a.Existed {
			t.Errorf("%+v", a)
		}
	}
}

// Property: nothing is handed out that an enclave would refuse.
func TestLogThatLies(t *testing.T) {
	created := func(edit func(e, proof map[string]any)) func(w *world) {
		return func(w *world) {
			w.log.Edit.Set(func(r *http.Request, a *testlog.Answer) {
				if r.URL.Path == "/api/v1/log/entries" {
					a.EditEntries(func(_ string, e map[string]any) {
						edit(e, e["verification"].(map[string]any)["inclusionProof"].(map[string]any))
					})
				}
			})
		}
	}
	for _, l := range []struct {
		name string
		do   func(w *world)
		says string
	}{
		{"entry of another", func(w *world) {
			other := w.log.Add(testlog.NewSigner("stranger").Body(w.zip.Digest))
			w.log.Edit.Set(func(r *http.Request, a *testlog.Answer) {
				if r.URL.Path == "/api/v1/log/entries" { // by way of 409
					a.Status, a.Header = 409, http.Header{"Location": {"/api/v1/log/entries/" + other.UUID}}
				}
			})
		}, "the log's entry is not what was asked of it"},
		{"entry over another digest", func(w *world) {
			other := w.log.Add(testlog.NewSigner("alice").Body([32]byte{9}))
			w.log.Edit.Set(func(r *http.Request, a *testlog.Answer) {
				if r.URL.Path == "/api/v1/log/entries" {
					a.Status, a.Header = 409, http.Header{"Location": {"/api/v1/log/entries/" + other.UUID}}
				}
			})
		}, "the log's entry is not what was asked of it"},
		{"another time", created(func(e, _ map[string]any) { e["integratedTime"] = 1700000000 }), ""},
		{"another log index", created(func(e, _ map[string]any) { e["logIndex"] = 77 }), ""},
		{"another place", created(func(_, p map[string]any) { p["logIndex"] = 0 }), "inclusion proof fails"},
		{"another root", created(func(_, p map[string]any) { p["rootHash"] = strings.Repeat("0", 64) }), "disagree"},
		{"another log", created(func(e, _ map[string]any) { e["logID"] = strings.Repeat("0", 64) }), "not trusted"},
		{"key that is not trusted", func(w *world) { w.trust = trusting(w, testlog.NewRekor("other.example").Shard()) }, "not trusted"},
		{"nobody is trusted", func(w *world) { w.trust = &trust.Material{} }, "not trusted"},
		{"refused", func(w *world) {
			w.log.Edit.Set(func(_ *http.Request, a *testlog.Answer) { a.Status, a.Body = 500, nil })
		}, "status 500"},
		{"bad request", func(w *world) {
			w.log.Edit.Set(func(r *http.Request, a *testlog.Answer) {
				if r.URL.Path == "/api/v1/log/entries" {
					a.Status, a.Body = 400, []byte(`{"message":"not today"}`)
				}
			})
		}, "not today"},
	} {
		t.Run(l.name, func(t *testing.T) {
			w := newWorld(t)
			l.do(w)
			w.refused(l.says)
		})
	}
}

// Property: a zip is attested as the module that it is of and as no other.
func TestOtherModule(t *testing.T) {
	w := newWorld(t)
	m := module.Version{Path: plain.Path, Version: "v1.0.1"}
	by := w.attester()
	w.log.Requests()
	if list, err := by.Module(context.Background(), m, w.zip); list != nil || err == nil || !strings.Contains(err.Error(), "the zip is of example.com/plain@v1.0.0") {
		t.Errorf("%v, %v", list, err)
	}
	if asked := w.log.Requests(); len(asked) != 0 {
		t.Errorf("the log was asked: %q", asked)
	}
}

// Property: when the context ends, nothing more is logged.
func TestCancelled(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var posted atomic.Int64
	w.log.Edit.Set(func(r *http.Request, _ *testlog.Answer) {
		if r.URL.Path == "/api/v1/log/entries" {
			posted.Add(1)
			cancel()
		}
	})
	if list, err := w.attester().Module(ctx, plain, w.zip); list != nil || !errors.Is(err, context.Canceled) || posted.Load() != 1 {
		t.Errorf("%v, %v after %d entries", list, err, posted.Load())
	}
}
