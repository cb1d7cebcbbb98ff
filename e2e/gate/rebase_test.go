package gate

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/modseal/modseal/e2e/faultproxy"
)

// heads collects the tree sizes at which entries were proven, and those that consistency proofs were asked for.
type heads struct {
	mu    sync.Mutex
	list  uint64   // of the first answer about the log
	sizes []uint64 // of entries, each once
	asked []uint64 // firstSize of consistency proofs
}

// see reads an answer to log/entries/retrieve.
func (h *heads) see(_ string, body []byte) []byte {
	var list []map[string]struct {
		Verification struct{ InclusionProof struct{ TreeSize uint64 } }
	}
	if json.Unmarshal(body, &list) != nil {
		return body // an error's
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, object := range list {
		for _, e := range object {
			if size := e.Verification.InclusionProof.TreeSize; !slices.Contains(h.sizes, size) {
				h.sizes = append(h.sizes, size)
			}
		}
	}
	return body
}

// seeList reads the tree size in an answer about the log.
func (h *heads) seeList(_ string, body []byte) []byte {
	var log struct{ TreeSize uint64 }
	decode(body, &log)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = log.TreeSize
	return body
}

// asked counts the entries that a call of log/entries/retrieve asks for.
func asked(body []byte) int {
	var q struct{ EntryUUIDs []string }
	decode(body, &q)
	return len(q.EntryUUIDs)
}

// ask reads a question to log/proof.
func (h *heads) ask(query string) {
	q, _ := url.ParseQuery(query)
	first, _ := strconv.ParseUint(q.Get("firstSize"), 10, 64)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked = append(h.asked, first)
}

// While a snapshot is taken, others log entries: what it fetches is proven at many tree sizes, and all of it is brought to
// one head, with one consistency proof for each size, and one from the head that was seen before all entries.
func TestGrowingLog(t *testing.T) {
	t.Parallel()
	s := newSite(t, "golang.org/x/sync@v0.11.0", "github.com/pkg/errors@v0.9.1", "github.com/kr/text@v0.2.0")
	s.attest("signer")

	var h heads
	var turn sync.Mutex // of requests for entries, so that each is answered with a head of its own
	p := s.proxy(func(r faultproxy.Request) faultproxy.Fault {
		switch {
		case r.Path == proofPath:
			h.ask(r.Query)
		case r.Path == retrievePath && asked(r.Body) > 1:
			return faultproxy.Fault{Status: 400} // so that they come one by one
		case r.Path == retrievePath:
			turn.Lock()
			s.grows()
			return faultproxy.Fault{Change: func(path string, body []byte) []byte {
				defer turn.Unlock()
				return h.see(path, body)
			}}
		case r.Path == logPath && r.Nth == 1:
			return faultproxy.Fault{Change: h.seeList}
		case r.Path == logPath:
			s.grows()
		}
		return faultproxy.Fault{}
	})
	s.snapshot(0, signedBy("signer")...)
	if entries := 2 * len(s.modules); len(h.sizes) != entries {
		t.Errorf("%d entries are proven at the tree sizes %d", entries, h.sizes)
	}
	slices.Sort(h.sizes)
	slices.Sort(h.asked)
	want := append([]uint64{h.list}, h.sizes...)
	if !slices.Equal(h.asked, want) {
		t.Errorf("consistency proofs were asked for from %d, want from %d", h.asked, want)
	}
	if n := p.Count(logPath); n != 2 {
		t.Errorf("log info was asked for %d times, want 2", n)
	}
	r := s.verify(0, signedBy("signer")...)
	s.allVerified(r)
	if head := r.Logs[0].Size; head <= h.sizes[len(h.sizes)-1] {
		t.Errorf("all is brought to the head at %d, want a newer one than at %d", head, h.sizes)
	}
}

// grows is grow for a hook.
func (s *site) grows() {
	if err := grow(s.Context()); err != nil {
		s.Error(err)
	}
}

// A server whose log info lags behind its entries is not wrong: the newest of the entries' own heads is taken.
func TestStaleLogInfo(t *testing.T) {
	t.Parallel()
	s := newSite(t, "golang.org/x/sync@v0.12.0", "github.com/google/uuid@v1.6.0")
	var stale json.RawMessage
	if err := ask(s.Context(), "GET", logPath, nil, &stale); err != nil {
		t.Fatal(err)
	}
	var old struct{ TreeSize uint64 }
	if err := json.Unmarshal(stale, &old); err != nil {
		t.Fatal(err)
	}
	s.attest("signer")
	s.proxy(func(r faultproxy.Request) faultproxy.Fault {
		switch r.Path {
		case logPath:
			return faultproxy.Fault{Change: func(string, []byte) []byte { return stale }}
		case retrievePath:
			s.grows()
		}
		return faultproxy.Fault{}
	})
	s.snapshot(0, signedBy("signer")...)
	r := s.verify(0, signedBy("signer")...)
	s.allVerified(r)
	if r.Logs[0].Size <= old.TreeSize {
		t.Errorf("the bundle's head is at %d, the old one was at %d", r.Logs[0].Size, old.TreeSize)
	}
}

// A second snapshot takes the entries that it knows from its cache, and brings their old proofs to the new head.
func TestSecondSnapshot(t *testing.T) {
	t.Parallel()
	s := newSite(t, "golang.org/x/sync@v0.13.0")
	s.attest("signer")
	p := s.proxy(nil)
	s.snapshot(0, signedBy("signer")...)
	first := s.verify(0, signedBy("signer")...)
	if n := p.Count(retrievePath); n == 0 {
		t.Error("the first snapshot retrieved nothing")
	}
	if err := grow(s.Context()); err != nil {
		t.Fatal(err)
	}
	p.Reset()
	s.snapshot(0, signedBy("signer")...)
	second := s.verify(0, signedBy("signer")...)
	s.allVerified(second)
	if n := p.Count(retrievePath); n != 0 {
		t.Errorf("the second snapshot retrieved %d times what it knew", n)
	}
	if p.Count(proofPath) == 0 {
		t.Error("the second snapshot asked for no consistency proof")
	}
	if first.Logs[0].Size >= second.Logs[0].Size {
		t.Errorf("heads at %d, then %d", first.Logs[0].Size, second.Logs[0].Size)
	}
}
