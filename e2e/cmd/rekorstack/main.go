//go:build rekorstack

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
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
	commands := make(chan string)
	go exitWithParent(commands)

	out, err := prepare(&cfg)
	if err != nil {
		fmt.Fprintln(os.Stderr, "rekorstack:", err)
		os.Exit(1)
	}
	running, err := start(cfg)
	for err == nil { // exitWithParent ends the process
		if err = json.NewEncoder(out.stdout).Encode(running.ready); err != nil {
			break
		}
		if command := <-commands; command != stack.RotateCommand {
			err = fmt.Errorf("no such command: %q", command)
			break
		}
		err = running.rotate(cfg)
	}
	fmt.Fprintln(out.stderr, "rekorstack:", err)
	os.Exit(1)
}

// exitWithParent ends the process when standard input ends or a signal asks for it, and passes on the lines of standard
// input. There is nothing to save, and Rekor's own shutdown takes seconds, so it exits at once.
func exitWithParent(commands chan<- string) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	eof := make(chan struct{})
	go func() {
		defer close(eof)
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); { // an error ends it as well
			select {
			case commands <- lines.Text():
			case <-time.After(startLimit):
				return // nobody takes it
			}
		}
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
func start(cfg config) (*servers, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()

	key, err := ensureKey(shardKeyPaths(cfg.dir, 1))
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
	running := &servers{key: key, ready: &stack.Ready{
		URL:           url,
		PublicKeyPath: key.public,
		TreeID:        treeID,
		Hostname:      cfg.hostname,
		PID:           os.Getpid(),
	}}
	if cfg.sigstore {
		log, err := readKey(key.private)
		if err != nil {
			return nil, err
		}
		running.sigstore, err = startSigstore(ctx, cfg.dir, trillian, rekorLog{url: url, public: &log.PublicKey})
		if err != nil {
			return nil, err
		}
		running.ready.Sigstore = running.sigstore.services
	}
	return running, nil
}
