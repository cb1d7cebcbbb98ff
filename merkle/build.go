package merkle

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
)

// NodeID names the root of a perfect subtree, the one that has the leaves from
// Index<<Level up to, not including, (Index+1)<<Level. Level 0 is the leaves.
type NodeID struct {
	Level uint8
	Index uint64
}

// NodeReader reads hashes of a log's tree. Its results need not be trusted.
type NodeReader interface {
	// ReadNodes returns the hashes of the given nodes, in their order.
	ReadNodes(ids []NodeID) ([]Hash, error)
}

// MultiproofNodes lists what [BuildMultiproof] reads: from left to right, the
// proven leaves and the perfect subtrees between them. Together they have each
// of the first size leaves exactly once. The errors are those of [NumNodes].
//
// The number of nodes is that of the multiproof and its leaves, except at the
// right edge of the tree, where a subtree that isn't perfect is one hash in the
// multiproof and here up to 62 nodes.
func MultiproofNodes(size uint64, indexes []uint64) ([]NodeID, error) {
	count, err := NumNodes(size, indexes)
	if err != nil {
		return nil, err
	}
	ids := make([]NodeID, 0, count+len(indexes)+maxDepth)
	begin := uint64(0)
	for _, index := range indexes {
		ids = appendCover(ids, begin, index)
		ids = append(ids, NodeID{Level: 0, Index: index})
		begin = index + 1
	}
	return appendCover(ids, begin, size), nil
}

// appendCover appends the largest perfect subtrees that the leaves from lo up
// to, not including, hi consist of, from left to right. A subtree of level l
// fits at lo if lo is a multiple of 1<<l, and if there are as many leaves.
func appendCover(ids []NodeID, lo, hi uint64) []NodeID {
	for lo < hi {
		level := min(bits.TrailingZeros64(lo), bits.Len64(hi-lo)-1)
		ids = append(ids, NodeID{Level: uint8(level), Index: lo >> level})
		lo += 1 << level
	}
	return ids
}

// BuildMultiproof makes the multiproof of the leaves at indexes, which must be
// strictly increasing, from the nodes of a tree. It calls r once, for all of
// [MultiproofNodes], and refuses what it gets if it doesn't lead to tree.Root
// (a [*RootError]). That check is made with the leaf hashes that r has: whether
// those are the leaves that the caller knows is checked by [Multiproof.Verify].
func BuildMultiproof(tree Tree, indexes []uint64, r NodeReader) (*Multiproof, error) {
	ids, err := MultiproofNodes(tree.Size, indexes)
	if err != nil {
		return nil, fmt.Errorf("multiproof: %w", err)
	}
	hashes, err := r.ReadNodes(ids)
	if err != nil {
		return nil, fmt.Errorf("reading tree nodes: %w", err)
	}
	if len(hashes) != len(ids) {
		return nil, fmt.Errorf("reading tree nodes: %d hashes for %d nodes", len(hashes), len(ids))
	}
	m, leaves := assemble(tree.Size, indexes, ids, hashes)
	if err := m.Verify(tree, leaves); err != nil {
		return nil, err
	}
	return m, nil
}

// assemble sorts the hashes of [MultiproofNodes] into leaves and nodes.
func assemble(size uint64, indexes []uint64, ids []NodeID, hashes []Hash) (m *Multiproof, leaves []Hash) {
	m = &Multiproof{
		Size:    size,
		Indexes: slices.Clone(indexes),
		Nodes:   make([]Hash, 0, len(ids)-len(indexes)),
	}
	leaves = make([]Hash, 0, len(indexes))
	edge := rightEdge(size, indexes[len(indexes)-1])
	for i, id := range ids {
		if id.Index<<id.Level == edge {
			m.Nodes = append(m.Nodes, foldEdge(hashes[i:]))
			break
		}
		if n := len(leaves); n < len(indexes) && id == (NodeID{Level: 0, Index: indexes[n]}) {
			leaves = append(leaves, hashes[i])
		} else {
			m.Nodes = append(m.Nodes, hashes[i])
		}
	}
	return m, leaves
}

// rightEdge is the first leaf of the subtree on the right edge of the tree that
// is to the right of leaf last and maximal, or size if there is none. The tree
// is a row of perfect subtrees, one for each bit set in size. All of them that
// follow the one with leaf last make up that subtree.
func rightEdge(size, last uint64) uint64 {
	level := bits.Len64(last^size) - 1 // of the perfect subtree with leaf last
	return (last>>level + 1) << level
}

// foldEdge is the hash of a row of perfect subtrees of decreasing size.
func foldEdge(row []Hash) Hash {
	h := row[len(row)-1]
	for i := len(row) - 2; i >= 0; i-- {
		h = NodeHash(row[i], h)
	}
	return h
}

// MergeProofs makes the multiproof of the leaves of single inclusion proofs,
// given in any order. Each must be in the given tree and verify there; proofs of
// one index may repeat. The errors are those of [VerifyInclusion] and
// [NumNodes].
func MergeProofs(tree Tree, proofs []Inclusion) (*Multiproof, error) {
	sorted := make([]*Inclusion, len(proofs))
	for i := range proofs {
		p := &proofs[i]
		if p.Tree != tree {
			return nil, fmt.Errorf("merging proofs: leaf %d is proven in tree %v, not in %v", p.Index, p.Tree, tree)
		}
		if err := VerifyInclusion(tree, p.Index, p.Leaf, p.Path); err != nil {
			return nil, fmt.Errorf("merging proofs: %w", err)
		}
		sorted[i] = p
	}
	slices.SortFunc(sorted, func(a, b *Inclusion) int { return cmp.Compare(a.Index, b.Index) })
	// Both verified, two proofs of one index can't differ: that would be a
	// collision of the hash function.
	sorted = slices.CompactFunc(sorted, func(a, b *Inclusion) bool { return a.Index == b.Index })

	g := merger{proofs: sorted, indexes: make([]uint64, len(sorted))}
	leaves := make([]Hash, len(sorted))
	for i, p := range sorted {
		g.indexes[i], leaves[i] = p.Index, p.Leaf
	}
	count, err := NumNodes(tree.Size, g.indexes)
	if err != nil {
		return nil, fmt.Errorf("merging proofs: %w", err)
	}
	g.nodes = make([]Hash, 0, count)
	g.subtree(span{hi: tree.Size, end: len(leaves)}, 0)

	m := &Multiproof{Size: tree.Size, Indexes: g.indexes, Nodes: g.nodes}
	if err := m.Verify(tree, leaves); err != nil {
		return nil, fmt.Errorf("merging proofs: %w", err)
	}
	return m, nil
}

// merger collects the nodes of a multiproof from the paths of its leaves.
type merger struct {
	proofs  []*Inclusion // verified, by increasing index
	indexes []uint64     // theirs
	nodes   []Hash
}

// subtree collects the nodes below a span that has a proven leaf. A half without
// one is the sibling of the other half, on each path from there, and has as many
// joins above it.
func (g *merger) subtree(s span, above int) {
	if s.hi-s.lo == 1 {
		return
	}
	l, r := s.halves(g.indexes)
	path := g.proofs[s.begin].Path
	sibling := len(path) - 1 - above
	if l.begin < l.end {
		g.subtree(l, above+1)
	} else {
		g.nodes = append(g.nodes, path[sibling])
	}
	if r.begin < r.end {
		g.subtree(r, above+1)
	} else {
		g.nodes = append(g.nodes, path[sibling])
	}
}
