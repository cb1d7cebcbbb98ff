package merkle_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/modseal/modseal/merkle"
)

// Any bytes are parsed or refused, without panic; what is parsed encodes to the
// same bytes, computes a root, and with it verifies and expands.
func FuzzParseMultiproof(f *testing.F) {
	tree := denseTree()
	for _, indexes := range [][]uint64{{0}, {5}, {0, 1, 2}, {3, 9, 10, 12}} {
		for _, size := range []uint64{13, 16, 300} {
			b, err := tree.multiproof(indexes, size).MarshalBinary()
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	f.Add([]byte{1, 1, 0})
	f.Add([]byte{0x82, 0, 2, 0, 0})
	large := []uint64{0, 1 << 40, merkle.MaxSize - 1}
	b, err := sparseTree(large).multiproof(large, merkle.MaxSize).MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := merkle.ParseMultiproof(b)
		if err != nil {
			if m != nil {
				t.Fatal("a result with an error")
			}
			return
		}
		if again, err := m.MarshalBinary(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("encoded again to %x: %v", again, err)
		}
		leaves := make([]merkle.Hash, len(m.Indexes))
		root, err := m.Root(leaves)
		if err != nil {
			t.Fatal(err)
		}
		checkProves(t, m, root, leaves)
	})
}

// checkProves wants a valid inclusion proof of each leaf, and these to merge to m.
func checkProves(t *testing.T, m *merkle.Multiproof, root merkle.Hash, leaves []merkle.Hash) {
	t.Helper()
	proven, err := m.Expand(merkle.Tree{Size: m.Size, Root: root}, leaves)
	if err != nil {
		t.Fatal(err)
	}
	var proofs []merkle.Inclusion
	for _, index := range m.Indexes {
		p, err := proven.Inclusion(index)
		if err != nil {
			t.Fatal(err)
		}
		proofs = append(proofs, p)
	}
	if merged, err := merkle.MergeProofs(proven.Tree(), proofs); err != nil || !sameMultiproof(merged, m) {
		t.Fatalf("merged to %v: %v", merged, err)
	}
}

// Any set of leaves in a tree of any size gives the multiproof of the definition;
// one with a hash changed doesn't verify. The indexes are taken from pairs: where
// to go on, and how many leaves to take from there.
func FuzzMultiproof(f *testing.F) {
	f.Add(uint64(13), []byte{3, 1, 5, 3}, uint16(0))
	f.Add(uint64(1), []byte{0, 1}, uint16(1))
	f.Add(uint64(1<<28), []byte{0xff, 2, 0xf0, 1, 0x80, 3}, uint16(7))
	f.Add(uint64(merkle.MaxSize), []byte{0xff, 1, 0xff, 1}, uint16(300))
	f.Add(uint64(merkle.MaxSize-1), []byte{0xff, 0xff}, uint16(40))
	f.Fuzz(func(t *testing.T, size uint64, pairs []byte, at uint16) {
		size = 1 + (size-1)%merkle.MaxSize
		var indexes []uint64
		for next := uint64(0); len(pairs) >= 2 && len(indexes) < 200; pairs = pairs[2:] {
			next += (size - next) / 256 * uint64(pairs[0]) // most of what is left, or none
			next += uint64(pairs[0] % 4)
			for range pairs[1] % 8 {
				if next < size {
					indexes = append(indexes, next)
					next++
				}
			}
			if next >= size {
				break
			}
		}
		if len(indexes) == 0 {
			return
		}
		tree := sparseTree(indexes)
		want, root, leaves := tree.multiproof(indexes, size), tree(0, size), tree.leaves(indexes)
		m, err := merkle.BuildMultiproof(tree.tree(size), indexes, tree)
		if err != nil || !sameMultiproof(m, want) {
			t.Fatalf("not the multiproof of the definition: %v", err)
		}
		checkProves(t, m, root, leaves)
		all := append(slices.Clone(leaves), m.Nodes...)
		i := int(at) % len(all)
		all[i] = flip(all[i])
		m.Nodes = all[len(leaves):]
		if err := m.Verify(tree.tree(size), all[:len(leaves)]); err == nil {
			t.Fatalf("accepted with hash %d changed", i)
		}
	})
}

