package merkle

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
)

// MaxConsistency is the most hashes that a consistency proof has: one at each
// level of the largest tree, and the one that it begins with.
const MaxConsistency = maxDepth + 1

// NumConsistency is the number of hashes in the consistency proof between trees
// of these sizes (RFC 9162, Section 2.1.4.1). It is an error if from is not 1 to
// to, or to is above [MaxSize].
func NumConsistency(from, to uint64) (int, error) {
	spans, err := consistencySpans(from, to)
	return len(spans), err
}

// extent is the leaves from lo up to, not including, hi.
type extent struct{ lo, hi uint64 }

// consistencySpans are the subtrees whose hashes are PROOF(from, D[0:to]) of RFC
// 9162, Section 2.1.4.1, in its order: what the recursion meets last comes first.
func consistencySpans(from, to uint64) ([]extent, error) {
	for _, size := range []uint64{from, to} {
		if err := checkSize(size); err != nil {
			return nil, err
		}
	}
	if from > to {
		return nil, errors.New("the trees are in the wrong order")
	}
	var down []extent // as the recursion meets them
	s := extent{0, to}
	for s.hi != from {
		mid := s.lo + 1<<(bits.Len64(s.hi-s.lo-1)-1) // after the largest power of two below the number of leaves
		if from <= mid {
			down, s = append(down, extent{mid, s.hi}), extent{s.lo, mid}
		} else {
			down, s = append(down, extent{s.lo, mid}), extent{mid, s.hi}
		}
	}
	if s.lo > 0 { // else it is the whole of the earlier tree, whose root is known
		down = append(down, s)
	}
	slices.Reverse(down)
	return down, nil
}

// BuildConsistency makes the consistency proof between two trees of a log from
// the nodes of the later one. It calls r once. The result is verified; if the
// first from.Size leaves of the later tree have another root than from, the error
// is a [*RootError] whose Want is from. The errors are those of [NumConsistency]
// besides. Between trees of one size the proof is empty, and r is not called.
func BuildConsistency(from, to Tree, r NodeReader) ([]Hash, error) {
	proof, err := buildConsistency(from, to, r)
	if err != nil {
		return nil, fmt.Errorf("consistency of tree sizes %d and %d: %w", from.Size, to.Size, err)
	}
	return proof, nil
}

func buildConsistency(from, to Tree, r NodeReader) ([]Hash, error) {
	spans, err := consistencySpans(from.Size, to.Size)
	if err != nil {
		return nil, err
	}
	if from.Size == to.Size {
		return nil, verifyConsistency(from, to, nil)
	}
	// The earlier tree itself too: the proof does not tell its root if that is a node of the later one.
	spans = append(spans, extent{0, from.Size})
	var ids []NodeID
	ends := make([]int, len(spans)) // of each span's nodes in ids
	for i, s := range spans {
		ids = appendCover(ids, s.lo, s.hi)
		ends[i] = len(ids)
	}
	nodes, err := r.ReadNodes(ids)
	if err != nil {
		return nil, fmt.Errorf("reading tree nodes: %w", err)
	}
	if len(nodes) != len(ids) {
		return nil, fmt.Errorf("reading tree nodes: %d hashes for %d nodes", len(nodes), len(ids))
	}
	hashes := make([]Hash, len(spans))
	begin := 0
	for i, end := range ends {
		hashes[i] = foldEdge(nodes[begin:end])
		begin = end
	}
	last := len(hashes) - 1
	proof, actual := hashes[:last:last], Tree{Size: from.Size, Root: hashes[last]}
	if err := verifyConsistency(actual, to, proof); err != nil {
		return nil, err // of the reader
	}
	if actual != from {
		return nil, &RootError{Want: from, Got: actual.Root}
	}
	return proof, nil
}

// ErrNoRoot says that a consistency proof alone does not tell the earlier root.
var ErrNoRoot = errors.New("the proof does not tell the earlier tree's root")

// ConsistentRoot gives the root that the tree to had when it had size leaves, as
// a consistency proof tells it: the proof is verified against to. So it tells a
// fork, in which the earlier root is another, from a proof that is worth nothing.
// Where size is a power of two the proof begins with that very root, and leaves
// it out: then the error is [ErrNoRoot].
func ConsistentRoot(size uint64, to Tree, proof []Hash) (Hash, error) {
	if size&(size-1) == 0 && size < to.Size {
		return Hash{}, ErrNoRoot
	}
	from := Tree{Size: size} // its root is what is compared first
	if size == to.Size {
		from = to
	}
	err := verifyConsistency(from, to, proof)
	var other *RootError
	if errors.As(err, &other) && other.Want.Size == size {
		from.Root = other.Got
		err = verifyConsistency(from, to, proof)
	}
	if err != nil {
		return Hash{}, fmt.Errorf("consistency of tree sizes %d and %d: %w", size, to.Size, err)
	}
	return from.Root, nil
}
