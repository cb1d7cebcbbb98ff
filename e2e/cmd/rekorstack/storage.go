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

// logStorage is Trillian's memory storage with what its SQL storages have and it lacks:
//
//   - A leaf whose identity hash is in the tree or on its way there is refused with AlreadyExists, which Rekor
//     reports as 409 Conflict. The memory storage takes every leaf, and Rekor would log it twice.
//   - Leaves that it is given and hands out are its caller's to keep. The memory storage keeps the pointer, and
//     the sequencer writes to it while gRPC still marshals the answer.
//   - Transactions may run at the same time: here one waits for the other. The memory storage writes to what they
//     share even when they only read.
//
// Unlike any of them, QueueLeaves returns when the leaves are integrated. Rekor waits for that in any case, but
// polls for it with pauses of its own.
type logStorage struct {
	storage.LogStorage
	sequencer *sequencer

	mu    sync.Mutex // held by the one transaction that is open
	known map[leafID]*trillian.LogLeaf
}

type leafID struct {
	tree int64
	hash string // LeafIdentityHash
}

func newLogStorage(s storage.LogStorage) *logStorage {
	return &logStorage{LogStorage: s, sequencer: newSequencer(), known: map[leafID]*trillian.LogLeaf{}}
}

// SnapshotForTree implements [storage.LogStorage].
func (s *logStorage) SnapshotForTree(ctx context.Context, tree *trillian.Tree) (storage.ReadOnlyLogTreeTX, error) {
	s.mu.Lock()
	tx, err := s.LogStorage.SnapshotForTree(ctx, tree)
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	return &snapshot{ReadOnlyLogTreeTX: tx, unlock: sync.OnceFunc(s.mu.Unlock)}, nil
}

// snapshot is a transaction that lets the next one begin when it is committed or closed, which may be both.
type snapshot struct {
	storage.ReadOnlyLogTreeTX
	unlock func()
}

func (s *snapshot) Commit(ctx context.Context) error {
	defer s.unlock()
	return s.ReadOnlyLogTreeTX.Commit(ctx)
}

func (s *snapshot) Close() error {
	defer s.unlock()
	return s.ReadOnlyLogTreeTX.Close()
}

// ReadWriteTransaction implements [storage.LogStorage].
func (s *logStorage) ReadWriteTransaction(ctx context.Context, tree *trillian.Tree, f storage.LogTXFunc) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.LogStorage.ReadWriteTransaction(ctx, tree, f)
}

// QueueLeaves implements [storage.LogStorage].
func (s *logStorage) QueueLeaves(ctx context.Context, tree *trillian.Tree, leaves []*trillian.LogLeaf, queued time.Time) ([]*trillian.QueuedLogLeaf, error) {
	results, fresh, err := s.queue(ctx, tree, leaves, queued)
	if err == nil && fresh {
		err = s.sequencer.integrated(ctx)
	}
	return results, err
}

// queue hands on the leaves that are not known, and reports whether there were any.
func (s *logStorage) queue(ctx context.Context, tree *trillian.Tree, leaves []*trillian.LogLeaf, queued time.Time) ([]*trillian.QueuedLogLeaf, bool, error) {
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
