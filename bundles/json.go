package bundles

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// errEncoding says that JSON is not in the one encoding that it can have.
var errEncoding = errors.New("not in its canonical encoding")

// encodeJSON is the one encoding of JSON in a bundle: Go's, without HTML
// escapes, indented or on one line, one newline at the end.
func encodeJSON(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// checkEncoding demands that what was decoded from b encodes to b again, which
// leaves no room for duplicate or unknown members, other spellings of names,
// numbers and strings, null for what is empty, or trailing data.
func checkEncoding(v any, indent string, b []byte) error {
	again, err := encodeJSON(v, indent)
	if err != nil {
		return err
	}
	if !bytes.Equal(again, b) {
		return errEncoding
	}
	return nil
}

// manifestReader reads a manifest member by member, in the order that the
// format gives them, and its lists element by element: a list that is too long,
// or has an element that is none, ends it before it takes memory. It keeps the
// first error.
type manifestReader struct {
	d   *json.Decoder
	err error
}

// token reads a token that must be this one.
func (r *manifestReader) token(want json.Token) {
	if r.err != nil {
		return
	}
	got, err := r.d.Token()
	switch {
	case err == io.EOF:
		r.err = io.ErrUnexpectedEOF
	case err != nil:
		r.err = err
	case got != want:
		r.err = fmt.Errorf("%.60q where %q should be", fmt.Sprint(got), fmt.Sprint(want))
	}
}

// member reads a member that must have this name.
func (r *manifestReader) member(name string, value any) {
	r.token(name)
	if r.err == nil {
		r.err = r.d.Decode(value)
	}
}

// readList reads a member that is a list. An element is refused if it takes
// more than size bytes or fails the check.
func readList[T any](r *manifestReader, name string, max int, size int64, check func(*T) error) []T {
	list := []T{}
	r.token(name)
	r.token(json.Delim('['))
	for r.err == nil && r.d.More() {
		var raw json.RawMessage
		var v T
		if len(list) == max {
			r.err = over(name, int64(max)+1, int64(max), "elements")
		} else if r.err = r.d.Decode(&raw); r.err == nil {
			r.err = over("an element of "+name, int64(len(raw)), size, "bytes")
		}
		if r.err == nil {
			r.err = json.Unmarshal(raw, &v)
		}
		if r.err == nil {
			r.err = check(&v)
		}
		list = append(list, v)
	}
	r.token(json.Delim(']'))
	return list
}
