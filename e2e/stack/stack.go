// Package stack runs real transparency servers on loopback, for tests.
//
// That is Rekor v1 on Trillian and, where [Options].Sigstore asks for it, the rest of Sigstore: Fulcio with a certificate
// transparency log, an OpenID Connect issuer, a timestamp authority and Rekor v2. All of it is one child process (command
// rekorstack in this module):
//
//	rekor, err := stack.Start(ctx, stack.Options{Dir: t.TempDir()})
//	…
//	t.Cleanup(func() { rekor.Close() })
//	http.Get(rekor.URL + "/api/v1/log")
//
// The servers are built with the go command when they are not up to date: a minute or more with empty caches, about a
// second otherwise. Package stack itself uses the standard library only, so tests that import it compile quickly.
//
// A child's standard input is a pipe from this process, and the child exits when it ends: it can't be left behind,
// however this process dies.
package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// DefaultHostname is the name of the log in its checkpoints when Options says nothing.
const DefaultHostname = "rekor.modseal.test"

// Files in [Options].Dir.
const (
	PrivateKeyName = "rekor.key" // PKCS #8, PEM
	PublicKeyName  = "rekor.pub" // PKIX, PEM
	LogName        = "rekor.log" // what all servers print
)

// RotateCommand is the line that a server process is sent for [Rekor.Rotate].
const RotateCommand = "rotate"

// startLimit is how long a built binary may take to be ready.
const startLimit = 2 * time.Minute

// Options says what to start. The zero value works where the working directory is in the module of this package, as it
// is in its tests.
type Options struct {
	// Dir is the state folder: keys, log file, attestations. It is made if missing; its keys are used again. When it
	// is empty, a temporary folder is made, and removed by Close.
	Dir string
	// Hostname names the log in its checkpoints; DefaultHostname when empty.
	Hostname string
	// Attestations stores the attestations of intoto entries, which Rekor then serves with the entry.
	Attestations bool
	// Sigstore starts the rest of Sigstore as well: see [Ready].Sigstore.
	Sigstore bool

	// Binary is a rekorstack built with BuildFlags. When it is empty, [BuildRekor] makes one.
	Binary string
	// Build says how, when Binary is empty.
	Build BuildOptions
}

// Ready is what a server process reports, as one line of JSON, when all of it answers, and after each [Rekor.Rotate].
type Ready struct {
	// URL is the base URL, without a slash at its end.
	URL string `json:"rekorURL"`
	// PublicKeyPath is a PEM file (PKIX, ECDSA P-256) with the key of the log.
	PublicKeyPath string `json:"rekorPublicKey"`
	// TreeID is the active tree's, in decimal.
	TreeID   string `json:"treeID"`
	Hostname string `json:"hostname"`
	PID      int    `json:"pid"`
	// Sigstore is nil unless Options asked for it.
	Sigstore *Sigstore `json:"sigstore,omitempty"`
}

// Rekor is a running Rekor with an empty log of its own.
type Rekor struct {
	Ready
	// LogPath is the file that the servers print to.
	LogPath string

	child  *child
	tmpDir string // to remove, or empty
}

// Start starts a Rekor and returns when it answers. Only building and starting end with ctx; the server runs until Close
// or until this process ends.
func Start(ctx context.Context, opts Options) (*Rekor, error) {
	binary := opts.Binary
	if binary == "" {
		var err error
		if binary, err = BuildRekor(ctx, opts.Build); err != nil {
			return nil, err
		}
	}
	rekor := &Rekor{}
	if opts.Dir == "" {
		tmp, err := os.MkdirTemp("", "rekorstack-")
		if err != nil {
			return nil, err
		}
		opts.Dir, rekor.tmpDir = tmp, tmp
	}
	rekor.LogPath = filepath.Join(opts.Dir, LogName)
	if err := rekor.start(ctx, binary, opts); err != nil {
		err = fmt.Errorf("start rekor: %w\n%s", err, rekor.Log())
		rekor.Close() // what is of interest is in err
		return nil, err
	}
	return rekor, nil
}

func (r *Rekor) start(ctx context.Context, binary string, opts Options) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	hostname := opts.Hostname
	if hostname == "" {
		hostname = DefaultHostname
	}
	args := []string{"-dir", opts.Dir, "-hostname", hostname}
	if opts.Attestations {
		args = append(args, "-attestations")
	}
	if opts.Sigstore {
		args = append(args, "-sigstore")
	}
	var err error
	if r.child, err = startChild(binary, args...); err != nil {
		return err
	}
	ready, err := r.child.ready(ctx)
	if err != nil {
		return err
	}
	if opts.Sigstore != (ready.Sigstore != nil) {
		return fmt.Errorf("incomplete answer %+v", ready)
	}
	r.Ready = *ready
	return nil
}

// Rotate retires the log's shard, as the operators of Rekor v1 do: what it has is served as ever, and new entries go to a
// new tree with a new key. Ready tells of the new shard; the trusted root has both keys, the old one until now and the new
// one from now. No request may be under way, and nobody else may read r.Ready meanwhile.
func (r *Rekor) Rotate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if _, err := io.WriteString(r.child.stdin, RotateCommand+"\n"); err != nil {
		return fmt.Errorf("rotate rekor: %w", err)
	}
	ready, err := r.child.ready(ctx)
	if err != nil {
		return fmt.Errorf("rotate rekor: %w\n%s", err, r.Log())
	}
	r.Ready = *ready
	return nil
}

// Close stops the server, which takes milliseconds, and returns when it is gone. Its log is lost. Closing twice is
// harmless.
func (r *Rekor) Close() error {
	var err error
	if r.child != nil {
		err = r.child.close()
	}
	if r.tmpDir != "" {
		err = errors.Join(err, os.RemoveAll(r.tmpDir))
	}
	return err
}

// Done is closed when the server's process has ended, whoever ended it.
func (r *Rekor) Done() <-chan struct{} { return r.child.done }

// Log is the end of what the servers have printed, for the message of a failed test. It is empty after Close if its
// folder is temporary.
func (r *Rekor) Log() string {
	const most = 16 << 10 // bytes
	data, err := os.ReadFile(r.LogPath)
	if err != nil {
		return ""
	}
	return string(data[max(0, len(data)-most):])
}
