package snapshot

import (
	"bytes"
	"context"
	"encoding/gob"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/modseal/modseal/internal/atomicfile"
	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/internal/rekor"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/internal/trust"
)

// cachedEntry makes a cache of one entry of a log, and the picker that reads it.
func cachedEntry(t *testing.T) (*testlog.Rekor, *picker, rekor.Entry) {
	t.Helper()
	log := testlog.NewRekor("rekor.example")
	var uuid rekor.UUID
	for i := range byte(6) {
		e := log.Add(testlog.NewSigner("alice").Body([32]byte{i}))
		if i == 3 {
			uuid = rekor.UUID(e.UUID)
		}
	}
	server := httptest.NewServer(log)
	t.Cleanup(server.Close)
	key, err := keys.ParsePublic(log.Shard().PublicPEM())
	if err != nil {
		t.Fatal(err)
	}
	m := &trust.Material{}
	m.AddRekorKey(key)
	alice, err := keys.ParsePublic(testlog.NewSigner("alice").PEM)
	if err != nil {
		t.Fatal(err)
	}
	signers := policy.FromFlags(policy.Flags{Signers: []policy.Signer{policy.KeySigner(alice)}})
	p := &picker{
		collector: &collector{Request: &Request{Trust: m, Policy: signers, Parallel: 1}}, client: rekor.New(rekor.Options{URL: server.URL}), cache: entryCache{dir: t.TempDir()},
	}
	return log, p, retrieved(t, p, uuid)
}

func retrieved(t *testing.T, p *picker, uuid rekor.UUID) rekor.Entry {
	t.Helper()
	c := &choice{wanted: &wanted{digest: [32]byte{3}}}
	p.offerCached(c, []rekor.UUID{uuid})
	if err := p.retrieve(context.Background(), union([]*choice{c})); err != nil {
		t.Fatal(err)
	}
	entries, _, err := c.end()
	if err != nil || len(entries) != 1 {
		t.Fatal(entries, err)
	}
	return entries[0]
}

// Property: a byte of a cached entry that is changed does not make another entry
// of it: it is the same, or it is fetched again. Every fourth byte will do.
func TestCachedEntryFlipped(t *testing.T) {
	log, p, want := cachedEntry(t)
	name := p.cache.file(want.UUID)
	file, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	log.Requests()
	if got := retrieved(t, p, want.UUID); !reflect.DeepEqual(got, want) || len(log.Requests()) != 0 {
		t.Fatalf("%+v, want %+v from the cache", got, want)
	}
	same := 0
	for i := 0; i < len(file); i += 4 {
		b := bytes.Clone(file)
		b[i] ^= 0x10
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
		if got := retrieved(t, p, want.UUID); !reflect.DeepEqual(got, want) {
			t.Errorf("byte %d of %d: %+v, want %+v", i, len(file), got, want)
		}
		if len(log.Requests()) == 0 {
			same++
		}
	}
	if same > len(file)/4/10 {
		t.Errorf("%d of %d flips make no difference", same, len(file)/4)
	}
}

// Property: each member of a cached entry is checked: with any one of them
// exchanged it is fetched again.
func TestCachedEntryLies(t *testing.T) {
	log, p, want := cachedEntry(t)
	for name, lie := range map[string]func(e *rekor.Entry){
		"UUID":             func(e *rekor.Entry) { e.UUID = e.UUID[:79] + "0" },
		"tree":             func(e *rekor.Entry) { e.TreeID = "1" },
		"tree's end":       func(e *rekor.Entry) { e.TreeID = e.TreeID[1:] },
		"no tree":          func(e *rekor.Entry) { e.TreeID = "" },
		"log":              func(e *rekor.Entry) { e.LogID[0] ^= 1 },
		"log index":        func(e *rekor.Entry) { e.LogIndex++ },
		"time":             func(e *rekor.Entry) { e.IntegratedTime++ },
		"timestamp":        func(e *rekor.Entry) { e.SET[8] ^= 1 },
		"body":             func(e *rekor.Entry) { e.Body = append(bytes.Clone(e.Body), ' ') },
		"checkpoint":       func(e *rekor.Entry) { e.Checkpoint = bytes.Replace(e.Checkpoint, []byte("\n6\n"), []byte("\n7\n"), 1) },
		"place":            func(e *rekor.Entry) { e.Inclusion.Index-- },
		"proof":            func(e *rekor.Entry) { e.Inclusion.Path = e.Inclusion.Path[1:] },
		"root":             func(e *rekor.Entry) { e.Inclusion.Tree.Root[0] ^= 1 },
		"size":             func(e *rekor.Entry) { e.Inclusion.Tree.Size++ },
		"leaf":             func(e *rekor.Entry) { e.Inclusion.Leaf[0] ^= 1 },
		"tree of its own":  ownTree,
		"proof of another": func(e *rekor.Entry) { e.Inclusion = log.Shard().Inclusion(2, 6) },
	} {
		var b bytes.Buffer
		if err := gob.NewEncoder(&b).Encode(want); err != nil {
			t.Fatal(err)
		}
		var e rekor.Entry
		if err := gob.NewDecoder(&b).Decode(&e); err != nil {
			t.Fatal(err)
		}
		lie(&e)
		b.Reset()
		if err := gob.NewEncoder(&b).Encode(e); err != nil {
			t.Fatal(err)
		}
		if err := atomicfile.WriteBytes(p.cache.file(want.UUID), b.Bytes()); err != nil {
			t.Fatal(err)
		}
		log.Requests()
		if got := retrieved(t, p, want.UUID); !reflect.DeepEqual(got, want) || len(log.Requests()) != 1 {
			t.Errorf("%s: %+v, want %+v from the log", name, got, want)
		}
	}
}

// ownTree proves the entry in a tree of one leaf, which the checkpoint is not of.
func ownTree(e *rekor.Entry) {
	e.Inclusion.Tree.Size, e.Inclusion.Tree.Root, e.Inclusion.Index, e.Inclusion.Path = 1, e.Inclusion.Leaf, 0, nil
}

// Property: what a server keeps beside an entry and was not logged is not kept, neither
// in memory nor in the cache.
func TestOtherAttestationIsNotKept(t *testing.T) {
	log, p, want := cachedEntry(t)
	lying := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		log.ServeHTTP(answer, r)
		w.WriteHeader(answer.Code)
		data := `"attestation":{"data":"` + strings.Repeat("QUFB", 10_000) + `"},"body":`
		io.WriteString(w, strings.ReplaceAll(answer.Body.String(), `"body":`, data))
	}))
	t.Cleanup(lying.Close)
	p.client, p.cache = rekor.New(rekor.Options{URL: lying.URL}), entryCache{dir: t.TempDir()}
	all, err := p.client.Entries(t.Context(), []rekor.UUID{want.UUID})
	if err != nil || len(all) != 1 || len(all[0].Attestation) != 30_000 {
		t.Fatalf("the server does not lie: %v", err)
	}
	if got := retrieved(t, p, want.UUID); !reflect.DeepEqual(got, want) {
		t.Errorf("retrieved with %d bytes beside it", len(got.Attestation))
	}
	if got, ok := p.cache.get(want.UUID); !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("cached with %d bytes beside it", len(got.Attestation))
	}
	p.cache.put(all[0]) // as another program may have
	if got := retrieved(t, p, want.UUID); !reflect.DeepEqual(got, want) {
		t.Errorf("taken from the cache with %d bytes beside it", len(got.Attestation))
	}
}
