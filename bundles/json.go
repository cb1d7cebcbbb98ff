package bundles

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// errEncoding says that JSON is not in the one encoding that it can have.
var errEncoding = errors.New("not in its canonical encoding")

// values counts the values in a line of JSON, of objects and arrays the members and
// elements. To decode one can take memory of many times its bytes.
func values(line []byte) int {
	n, quoted := 1, false
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case '"':
			quoted = !quoted
		case '\\': // what follows is no end of a string
			i++
		case ',':
			if !quoted {
				n++
			}
		}
	}
	return n
}

// lineReader reads lines of up to max bytes, their newlines included.
type lineReader struct {
	r    *bufio.Reader
	what string
	max  int64
	long []byte // a line that is longer than r's buffer
}

func newLineReader(r io.Reader, what string, max int64) *lineReader {
	return &lineReader{r: bufio.NewReaderSize(r, maxRead), what: what, max: max}
}

// next gives the next line, until it is called again, and io.EOF when there is none.
// The last line can be without a newline.
func (l *lineReader) next() ([]byte, error) {
	line, err := l.r.ReadSlice('\n')
	l.long = l.long[:0]
	for err == bufio.ErrBufferFull && int64(len(l.long)+len(line)) <= l.max {
		l.long = append(l.long, line...)
		line, err = l.r.ReadSlice('\n')
	}
	if len(l.long) > 0 {
		l.long = append(l.long, line...)
		line = l.long
	}
	if over := over(l.what, int64(len(line)), l.max, "bytes"); over != nil {
		return nil, over
	}
	if err == io.EOF && len(line) > 0 {
		err = nil
	}
	return line, err
}

// encodeJSON is the one encoding of JSON in a bundle: Go's, without HTML
// escapes, indented or on one line, one newline at the end.
func encodeJSON(v any, indent string) ([]byte, error) { return encodeInside(v, "", indent) }

// encodeInside encodes what is a part of something: prefix is before its second line
// and those that follow.
func encodeInside(v any, prefix, indent string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent(prefix, indent)
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
