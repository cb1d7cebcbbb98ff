package merkle

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
)

const (
	// MaxLeaves is the largest number of leaves that one [Multiproof] proves.
	MaxLeaves = 1 << 22

	// MaxNodes is the largest number of nodes that a [Multiproof] can have. It
	// takes the most leaves, spread evenly over the largest tree: they have
	// all nodes of the upper 22 levels in common, and below those every leaf
	// has a path of its own.
	MaxNodes = MaxLeaves * (maxDepth - 22)
)

// Multiproof proves a set of leaves of one tree with the fewest hashes.
//
// Cut the tree into the proven leaves and the largest subtrees without a proven
// leaf, where the subtrees are those of the recursion in RFC 9162, Section
// 2.1.1. Nodes holds the hashes of these subtrees from left to right: together
// with the leaf hashes, exactly what the root is computed from. One of them at
// most is not perfect, the one at the right edge of the tree; it too is one hash.
//
//	size 7, leaves 1 and 2:          ○
//	                          ┌──────┴──────┐
//	                          ○            (c)        Nodes = a, b, c
//	                      ┌───┴───┐     ┌───┴───┐
//	                      ○       ○     ·       ·
//	                    ┌─┴─┐   ┌─┴─┐ ┌─┴─┐     │
//	                   (a) [1] [2] (b)4   5     6
//
// The leaf hashes are not part of it. A Multiproof is only a claim until
// [Multiproof.Verify] or [Multiproof.Expand] accepts it for a tree.
type Multiproof struct {
	Size    uint64   // leaves of the tree, 1 to MaxSize
	Indexes []uint64 // positions of the proven leaves, strictly increasing, 1 to MaxLeaves of them
	Nodes   []Hash   // NumNodes(Size, Indexes) hashes
}

// NumNodes is the number of hashes in the multiproof of the leaves indexes in a
// tree of the given size. It is an error if size is not 1 to [MaxSize], or
// indexes has none or more than [MaxLeaves] elements, or these are not strictly
// increasing or not below size. An empty set is refused since it would prove
// nothing and yet be accepted.
func NumNodes(size uint64, indexes []uint64) (int, error) {
	if err := checkShape(size, indexes); err != nil {
		return 0, err
	}
	// The root is computed by joins of two hashes: one join less than there
	// are hashes to begin with. There is one join at each node on the path of
	// any of the leaves, and as a path has as many as its depth, counting
	// each leaf's path without those of its left neighbour gives their number.
	joins := 0
	for i, index := range indexes {
		joins += depth(size, 0, index)
		if i > 0 {
			// The lowest join that leaf i shares with the one before it.
			level := bits.Len64(indexes[i-1] ^ index)
			joins -= depth(size, level, index>>level) + 1
		}
	}
	return joins + 1 - len(indexes), nil
}

// depth is the number of joins above a node: the length of its inclusion path,
// as for a leaf in a tree that has the blocks of 1<<level leaves for leaves.
//
// Where the paths of the node and of the last block differ there is a sibling
// at every level; above, the node is on the right edge, and only the levels
// where it is a right child have a join.
func depth(size uint64, level int, index uint64) int {
	last := (size - 1) >> level
	inner := bits.Len64(index ^ last)
	return inner + bits.OnesCount64(index>>inner)
}

func checkShape(size uint64, indexes []uint64) error {
	if err := checkSize(size); err != nil {
		return err
	}
	if len(indexes) == 0 {
		return errors.New("no leaf to prove")
	}
	if len(indexes) > MaxLeaves {
		return fmt.Errorf("%d leaves are above the limit of %d", len(indexes), MaxLeaves)
	}
	for i, index := range indexes {
		if i > 0 && index <= indexes[i-1] {
			return fmt.Errorf("leaf %d after leaf %d: the order must be strictly increasing", index, indexes[i-1])
		}
		if index >= size {
			return fmt.Errorf("leaf %d is outside the tree of size %d", index, size)
		}
	}
	return nil
}

