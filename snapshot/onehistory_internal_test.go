package snapshot

import (
	"errors"
	"strings"
	"testing"

	"github.com/modseal/modseal/merkle"
)

// Property: of each shard and place the newest head is kept, and two of one size that
// differ are an error, wherever they are seen, also if neither is the newest.
func TestSeenHeads(t *testing.T) {
	var s seenHeads
	a, b := shardID{origin: "a"}, shardID{origin: "b"}
	head := func(from string, size uint64, root byte) signedHead {
		return signedHead{merkle.Tree{Size: size, Root: merkle.Hash{root}}, []byte("note\n"), from}
	}
	for _, h := range []signedHead{head(inList, 0, 0), head(inList, 5, 5), head(withLeaf, 9, 9), head(withLeaf, 7, 7), head(inCache, 5, 5)} {
		if err := s.add(a, h); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.add(b, head(inList, 5, 6)); err != nil { // another log
		t.Fatal(err)
	}
	if got := s.of(a); len(got) != 3 || got[0].tree.Size != 9 || got[1].tree.Size != 5 || len(s.of(b)) != 1 || len(s.of(shardID{})) != 0 {
		t.Errorf("%+v", got)
	}
	for _, h := range []signedHead{head(withLeaf, 9, 1), head(withLeaf, 5, 1), head(inList, 9, 1)} {
		var fork *ForkError
		if err := s.add(a, h); !errors.As(err, &fork) || strings.Count(err.Error(), "\n    note") != 2 || fork.Hint() == "" {
			t.Errorf("%+v: %v", h, err)
		}
	}
}
