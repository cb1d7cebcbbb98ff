package merkle_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/modseal/modseal/merkle"
)

// A multiproof has the nodes of the definition, whether built from nodes or
// merged from inclusion proofs; it verifies, survives encoding, and gives back
// the log's own inclusion proofs. For every set of leaves of every tree up to 10.
func TestMultiproofAllSubsets(t *testing.T) {
	tree := denseTree()
	for size := uint64(1); size <= 10; size++ {
		for set := uint64(1); set < 1<<size; set++ {
			var indexes []uint64
			for i := range size {
				if set>>i&1 == 1 {
					indexes = append(indexes, i)
				}
			}
			checkMultiproof(t, tree, indexes, size)
		}
	}
}

// The same for some sets of leaves, of all densities, of every tree up to 130.
func TestMultiproofRandomSubsets(t *testing.T) {
	tree := denseTree()
	var r random
	for size := uint64(1); size <= allTrees; size++ {
		for count := 1; count <= int(size)*2; count += 1 + count/2 {
			checkMultiproof(t, tree, r.subset(count, size), size)
		}
	}
}

// The same for trees of up to MaxSize.
func TestMultiproofLargeTrees(t *testing.T) {
	var r random
	for range 100 {
		size := merkle.MaxSize - r.below(3)
		if bits := r.below(62); r.below(4) > 0 {
			size = 1<<bits + r.below(1<<bits)
		}
		indexes := r.subset(1+int(r.below(20)), size)
		if r.below(2) == 0 {
			indexes = append(indexes, size-1, 0, size/2, (size-1)/2)
			slices.Sort(indexes)
			indexes = slices.Compact(indexes)
		}
		checkMultiproof(t, sparseTree(indexes), indexes, size)
	}
}

// checkMultiproof compares all that can be done with one set of leaves with the
// naive tree.
func checkMultiproof(t *testing.T, tree naive, indexes []uint64, size uint64) {
	t.Helper()
	want, leaves, head := tree.multiproof(indexes, size), tree.leaves(indexes), tree.tree(size)
	m, err := merkle.BuildMultiproof(head, indexes, tree)
	if err != nil {
		t.Fatalf("leaves %d in %d: %v", indexes, size, err)
	}
	if !sameMultiproof(m, want) {
		t.Fatalf("leaves %d in %d: %d nodes, not the %d of the definition", indexes, size, len(m.Nodes), len(want.Nodes))
	}
	if n, err := merkle.NumNodes(size, indexes); err != nil || n != len(want.Nodes) {
		t.Fatalf("leaves %d in %d: NumNodes gives %d, %v", indexes, size, n, err)
	}
	if err := m.Verify(head, leaves); err != nil {
		t.Fatalf("leaves %d in %d: %v", indexes, size, err)
	}
	proofs := checkExpand(t, m, tree)
	slices.Reverse(proofs)
	merged, err := merkle.MergeProofs(head, append(proofs, proofs[0]))
	if err != nil || !sameMultiproof(merged, want) {
		t.Fatalf("leaves %d in %d: merged to another multiproof: %v", indexes, size, err)
	}
	b, err := m.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := merkle.ParseMultiproof(b)
	if err != nil || !sameMultiproof(parsed, want) {
		t.Fatalf("leaves %d in %d: parsed to another multiproof: %v", indexes, size, err)
	}
	if again, err := parsed.AppendBinary([]byte("x")); err != nil || !bytes.Equal(again[1:], b) {
		t.Fatalf("leaves %d in %d: encoded again to other bytes: %v", indexes, size, err)
	}
}

