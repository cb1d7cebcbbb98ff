package merkle_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/modseal/modseal/merkle"
	"golang.org/x/mod/sumdb/tlog"
)

// allTrees is the size up to which tests try every tree.
const allTrees = 130

// everyTree is the step between the sizes that the longest tests try.
func everyTree() uint64 {
	if testing.Short() {
		return 7
	}
	return 1
}

// Hashes are those of RFC 6962. The leaves and roots are the test vectors of the
// Certificate Transparency reference implementation, which transparency-dev/merkle
// has in its package testonly.
func TestHashes(t *testing.T) {
	var leaves []merkle.Hash
	for _, s := range []string{
		"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
	} {
		leaf, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, merkle.LeafHash(leaf))
	}
	roots := []string{
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	}
	var tree naive
	tree = func(lo, hi uint64) merkle.Hash {
		switch hi - lo {
		case 0:
			return merkle.EmptyRoot()
		case 1:
			return leaves[lo]
		}
		mid := lo + largestPowerBelow(hi-lo)
		return merkle.NodeHash(tree(lo, mid), tree(mid, hi))
	}
	for size, want := range roots {
		got := tree.tree(uint64(size))
		if s := fmt.Sprintf("%d %s", size, want); got.String() != s {
			t.Errorf("tree is %v, want %s", got, s)
		}
	}
}

// Every inclusion proof that the RFC defines verifies, for every leaf of every
// tree up to 130, and golang.org/x/mod gives and accepts the same proofs.
func TestInclusionAllTrees(t *testing.T) {
	tree := denseTree()
	log := newTlog(t, tree, allTrees)
	for size := uint64(1); size <= allTrees; size++ {
		for i := range size {
			p := tree.inclusion(i, size)
			if err := merkle.VerifyInclusion(p.Tree, i, p.Leaf, p.Path); err != nil {
				t.Fatalf("leaf %d in %d: %v", i, size, err)
			}
			theirs, err := tlog.ProveRecord(int64(size), int64(i), log)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(theirs, tlogHashes(p.Path)) {
				t.Fatalf("leaf %d in %d: tlog has another proof", i, size)
			}
			if err := tlog.CheckRecord(theirs, int64(size), tlog.Hash(p.Tree.Root), int64(i), tlog.Hash(p.Leaf)); err != nil {
				t.Fatalf("leaf %d in %d: tlog: %v", i, size, err)
			}
		}
	}
}

// An inclusion proof with one thing changed is refused: any hash of the path, its
// length, the leaf, the root, or the index to any other.
func TestInclusionLies(t *testing.T) {
	tree := denseTree()
	for size := uint64(1); size <= allTrees; size += everyTree() {
		for i := range size {
			p := tree.inclusion(i, size)
			for _, lie := range pathLies(p.Path) {
				checkRefused(t, merkle.VerifyInclusion(p.Tree, i, p.Leaf, lie.path), lie.wrongRoot, "leaf %d in %d: %s", i, size, lie.name)
			}
			for j := range size {
				if j != i && merkle.VerifyInclusion(p.Tree, j, p.Leaf, p.Path) == nil {
					t.Fatalf("leaf %d in %d was accepted as leaf %d", i, size, j)
				}
			}
			checkRefused(t, merkle.VerifyInclusion(p.Tree, i, flip(p.Leaf), p.Path), true, "wrong leaf")
			lie := merkle.Tree{Size: size, Root: flip(p.Tree.Root)}
			checkRefused(t, merkle.VerifyInclusion(lie, i, p.Leaf, p.Path), true, "wrong root")
			checkRefused(t, merkle.VerifyInclusion(p.Tree, size, p.Leaf, p.Path), false, "index beyond the tree")
		}
	}
}

// Every consistency proof that the RFC defines verifies, for every pair of trees
// up to 130, and golang.org/x/mod gives and accepts the same proofs.
func TestConsistencyAllTrees(t *testing.T) {
	tree := denseTree()
	log := newTlog(t, tree, allTrees)
	for m := uint64(1); m <= allTrees; m++ {
		for n := uint64(1); n <= m; n++ {
			path := tree.consistency(n, m)
			from, to := tree.tree(n), tree.tree(m)
			if err := merkle.VerifyConsistency(from, to, path); err != nil {
				t.Fatalf("%d and %d: %v", n, m, err)
			}
			theirs, err := tlog.ProveTree(int64(m), int64(n), log)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(theirs, tlogHashes(path)) {
				t.Fatalf("%d and %d: tlog has another proof", n, m)
			}
			if err := tlog.CheckTree(theirs, int64(m), tlog.Hash(to.Root), int64(n), tlog.Hash(from.Root)); err != nil {
				t.Fatalf("%d and %d: tlog: %v", n, m, err)
			}
		}
	}
}

