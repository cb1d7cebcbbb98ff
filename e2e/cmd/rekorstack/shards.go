//go:build rekorstack

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/sigstore/rekor/pkg/api"
	"github.com/sigstore/rekor/pkg/sharding"
	"github.com/sigstore/rekor/pkg/signer"
	"github.com/spf13/viper"

	"github.com/modseal/modseal/e2e/stack"
)

// servers are what runs in this process.
type servers struct {
	ready    *stack.Ready
	retired  sharding.Ranges // oldest first
	key      keyPaths        // of the active shard
	sigstore *authorities    // nil without the rest of Sigstore
}

// rotate retires the active shard: what it has is served as ever, and new entries go to a new tree with a new key. Operators
// start rekor-server again for that, with --trillian_log_server.sharding_config; here it reads its settings again.
func (s *servers) rotate(cfg config) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	tree, err := strconv.ParseInt(s.ready.TreeID, 10, 64)
	if err != nil {
		return err
	}
	s.retired = append(s.retired, sharding.LogRange{TreeID: tree, SigningConfig: signer.SigningConfig{SigningSchemeOrKeyPath: s.key.private}})
	shards, err := json.Marshal(s.retired)
	if err != nil {
		return err
	}
	path := filepath.Join(cfg.dir, "shards.json")
	if err := os.WriteFile(path, shards, 0o644); err != nil {
		return err
	}
	if s.key, err = ensureKey(shardKeyPaths(cfg.dir, len(s.retired)+1)); err != nil {
		return err
	}
	viper.Set("rekor_server.signer", s.key.private)
	viper.Set("trillian_log_server.sharding_config", path)
	api.ConfigureAPI(0) // 0: make a new tree

	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	s.ready.PublicKeyPath = s.key.public
	if s.ready.TreeID, err = waitForRekor(ctx, s.ready.URL); err != nil || s.sigstore == nil {
		return err
	}
	key, err := readKey(s.key.private)
	if err != nil {
		return err
	}
	s.sigstore.rotate(rekorLog{url: s.ready.URL, public: &key.PublicKey}, time.Now())
	_, err = s.sigstore.writeTrustedRoot()
	return err
}