// checkExpand returns the inclusion proofs of all leaves of m.
func checkExpand(t *testing.T, m *merkle.Multiproof, tree naive) []merkle.Inclusion {
	t.Helper()
	head := tree.tree(m.Size)
	p, err := m.Expand(head, tree.leaves(m.Indexes))
	if err != nil {
		t.Fatal(err)
	}
	if p.Tree() != head {
		t.Fatalf("proven in tree %v, want %v", p.Tree(), head)
	}
	var proofs []merkle.Inclusion
	for _, index := range m.Indexes {
		got, err := p.Inclusion(index)
		if err != nil {
			t.Fatal(err)
		}
		if !sameInclusion(got, tree.inclusion(index, m.Size)) {
			t.Fatalf("leaves %d in %d: not the log's proof of leaf %d", m.Indexes, m.Size, index)
		}
		proofs = append(proofs, got)
	}
	for i := range min(m.Size+2, 2*allTrees) {
		if _, err := p.Inclusion(i); (err == nil) != slices.Contains(m.Indexes, i) {
			t.Fatalf("leaves %d in %d: proof of leaf %d: %v", m.Indexes, m.Size, i, err)
		}
	}
	return proofs
}

// The nodes that are read lie side by side and have every leaf of the tree once,
// and all are asked for in a single call.
func TestMultiproofNodesCoverTheTree(t *testing.T) {
	tree := denseTree()
	var r random
	for size := uint64(1); size <= allTrees; size++ {
		indexes := r.subset(1+int(r.below(8)), size)
		ids, err := merkle.MultiproofNodes(size, indexes)
		if err != nil {
			t.Fatal(err)
		}
		next, leaves := uint64(0), indexes
		for _, id := range ids {
			if id.Index<<id.Level != next {
				t.Fatalf("leaves %d in %d: node %v doesn't begin at leaf %d", indexes, size, id, next)
			}
			if len(leaves) > 0 && leaves[0] == next && id.Level == 0 {
				leaves = leaves[1:]
			}
			next = (id.Index + 1) << id.Level
		}
		if next != size || len(leaves) > 0 {
			t.Fatalf("leaves %d in %d: nodes end at leaf %d, without leaves %d", indexes, size, next, leaves)
		}
		var asked [][]merkle.NodeID
		_, err = merkle.BuildMultiproof(tree.tree(size), indexes, readerFunc(func(ids []merkle.NodeID) ([]merkle.Hash, error) {
			asked = append(asked, ids)
			return tree.ReadNodes(ids)
		}))
		if err != nil || len(asked) != 1 || !slices.Equal(asked[0], ids) {
			t.Fatalf("leaves %d in %d: asked for %v, want %v: %v", indexes, size, asked, ids, err)
		}
	}
}

type readerFunc func([]merkle.NodeID) ([]merkle.Hash, error)

func (f readerFunc) ReadNodes(ids []merkle.NodeID) ([]merkle.Hash, error) { return f(ids) }

// Whatever a reader gets wrong is noticed: any hash, their number, or that it
// says so itself.
func TestBuildMultiproofLyingReader(t *testing.T) {
	tree := denseTree()
	head, indexes := tree.tree(13), []uint64{2, 3, 8}
	ids, err := merkle.MultiproofNodes(head.Size, indexes)
	if err != nil {
		t.Fatal(err)
	}
	build := func(hashes []merkle.Hash, err error) error {
		m, err := merkle.BuildMultiproof(head, indexes, readerFunc(func([]merkle.NodeID) ([]merkle.Hash, error) {
			return hashes, err
		}))
		if (m == nil) != (err != nil) {
			t.Errorf("result %v with error %v", m, err)
		}
		return err
	}
	good, err := tree.ReadNodes(ids)
	if err := build(good, err); err != nil {
		t.Fatal(err)
	}
	for _, lie := range pathLies(good) {
		checkRefused(t, build(lie.path, nil), lie.wrongRoot, "%s", lie.name)
	}
	down := errors.New("log is down")
	if err := build(good, down); !errors.Is(err, down) {
		t.Errorf("got error %v, want one that wraps %v", err, down)
	}
}

// A multiproof shares no memory with the arguments that it was made from.
func TestBuildMultiproofCopies(t *testing.T) {
	tree := denseTree()
	indexes := []uint64{2, 3, 8}
	var hashes []merkle.Hash
	m, err := merkle.BuildMultiproof(tree.tree(13), indexes, readerFunc(func(ids []merkle.NodeID) ([]merkle.Hash, error) {
		var err error
		hashes, err = tree.ReadNodes(ids)
		return hashes, err
	}))
	if err != nil {
		t.Fatal(err)
	}
	clear(indexes)
	clear(hashes)
	if !sameMultiproof(m, tree.multiproof([]uint64{2, 3, 8}, 13)) {
		t.Error("changing an argument changed the multiproof")
	}
}

