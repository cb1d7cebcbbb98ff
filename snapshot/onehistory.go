package snapshot

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/modseal/modseal/merkle"
)

// A ForkError says that a log signed two trees of which neither is the beginning of
// the other. Both are in its text, signed, and there is no bundle.
type ForkError struct{ Err error }

func (e *ForkError) Error() string { return e.Err.Error() }

// Unwrap returns what says which two.
func (e *ForkError) Unwrap() error { return e.Err }

// Hint says what to do about it.
func (e *ForkError) Hint() string {
	return "keep both heads as evidence, and ask again, also over another network: if it stays so, distrust the log. Heads are also compared with those in modseal's cache (--cache) and in the go command's (pkg/sumdb in GOPATH)"
}

// signedHead is a head of a log of which the signature was verified.
type signedHead struct {
	tree       merkle.Tree
	checkpoint []byte
	from       string // where it was seen
}

// headOf is the head that came with an entry.
func headOf(e *found) signedHead { return signedHead{e.Inclusion.Tree, e.Checkpoint, e.from} }

// fork says of two heads of a Rekor that they are of two histories.
func fork(origin string, a, b signedHead, why string, args ...any) error {
	text := fmt.Sprintf("%s shows different people different trees, and signed both; keep them as evidence: %s", origin, fmt.Sprintf(why, args...))
	for _, h := range []signedHead{a, b} {
		text += fmt.Sprintf("\ntree of %d leaves, root %x   (%s)\n%s", h.tree.Size, h.tree.Root[:], h.from, indented(h.checkpoint))
	}
	return &ForkError{errors.New(text)}
}

// indented is a signed note as it is shown in errors.
func indented(note []byte) string {
	return "    " + strings.ReplaceAll(strings.TrimSuffix(string(note), "\n"), "\n", "\n    ")
}

// oneHistory demands that a log's newest tree begins with an older one that it
// signed, by a consistency proof of its own.
func oneHistory(origin string, old, newest signedHead, proof []merkle.Hash) error {
	err := merkle.VerifyConsistency(old.tree, newest.tree, proof)
	if err == nil {
		return nil
	}
	root, size := newest.tree.Root, old.tree.Size
	if size != newest.tree.Size {
		var badProof error
		if root, badProof = merkle.ConsistentRoot(size, newest.tree, proof); badProof != nil {
			return fmt.Errorf("its tree of %d leaves (%s) does not lead to the head at %d: %w", size, old.from, newest.tree.Size, err)
		}
	}
	return fork(origin, old, newest, "the tree of %d does not begin with that of %d, but with one that has root %x", newest.tree.Size, size, root[:])
}

// places where heads of a Rekor v1 are seen. Each can have been told another history.
const (
	inList   = "among the log's shards"
	withLeaf = "with an entry"
	inCache  = "with an entry in the cache"
)

// seenHeads has of each shard of a Rekor v1 the newest head of each place, whether
// or not what came with it is kept. The zero value has none. It is safe for
// concurrent use.
type seenHeads struct {
	mu sync.Mutex
	by map[shardID]map[string]signedHead
}

// add notes a head. Two of one size can be told apart without a proof.
func (s *seenHeads) add(id shardID, h signedHead) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, other := range s.by[id] {
		if other.tree.Size == h.tree.Size && other.tree != h.tree {
			return fork(id.origin, other, h, "they are of one size")
		}
	}
	if s.by == nil {
		s.by = map[shardID]map[string]signedHead{}
	}
	if s.by[id] == nil {
		s.by[id] = map[string]signedHead{}
	}
	if h.tree.Size > s.by[id][h.from].tree.Size {
		s.by[id][h.from] = h
	}
	return nil
}

// of gives those of a shard, the newest first.
func (s *seenHeads) of(id shardID) []signedHead {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.by[id]), func(a, b signedHead) int {
		return cmp.Or(cmp.Compare(b.tree.Size, a.tree.Size), cmp.Compare(a.from, b.from))
	})
}

// originOf is the first line of a checkpoint.
func originOf(checkpoint []byte) string {
	origin, _, _ := bytes.Cut(checkpoint, []byte("\n"))
	return string(origin)
}
