package rekor

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/modseal/modseal/merkle"
)

// No answer makes the parser panic, and an accepted one has what Entry
// promises: the leaf of its UUID, in the tree of its checkpoint.
func FuzzEntries(f *testing.F) {
	l := &fakeLog{}
	for i := range 5 {
		l.add(fmt.Appendf(nil, `{"n":%d}`, i))
	}
	for _, indexes := range [][]int{nil, {0}, {4}, {1, 3}} {
		list := []any{}
		for _, i := range indexes {
			list = append(list, object{string(l.uuid(i)): l.entry(i)})
		}
		seed, err := json.Marshal(list)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	for _, seed := range []string{
		`[{"x":null}]`, `[null]`, `null`, `[{"` + numberedUUID(1) + `":{"verification":{"inclusionProof":{"hashes":[null]}}}}]`,
		`[{"` + numberedUUID(1)[16:] + `":{"body":"e30=","integratedTime":1,"logID":"00","logIndex":18446744073709551615}}]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := parseEntries(data)
		if err != nil {
			wantAnswerError(t, err)
			return
		}
		for _, e := range entries {
			if e.err != nil {
				wantAnswerError(t, e.err)
				continue
			}
			uuid, err := makeUUID(e.TreeID, merkle.LeafHash(e.Body))
			if err != nil || uuid != e.UUID || e.Inclusion.Leaf != merkle.LeafHash(e.Body) {
				t.Errorf("UUID %s of an entry of tree %s, want %s (%v)", e.UUID, e.TreeID, uuid, err)
			}
			said, err := parseUnverifiedCheckpoint(string(e.Checkpoint))
			if err != nil || said.tree != e.Inclusion.Tree || said.treeID != e.TreeID {
				t.Errorf("checkpoint %q of tree %v (%v)", e.Checkpoint, e.Inclusion.Tree, err)
			}
			if err := merkle.VerifyInclusion(e.Inclusion.Tree, e.Inclusion.Index, e.Inclusion.Leaf, e.Inclusion.Path); err != nil {
				t.Error(err)
			}
			if e.LogIndex < e.Inclusion.Index || e.IntegratedTime <= 0 || len(e.SET) == 0 {
				t.Errorf("entry %+v", e)
			}
		}
	})
}

func wantAnswerError(t *testing.T, err error) {
	t.Helper()
	if _, ok := err.(*AnswerError); !ok {
		t.Errorf("error is %T (%v), want *AnswerError", err, err)
	}
}

// No answer makes a search fail other than as malformed, and what it finds is
// distinct UUIDs.
func FuzzSearch(f *testing.F) {
	for _, seed := range []string{"", "null", "[]", `["` + numberedUUID(1) + `"]`, `["` + numberedUUID(1) + `","` + numberedUUID(2)[16:] + `"]`, "[1]", "[]]", "[[[[", `["",""`, "[{}]", `["` + numberedUUID(1) + `","` + numberedUUID(1) + `"]`} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, cut bool) {
		found, err := parseSearch(data, cut)
		if err != nil {
			wantAnswerError(t, err)
			return
		}
		seen := make(map[UUID]bool)
		for _, u := range found.UUIDs {
			if parsed, err := ParseUUID(string(u)); err != nil || parsed != u || seen[u] {
				t.Errorf("found %q (%v), seen before: %v", u, err, seen[u])
			}
			seen[u] = true
		}
		if cut && !found.More {
			t.Error("a result that was cut has no more")
		}
	})
}