// A multiproof with one thing changed is refused: a node, the number of nodes or
// of leaves, a leaf hash, the root, an index, or the order of anything.
func TestMultiproofLies(t *testing.T) {
	tree := denseTree()
	var r random
	for size := uint64(1); size <= 40; size++ {
		for _, count := range []int{1, 2, 3, 7, 30} {
			indexes := r.subset(count, size)
			m, root, leaves := tree.multiproof(indexes, size), tree(0, size), tree.leaves(indexes)
			refused := func(lie merkle.Multiproof, root merkle.Hash, leaves []merkle.Hash, wrongRoot bool, name string) {
				t.Helper()
				checkRefused(t, lie.Verify(merkle.Tree{Size: lie.Size, Root: root}, leaves), wrongRoot, "leaves %d in %d: %s", indexes, size, name)
				if p, err := lie.Expand(merkle.Tree{Size: lie.Size, Root: root}, leaves); err == nil || p != nil {
					t.Errorf("leaves %d in %d: %s: expanded", indexes, size, name)
				}
			}
			for _, lie := range pathLies(m.Nodes) {
				refused(merkle.Multiproof{Size: size, Indexes: indexes, Nodes: lie.path}, root, leaves, lie.wrongRoot, "nodes: "+lie.name)
			}
			for _, lie := range pathLies(leaves) {
				refused(*m, root, lie.path, lie.wrongRoot, "leaves: "+lie.name)
			}
			refused(*m, flip(root), leaves, true, "wrong root")
			refused(merkle.Multiproof{}, root, nil, false, "zero value")
			for i, index := range indexes {
				for j := range size + 2 {
					lie := *m
					lie.Indexes = slices.Clone(indexes)
					lie.Indexes[i] = j
					if j != index && lie.Verify(tree.tree(size), leaves) == nil {
						t.Errorf("leaves %d in %d: accepted as leaves %d", indexes, size, lie.Indexes)
					}
				}
			}
		}
	}
}

// Shapes that no multiproof has are refused wherever a shape is taken.
func TestShapeRefused(t *testing.T) {
	tree := denseTree()
	for _, test := range []struct {
		size    uint64
		indexes []uint64
		want    string
	}{
		{0, []uint64{0}, "the tree is empty"},
		{merkle.MaxSize + 1, []uint64{0}, "above the limit"},
		{1<<64 - 1, []uint64{0}, "above the limit"},
		{8, nil, "no leaf to prove"},
		{8, []uint64{3, 3}, "strictly increasing"},
		{8, []uint64{3, 2}, "strictly increasing"},
		{8, []uint64{8}, "outside the tree"},
		{8, []uint64{0, 1<<64 - 1}, "outside the tree"},
	} {
		_, err := merkle.NumNodes(test.size, test.indexes)
		checkMessage(t, err, test.want)
		_, err = merkle.MultiproofNodes(test.size, test.indexes)
		checkMessage(t, err, test.want)
		_, err = merkle.BuildMultiproof(merkle.Tree{Size: test.size}, test.indexes, tree)
		checkMessage(t, err, test.want)
		m := merkle.Multiproof{Size: test.size, Indexes: test.indexes}
		_, err = m.Root(make([]merkle.Hash, len(test.indexes)))
		checkMessage(t, err, test.want)
		_, err = m.MarshalBinary()
		checkMessage(t, err, test.want)
	}
	_, err := (&merkle.Multiproof{Size: 2, Indexes: []uint64{0}}).MarshalBinary()
	checkMessage(t, err, "0 nodes where 1 leaves in a tree of size 2 need 1")
	_, err = (&merkle.Proven{}).Inclusion(0)
	checkMessage(t, err, "not one of the 0 proven leaves")
}