// Rebase gives the log's own proof for any leaf and any two trees; and with any
// bytes for proofs it doesn't panic, and gives only proofs that verify.
func FuzzRebase(f *testing.F) {
	hashes := make([]byte, 5*merkle.HashSize)
	f.Add(uint64(0), uint64(1), uint64(2), []byte{}, hashes[:32])
	f.Add(uint64(3), uint64(7), uint64(8), hashes[:96], hashes)
	f.Add(uint64(9), uint64(12), uint64(1<<40), hashes, hashes)
	f.Add(uint64(1<<60), uint64(1<<61), uint64(merkle.MaxSize), hashes, hashes[:64])
	f.Add(uint64(1<<61), uint64(merkle.MaxSize-1), uint64(merkle.MaxSize), []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, i, n, m uint64, path, consistency []byte) {
		hostile := merkle.Inclusion{Index: i, Tree: merkle.Tree{Size: n}, Path: toHashes(path)}
		for _, to := range []merkle.Tree{{Size: m}, {Size: n}} {
			if q, err := merkle.Rebase(hostile, to, toHashes(consistency)); err == nil {
				if err := merkle.VerifyInclusion(to, i, hostile.Leaf, q.Path); err != nil {
					t.Fatal(err)
				}
			}
		}
		m = 1 + m%merkle.MaxSize
		n = 1 + n%m
		i %= n
		tree := sparseTree(slices.Compact([]uint64{i, n}))
		honest := tree.inclusion(i, n)
		q, err := merkle.Rebase(honest, tree.tree(m), tree.consistency(n, m))
		if err != nil || !sameInclusion(q, tree.inclusion(i, m)) {
			t.Fatalf("leaf %d from %d to %d: not the log's proof: %v", i, n, m, err)
		}
		// An honest inclusion proof, carried by what isn't a consistency proof.
		if q, err := merkle.Rebase(honest, tree.tree(m), toHashes(consistency)); err == nil && !sameInclusion(q, tree.inclusion(i, m)) {
			t.Fatalf("leaf %d from %d to %d: accepted as consistency proof: %x", i, n, m, consistency)
		}
	})
}

// toHashes cuts b into hashes; short input gives short lists, so that a fuzzer
// can find the lengths: every byte but the last of a hash may be left out.
func toHashes(b []byte) []merkle.Hash {
	var hashes []merkle.Hash
	for len(b) > 0 {
		var h merkle.Hash
		n := copy(h[:], b[:min(len(b), 1+int(b[0])%merkle.HashSize)])
		hashes = append(hashes, h)
		b = b[n:]
	}
	return hashes
}

// A log whose every hash is made up can still have proofs that verify: if the old
// size is a power of two, its root begins the new one's. Rebase stays correct.
func TestRebaseMadeUpHashes(t *testing.T) {
	var r random
	for range 2000 {
		level := r.below(20)
		p := merkle.Inclusion{Index: r.below(1 << level), Tree: merkle.Tree{Size: 1 << level}}
		for range level {
			p.Path = append(p.Path, madeUpHash(&r))
		}
		p.Leaf = madeUpHash(&r)
		m := &merkle.Multiproof{Size: p.Tree.Size, Indexes: []uint64{p.Index}, Nodes: canonical(p)}
		root, err := m.Root([]merkle.Hash{p.Leaf})
		if err != nil {
			t.Fatal(err)
		}
		p.Tree.Root = root
		// The tree grows by up to 10 siblings, all to the right.
		to, consistency := p.Tree, []merkle.Hash(nil)
		for range r.below(10) {
			h := madeUpHash(&r)
			consistency = append(consistency, h)
			to = merkle.Tree{Size: to.Size * 2, Root: merkle.NodeHash(to.Root, h)}
		}
		q, err := merkle.Rebase(p, to, consistency)
		if err != nil || !slices.Equal(q.Path, append(slices.Clone(p.Path), consistency...)) {
			t.Fatalf("leaf %d from %d to %d: %v", p.Index, p.Tree.Size, to.Size, err)
		}
	}
}

// canonical orders the path of a single leaf as in a multiproof: the siblings to
// the left from the root down, then those to the right from the leaf up.
func canonical(p merkle.Inclusion) []merkle.Hash {
	var left, right []merkle.Hash
	for level, h := range p.Path {
		if p.Index>>level&1 == 1 {
			left = append(left, h)
		} else {
			right = append(right, h)
		}
	}
	slices.Reverse(left)
	return append(left, right...)
}

func madeUpHash(r *random) merkle.Hash {
	var h merkle.Hash
	binary.LittleEndian.PutUint64(h[:], r.below(1<<63))
	return h
}
