package bundles

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
)

// manifestReader reads a manifest member by member, in the order that the format
// gives them, and its lists element by element, and in step with reading encodes them
// again: what is too long, too many, or encoded otherwise ends it before it takes
// memory. It keeps the first error.
type manifestReader struct {
	raw     gate          // what d reads, which is in pending too
	pending *bytes.Buffer // read, not yet encoded again
	d       *json.Decoder // over raw
	begun   bool          // a member has been read
	err     error
}

func newManifestReader(r io.Reader) *manifestReader {
	m := &manifestReader{pending: new(bytes.Buffer)}
	m.raw.r = io.TeeReader(r, m.pending)
	m.d = json.NewDecoder(&m.raw)
	return m
}

// gate lets so many bytes pass, and then gives an error.
type gate struct {
	r         io.Reader
	read, max int64
	err       error
}

func (g *gate) Read(p []byte) (int, error) {
	if g.read >= g.max {
		return 0, g.err
	}
	n, err := g.r.Read(p[:min(int64(len(p)), g.max-g.read)])
	g.read += int64(n)
	return n, err
}

// around is room for what stands between two values, in bytes.
const around = 64

// allow lets the next value have so many bytes: the decoder would read all of it,
// however long it is, before it is seen.
func (r *manifestReader) allow(what string, size int64) {
	r.raw.max, r.raw.err = r.d.InputOffset()+size+around, over(what, size+1, size, "bytes")
}

// token reads a token that must be this one.
func (r *manifestReader) token(want json.Token) {
	if r.err != nil {
		return
	}
	r.allow("a name in the manifest", around)
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

// value reads a value of up to so many bytes.
func (r *manifestReader) value(what string, size int64, v any) {
	if r.err != nil {
		return
	}
	r.allow(what, size)
	var raw json.RawMessage
	if r.err = r.d.Decode(&raw); r.err == io.EOF {
		r.err = io.ErrUnexpectedEOF
	}
	if r.err == nil {
		r.err = over(what, int64(len(raw)), size, "bytes")
	}
	if r.err == nil {
		r.err = json.Unmarshal(raw, v)
	}
}

// same demands that what was read comes next: before, and a value, or none, in its
// one encoding.
func (r *manifestReader) same(before string, v any, prefix string) {
	if r.err != nil {
		return
	}
	var encoded []byte
	if v != nil {
		if encoded, r.err = encodeInside(v, prefix, " "); r.err != nil {
			return
		}
		encoded = encoded[:len(encoded)-1] // its newline
	}
	if string(r.pending.Next(len(before))) != before || !bytes.Equal(r.pending.Next(len(encoded)), encoded) {
		r.err = errEncoding
	}
}

// begin is what stands before a member's value.
func (r *manifestReader) begin(name string) string {
	before := ",\n"
	if !r.begun {
		before, r.begun = "{\n", true
	}
	return before + ` "` + name + `": `
}

// member reads a member that must have this name, of up to so many bytes.
func (r *manifestReader) member(name string, size int64, value any) {
	r.token(name)
	r.value(name, size, value)
	r.same(r.begin(name), value, " ")
}

// readList reads a member that is a list. An element is refused if it takes
// more than size bytes or fails the check.
func readList[T any](r *manifestReader, name string, max int, size int64, check func(*T) error) []T {
	list := []T{}
	r.token(name)
	r.token(json.Delim('['))
	r.same(r.begin(name)+"[", nil, "")
	for before := "\n  "; r.err == nil; before = ",\n  " {
		r.allow("an element of "+name, size)
		if !r.d.More() {
			break
		}
		if len(list) == max {
			r.err = over(name, int64(max)+1, int64(max), "elements")
		}
		var v T
		r.value("an element of "+name, size, &v)
		if r.err == nil {
			r.err = check(&v)
		}
		r.same(before, &v, "  ")
		list = append(list, v)
	}
	r.token(json.Delim(']'))
	if len(list) > 0 {
		r.same("\n ", nil, "")
	}
	r.same("]", nil, "")
	return list
}

// end demands that the manifest ends here.
func (r *manifestReader) end() {
	r.token(json.Delim('}'))
	if r.err != nil {
		return
	}
	const tail = "\n}\n"
	r.raw.max = math.MaxInt64
	if _, err := io.CopyN(io.Discard, &r.raw, int64(len(tail))); err != nil && err != io.EOF {
		r.err = err
		return
	}
	r.same(tail, nil, "")
	if r.err == nil && r.pending.Len() > 0 {
		r.err = errEncoding
	}
}
