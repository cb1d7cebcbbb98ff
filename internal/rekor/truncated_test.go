package rekor

import (
	"encoding/json"
	"fmt"
	"testing"
)

// Property: an answer that is cut anywhere is malformed. A search result that is said to
// be cut has the UUIDs before the last comma, and is said to have more.
func TestTruncatedAnswers(t *testing.T) {
	l := &fakeLog{}
	for i := range 3 {
		l.add(fmt.Appendf(nil, `{"n":%d}`, i))
	}
	whole, err := json.Marshal([]any{object{string(l.uuid(1)): l.entry(1)}})
	if err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if e, err := parseEntries(whole[:n]); e != nil || err == nil {
			t.Fatalf("entries cut at %d of %d: accepted", n, len(whole))
		}
	}
	search := []byte(`["` + numberedUUID(1) + `","` + numberedUUID(2) + `","` + numberedUUID(3) + `"]`)
	for n := range search {
		if f, err := parseSearch(search[:n], false); f.UUIDs != nil || err == nil {
			t.Fatalf("search result cut at %d of %d: accepted", n, len(search))
		}
		if f, err := parseSearch(search[:n:n], true); err == nil && (!f.More || len(f.UUIDs) > 2) {
			t.Fatalf("search result cut at %d: %+v", n, f)
		}
	}
}
