package fetch

import (
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
)

// maxQuoted is how much of an error's body a message repeats, in bytes.
const maxQuoted = 200

// An Error is an exchange that gave no acceptable answer. It is
// [fs.ErrNotExist] for the statuses 404 and 410.
type Error struct {
	Method string
	URL    string // without user information
	Status int    // of the last answer; 0 if there was none
	Tries  int
	Body   string // beginning of the last answer's body, not to be trusted
	Err    error  // what went wrong; nil if it is Status
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: ", e.Method, e.URL)
	if e.Err != nil {
		b.WriteString(e.Err.Error())
	} else {
		fmt.Fprintf(&b, "status %d %s", e.Status, http.StatusText(e.Status))
	}
	if e.Tries > 1 {
		fmt.Fprintf(&b, " (tried %d times)", e.Tries)
	}
	if text := strings.TrimSpace(e.Body); text != "" {
		cut := ""
		if len(text) > maxQuoted {
			text, cut = text[:maxQuoted], "…"
		}
		fmt.Fprintf(&b, ": %q%s", text, cut)
	}
	return b.String()
}

// Unwrap returns what went wrong.
func (e *Error) Unwrap() error { return e.Err }

// Is makes the statuses 404 and 410 be [fs.ErrNotExist], as in the go command.
func (e *Error) Is(target error) bool {
	return target == fs.ErrNotExist && (e.Status == http.StatusNotFound || e.Status == http.StatusGone)
}

func (c *Client) failure(req Request, u *url.URL, tries int, f *failed) *Error {
	e := &Error{Method: req.method(), Status: f.status, Tries: tries, Body: f.body, Err: f.err}
	if u != nil {
		e.URL = redact(u)
	}
	return e
}

// redact returns the URL without user name and password: either may be a
// token.
func redact(u *url.URL) string {
	if u.User == nil {
		return u.String()
	}
	clean := *u
	clean.User = url.User("xxxxx")
	return clean.String()
}
