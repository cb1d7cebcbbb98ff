package stack_test

import (
	"strings"
	"testing"

	"github.com/modseal/modseal/e2e/stack"
)

// What is in a shard that is rotated out is served as before, signed with its own key; what comes later is in another tree,
// signed with another key, and is counted on.
func TestRotate(t *testing.T) {
	t.Parallel()
	c := start(t, stack.Options{Dir: t.TempDir()})
	alice := newSigner(t)
	var created map[string]entry
	c.ask("POST", "/api/v1/log/entries", alice.hashedrekord([]byte("first")), 201, &created)
	first, _ := only(t, created)
	shards := []stack.Ready{c.rekor.Ready}
	for n := range 2 {
		if err := c.rekor.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
		shards = append(shards, c.rekor.Ready)
		clear(created)
		c.ask("POST", "/api/v1/log/entries", alice.hashedrekord([]byte{byte(n)}), 201, &created)
		if _, e := only(t, created); e.LogIndex != uint64(n+1) || e.Verification.InclusionProof.LogIndex != 0 {
			t.Errorf("rotation %d: entry %d, leaf %d; want it counted on, and the first leaf", n, e.LogIndex, e.Verification.InclusionProof.LogIndex)
		}
	}
	clear(created)
	c.ask("GET", "/api/v1/log/entries/"+first, nil, 200, &created)
	_, e := only(t, created)
	if err := e.check(); err != nil {
		t.Error(err)
	}
	checkCheckpoint(t, e.Verification.InclusionProof.Checkpoint, shards[0].PublicKeyPath, stack.DefaultHostname)
	var info struct {
		logInfo
		InactiveShards []logInfo
	}
	c.ask("GET", "/api/v1/log", nil, 200, &info)
	if len(info.InactiveShards) != 2 {
		t.Fatalf("inactive shards are %+v, want 2", info.InactiveShards)
	}
	for i, head := range append(info.InactiveShards, info.logInfo) {
		checkCheckpoint(t, head.SignedTreeHead, shards[i].PublicKeyPath, stack.DefaultHostname)
		if head.TreeSize != 1 || !strings.Contains(head.SignedTreeHead, " - "+shards[i].TreeID+"\n") {
			t.Errorf("head %d is %+v, want one leaf in tree %s", i, head, shards[i].TreeID)
		}
	}
}