// MergeProofs takes proofs in any order and more than once, but only of one tree,
// and each must verify by itself.
func TestMergeProofsLies(t *testing.T) {
	tree := denseTree()
	head := tree.tree(11)
	var proofs []merkle.Inclusion
	for _, i := range []uint64{10, 2, 2, 7, 0, 2} {
		proofs = append(proofs, tree.inclusion(i, 11))
	}
	m, err := merkle.MergeProofs(head, proofs)
	if err != nil || !sameMultiproof(m, tree.multiproof([]uint64{0, 2, 7, 10}, 11)) {
		t.Fatal(m, err)
	}
	for i := range proofs {
		lie := func(name, want string, change func(p *merkle.Inclusion)) {
			t.Helper()
			changed := slices.Clone(proofs)
			change(&changed[i])
			m, err := merkle.MergeProofs(head, changed)
			if m != nil || err == nil {
				t.Fatalf("proof %d: %s: merged", i, name)
			}
			checkMessage(t, err, want)
		}
		lie("other leaf, same index", "leads to root", func(p *merkle.Inclusion) { p.Leaf = flip(p.Leaf) })
		lie("other index", "inclusion of leaf 3", func(p *merkle.Inclusion) { p.Index = 3 })
		lie("other size", "not in 11 ", func(p *merkle.Inclusion) { *p = tree.inclusion(p.Index, 12) })
		lie("other size, same root", "not in 11 ", func(p *merkle.Inclusion) { p.Tree.Size = 12 })
		lie("other root", "not in 11 ", func(p *merkle.Inclusion) { p.Tree.Root = flip(p.Tree.Root) })
		lie("short path", "wrong proof size", func(p *merkle.Inclusion) { p.Path = p.Path[1:] })
		lie("other path", "leads to root", func(p *merkle.Inclusion) { p.Path = pathLies(p.Path)[0].path })
	}
	_, err = merkle.MergeProofs(head, nil)
	checkMessage(t, err, "no leaf to prove")
}

// In a tree of 2^28 leaves a multiproof of random leaves is much smaller than
// separate proofs, of 28 hashes each.
func TestMultiproofSizes(t *testing.T) {
	var r random
	for _, test := range []struct{ count, nodes int }{{1000, 17_151}, {10_000, 138_288}} {
		n, err := merkle.NumNodes(1<<28, r.subset(test.count, 1<<28))
		if err != nil {
			t.Fatal(err)
		}
		if ratio := float64(n) / float64(test.nodes); ratio < 0.99 || ratio > 1.01 {
			t.Errorf("%d leaves: %d nodes, want about %d", test.count, n, test.nodes)
		}
		t.Logf("%d leaves: %d nodes, separately %d", test.count, n, test.count*28)
	}
}

// MaxLeaves leaves are accepted, one more is not, and at most MaxNodes nodes go
// with them: if they are spread evenly over the largest tree.
func TestMultiproofLimits(t *testing.T) {
	indexes := make([]uint64, merkle.MaxLeaves+1)
	for _, gap := range []uint64{1, merkle.MaxSize / merkle.MaxLeaves} {
		for i := range indexes {
			indexes[i] = uint64(i) * gap
		}
		size, want := gap*merkle.MaxLeaves, 0
		if size == merkle.MaxSize {
			want = merkle.MaxNodes
		}
		n, err := merkle.NumNodes(size, indexes[:merkle.MaxLeaves])
		if err != nil || n != want {
			t.Errorf("%d leaves in %d: %d nodes, want %d: %v", merkle.MaxLeaves, size, n, want, err)
		}
		_, err = merkle.NumNodes(merkle.MaxSize, indexes)
		checkMessage(t, err, fmt.Sprintf("%d leaves are above the limit of %d", merkle.MaxLeaves+1, merkle.MaxLeaves))
	}
}

func sameMultiproof(a, b *merkle.Multiproof) bool {
	return a != nil && b != nil && a.Size == b.Size && slices.Equal(a.Indexes, b.Indexes) && slices.Equal(a.Nodes, b.Nodes)
}
