package merkle_test

import (
	"fmt"
	"testing"

	"github.com/modseal/modseal/merkle"
)

// benchmarkSizes runs f with random leaves of a tree of 2^28.
func benchmarkSizes(b *testing.B, f func(b *testing.B, tree naive, m *merkle.Multiproof, leaves []merkle.Hash)) {
	for _, count := range []int{1000, 100_000} {
		var r random
		indexes := r.subset(count, 1<<28)
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			tree := sparseTree(indexes)
			m, err := merkle.BuildMultiproof(tree.tree(1<<28), indexes, tree)
			if err != nil {
				b.Fatal(err)
			}
			leaves := tree.leaves(indexes)
			b.ReportAllocs()
			b.ResetTimer()
			f(b, tree, m, leaves)
			b.ReportMetric(float64(len(m.Nodes)), "nodes")
		})
	}
}

func BenchmarkBuild(b *testing.B) {
	benchmarkSizes(b, func(b *testing.B, tree naive, m *merkle.Multiproof, leaves []merkle.Hash) {
		ids, err := merkle.MultiproofNodes(m.Size, m.Indexes)
		if err != nil {
			b.Fatal(err)
		}
		hashes, err := tree.ReadNodes(ids)
		if err != nil {
			b.Fatal(err)
		}
		head := tree.tree(m.Size)
		ready := readerFunc(func([]merkle.NodeID) ([]merkle.Hash, error) { return hashes, nil })
		b.ResetTimer()
		for b.Loop() {
			if _, err := merkle.BuildMultiproof(head, m.Indexes, ready); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	benchmarkSizes(b, func(b *testing.B, tree naive, m *merkle.Multiproof, leaves []merkle.Hash) {
		head := tree.tree(m.Size)
		for b.Loop() {
			if err := m.Verify(head, leaves); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkExpand gets the inclusion proofs of all leaves.
func BenchmarkExpand(b *testing.B) {
	benchmarkSizes(b, func(b *testing.B, tree naive, m *merkle.Multiproof, leaves []merkle.Hash) {
		head := tree.tree(m.Size)
		for b.Loop() {
			proven, err := m.Expand(head, leaves)
			if err != nil {
				b.Fatal(err)
			}
			for _, index := range m.Indexes {
				if _, err := proven.Inclusion(index); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

func BenchmarkMerge(b *testing.B) {
	benchmarkSizes(b, func(b *testing.B, tree naive, m *merkle.Multiproof, leaves []merkle.Hash) {
		proven, err := m.Expand(tree.tree(m.Size), leaves)
		if err != nil {
			b.Fatal(err)
		}
		var proofs []merkle.Inclusion
		for _, index := range m.Indexes {
			p, err := proven.Inclusion(index)
			if err != nil {
				b.Fatal(err)
			}
			proofs = append(proofs, p)
		}
		b.ResetTimer()
		for b.Loop() {
			if _, err := merkle.MergeProofs(proven.Tree(), proofs); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	benchmarkSizes(b, func(b *testing.B, tree naive, m *merkle.Multiproof, leaves []merkle.Hash) {
		encoded, err := m.MarshalBinary()
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(encoded)))
		for b.Loop() {
			if _, err := merkle.ParseMultiproof(encoded); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkRebase(b *testing.B) {
	const i, n, m = 123_456_789, 200_000_001, 1 << 28
	tree := sparseTree([]uint64{i, n})
	p, to, consistency := tree.inclusion(i, n), tree.tree(m), tree.consistency(n, m)
	for b.Loop() {
		if _, err := merkle.Rebase(p, to, consistency); err != nil {
			b.Fatal(err)
		}
	}
}
