package merkle_test

import (
	"encoding/binary"
	"slices"

	"github.com/modseal/modseal/merkle"
)

// naive is a tree as RFC 9162, Section 2.1 defines it, without any cleverness:
// it maps lo and hi to MTH(D[lo:hi]), where hi-lo leaves are split after the
// largest power of two smaller than their number.
type naive func(lo, hi uint64) merkle.Hash

func largestPowerBelow(n uint64) uint64 {
	k := uint64(1)
	for k*2 < n {
		k *= 2
	}
	return k
}

func (t naive) tree(size uint64) merkle.Tree {
	return merkle.Tree{Size: size, Root: t(0, size)}
}

func (t naive) leaf(i uint64) merkle.Hash { return t(i, i+1) }

func (t naive) leaves(indexes []uint64) []merkle.Hash {
	var hashes []merkle.Hash
	for _, i := range indexes {
		hashes = append(hashes, t.leaf(i))
	}
	return hashes
}

// inclusion is PATH(i, D[0:size]) of Section 2.1.3.1.
func (t naive) inclusion(i, size uint64) merkle.Inclusion {
	return merkle.Inclusion{Index: i, Leaf: t.leaf(i), Tree: t.tree(size), Path: t.path(i, 0, size)}
}

func (t naive) path(i, lo, hi uint64) []merkle.Hash {
	if hi-lo == 1 {
		return nil
	}
	mid := lo + largestPowerBelow(hi-lo)
	if i < mid {
		return append(t.path(i, lo, mid), t(mid, hi))
	}
	return append(t.path(i, mid, hi), t(lo, mid))
}

// consistency is PROOF(n, D[0:m]) of Section 2.1.4.1.
func (t naive) consistency(n, m uint64) []merkle.Hash {
	return t.subproof(n, 0, m, true)
}

func (t naive) subproof(n, lo, hi uint64, whole bool) []merkle.Hash {
	if n == hi {
		if whole {
			return nil
		}
		return []merkle.Hash{t(lo, hi)}
	}
	mid := lo + largestPowerBelow(hi-lo)
	if n <= mid {
		return append(t.subproof(n, lo, mid, whole), t(mid, hi))
	}
	return append(t.subproof(n, mid, hi, false), t(lo, mid))
}

// multiproof is the definition in the documentation of merkle.Multiproof.
func (t naive) multiproof(indexes []uint64, size uint64) *merkle.Multiproof {
	return &merkle.Multiproof{Size: size, Indexes: indexes, Nodes: t.without(indexes, 0, size)}
}

func (t naive) without(indexes []uint64, lo, hi uint64) []merkle.Hash {
	if !slices.ContainsFunc(indexes, func(i uint64) bool { return lo <= i && i < hi }) {
		return []merkle.Hash{t(lo, hi)}
	}
	if hi-lo == 1 {
		return nil
	}
	mid := lo + largestPowerBelow(hi-lo)
	return append(t.without(indexes, lo, mid), t.without(indexes, mid, hi)...)
}

// ReadNodes makes a naive tree a merkle.NodeReader.
func (t naive) ReadNodes(ids []merkle.NodeID) ([]merkle.Hash, error) {
	var hashes []merkle.Hash
	for _, id := range ids {
		hashes = append(hashes, t(id.Index<<id.Level, (id.Index+1)<<id.Level))
	}
	return hashes, nil
}

// leafData is the content of leaf i of the trees below.
func leafData(i uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte("leaf "), i)
}

// denseTree is a naive tree that remembers what it has computed.
func denseTree() naive {
	known := map[[2]uint64]merkle.Hash{}
	var t naive
	t = func(lo, hi uint64) merkle.Hash {
		h, ok := known[[2]uint64{lo, hi}]
		if !ok {
			if hi-lo == 1 {
				h = merkle.LeafHash(leafData(lo))
			} else {
				mid := lo + largestPowerBelow(hi-lo)
				h = merkle.NodeHash(t(lo, mid), t(mid, hi))
			}
			known[[2]uint64{lo, hi}] = h
		}
		return h
	}
	return t
}

// sparseTree is a naive tree of any size where all leaves are alike, except
// those at the given indexes, which must increase.
func sparseTree(indexes []uint64) naive {
	perfect := []merkle.Hash{merkle.LeafHash(nil)} // by level
	for len(perfect) <= 62 {
		h := perfect[len(perfect)-1]
		perfect = append(perfect, merkle.NodeHash(h, h))
	}
	var alike func(n uint64) merkle.Hash
	alike = func(n uint64) merkle.Hash {
		for level := range perfect {
			if n == 1<<level {
				return perfect[level]
			}
		}
		k := largestPowerBelow(n)
		return merkle.NodeHash(alike(k), alike(n-k))
	}
	var some func(in []uint64, lo, hi uint64) merkle.Hash
	some = func(in []uint64, lo, hi uint64) merkle.Hash {
		a, _ := slices.BinarySearch(in, lo)
		b, _ := slices.BinarySearch(in, hi)
		switch in = in[a:b]; {
		case len(in) == 0:
			return alike(hi - lo)
		case hi-lo == 1:
			return merkle.LeafHash(leafData(lo))
		}
		mid := lo + largestPowerBelow(hi-lo)
		return merkle.NodeHash(some(in, lo, mid), some(in, mid, hi))
	}
	return func(lo, hi uint64) merkle.Hash { return some(indexes, lo, hi) }
}

// random is the generator SplitMix64: the same numbers everywhere, for ever.
type random uint64

func (r *random) below(n uint64) uint64 {
	*r += 0x9e3779b97f4a7c15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return (z ^ z>>31) % n
}

// subset draws count indexes below size, or fewer where it draws one twice.
func (r *random) subset(count int, size uint64) []uint64 {
	indexes := make([]uint64, count)
	for i := range indexes {
		indexes[i] = r.below(size)
	}
	slices.Sort(indexes)
	return slices.Compact(indexes)
}
