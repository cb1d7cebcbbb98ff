//go:build rekorstack

package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/modseal/modseal/e2e/stack"
)

// startLimit is how long all servers together may take to answer.
const startLimit = time.Minute

type config struct {
	dir          string // absolute
	hostname     string
	attestations bool
	sigstore     bool
}

func main() {
	var cfg config
	flag.StringVar(&cfg.dir, "dir", "", "`folder` for keys, log file and attestations (required; made if missing)")
	flag.StringVar(&cfg.hostname, "hostname", stack.DefaultHostname, "the log's `name` in its checkpoints")
	flag.BoolVar(&cfg.attestations, "attestations", false, "store the attestations of intoto entries")
	flag.BoolVar(&cfg.sigstore, "sigstore", false, "start the rest of Sigstore as well")
	flag.Parse()
	if cfg.dir == "" || flag.NArg() != 0 {
		flag.Usage()
		os.Exit(2)
	}
	go exitWithParent()

	out, err := prepare(&cfg)
	if err != nil {
		fmt.Fprintln(os.Stderr, "rekorstack:", err)
		os.Exit(1)
	}
	ready, err := start(cfg)
	if err == nil {
		err = json.NewEncoder(out.stdout).Encode(ready)
	}
	if err != nil {
		fmt.Fprintln(out.stderr, "rekorstack:", err)
		os.Exit(1)
	}
	select {} // exitWithParent ends the process
}

// exitWithParent ends the process when standard input ends or a signal asks for it. There is nothing to save, and
// Rekor's own shutdown takes seconds, so it exits at once.
func exitWithParent() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	eof := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin) // an error ends it as well
		close(eof)
	}()
	select {
	case <-signals:
	case <-eof:
	}
	os.Exit(0)
}

// prepare makes the state folder and sends what the servers print to the log file in it.
func prepare(cfg *config) (*output, error) {
	dir, err := filepath.Abs(cfg.dir)
	if err != nil {
		return nil, err
	}
	cfg.dir = dir
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return logTo(filepath.Join(dir, stack.LogName))
}

// start brings everything up, in the order of its dependencies, and waits until Rekor answers.
func start(cfg config) (*stack.Ready, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()

	key, err := ensureKey(cfg.dir)
	if err != nil {
		return nil, err
	}
	trillian, err := startTrillian()
	if err != nil {
		return nil, fmt.Errorf("trillian: %w", err)
	}
	index, err := startRedis()
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	url, err := startRekor(rekorConfig{config: cfg, keyPath: key.private, trillian: trillian, redis: index})
	if err != nil {
		return nil, fmt.Errorf("rekor: %w", err)
	}
	treeID, err := waitForRekor(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("rekor: %w", err)
	}
	ready := &stack.Ready{
		URL:           url,
		PublicKeyPath: key.public,
		TreeID:        treeID,
		Hostname:      cfg.hostname,
		PID:           os.Getpid(),
	}
	if cfg.sigstore {
		log, err := readKey(key.private)
		if err != nil {
			return nil, err
		}
		ready.Sigstore, err = startSigstore(ctx, cfg.dir, trillian, rekorLog{url: url, public: &log.PublicKey})
		if err != nil {
			return nil, err
		}
	}
	return ready, nil
}
