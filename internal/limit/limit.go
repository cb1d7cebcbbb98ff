// Package limit reads hostile input without trusting the sizes that it claims.
//
// io.LimitReader cuts silently: what is longer than the limit looks complete.
// Here one byte more than the limit is an error.
package limit

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// ErrExceeded is what every Error matches with errors.Is.
var ErrExceeded = errors.New("limit exceeded")

// Error says that something is larger than a stated limit.
type Error struct {
	What string // what was read, as a person would name it
	Max  int64  // the limit
	Unit string // "bytes", "files", "entries", ...
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s: more than %d %s", e.What, e.Max, e.Unit)
}

// Is makes errors.Is(err, ErrExceeded) true.
func (e *Error) Is(target error) bool { return target == ErrExceeded }

// ReadAll reads r to its end and returns at most max bytes. It returns an
// *Error when r holds more, after having read max+1 bytes and not one further.
func ReadAll(r io.Reader, what string, max int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, addOne(max)))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > max {
		return nil, &Error{What: what, Max: max, Unit: "bytes"}
	}
	return b, nil
}

// ReadFile reads a file of at most max bytes, as ReadAll does. It follows symbolic
// links and waits at named pipes: whether it is a file to be read is for the caller
// to know.
func ReadFile(name string, max int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadAll(f, name, max)
}

// addOne is n + 1, or n where that would overflow.
func addOne(n int64) int64 {
	if n == math.MaxInt64 {
		return n
	}
	return n + 1
}

// Reader returns a reader of r that fails with an *Error, rather than ending,
// once more than max bytes have come out of r.
func Reader(r io.Reader, what string, max int64) io.Reader {
	return &reader{r: r, left: max, err: &Error{What: what, Max: max, Unit: "bytes"}}
}

type reader struct {
	r    io.Reader
	left int64 // bytes that may still come; below 0 once exceeded
	err  *Error
}

func (l *reader) Read(p []byte) (int, error) {
	if l.left < 0 {
		return 0, l.err
	}
	// one byte beyond the limit is asked for, to tell "at the limit" from "over it"
	if int64(len(p)) > addOne(l.left) {
		p = p[:addOne(l.left)]
	}
	n, err := l.r.Read(p)
	if int64(n) > l.left {
		n = int(l.left)
		l.left = -1
		return n, l.err
	}
	l.left -= int64(n)
	return n, err
}
