package merkle_test

import (
	"slices"
	"testing"

	"github.com/modseal/modseal/merkle"
)

// A rebased proof is the proof that the log itself gives at the later size, for
// every leaf i, old size n and new size m with i < n <= m <= 130.
func TestRebaseAllTriples(t *testing.T) {
	tree := denseTree()
	triples := 0
	for m := uint64(1); m <= allTrees; m += everyTree() {
		for n := uint64(1); n <= m; n++ {
			consistency := tree.consistency(n, m)
			for i := range n {
				got, err := merkle.Rebase(tree.inclusion(i, n), tree.tree(m), consistency)
				if err != nil {
					t.Fatalf("leaf %d from %d to %d: %v", i, n, m, err)
				}
				if !sameInclusion(got, tree.inclusion(i, m)) {
					t.Fatalf("leaf %d from %d to %d: not the log's proof", i, n, m)
				}
				triples++
			}
		}
	}
	if want := 374_660; triples != want && !testing.Short() {
		t.Errorf("tried %d triples, want %d", triples, want)
	}
}

// The same in trees of up to MaxSize, at positions where carries and promoted
// nodes occur.
func TestRebaseLargeTrees(t *testing.T) {
	var r random
	sizes := []uint64{1, 2, 3, merkle.MaxSize / 2, merkle.MaxSize/2 + 1, merkle.MaxSize - 1, merkle.MaxSize}
	for range 60 {
		near := uint64(1) << r.below(62)
		sizes = append(sizes, near, near+r.below(near), merkle.MaxSize-near)
	}
	slices.Sort(sizes)
	for range 300 {
		a := r.below(uint64(len(sizes)))
		n := sizes[a]
		m := sizes[a+r.below(uint64(len(sizes))-a)]
		for _, i := range []uint64{0, n / 2, n - 1, r.below(n)} {
			tree := sparseTree(slices.Compact([]uint64{i, n}))
			got, err := merkle.Rebase(tree.inclusion(i, n), tree.tree(m), tree.consistency(n, m))
			if err != nil {
				t.Fatalf("leaf %d from %d to %d: %v", i, n, m, err)
			}
			if !sameInclusion(got, tree.inclusion(i, m)) {
				t.Fatalf("leaf %d from %d to %d: not the log's proof", i, n, m)
			}
		}
	}
}

// A rebase with one thing changed in either proof or either tree is refused, even
// where the result doesn't depend on it.
func TestRebaseLies(t *testing.T) {
	tree := denseTree()
	for m := uint64(1); m <= 20; m++ {
		for n := uint64(1); n <= m; n++ {
			for i := range n {
				checkRebaseLies(t, tree.inclusion(i, n), tree.tree(m), tree.consistency(n, m))
			}
		}
	}
}

func checkRebaseLies(t *testing.T, p merkle.Inclusion, to merkle.Tree, consistency []merkle.Hash) {
	t.Helper()
	refused := func(p merkle.Inclusion, to merkle.Tree, consistency []merkle.Hash, wrongRoot bool, lie string) {
		t.Helper()
		got, err := merkle.Rebase(p, to, consistency)
		checkRefused(t, err, wrongRoot, "leaf %d from %d to %d: %s", p.Index, p.Tree.Size, to.Size, lie)
		if !sameInclusion(got, merkle.Inclusion{}) {
			t.Errorf("%s: refused, but with a result", lie)
		}
	}
	for _, lie := range pathLies(p.Path) {
		q := p
		q.Path = lie.path
		refused(q, to, consistency, lie.wrongRoot, "inclusion: "+lie.name)
	}
	for _, lie := range pathLies(consistency) {
		refused(p, to, lie.path, lie.wrongRoot, "consistency: "+lie.name)
	}
	q := p
	q.Leaf = flip(p.Leaf)
	refused(q, to, consistency, true, "wrong leaf")
	q = p
	q.Tree.Root = flip(p.Tree.Root)
	refused(q, to, consistency, true, "wrong old root")
	refused(p, merkle.Tree{Size: to.Size, Root: flip(to.Root)}, consistency, true, "wrong new root")
	q = p
	q.Index = p.Tree.Size
	refused(q, to, consistency, false, "leaf outside the old tree")
	q.Tree.Size = to.Size + 1
	if _, err := merkle.Rebase(q, to, consistency); err == nil {
		t.Errorf("leaf %d was rebased to a smaller tree", q.Index)
	}
	for j := range p.Tree.Size {
		q = p
		q.Index = j
		if _, err := merkle.Rebase(q, to, consistency); err == nil && j != p.Index {
			t.Errorf("leaf %d was rebased as leaf %d", p.Index, j)
		}
	}
	refused(merkle.Inclusion{}, to, consistency, false, "zero value")
}

// The result shares no memory with the arguments: changing it changes nothing else.
func TestRebaseCopies(t *testing.T) {
	tree := denseTree()
	for _, m := range []uint64{8, 12, 16, 24} {
		p := tree.inclusion(3, 8)
		p.Path = append(make([]merkle.Hash, 0, 100), p.Path...)
		consistency := tree.consistency(8, m)
		got, err := merkle.Rebase(p, tree.tree(m), consistency)
		if err != nil {
			t.Fatal(err)
		}
		clear(got.Path)
		if !sameInclusion(p, tree.inclusion(3, 8)) || !slices.Equal(consistency, tree.consistency(8, m)) {
			t.Errorf("changing the proof in %d changed an argument", m)
		}
	}
}

func sameInclusion(a, b merkle.Inclusion) bool {
	return a.Index == b.Index && a.Leaf == b.Leaf && a.Tree == b.Tree && slices.Equal(a.Path, b.Path)
}
