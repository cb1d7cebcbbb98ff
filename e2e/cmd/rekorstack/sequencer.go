//go:build rekorstack

package main

import (
	"context"
	"sync"
	"time"
)

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
