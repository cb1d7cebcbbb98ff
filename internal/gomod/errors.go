package gomod

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
)

// An UnsupportedError tells of a way to build whose dependency set this package can't
// tell. It is never passed over: a set that misses modules would look like a whole one.
type UnsupportedError struct {
	What string // what was found: "a workspace"
	Why  string // where, and what it means
	Hint string // what the user can do
}

func (e *UnsupportedError) Error() string {
	return e.What + " is not supported: " + e.Why
}

// A MissingGoModError tells that the module graph can't be computed, because go.mod
// files of modules in it are not at hand.
type MissingGoModError struct {
	Modules []module.Version // sorted; at least one
	Where   string           // where they were looked for
	Hint    string
}

func (e *MissingGoModError) Error() string {
	const shown = 5
	var b strings.Builder
	for i, m := range e.Modules[:min(shown, len(e.Modules))] {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(m.String())
	}
	if more := len(e.Modules) - shown; more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return fmt.Sprintf("%s: no go.mod file in %s", b.String(), e.Where)
}

// A NotRegularError tells that a path, which should be a file, is something else.
type NotRegularError struct {
	Path string
	Is   string // "a symbolic link", "a directory", ...
}

func (e *NotRegularError) Error() string {
	return fmt.Sprintf("%s is %s, not a regular file", e.Path, e.Is)
}

// An AmbiguousZipError tells that two files both claim to be the zip of one module.
type AmbiguousZipError struct {
	Module module.Version
	Files  [2]string
}

func (e *AmbiguousZipError) Error() string {
	return fmt.Sprintf("%s: two zips claim to be this module: %s and %s", e.Module, e.Files[0], e.Files[1])
}

// maxQuote is how much of a foreign text goes into a message, in bytes.
const maxQuote = 200

// cut shortens foreign text that is going to be quoted.
func cut(s string) string {
	if len(s) <= maxQuote {
		return s
	}
	return s[:maxQuote] + "..."
}

// parseError turns an error of the go.mod parser, whose text holds pieces of the file
// as they are, into one that can be shown on a terminal: the first fault, with what
// isn't printable escaped, and cut.
func parseError(err error) error {
	if list, ok := errors.AsType[modfile.ErrorList](err); ok && len(list) > 0 {
		if more := len(list) - 1; more > 0 {
			return fmt.Errorf("%s (and %d more)", printable(list[0].Error()), more)
		}
		return errors.New(printable(list[0].Error()))
	}
	return errors.New(printable(err.Error()))
}

// printable escapes what a terminal would act on, and cuts.
func printable(s string) string {
	var b strings.Builder
	for _, r := range s {
		if b.Len() > 2*maxQuote {
			b.WriteString("...")
			break
		}
		if r == '\'' || r == '\\' {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRuneToGraphic(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}
