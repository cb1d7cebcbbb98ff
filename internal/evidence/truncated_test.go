package evidence_test

import (
	"bytes"
	"testing"

	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/testlog"
)

// Property: a Sigstore bundle that is cut anywhere is none, but for white space after it.
func TestTruncatedBundles(t *testing.T) {
	s, alice := newSite(t), testlog.NewSigner("alice")
	for _, kind := range kinds() {
		whole := bytes.TrimSpace(marshal(t, published(t, s.honest(kind, alice))))
		if _, err := evidence.ReadBundle(whole); err != nil {
			t.Fatal(err)
		}
		for n := range whole {
			if all, err := evidence.ReadBundle(whole[:n]); all != nil || err == nil {
				t.Fatalf("%v: cut at %d of %d: accepted", kind, n, len(whole))
			}
		}
	}
}
