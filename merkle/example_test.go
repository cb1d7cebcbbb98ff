package merkle_test

import (
	"fmt"

	"github.com/modseal/modseal/merkle"
)

// A log of four leaves gave inclusion proofs of two of them. They become one
// multiproof, which is stored, checked by someone else, and taken apart again.
func Example() {
	var leaves []merkle.Hash
	for _, content := range []string{"a", "b", "c", "d"} {
		leaves = append(leaves, merkle.LeafHash([]byte(content)))
	}
	left, right := merkle.NodeHash(leaves[0], leaves[1]), merkle.NodeHash(leaves[2], leaves[3])
	tree := merkle.Tree{Size: 4, Root: merkle.NodeHash(left, right)}

	merged, err := merkle.MergeProofs(tree, []merkle.Inclusion{
		{Index: 1, Leaf: leaves[1], Tree: tree, Path: []merkle.Hash{leaves[0], right}},
		{Index: 2, Leaf: leaves[2], Tree: tree, Path: []merkle.Hash{leaves[3], left}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	stored, err := merged.MarshalBinary()
	if err != nil {
		fmt.Println(err)
		return
	}

	// The other side knows the tree from a signed checkpoint.
	m, err := merkle.ParseMultiproof(stored)
	if err != nil {
		fmt.Println(err)
		return
	}
	if m.Size != tree.Size {
		fmt.Println("the multiproof is of another tree")
		return
	}
	proven, err := m.Expand(tree, []merkle.Hash{merkle.LeafHash([]byte("b")), merkle.LeafHash([]byte("c"))})
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := proven.Inclusion(2)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(stored), "bytes with", len(m.Nodes), "nodes")
	fmt.Println(merkle.VerifyInclusion(tree, p.Index, p.Leaf, p.Path))
	// Output:
	// 68 bytes with 2 nodes
	// <nil>
}
