package verify

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/tufchain"
)

// State is what an enclave remembers of the bundles that it has accepted, so that
// no later one takes it back. The zero value is of an enclave that has accepted
// none. Keeping it is for the caller.
type State struct {
	// Heads are the newest signed heads of each log. Of one log there are several
	// only if nothing has proven yet which of them extends which.
	Heads []SeenHead
	// Root is the version of the newest TUF root that was trusted; 0 is none.
	Root int64
	// Created is the newest time that a trusted sealer stated; zero is none.
	Created time.Time
}

// ErrState says that what was accepted before can't be compared with.
var ErrState = errors.New("the state is of no use")

// SeenHead is a log's signed head. It is evidence: the log's key signed it.
type SeenHead struct {
	Kind       bundles.Kind
	Name       string // as of bundles.LogInfo
	LogID      string
	Checkpoint []byte // a signed note
}

// CompareHeads orders heads by log, then by their notes.
func CompareHeads(a, b SeenHead) int {
	return cmp.Or(a.key().Compare(b.key()), slices.Compare(a.Checkpoint, b.Checkpoint))
}

// StateReport says how a bundle relates to what was accepted before.
type StateReport struct {
	File  string       `json:"file,omitempty"`
	First bool         `json:"first"` // nothing was accepted before
	Heads []HeadReport `json:"heads"` // by log
}

// HeadReport is about one log of the bundle, or of the state alone.
type HeadReport struct {
	Kind  string `json:"kind"`
	Name  string `json:"name"`
	LogID string `json:"logID,omitempty"`
	// How: new (first seen), same, extended (proven to begin with all that was
	// seen), or absent (not in the bundle).
	How  string `json:"how"`
	Seen uint64 `json:"seen,omitempty"` // size of the newest tree that was seen
	Size uint64 `json:"size,omitempty"` // of the newest tree in the bundle
}

// How a log relates to what was seen of it.
const (
	headNew      = "new"
	headSame     = "same"
	headExtended = "extended"
	headAbsent   = "absent"
)

// stateCheck compares one bundle with what was accepted before.
type stateCheck struct {
	old     *State
	next    *State
	report  *StateReport
	refused []Refusal
}

// checkState compares the heads of the bundle's logs, its time and its TUF root
// with what was accepted before. What it gives besides is to be remembered if the
// bundle is accepted. A *RefusedError has all that speaks against the bundle.
func (r *Request) checkState(b *bundles.Bundle, logs []provenLog, m *Material, walked *TrustReport) (*StateReport, *State, error) {
	if r.State == nil {
		return nil, nil, nil
	}
	c := &stateCheck{old: r.State, next: &State{Root: r.State.Root, Created: r.State.Created}}
	c.report = &StateReport{File: r.StateName, First: len(r.State.Heads) == 0 && r.State.Root == 0 && r.State.Created.IsZero(), Heads: []HeadReport{}}
	if err := c.time(b, r.Now); err != nil {
		return nil, nil, err
	}
	if err := c.root(r.Anchor, walked); err != nil {
		return nil, nil, err
	}
	if err := c.heads(logs, m); err != nil {
		return nil, nil, err
	}
	if len(c.refused) > 0 {
		return nil, nil, &RefusedError{c.refused}
	}
	slices.SortFunc(c.next.Heads, CompareHeads)
	return c.report, c.next, nil
}

// time refuses a bundle that its sealer dates before one that was accepted. A
// time that nobody sealed is anybody's word, and one that is yet to come would
// keep out every later bundle: neither is remembered.
func (c *stateCheck) time(b *bundles.Bundle, now time.Time) error {
	created, err := b.Manifest.CreatedAt()
	if err != nil || len(b.Seals) == 0 {
		return err
	}
	if created.Before(c.old.Created) {
		c.refuse(Refusal{Kind: RefusedOlderBundle, What: fmt.Sprintf("it was made %s, and one that was accepted before was made %s", created.Format(time.RFC3339), c.old.Created.Format(time.RFC3339))})
	}
	if !now.IsZero() && created.After(now) {
		created = now.UTC().Truncate(time.Second)
	}
	if created.After(c.old.Created) {
		c.next.Created = created
	}
	return nil
}

// root refuses a TUF root older than one that was trusted before. A bundle that
// brings no chain is judged by the pinned root, or by what goes with it.
func (c *stateCheck) root(a *Anchor, walked *TrustReport) error {
	if a == nil {
		return nil // no TUF root says what is trusted
	}
	var version int64
	if walked != nil {
		version = walked.RootVersion
	} else {
		pinned, err := tufchain.Pinned(a.Root)
		if err != nil {
			return err
		}
		version = pinned.Version
	}
	if version < c.old.Root {
		c.refuse(Refusal{Kind: RefusedOlderRoot, What: fmt.Sprintf("it leads to version %d of the TUF root, and version %d was trusted before", version, c.old.Root)})
	}
	c.next.Root = max(version, c.old.Root)
	return nil
}

func (c *stateCheck) refuse(r Refusal) { c.refused = append(c.refused, r) }
