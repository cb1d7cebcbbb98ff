package rekor

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/modseal/modseal/merkle"
)

// A Shard is one tree of a Rekor log at the time of asking. Only the active one
// grows. The checkpoint's text says the same as the other fields; its signature
// is unchecked, and so is everything here.
type Shard struct {
	TreeID     string // decimal
	Size       uint64
	Root       merkle.Hash
	Checkpoint []byte
	Active     bool
}

// shardAnswer is LogInfo and InactiveShardLogInfo of the API.
type shardAnswer struct {
	InactiveShards []*shardAnswer `json:"inactiveShards"`
	RootHash       *string        `json:"rootHash"`
	SignedTreeHead *string        `json:"signedTreeHead"`
	TreeID         *string        `json:"treeID"`
	TreeSize       *uint64        `json:"treeSize"`
}

// Shards asks for all trees of the log: the inactive ones first, in the
// server's order, and the active one last.
func (c *Client) Shards(ctx context.Context) ([]Shard, error) {
	data, err := c.get(ctx, "log", "log", maxShardsAnswer)
	if err != nil {
		return nil, err
	}
	return parseShards(data)
}

func parseShards(data []byte) ([]Shard, error) {
	var log *shardAnswer
	if err := decode(data, &log); err != nil {
		return nil, err
	}
	if log == nil {
		return nil, &AnswerError{Problem: Incomplete, Err: errors.New("log info is null")}
	}
	if len(log.InactiveShards) >= maxShards {
		return nil, malformed("%d inactive shards, the limit is %d", len(log.InactiveShards), maxShards-1)
	}
	var shards []Shard
	seen := make(map[string]bool)
	for _, answer := range append(log.InactiveShards, log) {
		shard, err := answer.check()
		if err != nil {
			return nil, err
		}
		if seen[shard.TreeID] {
			return nil, malformed("shard %s twice", shard.TreeID)
		}
		seen[shard.TreeID] = true
		shard.Active = answer == log
		shards = append(shards, shard)
	}
	return shards, nil
}

func (a *shardAnswer) check() (Shard, error) {
	if a == nil || a.RootHash == nil || a.SignedTreeHead == nil || a.TreeID == nil || a.TreeSize == nil {
		return Shard{}, &AnswerError{Problem: Incomplete, Err: errors.New("shard without tree ID, size, root hash or checkpoint")}
	}
	root, err := parseHash(*a.RootHash)
	if err != nil {
		return Shard{}, malformed("rootHash: %w", err)
	}
	said, err := parseUnverifiedCheckpoint(*a.SignedTreeHead)
	if err != nil {
		return Shard{}, malformed("%w", err)
	}
	if said.treeID != *a.TreeID {
		return Shard{}, &AnswerError{Problem: HeadMismatch, Err: fmt.Errorf("checkpoint of tree ID %s, answer of %s", said.treeID, quote(*a.TreeID))}
	}
	if err := said.matches(merkle.Tree{Size: *a.TreeSize, Root: root}); err != nil {
		return Shard{}, &AnswerError{Problem: HeadMismatch, Err: err}
	}
	return Shard{TreeID: said.treeID, Size: said.tree.Size, Root: said.tree.Root, Checkpoint: []byte(*a.SignedTreeHead)}, nil
}

// Consistency asks for the proof that the tree's first from leaves are the
// beginning of its first to leaves. Sizes that are equal need no proof and no
// request. The proof is unchecked, as the roots aren't known here: it is for
// merkle.VerifyConsistency or merkle.Rebase.
func (c *Client) Consistency(ctx context.Context, treeID string, from, to uint64) ([]merkle.Hash, error) {
	if _, err := parseTreeID(treeID); err != nil {
		return nil, fmt.Errorf("rekor: %w", err)
	}
	if from == 0 || from > to || to > merkle.MaxSize {
		return nil, fmt.Errorf("rekor: no consistency proof from size %d to %d", from, to)
	}
	if from == to {
		return nil, nil
	}
	data, err := c.get(ctx, "proof", fmt.Sprintf("log/proof?firstSize=%d&lastSize=%d&treeID=%s", from, to, treeID), maxProofAnswer)
	if err != nil {
		return nil, err
	}
	return parseConsistency(data)
}

// parseConsistency takes the hashes only. The rootHash beside them is that of
// the newest tree, whatever was asked for.
func parseConsistency(data []byte) ([]merkle.Hash, error) {
	var proof struct {
		Hashes *[]string `json:"hashes"`
	}
	if err := decode(data, &proof); err != nil {
		return nil, err
	}
	if proof.Hashes == nil {
		return nil, &AnswerError{Problem: Incomplete, Err: errors.New("consistency proof without hashes")}
	}
	hashes, err := parseHashes(*proof.Hashes)
	if err != nil {
		return nil, malformed("consistency proof: %w", err)
	}
	return hashes, nil
}

// PublicKey asks for the key of one of the log's trees: one PEM block of type
// PUBLIC KEY. A key that comes from the log itself is for display and for
// testing; trust comes from elsewhere.
func (c *Client) PublicKey(ctx context.Context, treeID string) ([]byte, error) {
	if _, err := parseTreeID(treeID); err != nil {
		return nil, fmt.Errorf("rekor: %w", err)
	}
	data, err := c.get(ctx, "key", "log/publicKey?treeID="+treeID, maxKeyAnswer)
	if err != nil {
		return nil, err
	}
	block, rest := pem.Decode(data)
	if block == nil || block.Type != "PUBLIC KEY" || len(bytes.TrimSpace(rest)) > 0 {
		return nil, malformed("public key isn't one PEM block of type PUBLIC KEY")
	}
	if _, err := x509.ParsePKIXPublicKey(block.Bytes); err != nil {
		return nil, malformed("public key: %w", err)
	}
	return data, nil
}
