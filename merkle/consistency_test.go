package merkle_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/modseal/modseal/merkle"
)

// flipped is a reader of a naive tree in which one of the hashes is another.
type flipped struct {
	naive
	at int
}

func (f flipped) ReadNodes(ids []merkle.NodeID) ([]merkle.Hash, error) {
	hashes, err := f.naive.ReadNodes(ids)
	if f.at < len(hashes) {
		hashes[f.at][7] ^= 1
	}
	return hashes, err
}

// The proof that is built from nodes is the one that the RFC defines, between all
// trees up to 130, and has as many hashes as NumConsistency says. It gives back
// the earlier root, unless that is what it leaves out.
func TestBuildConsistencyAllTrees(t *testing.T) {
	tree := denseTree()
	for m := uint64(1); m <= allTrees; m++ {
		for n := uint64(1); n <= m; n++ {
			from, to, want := tree.tree(n), tree.tree(m), tree.consistency(n, m)
			got, err := merkle.BuildConsistency(from, to, tree)
			if err != nil || !slices.Equal(got, want) {
				t.Fatalf("%d and %d: %v, %v", n, m, got, err)
			}
			if count, err := merkle.NumConsistency(n, m); err != nil || count != len(want) {
				t.Fatalf("%d and %d: %d hashes, want %d; %v", n, m, count, len(want), err)
			}
			root, err := merkle.ConsistentRoot(n, to, want)
			if n < m && n&(n-1) == 0 {
				if !errors.Is(err, merkle.ErrNoRoot) {
					t.Fatalf("%d and %d: %v, %v", n, m, root, err)
				}
			} else if err != nil || root != from.Root {
				t.Fatalf("%d and %d: %v, %v", n, m, root, err)
			}
		}
	}
}

// A fork is told from a reader that lies: of the one the error says the root that
// the later tree had, of the other nothing but that it is wrong.
func TestBuildConsistencyLies(t *testing.T) {
	tree := denseTree()
	for m := uint64(1); m <= allTrees; m += everyTree() {
		for n := uint64(1); n <= m; n++ {
			from, to := tree.tree(n), tree.tree(m)
			fork := from
			fork.Root[0] ^= 1
			var wrong *merkle.RootError
			_, err := merkle.BuildConsistency(fork, to, tree)
			if !errors.As(err, &wrong) || n < m && (wrong.Want != fork || wrong.Got != from.Root) {
				t.Fatalf("fork at %d of %d: %v", n, m, err)
			}
			if n == m {
				continue
			}
			for at := range tree.consistency(n, m) {
				_, err := merkle.BuildConsistency(from, to, flipped{tree, at})
				if !errors.As(err, &wrong) {
					t.Fatalf("%d and %d, node %d: %v", n, m, at, err)
				}
			}
			if _, err := merkle.BuildConsistency(from, to, short{tree}); err == nil {
				t.Fatal("too few hashes were taken")
			}
		}
	}
}

// short leaves out the last hash.
type short struct{ naive }

func (s short) ReadNodes(ids []merkle.NodeID) ([]merkle.Hash, error) {
	hashes, err := s.naive.ReadNodes(ids)
	return hashes[:len(hashes)-1], err
}

// What does not lead to the later tree tells no earlier root.
func TestConsistentRootLies(t *testing.T) {
	tree := denseTree()
	for m := uint64(1); m <= allTrees; m += everyTree() {
		for n := uint64(1); n <= m; n++ {
			to, path := tree.tree(m), tree.consistency(n, m)
			for _, lie := range pathLies(path) {
				if root, err := merkle.ConsistentRoot(n, to, lie.path); err == nil {
					t.Fatalf("%d and %d: %s: root %x", n, m, lie.name, root)
				}
			}
		}
	}
}

// Sizes: the largest are worked on, and none is empty, above the limit or in the
// wrong order.
func TestConsistencySizes(t *testing.T) {
	for _, x := range []struct {
		from, to uint64
		want     int // -1 is an error
	}{
		{1, merkle.MaxSize, 62}, {merkle.MaxSize - 1, merkle.MaxSize, merkle.MaxConsistency}, {merkle.MaxSize, merkle.MaxSize, 0},
		{merkle.MaxSize/2 + 1, merkle.MaxSize - 1, merkle.MaxConsistency}, {1, 1, 0},
		{0, 5, -1}, {0, 0, -1}, {5, 4, -1}, {1, merkle.MaxSize + 1, -1}, {merkle.MaxSize + 1, merkle.MaxSize + 1, -1},
	} {
		n, err := merkle.NumConsistency(x.from, x.to)
		if (err != nil) != (x.want < 0) || err == nil && n != x.want || n > merkle.MaxConsistency {
			t.Errorf("%d and %d: %d, %v; want %d", x.from, x.to, n, err, x.want)
		}
	}
	tree := sparseTree(nil)
	from, to := tree.tree(merkle.MaxSize-1), tree.tree(merkle.MaxSize)
	if _, err := merkle.BuildConsistency(from, to, tree); err != nil {
		t.Error(err)
	}
	if _, err := merkle.ConsistentRoot(0, to, nil); err == nil {
		t.Error("a root of no leaves")
	}
}
