package merkle

import (
	"fmt"
	"slices"
)

// Proven is a verified [Multiproof]: a set of leaves that are in one tree. It
// comes from [Multiproof.Expand]; the zero Proven has no leaves.
type Proven struct {
	proof  Multiproof
	root   Hash
	leaves []Hash
	forks  []fork
}

// fork is a node with proven leaves on both sides. There is exactly one between
// each two neighbouring leaves of a multiproof, the lowest node above both, and
// so forks[i] is the one between the leaves i and i+1.
//
// The sibling of a subtree with proven leaves is either a node of the
// multiproof or has proven leaves too; then both are under a fork. Hence the
// nodes and the forks together have every hash of every inclusion path, in
// memory that grows with the number of leaves only.
type fork struct {
	left, right Hash
	used        int // of the multiproof's nodes, those that are left of the right side
}

// Expand verifies m as [Multiproof.Verify] does, and gives back the proven
// leaves with their inclusion proofs. It computes every hash once, as Verify
// does.
//
// The result shares m.Indexes, m.Nodes and leaves: don't change their elements
// as long as it is in use.
func (m *Multiproof) Expand(tree Tree, leaves []Hash) (*Proven, error) {
	forks := make([]fork, max(len(leaves), 1)-1)
	if err := m.verify(tree, leaves, forks); err != nil {
		return nil, err
	}
	return &Proven{proof: *m, root: tree.Root, leaves: leaves, forks: forks}, nil
}

// Tree is the tree that the leaves were proven to be in.
func (p *Proven) Tree() Tree {
	return Tree{Size: p.proof.Size, Root: p.root}
}

// Inclusion gives the ordinary inclusion proof (RFC 9162, Section 2.1.3.1) of
// the leaf at index, without computing any hash. A leaf that is not among the
// proven ones is an error.
func (p *Proven) Inclusion(index uint64) (Inclusion, error) {
	i, ok := slices.BinarySearch(p.proof.Indexes, index)
	if !ok {
		return Inclusion{}, fmt.Errorf("leaf %d is not one of the %d proven leaves", index, len(p.leaves))
	}
	return Inclusion{Index: index, Leaf: p.leaves[i], Tree: p.Tree(), Path: p.path(i)}, nil
}

// path walks down from the root to leaf i and collects the siblings that it
// passes. nodes are those of the multiproof that belong to the subtree where it
// is. A side without proven leaves is one node: the first of them if it is the
// left side, the last if it is the right one.
func (p *Proven) path(i int) []Hash {
	nodes := p.proof.Nodes
	first := 0 // position of nodes[0] in proof.Nodes
	path := make([]Hash, 0, depth(p.proof.Size, 0, p.proof.Indexes[i]))
	s := span{hi: p.proof.Size, end: len(p.leaves)}
	for s.hi-s.lo > 1 {
		l, r := s.halves(p.proof.Indexes)
		switch {
		case l.begin == l.end:
			path = append(path, nodes[0])
			nodes, first, s = nodes[1:], first+1, r
		case r.begin == r.end:
			path = append(path, nodes[len(nodes)-1])
			nodes, s = nodes[:len(nodes)-1], l
		case i < l.end:
			f := &p.forks[l.end-1]
			path = append(path, f.right)
			nodes, s = nodes[:f.used-first], l
		default:
			f := &p.forks[l.end-1]
			path = append(path, f.left)
			nodes, first, s = nodes[f.used-first:], f.used, r
		}
	}
	slices.Reverse(path)
	return path
}
