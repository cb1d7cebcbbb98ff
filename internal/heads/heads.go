// Package heads reads and writes the signed heads of logs as people hand them to
// each other: signed notes (C2SP signed-note) as the logs served them, each a
// checkpoint (C2SP tlog-checkpoint), one after another with an empty line in
// between. A checkpoint has no empty line but the one before its signatures, so
// that there is one way to take such a list apart.
//
//	go.sum database tree
//	7
//	hd4pva6FjEZHhLRM4Ol1ugCVcOKrcLUeBi7EP35FvHI=
//
//	— sum.example.org Az3gro…
//
//	rekor.example - 2525353499129642482
//	…
//
// No signature is verified here.
package heads

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/limit"
)

// Limits of a list. Each is the largest value that is accepted.
const (
	MaxFile  = 16 << 20 // bytes
	MaxHeads = 16384    // heads
)

// ErrForm says that something is no list of heads.
var ErrForm = errors.New("not a list of signed heads")

// Check demands that a checkpoint can stand in a list, and be shown on a
// terminal: printable text of at least three lines, none of them empty, an empty
// line, and signatures.
func Check(checkpoint []byte) error {
	text, signatures, ok := strings.Cut(string(checkpoint), "\n\n")
	switch {
	case len(checkpoint) > bundles.MaxCheckpoint:
		return fmt.Errorf("%w: %w", ErrForm, &limit.Error{What: "a head", Max: bundles.MaxCheckpoint, Unit: "bytes"})
	case !ok || strings.Count(text, "\n") < 2 || text[0] == '\n':
		return fmt.Errorf("%w: %.60q is not a checkpoint", ErrForm, text)
	case signatures == "" || !strings.HasSuffix(signatures, "\n"):
		return fmt.Errorf("%w: the head of %.60q has no signature", ErrForm, text)
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(signatures, "\n"), "\n") {
		if !strings.HasPrefix(line, "— ") {
			return fmt.Errorf("%w: %.60q is not a signature", ErrForm, line)
		}
	}
	for _, r := range string(checkpoint) {
		if r == utf8.RuneError || r != '\n' && !strconv.IsPrint(r) {
			return fmt.Errorf("%w: the head of %.60q has the character %q", ErrForm, text, r)
		}
	}
	return nil
}

// Format makes a list of heads.
func Format(checkpoints [][]byte) ([]byte, error) {
	var b []byte
	if len(checkpoints) > MaxHeads {
		return nil, &limit.Error{What: "list", Max: MaxHeads, Unit: "heads"}
	}
	for i, c := range checkpoints {
		if err := Check(c); err != nil {
			return nil, err
		}
		if i > 0 {
			b = append(b, '\n')
		}
		b = append(b, c...)
	}
	if len(b) > MaxFile {
		return nil, &limit.Error{What: "list", Max: MaxFile, Unit: "bytes"}
	}
	return b, nil
}

// Parse takes a list of at least one head apart.
func Parse(b []byte) ([][]byte, error) {
	if len(b) > MaxFile {
		return nil, fmt.Errorf("%w: %w", ErrForm, &limit.Error{What: "list", Max: MaxFile, Unit: "bytes"})
	}
	var all [][]byte
	for rest := string(b); rest != "" || all == nil; {
		if len(all) == MaxHeads {
			return nil, fmt.Errorf("%w: %w", ErrForm, &limit.Error{What: "list", Max: MaxHeads, Unit: "heads"})
		}
		text, after, _ := strings.Cut(rest, "\n\n")
		signatures, next, more := strings.Cut(after, "\n\n")
		one := text + "\n\n" + signatures
		if more {
			one += "\n"
			if next == "" {
				return nil, fmt.Errorf("%w: an empty line at its end", ErrForm)
			}
		}
		if err := Check([]byte(one)); err != nil {
			return nil, err
		}
		all, rest = append(all, []byte(one)), next
	}
	return all, nil
}
