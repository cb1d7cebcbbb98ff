package gate

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/modseal/modseal/e2e/faultproxy"
)

// first is a fault of the first n requests for each path.
func first(n int, f faultproxy.Fault) faultproxy.Hook {
	return func(r faultproxy.Request) faultproxy.Fault {
		if r.Nth > n {
			return faultproxy.Fault{}
		}
		return f
	}
}

// troubles are those that a server gets over.
var troubles = []struct {
	name string
	hook faultproxy.Hook
	// said is what is told of it on the way; empty for nothing.
	said []string
}{
	{"late", func(faultproxy.Request) faultproxy.Fault { return faultproxy.Fault{Delay: 300 * time.Millisecond} }, nil},
	{"too many requests", first(1, faultproxy.Fault{Status: 429, RetryAfter: time.Second}), []string{"429 Too Many Requests", "again in"}},
	{"too many requests, and no word of when", first(2, faultproxy.Fault{Status: 429}), []string{"429 Too Many Requests", "again in"}},
	{"broken", first(2, faultproxy.Fault{Status: 500}), []string{"500 Internal Server Error", "again in", "try 2 of 6"}},
	{"unavailable", first(1, faultproxy.Fault{Status: 503, RetryAfter: time.Second}), []string{"503 Service Unavailable", "again in 1s"}},
	{"cut before it was heard", first(1, faultproxy.Fault{Cut: true}), []string{"EOF", "again in"}},
	{"cut before it answered", first(2, faultproxy.Fault{CutAfter: true}), []string{"EOF", "again in"}},
	{"cut while it answered", first(2, faultproxy.Fault{Truncate: true}), []string{"unexpected EOF", "again in"}},
	{"every third answer", func(r faultproxy.Request) faultproxy.Fault {
		return []faultproxy.Fault{{Truncate: true}, {}, {Status: 502}, {}, {Cut: true}, {}}[r.Nth%6]
	}, []string{"again in"}},
}

// Whatever a server gets over in a few tries, the snapshot comes out the same.
func TestTroubled(t *testing.T) {
	t.Parallel()
	base := newSite(t, "golang.org/x/sync@v0.14.0", "github.com/pmezard/go-difflib@v1.0.0", "github.com/davecgh/go-spew@v1.1.1")
	base.attest("signer")
	base.snapshot(0, signedBy("signer")...)
	want := base.inspect()
	if len(want.Manifest.Modules) != 3 || len(want.Logs) != 1 || want.Logs[0].Entries != 6 {
		t.Fatalf("the undisturbed snapshot has %d modules, logs %+v", len(want.Manifest.Modules), want.Logs)
	}
	for _, c := range troubles {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := base.again(t)
			p := s.proxy(c.hook)
			said := s.snapshot(0, signedBy("signer")...)
			s.says(said.stderr, c.said...)
			if got := s.inspect(); !reflect.DeepEqual(got.Manifest.Modules, want.Manifest.Modules) || got.Logs[0].Entries != 6 {
				t.Errorf("modules are\n%+v\nundisturbed\n%+v", got.Manifest.Modules, want.Manifest.Modules)
			}
			s.allVerified(s.verify(0, signedBy("signer")...))
			if failed := failures(p); (failed > 0) != (c.said != nil) {
				t.Errorf("%d requests failed", failed)
			}
		})
	}
}

// failures counts the requests that were not answered as they should have been.
func failures(p *faultproxy.Proxy) int {
	n := 0
	for _, r := range p.Records() {
		if r.Status != 200 && r.Status != 201 && r.Status != 409 || r.Fault.Truncate {
			n++
		}
	}
	return n
}

// Attesting gets over the same, and even when it is not told that an entry was made it makes no second one.
func TestTroubledAttest(t *testing.T) {
	t.Parallel()
	const m = "golang.org/x/sync@v0.15.0"
	for _, c := range troubles {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, m)
			s.proxy(c.hook)
			s.attest("signer")
			for _, of := range []string{"zip", "listing"} {
				name := filepath.Join(s.home, "attestations", filepath.FromSlash(m)+"."+of+".sigstore.json")
				if _, err := os.Stat(name); err != nil {
					t.Error(err)
				}
			}
			s.rekor = shared.rekor.URL
			s.snapshot(0, append(signedBy("signer"), "--others=0")...)
			in := s.inspect()
			if len(in.Logs) != 1 || in.Logs[0].Entries != 2 {
				t.Errorf("%+v, want 2 entries by the signer", in.Logs)
			}
			s.allVerified(s.verify(0, signedBy("signer")...))
		})
	}
}

// What a server does not get over is an error that names the module and what happened, not a bundle. When the server works
// again, so does the snapshot.
func TestBroken(t *testing.T) {
	t.Parallel()
	const m = "golang.org/x/sync@v0.0.0-20220907140024-f12130a52804"
	base := newSite(t, m)
	base.attest("signer")
	for _, c := range []struct {
		name  string
		fault faultproxy.Fault
		says  string
	}{
		{"too many requests", faultproxy.Fault{Status: 429, RetryAfter: time.Second}, "429 Too Many Requests"},
		{"cut", faultproxy.Fault{CutAfter: true}, "EOF"},
		{"cut while it answers", faultproxy.Fault{Truncate: true}, "unexpected EOF"},
		{"forbidden", faultproxy.Fault{Status: 403}, "403 Forbidden"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := base.again(t)
			p := s.proxy(func(r faultproxy.Request) faultproxy.Fault {
				if r.Path != retrievePath {
					return faultproxy.Fault{}
				}
				return c.fault
			})
			said := s.snapshot(2, signedBy("signer")...)
			s.says(said.stderr, "the search of Rekor failed", m+": ", c.says, "hint: try again")
			p.SetHook(nil)
			s.snapshot(0, signedBy("signer")...)
			s.allVerified(s.verify(0, signedBy("signer")...))
		})
	}
}
