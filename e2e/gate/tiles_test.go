package gate

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/modseal/modseal/e2e/faultproxy"
	"github.com/modseal/modseal/e2e/keyless"
)

const checkpointPath = "/checkpoint"

// tilesProxy puts a faulty server before the files of Rekor v2, and gives the flags that have snapshot read them there.
func (s *site) tilesProxy(hook faultproxy.Hook) (*faultproxy.Proxy, []string) {
	s.Helper()
	p, err := faultproxy.New(shared.rekor.Sigstore.RekorV2URL)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { p.Close() })
	p.SetHook(hook)
	return p, []string{"--rekor-tiles", p.URL}
}

// heads2 are the tree sizes at which the entries of Rekor v2 in the Sigstore bundles of a site are proven.
func (s *site) heads2() (sizes []uint64) {
	s.Helper()
	files, err := filepath.Glob(filepath.Join(s.home, published, "*.json"))
	if err != nil {
		s.Fatal(err)
	}
	for _, f := range files {
		var b struct {
			VerificationMaterial struct {
				TlogEntries []struct{ InclusionProof struct{ TreeSize string } }
			}
		}
		if err := json.Unmarshal(s.read(f), &b); err != nil {
			s.Fatal(err)
		}
		size, err := strconv.ParseUint(b.VerificationMaterial.TlogEntries[0].InclusionProof.TreeSize, 10, 64)
		if err != nil {
			s.Fatal(err)
		}
		sizes = append(sizes, size)
	}
	slices.Sort(sizes)
	return sizes
}

// checkpoint2 is the head of Rekor v2.
func (s *site) checkpoint2() []byte {
	s.Helper()
	resp, err := http.Get(shared.rekor.Sigstore.RekorV2URL + checkpointPath)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.HasPrefix(body, []byte(rekorV2+"\n")) {
		s.Fatalf("%v: %q", err, body)
	}
	return body
}

// grow2 makes Rekor v2 longer.
func (s *site) grow2() {
	s.Helper()
	if _, err := keyless.Sign(s.Context(), keyless.Request{Rekor: shared.rekor, Artifact: []byte(s.Name()), Email: bob, V2: true}); err != nil {
		s.Fatal(err)
	}
}

// Entries of Rekor v2 that were proven at different heads are proven at one, from the log's tiles. Where these can't be read, the
// publishers' own proofs do, and it is said; where they lie, nothing is sealed.
func TestTiles(t *testing.T) {
	t.Parallel()
	const one, two = "github.com/google/uuid@v1.1.1", "golang.org/x/sync@v0.0.0-20220601150217-0de741cfad7f"
	base := newSite(t, one, two)
	base.logKey, base.rekor = "", "off"
	base.publish(keyless.Request{Artifact: base.zipOf(one), Email: alice, V2: true})
	old := base.checkpoint2()
	before := base.heads2()[0]
	base.publish(keyless.Request{Artifact: base.zipOf(two), Email: alice, V2: true})
	base.grow2()
	sizes := base.heads2()
	if len(sizes) != 2 || sizes[0] != before || sizes[1] <= before {
		t.Fatalf("the entries are proven at the tree sizes %d, before that at %d", sizes, before)
	}

	isTile := func(r faultproxy.Request) bool { return strings.HasPrefix(r.Path, "/tile/") }
	on := func(which func(faultproxy.Request) bool, f faultproxy.Fault) faultproxy.Hook {
		return func(r faultproxy.Request) faultproxy.Fault {
			if which(r) {
				return f
			}
			return faultproxy.Fault{}
		}
	}
	change := func(do func([]byte) []byte) faultproxy.Fault {
		return faultproxy.Fault{Change: func(_ string, body []byte) []byte { return do(body) }}
	}
	isCheckpoint := func(r faultproxy.Request) bool { return r.Path == checkpointPath }
	all := func(faultproxy.Request) bool { return true }
	const fallback = "its tiles can't be read, so its entries are proven as they were published"
	for _, c := range []struct {
		name string
		hook faultproxy.Hook
		logs int      // of Rekor v2 in the bundle: heads at which its entries are proven; 0 if there is no bundle
		says []string // on standard error
	}{
		{"read", nil, 1, nil},
		{"denied", on(all, faultproxy.Fault{Status: 403}), 2, []string{fallback, "403"}},
		{"gone", on(all, faultproxy.Fault{Status: 404}), 2, []string{fallback, "404"}},
		{"cut off", on(all, faultproxy.Fault{Cut: true}), 2, []string{fallback, "tried 6 times"}},
		{"tiles denied, checkpoint not", on(isTile, faultproxy.Fault{Status: 403}), 2, []string{fallback, "403"}},
		{"tiles cut short", on(isTile, change(func(b []byte) []byte { return b[:len(b)/2] })), 0, []string{"tile", "has", "bytes"}},
		{"tiles altered", on(isTile, change(func(b []byte) []byte { b[0] ^= 1; return b })), 0, []string{"tile"}},
		{"checkpoint altered", on(isCheckpoint, change(func(b []byte) []byte { return []byte(flipSignature(string(b)).(string)) })), 0, []string{"checkpoint", "signature"}},
		{"checkpoint of another tree size", on(isCheckpoint, change(func(b []byte) []byte { return []byte(otherSize(string(b)).(string)) })), 0, []string{"checkpoint", "signature"}},
		{"rolled back", on(isCheckpoint, change(func([]byte) []byte { return old })), 0, []string{"rolled back"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := base.again(t)
			s.logKey, s.rekor = "", "off"
			policy := s.require("{signed-by: alice}")
			p, flags := s.tilesProxy(c.hook)
			code := 0
			if c.logs == 0 {
				code = 2
			}
			said := s.snapshot(code, slices.Concat(trusting(), policy, flags, []string{"--attestations", published})...)
			s.says(said.stderr, c.says...)
			if len(c.says) == 0 && strings.Contains(said.stderr, fallback) {
				t.Errorf("it says %s", said.stderr)
			}
			if p.Count(checkpointPath) == 0 {
				t.Error("no checkpoint was asked for")
			}
			if c.logs > 0 {
				s.provenAt(s.enclave(0, slices.Concat(trusting(), policy)...), sizes, c.logs)
			}
		})
	}
	t.Run("read where the trusted root has the log", func(t *testing.T) {
		t.Parallel()
		s := base.again(t)
		s.logKey = ""
		policy := s.require("{signed-by: alice}")
		said := s.snapshot(0, slices.Concat(trusting(), policy, []string{"--attestations", published})...)
		if strings.Contains(said.stderr, fallback) {
			t.Errorf("it says %s", said.stderr)
		}
		s.provenAt(s.enclave(0, slices.Concat(trusting(), policy)...), sizes, 1)
	})
}

// provenAt demands that the entries of Rekor v2 are proven at one head that is newer than those at which they were published, or
// else at these.
func (s *site) provenAt(r *report, published []uint64, logs int) {
	s.Helper()
	s.allVerified(r)
	var got []uint64
	for _, l := range r.Logs {
		if l.Kind == "rekor-v2" && l.Proven && l.Name == rekorV2 {
			got = append(got, l.Size)
		}
	}
	slices.Sort(got)
	if len(got) != len(r.Logs) || len(got) != logs || logs == 1 && got[0] <= published[len(published)-1] || logs > 1 && !slices.Equal(got, published) {
		s.Errorf("the logs are %+v; published were the heads at %d", r.Logs, published)
	}
}