// check says whether m has the one shape that its Size and Indexes allow.
func (m *Multiproof) check() error {
	want, err := NumNodes(m.Size, m.Indexes)
	if err != nil {
		return err
	}
	if len(m.Nodes) != want {
		return fmt.Errorf("%d nodes where %d leaves in a tree of size %d need %d", len(m.Nodes), len(m.Indexes), m.Size, want)
	}
	return nil
}

// Root computes the root of the tree of size m.Size from the leaf hashes, where
// leaves[i] belongs to m.Indexes[i]. Every node is used exactly once; a node or
// a leaf too many or too few is an error. The root is unauthenticated: it is
// whatever m and leaves add up to.
func (m *Multiproof) Root(leaves []Hash) (Hash, error) {
	root, err := m.root(leaves, nil)
	if err != nil {
		return Hash{}, fmt.Errorf("multiproof: %w", err)
	}
	return root, nil
}

// Verify checks that leaves[i] has the position m.Indexes[i] in the tree. A
// wrong root gives a [*RootError]; a multiproof for another size is refused
// whatever its root, since one root can be that of trees of several sizes.
//
// The caller must have the tree from a signed tree head, and have computed the
// leaf hashes with [LeafHash].
func (m *Multiproof) Verify(tree Tree, leaves []Hash) error {
	return m.verify(tree, leaves, nil)
}

func (m *Multiproof) verify(tree Tree, leaves []Hash, forks []fork) error {
	if m.Size != tree.Size {
		return fmt.Errorf("multiproof: it is for a tree of size %d, not %d", m.Size, tree.Size)
	}
	got, err := m.root(leaves, forks)
	if err == nil && got != tree.Root {
		err = &RootError{Want: tree, Got: got}
	}
	if err != nil {
		return fmt.Errorf("multiproof: %w", err)
	}
	return nil
}

// root computes the root and fills in forks, unless that is nil.
func (m *Multiproof) root(leaves []Hash, forks []fork) (Hash, error) {
	if err := m.check(); err != nil {
		return Hash{}, err
	}
	if len(leaves) != len(m.Indexes) {
		return Hash{}, fmt.Errorf("%d leaf hashes for %d leaves", len(leaves), len(m.Indexes))
	}
	f := folder{proof: m, leaves: leaves, forks: forks}
	return f.subtree(span{hi: m.Size, end: len(leaves)}), nil
}

// span is a subtree, and which of the proven leaves are in it.
type span struct {
	lo, hi     uint64 // the subtree's leaves are those from lo up to, not including, hi
	begin, end int    // and Indexes[begin:end] those of them that are proven
}

// halves splits a span of two or more leaves where RFC 9162, Section 2.1.1
// does: after the largest power of two that is smaller than the number of
// leaves.
func (s span) halves(indexes []uint64) (left, right span) {
	mid := s.lo + 1<<(bits.Len64(s.hi-s.lo-1)-1)
	n, _ := slices.BinarySearch(indexes[s.begin:s.end], mid)
	return span{s.lo, mid, s.begin, s.begin + n}, span{mid, s.hi, s.begin + n, s.end}
}

// folder folds the nodes of a multiproof of the right shape into its root.
type folder struct {
	proof  *Multiproof
	leaves []Hash
	forks  []fork // nil if nobody needs them
	used   int    // nodes used so far
}

func (f *folder) subtree(s span) Hash {
	if s.begin == s.end {
		f.used++
		return f.proof.Nodes[f.used-1]
	}
	if s.hi-s.lo == 1 {
		return f.leaves[s.begin]
	}
	l, r := s.halves(f.proof.Indexes)
	left := f.subtree(l)
	used := f.used
	right := f.subtree(r)
	if f.forks != nil && l.begin < l.end && r.begin < r.end {
		f.forks[r.begin-1] = fork{left: left, right: right, used: used}
	}
	return NodeHash(left, right)
}