// A consistency proof with one thing changed is refused: any hash of it, its
// length, either root, or the order of the trees.
func TestConsistencyLies(t *testing.T) {
	tree := denseTree()
	for m := uint64(1); m <= allTrees; m += everyTree() {
		for n := uint64(1); n <= m; n++ {
			path := tree.consistency(n, m)
			from, to := tree.tree(n), tree.tree(m)
			for _, lie := range pathLies(path) {
				checkRefused(t, merkle.VerifyConsistency(from, to, lie.path), lie.wrongRoot, "%d and %d: %s", n, m, lie.name)
			}
			lie := merkle.Tree{Size: n, Root: flip(from.Root)}
			checkRefused(t, merkle.VerifyConsistency(lie, to, path), true, "wrong old root")
			lie = merkle.Tree{Size: m, Root: flip(to.Root)}
			checkRefused(t, merkle.VerifyConsistency(from, lie, path), true, "wrong new root")
			if n < m {
				checkMessage(t, merkle.VerifyConsistency(to, from, path), "the trees are in the wrong order")
			}
		}
	}
}

// A wrong root is reported with both values, and with the tree that it is of.
func TestRootErrorNamesTheTree(t *testing.T) {
	tree := denseTree()
	from, to := tree.tree(5), tree.tree(9)
	path := tree.consistency(5, 9)
	for _, good := range []merkle.Tree{from, to} {
		lie := merkle.Tree{Size: good.Size, Root: flip(good.Root)}
		err := merkle.VerifyConsistency(lie, to, path)
		if good == to {
			err = merkle.VerifyConsistency(from, lie, path)
		}
		var mismatch *merkle.RootError
		if !errors.As(err, &mismatch) || mismatch.Want != lie || mismatch.Got != good.Root {
			t.Errorf("size %d: %v", good.Size, err)
		}
		if want := fmt.Sprintf("consistency of tree sizes 5 and 9: the proof leads to root %x, but the tree of size %d has root %x",
			good.Root, lie.Size, lie.Root); err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

// A root does not commit to the size of its tree: the caller must know it. Here
// what is the root of three leaves is shown as that of a tree of four, whose last
// two leaves are unknown, and of a tree of two. Both verify.
func TestRootDoesNotProveSize(t *testing.T) {
	p := denseTree().inclusion(0, 3)
	p.Tree.Size = 4
	if err := merkle.VerifyInclusion(p.Tree, 0, p.Leaf, p.Path); err != nil {
		t.Error(err)
	}
	p.Tree.Size = 2
	if err := merkle.VerifyInclusion(p.Tree, 0, merkle.NodeHash(p.Leaf, p.Path[0]), p.Path[1:]); err != nil {
		t.Error(err)
	}
}

// A multiproof for another size than the tree's is refused even if its root is
// the tree's, as it is here: a reader would believe other indexes.
func TestMultiproofSize(t *testing.T) {
	tree := denseTree()
	m, leaves := tree.multiproof([]uint64{0}, 3), tree.leaves([]uint64{0})
	if err := m.Verify(tree.tree(3), leaves); err != nil {
		t.Fatal(err)
	}
	lie := &merkle.Multiproof{Size: 4, Indexes: m.Indexes, Nodes: m.Nodes}
	if root, err := lie.Root(leaves); err != nil || root != tree(0, 3) {
		t.Fatalf("want a lie with the root of the truth, got %x, %v", root, err)
	}
	checkMessage(t, lie.Verify(tree.tree(3), leaves), "size 4, not 3")
	if _, err := lie.Expand(tree.tree(3), leaves); err == nil {
		t.Error("expanded")
	}
}

// Trees are accepted from size 1 to MaxSize and refused outside. In particular,
// nothing is consistent with the empty tree: any roots at all would be.
func TestSizeLimits(t *testing.T) {
	const last = uint64(merkle.MaxSize - 1)
	tree := sparseTree([]uint64{0, last - 1, last})
	for _, i := range []uint64{0, 1, last - 1, last} {
		p := tree.inclusion(i, merkle.MaxSize)
		if err := merkle.VerifyInclusion(p.Tree, i, p.Leaf, p.Path); err != nil {
			t.Error(err)
		}
		over := merkle.Tree{Size: merkle.MaxSize + 1, Root: merkle.NodeHash(p.Tree.Root, p.Leaf)}
		err := merkle.VerifyInclusion(over, i, p.Leaf, append(p.Path, p.Leaf))
		checkMessage(t, err, "above the limit")
	}
	whole := tree.tree(merkle.MaxSize)
	for _, n := range []uint64{1, 2, 3, last/2 + 1, last, merkle.MaxSize} {
		path := tree.consistency(n, merkle.MaxSize)
		if err := merkle.VerifyConsistency(tree.tree(n), whole, path); err != nil {
			t.Error(err)
		}
		over := merkle.Tree{Size: merkle.MaxSize + 1}
		checkMessage(t, merkle.VerifyConsistency(tree.tree(n), over, append(path, tree.leaf(0))), "above the limit")
		checkMessage(t, merkle.VerifyConsistency(over, over, nil), "above the limit")
	}
	empty := merkle.Tree{Root: merkle.EmptyRoot()}
	for _, zero := range []merkle.Tree{empty, {}} {
		checkMessage(t, merkle.VerifyConsistency(zero, zero, nil), "the tree is empty")
		checkMessage(t, merkle.VerifyConsistency(zero, whole, nil), "the tree is empty")
		checkMessage(t, merkle.VerifyConsistency(whole, zero, nil), "the tree is empty")
		checkMessage(t, merkle.VerifyInclusion(zero, 0, zero.Root, nil), "the tree is empty")
	}
}

func newTlog(t *testing.T, tree naive, size int64) tlog.HashReader {
	t.Helper()
	var stored []tlog.Hash
	read := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var hashes []tlog.Hash
		for _, i := range indexes {
			hashes = append(hashes, stored[i])
		}
		return hashes, nil
	})
	for i := range size {
		hashes, err := tlog.StoredHashes(i, leafData(uint64(i)), read)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, hashes...)
	}
	root, err := tlog.TreeHash(size, read)
	if err != nil || root != tlog.Hash(tree(0, uint64(size))) {
		t.Fatalf("tlog has another root, or none: %v", err)
	}
	return read
}

