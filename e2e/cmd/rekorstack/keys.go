//go:build rekorstack

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/modseal/modseal/e2e/stack"
)

// keyPaths names the two PEM files of the log's key: PKCS #8 and PKIX.
type keyPaths struct {
	private, public string
}

// shardKeyPaths names those of a shard, counted from 1. The first one's have no number.
func shardKeyPaths(dir string, shard int) keyPaths {
	paths := keyPaths{private: filepath.Join(dir, stack.PrivateKeyName), public: filepath.Join(dir, stack.PublicKeyName)}
	if shard > 1 {
		suffix := fmt.Sprintf(".%d", shard)
		paths.private, paths.public = paths.private+suffix, paths.public+suffix
	}
	return paths
}

// ensureKey makes an ECDSA P-256 key pair unless there is a private key already, and writes its public half.
func ensureKey(paths keyPaths) (keyPaths, error) {
	key, err := readKey(paths.private)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = makeKey(paths.private)
	}
	if err != nil {
		return keyPaths{}, err
	}
	return paths, writePublicKey(paths.public, &key.PublicKey)
}

func makeKey(path string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return key, writeKey(path, key)
}

func readKey(path string) (*ecdsa.PrivateKey, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("%s: not PEM", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s: %T, want an ECDSA key", path, parsed)
	}
	return key, nil
}
