package tufchain

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"
)

// walker is a walk under way.
type walker struct {
	ctx     context.Context
	source  Source
	held    Files
	at      time.Time
	used    Files // every file that the walk read and accepted
	pinned  int64 // version of the pinned root
	trusted *trustedmetadata.TrustedMetadata
}

// walk goes from the pinned root to the target. Only the steps' order makes it
// safe: see TUF, Section 5.3 to 5.7.
func (w *walker) walk(pinned []byte) (*Result, error) {
	if w.at.IsZero() {
		return nil, &Error{Kind: NoTime, Err: errors.New("no time to judge it as of"), Advice: "give one with --at TIME"}
	}
	if err := w.pin(pinned); err != nil {
		return nil, err
	}
	for _, step := range []func() error{w.roots, w.timestamp, w.snapshot, w.targets} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	target, err := w.target()
	if err != nil {
		return nil, err
	}
	t := w.trusted
	return &Result{
		TrustedRoot: target, PinnedVersion: w.pinned, At: w.at,
		Root:      Role{t.Root.Signed.Version, t.Root.Signed.Expires},
		Timestamp: Role{t.Timestamp.Signed.Version, t.Timestamp.Signed.Expires},
		Snapshot:  Role{t.Snapshot.Signed.Version, t.Snapshot.Signed.Expires},
		Targets:   Role{t.Targets[metadata.TARGETS].Signed.Version, t.Targets[metadata.TARGETS].Signed.Expires},
	}, nil
}

// pin begins with the enclave's root, which must be signed by itself.
func (w *walker) pin(root []byte) error {
	const name = "the pinned root"
	advice := "give a root.json as the repository serves it with --tuf-root"
	if int64(len(root)) > MaxRoot {
		return tooLarge(name, MaxRoot)
	}
	if err := checkRoot(root); err != nil {
		return &Error{Kind: Malformed, File: name, Err: visible(err), Advice: advice}
	}
	trusted, err := trustedmetadata.New(root)
	if err != nil {
		e := rejected(name, err)
		e.Advice = advice
		return e
	}
	trusted.RefTime = w.at
	w.trusted, w.pinned = trusted, trusted.Root.Signed.Version
	return nil
}

