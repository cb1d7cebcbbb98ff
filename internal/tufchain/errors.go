package tufchain

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/modseal/modseal/internal/limit"
)

// Kind says what is wrong with a chain.
type Kind string

// The kinds. The zero value is none of them.
const (
	Malformed  Kind = "malformed"  // not metadata of its role
	TooLarge   Kind = "too-large"  // over a limit
	Missing    Kind = "missing"    // a file that the walk needs is not there
	Gap        Kind = "gap"        // a root is missing between others
	Unsigned   Kind = "unsigned"   // not signed by enough keys of those who must
	Expired    Kind = "expired"    // at the time that was asked for
	Swapped    Kind = "swapped"    // not the file that the metadata before it names
	Rollback   Kind = "rollback"   // older than what is held
	Unexpected Kind = "unexpected" // a file that has no place in the walk
	NoTime     Kind = "no-time"    // no time was given to judge as of
)

// Error says why a chain does not lead from the pinned root to a trusted root,
// and what can be done.
type Error struct {
	Kind   Kind
	File   string // in the chain; "" if it is about all of it
	Err    error
	Advice string
}

func (e *Error) Error() string {
	if e.File == "" {
		return "trust chain: " + e.Err.Error()
	}
	return fmt.Sprintf("trust chain: %.120s: %v", e.File, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

const (
	adviceMalformed = "fetch the chain again with modseal trust fetch, and distrust the mirror if it stays so"
	adviceMissing   = "fetch the chain again with modseal trust fetch, and carry all files of its folder"
	adviceUnsigned  = "if this is the repository that you trust, distrust the mirror and whoever carried the chain; if it is another one, name its root with --tuf-root"
	adviceOlder     = "the chain is older than the pinned root: name an earlier root that you trust with --tuf-root"
	adviceOther     = "no root of the chain is as new as the pinned one, so it is older or of another repository: name the root that it begins with, if that is one that you trust, with --tuf-root"
	adviceExpired   = "fetch the chain again with modseal trust fetch; what was good at an earlier time is judged with --at TIME"
	adviceWithheld  = "fetch the chain again with modseal trust fetch, from another mirror if this one has no newer root: a mirror that withholds a rotation is to be distrusted; what was good at an earlier time is judged with --at TIME"
)

// rejected makes an Error of what go-tuf says about a file.
func rejected(file string, err error) *Error {
	var (
		unsigned *metadata.ErrUnsignedMetadata
		hash     *metadata.ErrLengthOrHashMismatch
		version  *metadata.ErrBadVersionNumber
	)
	e := &Error{Kind: Malformed, File: file, Err: visible(err), Advice: adviceMalformed}
	switch {
	case errors.Is(err, limit.ErrExceeded):
		e.Kind = TooLarge
	case errors.As(err, &unsigned):
		_, numbers, _ := strings.Cut(unsigned.Msg, "not enough signatures, ")
		e.Kind, e.Advice = Unsigned, adviceUnsigned
		e.Err = fmt.Errorf("too few of the keys that must sign it did: %s", numbers)
	case errors.As(err, &hash):
		e.Kind, e.Err = Swapped, fmt.Errorf("it is not the file that the metadata before it names: %w", visible(err))
	case errors.As(err, &version):
		e.Kind, e.Err = Swapped, fmt.Errorf("it is not of the version that the metadata before it names: %w", visible(err))
	}
	return e
}

// visible cuts and quotes the text of an error that may repeat hostile input.
func visible(err error) error {
	s := strings.TrimSpace(err.Error())
	if len(s) > 300 {
		s = s[:300] + "…"
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd || r > 0x7e && r != '…' }) {
		s = fmt.Sprintf("%q", s)
	}
	return errors.New(s)
}

func expired(file, what string, role Role, at time.Time, advice string) *Error {
	return &Error{Kind: Expired, File: file, Advice: advice,
		Err: fmt.Errorf("%s expired %s; this is judged as of %s", what, stamp(role.Expires), stamp(at))}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// explain adds what only the whole chain can tell about an error of the walk.
func (f Files) explain(err error, w *walker) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	if gap := f.gap(w); gap != nil {
		return gap
	}
	if roots := f.roots(); len(roots) > 0 && roots[len(roots)-1] < w.pinned {
		switch {
		case e.Kind == Unsigned:
			e.Advice = adviceOlder
		case e.Kind == Expired && e.File == "": // the pinned root itself
			e.Advice = adviceOther
		}
	}
	return err
}

// gap finds a root that can't be reached because one before it is missing.
func (f Files) gap(w *walker) *Error {
	if w.trusted == nil {
		return nil
	}
	reached := w.trusted.Root.Signed.Version
	for _, v := range f.roots() {
		if _, ok := f[rootName(reached+1)]; v > reached+1 && !ok {
			return &Error{Kind: Gap, File: rootName(reached + 1),
				Err:    fmt.Errorf("it is missing between root %d, which the walk reached, and root %d of the chain: a rotation was withheld, or the chain was fetched from a later root than the one pinned here", reached, v),
				Advice: fmt.Sprintf("fetch the chain again with modseal trust fetch, beginning at root %d or before (--tuf-root); a mirror that withholds a rotation is to be distrusted", reached)}
		}
	}
	return nil
}

// allUsed demands that the walk needed every file but roots that are not newer
// than the pinned one.
func (f Files) allUsed(w *walker) error {
	if gap := f.gap(w); gap != nil {
		return gap
	}
	for _, name := range f.Names() {
		if v, ok := rootVersion(name); ok && v <= w.pinned {
			continue
		}
		if _, ok := w.used[name]; !ok {
			return unexpected(name)
		}
	}
	return nil
}