func tlogHashes(hashes []merkle.Hash) []tlog.Hash {
	var theirs []tlog.Hash
	for _, h := range hashes {
		theirs = append(theirs, tlog.Hash(h))
	}
	return theirs
}

func flip(h merkle.Hash) merkle.Hash {
	h[31] ^= 1
	return h
}

type pathLie struct {
	name      string
	path      []merkle.Hash
	wrongRoot bool // the shape is right
}

// pathLies changes one thing in a list of hashes, in every place.
func pathLies(path []merkle.Hash) []pathLie {
	var lies []pathLie
	for i := range path {
		flipped := slices.Clone(path)
		flipped[i] = flip(path[i])
		lies = append(lies, pathLie{fmt.Sprintf("hash %d flipped", i), flipped, true})
		lies = append(lies, pathLie{fmt.Sprintf("hash %d dropped", i), slices.Delete(slices.Clone(path), i, i+1), false})
		if i > 0 {
			swapped := slices.Clone(path)
			swapped[i-1], swapped[i] = path[i], path[i-1]
			lies = append(lies, pathLie{fmt.Sprintf("hashes %d and %d swapped", i-1, i), swapped, true})
		}
	}
	for i := range len(path) + 1 {
		lies = append(lies, pathLie{fmt.Sprintf("hash added before %d", i), slices.Insert(slices.Clone(path), i, merkle.Hash{}), false})
	}
	return lies
}

// checkRefused wants a RootError if and only if wrongRoot says so.
func checkRefused(t *testing.T, err error, wrongRoot bool, format string, args ...any) {
	t.Helper()
	var mismatch *merkle.RootError
	switch {
	case err == nil:
		t.Errorf(format+": accepted", args...)
	case errors.As(err, &mismatch) != wrongRoot:
		t.Errorf(format+": refused for another reason: %v", append(args, err)...)
	}
}

func checkMessage(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got error %v, want one with %q", err, want)
	}
}
