package testlog

import (
	"fmt"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/modseal/modseal/merkle"
)

// A Tree is an append-only Merkle tree with its leaves. It is safe for
// concurrent use.
type Tree struct {
	mu     sync.RWMutex
	leaves [][]byte
	hashes storedHashes
}

// storedHashes is a tlog.HashReader.
type storedHashes []tlog.Hash

func (s storedHashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	list := make([]tlog.Hash, len(indexes))
	for n, i := range indexes {
		if i < 0 || i >= int64(len(s)) {
			return nil, fmt.Errorf("no hash %d", i)
		}
		list[n] = s[i]
	}
	return list, nil
}

// must turns what only a wrong test can cause into a panic.
func must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("testlog: %v", err))
	}
	return v
}

func (t *Tree) append(leaf []byte) (index uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(t.leaves)
	t.hashes = append(t.hashes, must(tlog.StoredHashes(int64(n), leaf, t.hashes))...)
	t.leaves = append(t.leaves, append([]byte{}, leaf...))
	return uint64(n)
}

// Rewrite puts another leaf in the place of one, and Truncate drops all leaves
// from size on, as no honest log does: what it signs from then on is a fork of
// what it signed before, or rolled back.
func (t *Tree) Rewrite(index uint64, leaf []byte) {
	leaves := t.Truncate(index)
	leaves[0] = leaf
	for _, l := range leaves {
		t.append(l)
	}
}

// Truncate gives the leaves that it drops; see Rewrite.
func (t *Tree) Truncate(size uint64) [][]byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	dropped := append([][]byte{}, t.leaves[size:]...)
	t.leaves = t.leaves[:size]
	t.hashes = t.hashes[:tlog.StoredHashCount(int64(size))]
	return dropped
}

// Append adds a leaf that nothing finds, whatever it is.
func (t *Tree) Append(leaf []byte) (index uint64) { return t.append(leaf) }

// Size is the number of leaves.
func (t *Tree) Size() uint64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return uint64(len(t.leaves))
}

// Leaf is what the leaf at index holds.
func (t *Tree) Leaf(index uint64) []byte {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return append([]byte{}, t.leaves[index]...)
}

// Head is the tree of the first size leaves.
func (t *Tree) Head(size uint64) merkle.Tree {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.head(size)
}

func (t *Tree) head(size uint64) merkle.Tree {
	return merkle.Tree{Size: size, Root: merkle.Hash(must(tlog.TreeHash(int64(size), t.hashes)))}
}

// Inclusion proves a leaf in the tree of the first size leaves.
func (t *Tree) Inclusion(index, size uint64) merkle.Inclusion {
	t.mu.RLock()
	defer t.mu.RUnlock()
	in := merkle.Inclusion{Index: index, Leaf: merkle.LeafHash(t.leaves[index]), Tree: t.head(size)}
	for _, h := range must(tlog.ProveRecord(int64(size), int64(index), t.hashes)) {
		in.Path = append(in.Path, merkle.Hash(h))
	}
	return in
}

// Consistency proves that the first from leaves are the beginning of the first
// to leaves.
func (t *Tree) Consistency(from, to uint64) []merkle.Hash {
	t.mu.RLock()
	defer t.mu.RUnlock()
	path := []merkle.Hash{}
	for _, h := range must(tlog.ProveTree(int64(to), int64(from), t.hashes)) {
		path = append(path, merkle.Hash(h))
	}
	return path
}

// Multiproof proves leaves in the tree of the first size leaves. Unlike the
// other proofs it is made by package merkle.
func (t *Tree) Multiproof(size uint64, indexes ...uint64) *merkle.Multiproof {
	proofs := make([]merkle.Inclusion, len(indexes))
	for i, index := range indexes {
		proofs[i] = t.Inclusion(index, size)
	}
	return must(merkle.MergeProofs(t.Head(size), proofs))
}
