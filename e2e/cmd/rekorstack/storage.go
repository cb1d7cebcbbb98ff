//go:build rekorstack

package main

import (
	"context"
	"sync"
	"time"

	"github.com/google/trillian"
	"github.com/google/trillian/storage"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// leafStorage is Trillian's memory storage with two habits of its SQL storages:
//
//   - A leaf whose identity hash is in the tree or on its way there is refused with AlreadyExists, which Rekor
//     reports as 409 Conflict. The memory storage takes every leaf, and Rekor would log it twice.
//   - Leaves that it is given and hands out are its caller's to keep. The memory storage keeps the pointer, and
//     the sequencer writes to it while gRPC still marshals the answer.
//
// Unlike any of them, QueueLeaves returns when the leaves are integrated. Rekor waits for that in any case, but
// polls for it with pauses of its own.
type leafStorage struct {
	storage.LogStorage
	sequencer *sequencer

	mu    sync.Mutex
	known map[leafID]*trillian.LogLeaf
}

type leafID struct {
	tree int64
	hash string // LeafIdentityHash
}

func newLeafStorage(s storage.LogStorage) *leafStorage {
	return &leafStorage{LogStorage: s, sequencer: newSequencer(), known: map[leafID]*trillian.LogLeaf{}}
}

// QueueLeaves implements [storage.LogStorage].
func (s *leafStorage) QueueLeaves(ctx context.Context, tree *trillian.Tree, leaves []*trillian.LogLeaf, queued time.Time) ([]*trillian.QueuedLogLeaf, error) {
	results, fresh, err := s.queue(ctx, tree, leaves, queued)
	if err == nil && fresh {
		err = s.sequencer.integrated(ctx)
	}
	return results, err
}

// queue hands on the leaves that are not known, and reports whether there were any.
func (s *leafStorage) queue(ctx context.Context, tree *trillian.Tree, leaves []*trillian.LogLeaf, queued time.Time) ([]*trillian.QueuedLogLeaf, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	results := make([]*trillian.QueuedLogLeaf, len(leaves))
	var fresh []*trillian.LogLeaf
	for i, leaf := range leaves {
		id := leafID{tree.TreeId, string(leaf.LeafIdentityHash)}
		if known := s.known[id]; known != nil {
			results[i] = &trillian.QueuedLogLeaf{
				Leaf:   clone(known),
				Status: status.New(codes.AlreadyExists, "leaf already exists").Proto(),
			}
			continue
		}
		s.known[id] = clone(leaf)
		fresh = append(fresh, clone(leaf))
		results[i] = &trillian.QueuedLogLeaf{Leaf: leaf}
	}
	if len(fresh) == 0 {
		return results, false, nil
	}
	if _, err := s.LogStorage.QueueLeaves(ctx, tree, fresh, queued); err != nil {
		for _, leaf := range fresh {
			delete(s.known, leafID{tree.TreeId, string(leaf.LeafIdentityHash)})
		}
		return nil, false, err
	}
	return results, true, nil
}

func clone(leaf *trillian.LogLeaf) *trillian.LogLeaf {
	return proto.Clone(leaf).(*trillian.LogLeaf)
}

// gather is how long the sequencer waits for more leaves, so that what is posted together shares a batch and its heads
// are not all one entry apart.
const gather = 5 * time.Millisecond

// sequencer runs a pass when there is something to integrate, and tells those who wait for it.
type sequencer struct {
	wake chan struct{} // of one place: a pass is wanted

	mu   sync.Mutex
	next chan struct{} // closed at the end of the next pass to begin
}

func newSequencer() *sequencer {
	return &sequencer{wake: make(chan struct{}, 1), next: make(chan struct{})}
}

// run calls pass for ever, each time that it is wanted.
func (s *sequencer) run(pass func()) {
	for range s.wake {
		time.Sleep(gather)
		s.mu.Lock()
		done := s.next
		s.next = make(chan struct{})
		s.mu.Unlock()
		pass()
		close(done)
	}
}

// integrated asks for a pass and returns when one that began after the call has ended.
func (s *sequencer) integrated(ctx context.Context) error {
	s.mu.Lock()
	done := s.next
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default: // wanted already, and not begun
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
