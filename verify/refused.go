package verify

import (
	"fmt"
	"strings"
)

// Why a bundle is refused by what was accepted before.
const (
	RefusedFork        = "fork"         // a log signed two trees of which neither begins with the other
	RefusedRollback    = "rollback"     // a log has fewer leaves than it had
	RefusedUnproven    = "unproven"     // nothing proves that a log's tree begins with the one that was seen
	RefusedOlderBundle = "older-bundle" // the bundle is older than one that was accepted
	RefusedOlderRoot   = "older-root"   // the TUF root is older than one that was trusted
)

// Refusal is one thing that speaks against a bundle. What of a log was seen and
// what is shown now are its signed heads: kept together, they prove to anybody
// who knows the log's key what the log did.
type Refusal struct {
	Kind  string `json:"kind"`
	What  string `json:"what"`          // in words
	Log   string `json:"log,omitempty"` // its name
	LogID string `json:"logID,omitempty"`
	Seen  string `json:"seen,omitempty"`  // the head that was accepted before
	Shown string `json:"shown,omitempty"` // the head in the bundle, or two of them

	missing bool // there is no proof at all, rather than a bad one
}

// RefusedError says that a bundle can't be accepted after those that were, or
// that it is too old.
type RefusedError struct{ Refusals []Refusal }

func (e *RefusedError) Error() string {
	var b strings.Builder
	b.WriteString("the bundle is refused:")
	for _, r := range e.Refusals {
		b.WriteString("\n")
		if r.Log != "" {
			fmt.Fprintf(&b, "%s: ", r.Log)
		}
		b.WriteString(r.What)
		for _, note := range [][2]string{{"seen before", r.Seen}, {"in the bundle", r.Shown}} {
			if note[1] != "" {
				fmt.Fprintf(&b, "\n%s:\n    %s", note[0], strings.ReplaceAll(strings.TrimSuffix(note[1], "\n"), "\n", "\n    "))
			}
		}
	}
	return b.String()
}

// Hint says what to do about it.
func (e *RefusedError) Hint() string {
	worst := ""
	for _, kind := range []string{RefusedFork, RefusedRollback, RefusedOlderRoot, RefusedOlderBundle, RefusedUnproven, RefusedStale} {
		for _, r := range e.Refusals {
			if r.Kind == kind && worst == "" {
				worst = kind
			}
		}
	}
	switch worst {
	case RefusedStale:
		return "take a new snapshot; --at judges as of another time"
	case RefusedFork:
		return "keep both heads: together they prove that the log shows different people different trees. Ask others for theirs (modseal heads), and do not build with this bundle"
	case RefusedUnproven:
		return "take the snapshot with --since and the last bundle that was accepted, or the state file: then it carries the proof"
	case RefusedRollback:
		return "take the newest bundle; if this is the newest, the log was rolled back, or the snapshot was taken from a server that is behind: keep both heads as evidence"
	}
	return "take the newest bundle; a state file is for one series of bundles, of which each replaces the one before"
}
