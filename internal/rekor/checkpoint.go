package rekor

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/modseal/modseal/merkle"
)

// maxCheckpoint is the largest checkpoint accepted, in bytes, cosignatures
// included. One signature makes about 250.
const maxCheckpoint = 16 << 10

// head is what a checkpoint says. Its signatures are unchecked.
type head struct {
	treeID string
	tree   merkle.Tree
}

// parseUnverifiedCheckpoint reads the text of a checkpoint: a signed note
// (C2SP signed-note) with the lines of C2SP tlog-checkpoint, of which Rekor's
// origin ends in the tree ID:
//
//	rekor.example - 2525353499129642482
//	7
//	hd4pva6FjEZHhLRM4Ol1ugCVcOKrcLUeBi7EP35FvHI=
//
//	— rekor.example 2mQlBDBF…
func parseUnverifiedCheckpoint(s string) (head, error) {
	if len(s) > maxCheckpoint {
		return head{}, fmt.Errorf("checkpoint of %d bytes, the limit is %d", len(s), maxCheckpoint)
	}
	text, signatures, ok := strings.Cut(s, "\n\n")
	if !ok || !strings.HasPrefix(signatures, "— ") || !strings.HasSuffix(signatures, "\n") {
		return head{}, errors.New("checkpoint isn't a signed note")
	}
	lines := strings.Split(text, "\n")
	if len(lines) < 3 {
		return head{}, errors.New("checkpoint with fewer than three lines")
	}
	cut := strings.LastIndex(lines[0], " - ")
	if cut < 0 {
		return head{}, fmt.Errorf("checkpoint origin %s doesn't end in a tree ID", quote(lines[0]))
	}
	treeID := lines[0][cut+len(" - "):]
	if _, err := parseTreeID(treeID); err != nil {
		return head{}, fmt.Errorf("checkpoint origin %s: %w", quote(lines[0]), err)
	}
	size, err := strconv.ParseUint(lines[1], 10, 64)
	if err != nil || strconv.FormatUint(size, 10) != lines[1] || size > merkle.MaxSize {
		return head{}, fmt.Errorf("checkpoint with the tree size %s", quote(lines[1]))
	}
	root, err := parseBase64(lines[2])
	if err != nil || len(root) != merkle.HashSize {
		return head{}, fmt.Errorf("checkpoint with the root hash %s", quote(lines[2]))
	}
	return head{treeID, merkle.Tree{Size: size, Root: merkle.Hash(root)}}, nil
}

// matches says whether a checkpoint is about the tree that an answer has.
func (h head) matches(tree merkle.Tree) error {
	if h.tree == tree {
		return nil
	}
	return fmt.Errorf("checkpoint of tree %v, answer of tree %v", h.tree, tree)
}