// file reads a file that the walk needs.
func (w *walker) file(name string) ([]byte, error) {
	data, err := w.source.File(w.ctx, name, maxOf(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &Error{Kind: Missing, File: name, Err: errors.New("it is missing"), Advice: adviceMissing}
	}
	return data, err
}

// roots follows the rotations to the last one that is there.
func (w *walker) roots() error {
	for n := 0; ; n++ {
		name := rootName(w.trusted.Root.Signed.Version + 1)
		data, ok := w.held[name]
		if !ok {
			var err error
			data, err = w.source.File(w.ctx, name, MaxRoot)
			if errors.Is(err, fs.ErrNotExist) {
				return w.lastRoot()
			}
			if err != nil {
				return err
			}
		}
		if n == MaxRotations {
			return tooManyRotations()
		}
		if err := checkRoot(data); err != nil {
			return rejected(name, err)
		}
		if _, err := w.trusted.UpdateRoot(data); err != nil {
			return rejected(name, err)
		}
		w.used[name] = data
	}
}

// lastRoot demands that the root that the walk reached is unexpired. Those on
// the way may be expired (TUF, Section 5.3.10).
func (w *walker) lastRoot() error {
	root := w.trusted.Root.Signed
	if !root.IsExpired(w.at) {
		return nil
	}
	what := fmt.Sprintf("the newest root of the chain is version %d, and", root.Version)
	return expired("", what, Role{root.Version, root.Expires}, w.at, adviceWithheld)
}

func (w *walker) timestamp() error {
	if held := w.held[timestampName]; held != nil && checkTimestamp(held) == nil {
		// Loaded even if it is expired, so that no older one is accepted. If its
		// key was rotated since, there is nothing to compare with.
		_, _ = w.trusted.UpdateTimestamp(held)
	}
	before := w.trusted.Timestamp
	data, err := w.file(timestampName)
	if err != nil {
		return err
	}
	if err := checkTimestamp(data); err != nil {
		return rejected(timestampName, err)
	}
	_, err = w.trusted.UpdateTimestamp(data)
	var same *metadata.ErrEqualVersionNumber
	if errors.As(err, &same) {
		data, err = w.held[timestampName], nil
	}
	now := w.trusted.Timestamp
	switch {
	case now != nil && (err == nil || now != before) && now.Signed.IsExpired(w.at):
		return expired(timestampName, "it", Role{now.Signed.Version, now.Signed.Expires}, w.at, adviceExpired)
	case err != nil && before != nil:
		return rolledBack(timestampName, err)
	case err != nil:
		return rejected(timestampName, err)
	}
	w.used[timestampName] = data
	return nil
}

// rolledBack tells an older file from one that is wrong in itself.
func rolledBack(name string, err error) *Error {
	e := rejected(name, err)
	if e.Kind == Swapped {
		e.Kind = Rollback
		e.Err = fmt.Errorf("it is older than what was fetched before: %w", visible(err))
		e.Advice = "the mirror serves an earlier state than it did: use another mirror, and find out why"
	}
	return e
}

// versioned is how the repository names a role's file.
func (w *walker) versioned(name string, version int64) string {
	if w.trusted.Root.Signed.ConsistentSnapshot {
		return strconv.FormatInt(version, 10) + "." + name
	}
	return name
}

func (w *walker) snapshot() error {
	if held := w.held.named("snapshot.json"); held != nil && checkSnapshot(held) == nil {
		_, _ = w.trusted.UpdateSnapshot(held, true) // loaded for comparison alone, as the timestamp
	}
	before := w.trusted.Snapshot
	name := w.versioned("snapshot.json", w.trusted.Timestamp.Signed.Meta["snapshot.json"].Version)
	data, err := w.file(name)
	if err != nil {
		return err
	}
	if err := checkSnapshot(data); err != nil {
		return rejected(name, err)
	}
	_, err = w.trusted.UpdateSnapshot(data, false)
	now := w.trusted.Snapshot
	switch {
	case now != nil && now != before && now.Signed.IsExpired(w.at):
		return expired(name, "it", Role{now.Signed.Version, now.Signed.Expires}, w.at, adviceExpired)
	case err != nil && before != nil && now == before:
		return rolledBack(name, err)
	case err != nil:
		return rejected(name, err)
	}
	w.used[name] = data
	return nil
}

func (w *walker) targets() error {
	meta, ok := w.trusted.Snapshot.Signed.Meta["targets.json"]
	if !ok {
		return &Error{Kind: Malformed, Err: errors.New("the snapshot names no targets.json"), Advice: adviceMalformed}
	}
	name := w.versioned("targets.json", meta.Version)
	data, err := w.file(name)
	if err != nil {
		return err
	}
	if err := checkTargets(data); err != nil {
		return rejected(name, err)
	}
	_, err = w.trusted.UpdateTargets(data)
	var old *metadata.ErrExpiredMetadata
	if errors.As(err, &old) {
		if t, parseErr := metadata.Targets().FromBytes(data); parseErr == nil {
			return expired(name, "it", Role{t.Signed.Version, t.Signed.Expires}, w.at, adviceExpired)
		}
	}
	if err != nil {
		return rejected(name, err)
	}
	w.used[name] = data
	return nil
}

// target reads trusted_root.json. With consistent snapshots its file is named
// by its SHA-256.
func (w *walker) target() ([]byte, error) {
	t, ok := w.trusted.Targets[metadata.TARGETS].Signed.Targets[TargetName]
	if !ok {
		return nil, &Error{Kind: Missing, Err: fmt.Errorf("targets.json names no %s", TargetName), Advice: "this repository is not one of Sigstore's kind: look at the mirror"}
	}
	name := "targets/" + TargetName
	if w.trusted.Root.Signed.ConsistentSnapshot {
		sum := hex.EncodeToString(t.Hashes["sha256"])
		if name = "targets/" + sum + "." + TargetName; maxOf(name) == 0 {
			return nil, &Error{Kind: Malformed, Err: fmt.Errorf("targets.json gives no SHA-256 of %s", TargetName), Advice: adviceMalformed}
		}
	}
	data, err := w.file(name)
	if err != nil {
		return nil, err
	}
	if err := t.VerifyLengthHashes(data); err != nil {
		return nil, rejected(name, err)
	}
	w.used[name] = data
	return data, nil
}
