// Package tufchain walks the metadata of a TUF repository, without a network,
// from a pinned root to the target trusted_root.json, as of a time.
//
// A chain is a set of files, named as the repository serves them:
//
//	15.root.json, 16.root.json, …   rotations after the pinned root, no gaps
//	timestamp.json
//	S.snapshot.json                 (snapshot.json without consistent snapshots)
//	T.targets.json                  (targets.json …)
//	targets/SHA256.trusted_root.json  (targets/trusted_root.json …)
//
// The walk is the client workflow of the TUF specification (version 1.0.31,
// Section 5), done by go-tuf's trustedmetadata: each root is signed by a
// threshold of the root before it and of its own; the newest root, timestamp,
// snapshot and targets are unexpired at the given time; each names the next by
// version, and by hash where the repository gives one; the target's hash is that
// in targets.json. Roots that are not newer than the pinned one are not needed
// and not read; every other file must have its place in the walk.
//
// What the walk can't tell: that the chain was the newest at its time. Metadata
// has no time of issue, so an old chain passes as of any time before it expired.
// A rotation that is withheld goes unnoticed while the root before it is
// unexpired; Result says where the walk ended, for the caller to show and to
// compare.
package tufchain

import (
	"context"
	"fmt"
	"io/fs"
	"time"
)

// Limits of a chain. Each is the largest value that is accepted.
const (
	MaxRotations   = 256       // root files in a chain
	MaxRoot        = 512_000   // bytes of one root
	MaxTimestamp   = 16 << 10  // bytes of timestamp.json
	MaxSnapshot    = 2_000_000 // bytes of the snapshot
	MaxTargets     = 5_000_000 // bytes of targets.json
	MaxTrustedRoot = 4 << 20   // bytes of trusted_root.json
	MaxChain       = 16 << 20  // bytes of all files together
	MaxSignatures  = 32        // signatures of one file; go-tuf encodes the file anew for each
	MaxKeys        = 32        // keys in one root
)

// TargetName is the target that a chain leads to.
const TargetName = "trusted_root.json"

// Files are a chain's files by name, as the package documentation has them.
type Files map[string][]byte

// File makes Files a Source.
func (f Files) File(_ context.Context, name string, max int64) ([]byte, error) {
	data, ok := f[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	if int64(len(data)) > max {
		return nil, tooLarge(name, max)
	}
	return data, nil
}

// Role is the state of one role's metadata.
type Role struct {
	Version int64     `json:"version"`
	Expires time.Time `json:"expires"`
}

// Result is where a walk ended.
type Result struct {
	TrustedRoot   []byte // trusted_root.json, as targets.json names it
	PinnedVersion int64  // of the root that the walk began with
	At            time.Time

	Root, Timestamp, Snapshot, Targets Role
}

// Moved tells whether the walk ended at a later root than it began with.
func (r *Result) Moved() bool { return r.Root.Version != r.PinnedVersion }

// Expires is when the first of the roles expires: after it the chain proves
// nothing new.
func (r *Result) Expires() time.Time {
	first := r.Root.Expires
	for _, o := range []Role{r.Timestamp, r.Snapshot, r.Targets} {
		if o.Expires.Before(first) {
			first = o.Expires
		}
	}
	return first
}

// Pinned reads the version and the expiry of a root that is going to be pinned,
// which must be signed by itself. Errors are *Error.
func Pinned(root []byte) (Role, error) {
	w := &walker{}
	if err := w.pin(root); err != nil {
		return Role{}, err
	}
	return Role{w.trusted.Root.Signed.Version, w.trusted.Root.Signed.Expires}, nil
}

// Walk walks a chain from a pinned root as of a time. Every file of the chain
// must be needed, except roots that are not newer than the pinned one. Errors
// are *Error.
func Walk(pinned []byte, files Files, at time.Time) (*Result, error) {
	if err := files.check(); err != nil {
		return nil, err
	}
	w := &walker{ctx: context.Background(), source: files, at: at, used: Files{}}
	r, err := w.walk(pinned)
	if err != nil {
		return nil, files.explain(err, w)
	}
	return r, files.allUsed(w)
}

// Source gives the files of a repository by name. A file that is not there is
// fs.ErrNotExist; one of more than max bytes is an error.
type Source interface {
	File(ctx context.Context, name string, max int64) ([]byte, error)
}

// FollowRequest says what to follow a repository with.
type FollowRequest struct {
	Pinned []byte // root.json
	Source Source
	At     time.Time
	// Held is a chain that was followed before: its roots are not asked for
	// again, and no older timestamp or snapshot is accepted than its own. It may
	// be expired. Nil is none.
	Held Files
}

// Follow walks a repository as Walk does, file by file as it needs them, and
// also returns the chain: the files that it needed, and the roots of Held.
// Errors are *Error, or those of the source.
func Follow(ctx context.Context, r FollowRequest) (*Result, Files, error) {
	if err := r.Held.check(); err != nil {
		return nil, nil, err
	}
	w := &walker{ctx: ctx, source: r.Source, held: r.Held, at: r.At, used: Files{}}
	result, err := w.walk(r.Pinned)
	if err != nil {
		return nil, nil, err
	}
	for name, data := range r.Held {
		if _, ok := rootVersion(name); ok {
			w.used[name] = data
		}
	}
	if _, err := Walk(r.Pinned, w.used, r.At); err != nil { // what is kept is what an enclave will read
		return nil, nil, fmt.Errorf("the chain as it would be kept: %w", err)
	}
	return result, w.used, nil
}
