package merkle

import (
	"fmt"
	"math/bits"
	"slices"
)

// Inclusion claims that Leaf, a leaf hash, has the position Index (from 0) in
// Tree. Path is the proof, from the leaf's sibling to the root's child. It is
// only a claim until [VerifyInclusion] accepts it; the zero Inclusion never
// verifies.
type Inclusion struct {
	Index uint64
	Leaf  Hash
	Tree  Tree
	Path  []Hash
}

// Rebase turns an inclusion proof in the tree p.Tree into one of the same leaf
// in the later tree to, given the consistency proof between the two
// (RFC 9162, Section 2.1.4.1). The result is the very proof that the log itself
// would give, and costs no further request.
//
// Both proofs are verified first and the result afterwards, against to; any
// failure is an error. For trees of one size, the result equals p. It shares no
// memory with the arguments.
func Rebase(p Inclusion, to Tree, consistency []Hash) (Inclusion, error) {
	if err := VerifyInclusion(p.Tree, p.Index, p.Leaf, p.Path); err != nil {
		return Inclusion{}, err
	}
	if err := VerifyConsistency(p.Tree, to, consistency); err != nil {
		return Inclusion{}, err
	}
	q := Inclusion{Index: p.Index, Leaf: p.Leaf, Tree: to, Path: slices.Clone(p.Path)}
	if p.Tree.Size < to.Size {
		q.Path = rebasedPath(p, to.Size, consistency)
	}
	if err := VerifyInclusion(q.Tree, q.Index, q.Leaf, q.Path); err != nil {
		return Inclusion{}, fmt.Errorf("rebased proof: %w", err)
	}
	return q, nil
}

// rebasedPath is the inclusion path of leaf i = p.Index in the first m leaves.
// It needs i < n < m with n = p.Tree.Size and both proofs verified, so that
// their lengths are right.
//
// The tree of size n is a row of perfect subtrees, one for each bit set in n.
// T, of level lt, is the one with leaf i in it; S, of level ls, is the last.
//
//	                     ┌──────┐
//	  ┌──────────────┐   │  X   │          X: T's right sibling in the tree of
//	  │      T       │   │ S    │             size m. It begins with what is
//	  └──────────────┘   └──────┘             right of T in the tree of size n.
//	0 ... i ............... n ... m
//
// The path from i up to T lies in leaves that both trees have: it is the
// beginning of p.Path. The consistency proof is S followed by the path from S
// up to the root at m (S is left out if it is the whole old tree). If S is T,
// that path is the missing part. Otherwise T's path continues with X, and then
// as X's does; on the way from S up to the root the proof gives all that hashes
// to X, then T itself, then the siblings above both.
func rebasedPath(p Inclusion, m uint64, consistency []Hash) []Hash {
	i, n := p.Index, p.Tree.Size
	lt := bits.Len64(i^n) - 1
	ls := bits.TrailingZeros64(n)

	x := p.Tree.Root
	if n != 1<<ls {
		x, consistency = consistency[0], consistency[1:]
	}
	path := slices.Clone(p.Path[:lt])
	if lt == ls {
		return append(path, consistency...)
	}
	index := (n - 1) >> ls
	for level := ls; level < lt; level++ {
		switch {
		case index&1 == 1:
			x, consistency = NodeHash(consistency[0], x), consistency[1:]
		case (index+1)<<level < m:
			x, consistency = NodeHash(x, consistency[0]), consistency[1:]
		default: // The last node of its level has no sibling: it moves up as it is.
		}
		index >>= 1
	}
	return append(append(path, x), consistency[1:]...)
}
