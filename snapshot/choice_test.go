package snapshot

import (
	"context"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/internal/rekor"
	"github.com/modseal/modseal/internal/testlog"
)

// Property: in whatever order entries come, the oldest of others are kept, and
// never more of them are held.
func TestOldestOfOthers(t *testing.T) {
	var digest [32]byte
	const n = 40
	for _, most := range []int{-1, 0, 1, 3, n - 1, n, n + 1} {
		for _, step := range []int{1, 3, 11, n - 1} { // without a common divisor with n
			p := &picker{collector: &collector{Request: &Request{Others: most, Policy: &policy.Policy{}}}}
			c := &choice{wanted: &wanted{digest: digest}, found: n}
			for i := range n {
				at := (i*step + 7) % n
				p.offer(c, rekor.Entry{LogIndex: uint64(at), Body: testlog.NewSigner("stranger").Body(digest)})
				if len(c.others) > max(most, 0) {
					t.Fatalf("%d are held, want at most %d", len(c.others), most)
				}
			}
			kept, left, err := c.end()
			if err != nil || len(kept) != min(max(most, 0), n) || left != (leftOut{others: n - len(kept)}) {
				t.Fatalf("keep %d: %d kept, %+v, %v", most, len(kept), left, err)
			}
			for i, e := range kept {
				if e.LogIndex != uint64(i) {
					t.Errorf("keep %d, step %d: entry %d is kept at %d", most, step, e.LogIndex, i)
				}
			}
		}
	}
}

// Property: a signer's entries over a digest are asked for up to a limit, and one
// more is an error that names the signer and what to do.
func TestEntriesOfOneSigner(t *testing.T) {
	const limit = 5
	log, alice := testlog.NewRekor("rekor.example"), testlog.NewSigner("alice")
	server := httptest.NewServer(log)
	t.Cleanup(server.Close)
	key, err := keys.ParsePublic(alice.PEM)
	if err != nil {
		t.Fatal(err)
	}
	p := &picker{
		collector: &collector{Request: &Request{Policy: policy.FromFlags(policy.Flags{Signers: []policy.Signer{policy.KeySigner(key)}})}},
		client:    rekor.New(rekor.Options{URL: server.URL}), maxNamed: limit,
	}
	digest := [32]byte{1}
	body := alice.Body(digest)
	var logged []rekor.UUID
	for i := range limit + 1 {
		body := append(slices.Clone(body[:len(body)-1]), fmt.Sprintf(`,"x":%d}`, i)...)
		logged = append(logged, rekor.UUID(log.Add(body).UUID))
		found, err := p.searchNamed(context.Background(), digest)
		if i < limit && (err != nil || !slices.Equal(found, logged)) {
			t.Errorf("%d entries: found %q, %v", i+1, found, err)
		}
		if i == limit && (found != nil || err == nil || !strings.Contains(err.Error(), "more than 5 entries are logged over it in the name of "+p.Policy.Signers[0].Name) ||
			!strings.Contains(err.Error(), "attested with a key")) {
			t.Errorf("%d entries: found %q, %v", i+1, found, err)
		}
	}
}
