package merkle_test

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"testing"

	"github.com/modseal/modseal/merkle"
)

// No output ever changes: proofs, rebased proofs and encodings of a fixed set of
// trees add up to one hash. If this test alone fails, then what is written no
// longer can be read by what was released.
func TestAccumulated(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine: nothing for the race detector to find")
	}
	const want = "0ec90c81e54eb2077288a71f4d26911851a89751b65c8b369dd2589191b7b2fd"
	tree := denseTree()
	sum := sha256.New()
	for size := uint64(1); size <= allTrees; size++ {
		accumulateInclusion(t, sum, tree, size)
		accumulateRebase(t, sum, tree, size)
		accumulateMultiproofs(t, sum, tree, size)
	}
	if got := fmt.Sprintf("%x", sum.Sum(nil)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// accumulateInclusion adds the inclusion proofs of all leaves, expanded from the
// multiproof of each leaf alone and of all together.
func accumulateInclusion(t *testing.T, sum hash.Hash, tree naive, size uint64) {
	sets := [][]uint64{allBut(size, size)}
	for i := range size {
		sets = append(sets, []uint64{i})
	}
	for _, indexes := range sets {
		m, err := merkle.BuildMultiproof(tree.tree(size), indexes, tree)
		if err != nil {
			t.Fatal(err)
		}
		proven, err := m.Expand(tree.tree(size), tree.leaves(indexes))
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range indexes {
			p, err := proven.Inclusion(i)
			if err != nil {
				t.Fatal(err)
			}
			accumulate(sum, p)
		}
	}
}

// accumulateRebase adds proofs that are rebased to size from every smaller tree.
func accumulateRebase(t *testing.T, sum hash.Hash, tree naive, size uint64) {
	for n := uint64(1); n <= size; n++ {
		for _, i := range []uint64{0, n / 3, n / 2, n - 1} {
			p, err := merkle.Rebase(tree.inclusion(i, n), tree.tree(size), tree.consistency(n, size))
			if err != nil {
				t.Fatal(err)
			}
			accumulate(sum, p)
		}
	}
}

// accumulateMultiproofs adds the encodings of some multiproofs.
func accumulateMultiproofs(t *testing.T, sum hash.Hash, tree naive, size uint64) {
	r := random(size)
	for count := 1; count < 10; count++ {
		m, err := merkle.BuildMultiproof(tree.tree(size), r.subset(count, size), tree)
		if err != nil {
			t.Fatal(err)
		}
		b, err := m.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(sum, "multiproof %x\n", b)
	}
}

func accumulate(sum hash.Hash, p merkle.Inclusion) {
	fmt.Fprintf(sum, "inclusion %d %x %v", p.Index, p.Leaf, p.Tree)
	for _, h := range p.Path {
		fmt.Fprintf(sum, " %x", h)
	}
	fmt.Fprintln(sum)
}
