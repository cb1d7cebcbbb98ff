// Package merkle checks and combines the proofs of append-only Merkle trees.
//
// The trees are those of RFC 6962, Section 2.1 and RFC 9162, Section 2.1.1
// with SHA-256, as Rekor, Certificate Transparency and Go checksum databases
// keep them. The package verifies
//
//   - that a leaf is in a tree: [VerifyInclusion] (RFC 9162, Section 2.1.3.2),
//   - that a tree is the beginning of a later one: [VerifyConsistency]
//     (RFC 9162, Section 2.1.4.2),
//
// both on top of github.com/transparency-dev/merkle, and adds what a bundle of
// proofs needs:
//
//   - [Rebase] carries an inclusion proof from one tree to a later one,
//   - [Multiproof] proves many leaves of one tree with the fewest hashes, and
//     gives back the ordinary inclusion proof of each of them ([Proven]).
//
// Everything here speaks of hashes only. The package does not fetch anything,
// knows no checkpoint and checks no signature: that a [Tree] is the one that a
// log signed is for the caller to establish, size and root together. A root
// alone doesn't tell the size of its tree, so proofs are only as good as the
// size that they are checked with. Nor does it look into leaves: a leaf hash
// means something only to a caller who computed it with [LeafHash].
//
// All input is taken as hostile. No function panics, recurses deeper than 64
// calls, or does work out of proportion to the slices it is given.
package merkle

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
)

const (
	// MaxSize is the size of the largest tree that the package works on, in
	// leaves. The limit leaves room for index arithmetic: no sum of two
	// positions in a tree overflows, and no path is longer than maxDepth.
	MaxSize = 1 << 62

	// HashSize is the size of a [Hash] in bytes.
	HashSize = sha256.Size

	// maxDepth is the number of joins between a leaf and the root of the
	// largest tree.
	maxDepth = 62
)

// Hash is the SHA-256 hash of a leaf, of a node, or of a whole tree. It has no
// String method so that %x prints it in hex.
type Hash [HashSize]byte

// Tree names the first Size leaves of a log through their root hash. The zero
// Tree has no leaves and a root that is not [EmptyRoot]: nothing is proven by
// it.
type Tree struct {
	Size uint64
	Root Hash
}

// String gives the size and the root in hex.
func (t Tree) String() string {
	return fmt.Sprintf("%d %x", t.Size, t.Root)
}

// LeafHash is the hash of a leaf's content: SHA-256(0x00 || leaf).
func LeafHash(leaf []byte) Hash {
	h := sha256.New()
	h.Write([]byte{rfc6962.RFC6962LeafHashPrefix})
	h.Write(leaf)
	var sum Hash
	h.Sum(sum[:0])
	return sum
}

// NodeHash is the hash of the node above left and right:
// SHA-256(0x01 || left || right).
func NodeHash(left, right Hash) Hash {
	var b [1 + 2*HashSize]byte
	b[0] = rfc6962.RFC6962NodeHashPrefix
	copy(b[1:], left[:])
	copy(b[1+HashSize:], right[:])
	return sha256.Sum256(b[:])
}

// EmptyRoot is the root of the tree without leaves: SHA-256 of nothing.
func EmptyRoot() Hash {
	return sha256.Sum256(nil)
}

// hasher is the LogHasher of package rfc6962, but it allocates less.
type hasher struct{ *rfc6962.Hasher }

func (hasher) HashChildren(left, right []byte) []byte {
	h := NodeHash(Hash(left), Hash(right))
	return h[:]
}

// RootError says that a proof has the right shape but leads to another root
// than the one that was to be proven.
type RootError struct {
	Want Tree // the tree that the proof was checked against
	Got  Hash // the root that the proof leads to
}

func (e *RootError) Error() string {
	return fmt.Sprintf("the proof leads to root %x, but the tree of size %d has root %x", e.Got, e.Want.Size, e.Want.Root)
}

// VerifyInclusion checks that the leaf with the hash leaf has the position
// index (from 0) in tree, by RFC 9162, Section 2.1.3.2. The proof lists the
// siblings on the way from the leaf to the root; its length is fixed by index
// and tree.Size. A wrong root gives a [*RootError].
//
// The leaf hash must come from [LeafHash]: an unexplained hash could as well be
// that of an inner node.
func VerifyInclusion(tree Tree, index uint64, leaf Hash, proof []Hash) error {
	root, err := inclusionRoot(tree.Size, index, leaf, proof)
	if err != nil {
		return fmt.Errorf("inclusion of leaf %d: %w", index, err)
	}
	if root != tree.Root {
		return fmt.Errorf("inclusion of leaf %d: %w", index, &RootError{Want: tree, Got: root})
	}
	return nil
}

func inclusionRoot(size, index uint64, leaf Hash, path []Hash) (Hash, error) {
	if err := checkSize(size); err != nil {
		return Hash{}, err
	}
	root, err := proof.RootFromInclusionProof(hasher{rfc6962.DefaultHasher}, index, size, leaf[:], byteSlices(path))
	if err != nil {
		return Hash{}, err
	}
	return Hash(root), nil
}

// VerifyConsistency checks that the leaves of from are the first leaves of to,
// by RFC 9162, Section 2.1.4.2. Trees of one size are consistent when their
// roots are equal, and the proof is then empty. A wrong root, of either tree,
// gives a [*RootError].
//
// An empty tree is refused on either side: every tree is consistent with it,
// so that nothing would be checked, not even the roots.
func VerifyConsistency(from, to Tree, proof []Hash) error {
	if err := verifyConsistency(from, to, proof); err != nil {
		return fmt.Errorf("consistency of tree sizes %d and %d: %w", from.Size, to.Size, err)
	}
	return nil
}

func verifyConsistency(from, to Tree, path []Hash) error {
	for _, tree := range []Tree{from, to} {
		if err := checkSize(tree.Size); err != nil {
			return err
		}
	}
	if from.Size > to.Size {
		return errors.New("the trees are in the wrong order")
	}
	err := proof.VerifyConsistency(hasher{rfc6962.DefaultHasher}, from.Size, to.Size, byteSlices(path), from.Root[:], to.Root[:])
	var mismatch proof.RootMismatchError
	if !errors.As(err, &mismatch) {
		return err
	}
	want := to
	if bytes.Equal(mismatch.ExpectedRoot, from.Root[:]) {
		want = from
	}
	return &RootError{Want: want, Got: Hash(mismatch.CalculatedRoot)}
}

func checkSize(size uint64) error {
	if size == 0 {
		return errors.New("the tree is empty")
	}
	if size > MaxSize {
		return fmt.Errorf("tree size %d is above the limit of %d", size, uint64(MaxSize))
	}
	return nil
}

func byteSlices(hashes []Hash) [][]byte {
	slices := make([][]byte, len(hashes))
	for i := range hashes {
		slices[i] = hashes[i][:]
	}
	return slices
}
