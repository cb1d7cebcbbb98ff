package sumdb

import (
	"strings"
	"testing"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/internal/trust"
)

// No answer to a lookup makes the parser panic or passes without the key.
func FuzzLookup(f *testing.F) {
	db, err := trust.ParseGOSUMDB("sum.golang.org")
	if err != nil {
		f.Fatal(err)
	}
	c := New(Options{DB: db})
	xmod := module.Version{Path: "golang.org/x/mod", Version: "v0.42.0"}
	for _, seed := range []string{"", "\n\n\n", "1\n\n", realLookup, realLookup[:200], "+" + realLookup, strings.Replace(realLookup, "mod", "net", 1)} {
		f.Add([]byte(seed))
	}
	real, err := c.openRecord(xmod, []byte(realLookup))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := c.openRecord(xmod, data)
		if err == nil && r.Head.Tree != real.Head.Tree {
			t.Errorf("accepted a head of %v", r.Head.Tree)
		}
	})
}

// Property: an answer to a lookup that is cut before its last line end proves nothing.
func TestTruncatedLookup(t *testing.T) {
	db, err := trust.ParseGOSUMDB("sum.golang.org")
	if err != nil {
		t.Fatal(err)
	}
	c := New(Options{DB: db})
	xmod := module.Version{Path: "golang.org/x/mod", Version: "v0.42.0"}
	for n := range len(realLookup) {
		if _, err := c.openRecord(xmod, []byte(realLookup[:n])); err == nil {
			t.Fatalf("cut at %d of %d: accepted", n, len(realLookup))
		}
	}
}
