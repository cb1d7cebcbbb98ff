package modhash

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/mod/module"
)

// A ContentError is one reason why content can't be hashed as that of a module.
type ContentError struct {
	Path    string // slash-separated and relative to the module; empty for the zip or tree as a whole. Hostile
	Problem string // what is wrong, safe to print
	Err     error  // what the system said, if it did; nil for a rule that was broken
}

func (e *ContentError) Error() string {
	s := e.Problem
	if e.Path != "" {
		s = quote(e.Path) + ": " + s
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *ContentError) Unwrap() error { return e.Err }

// A RefusedError says why a zip or a tree is not accepted, with everything that is wrong rather than the first thing.
// errors.As finds the first [*ContentError] in it.
type RefusedError struct {
	Module   module.Version
	Problems []*ContentError // at least one, at most 50, sorted by path; the same for the same content
	More     int             // problems that there were no room for
}

func (e *RefusedError) Error() string {
	var s strings.Builder
	for i, p := range e.Problems {
		if i > 0 {
			s.WriteString("; ")
		}
		s.WriteString(p.Error())
	}
	if e.More > 0 {
		fmt.Fprintf(&s, "; and %d more", e.More)
	}
	return s.String()
}

// Unwrap makes errors.Is and errors.As see every problem.
func (e *RefusedError) Unwrap() []error {
	errs := make([]error, len(e.Problems))
	for i, p := range e.Problems {
		errs[i] = p
	}
	return errs
}

const (
	maxProblems = 50  // in a RefusedError
	maxQuoted   = 200 // bytes of hostile text in a message
)

// problems collects what is wrong with one module, from any number of goroutines. It keeps the first ones in order of
// their paths, so that the outcome does not depend on who finds what when.
type problems struct {
	mu   sync.Mutex
	list []*ContentError
	more int
}

func (p *problems) add(path, problem string, err error) {
	e := &ContentError{Path: path, Problem: problem, Err: err}
	p.mu.Lock()
	defer p.mu.Unlock()
	at, known := slices.BinarySearchFunc(p.list, e, func(a, b *ContentError) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Problem, b.Problem))
	})
	if known {
		return
	}
	p.list = slices.Insert(p.list, at, e)
	if len(p.list) > maxProblems {
		p.list = p.list[:maxProblems]
		p.more++
	}
}

func (p *problems) any() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.list) > 0
}

// refused returns a [*RefusedError] if there are problems, and nil if not.
func (p *problems) refused(m module.Version) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.list) == 0 {
		return nil
	}
	return &RefusedError{Module: m, Problems: p.list, More: p.more}
}

// refuse makes a [*RefusedError] of a [*ContentError], and leaves other errors as they are.
func refuse(m module.Version, err error) error {
	if e, ok := err.(*ContentError); ok {
		return &RefusedError{Module: m, Problems: []*ContentError{e}}
	}
	return err
}

// quote makes hostile text fit for a message.
func quote(s string) string {
	if short := cut(s); len(short) < len(s) {
		return fmt.Sprintf("%q… (%d bytes)", strings.TrimSuffix(short, "…"), len(s))
	}
	return fmt.Sprintf("%q", s)
}

// cut shortens text that is too long for a message.
func cut(s string) string {
	if len(s) <= maxQuoted {
		return s
	}
	n := maxQuoted
	for n > maxQuoted-utf8.UTFMax && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
