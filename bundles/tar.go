package bundles

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"
)

// block is the unit of a tar archive, in bytes.
const block = 512

// roundUp is where the next block begins.
func roundUp(n int64) int64 { return (n + block - 1) / block * block }

// The one form that a file has in either archive: POSIX ustar, a regular file,
// mode 0644, owner 0:0, time 0.
func header(name string, size int64) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
}

func writeFile(w *tar.Writer, name string, data []byte) error {
	if err := w.WriteHeader(header(name, int64(len(data)))); err != nil {
		return err
	}
	_, err := w.Write(data)
	return err
}

// canonicalReader reads an archive and, in step with reading, writes it again
// in the canonical form: the first byte that differs ends it. So there is
// nothing in an accepted archive that a canonicalReader does not hand out.
type canonicalReader struct {
	raw     io.Reader     // the archive; what is read from it is also in pending
	in      *tar.Reader   // over raw
	out     *tar.Writer   // into compareWriter
	pending *bytes.Buffer // read, not yet written again
}

func newCanonicalReader(r io.Reader) *canonicalReader {
	c := &canonicalReader{pending: new(bytes.Buffer)}
	c.raw = io.TeeReader(r, boundedWriter{c.pending})
	c.in = tar.NewReader(c.raw)
	c.out = tar.NewWriter(compareWriter{c.pending})
	return c
}

var errNotCanonical = fmt.Errorf("%w: archive is not in canonical form", ErrDamaged)

// maxPending is how many bytes are read before they are compared: what one Read can
// take, padding and a header. A tar reader takes any number of headers that are about
// the file which follows them, of which a canonical archive has none.
const maxPending = maxRead + 4*block

// boundedWriter adds to the buffer what is within maxPending.
type boundedWriter struct{ b *bytes.Buffer }

func (w boundedWriter) Write(p []byte) (int, error) {
	if w.b.Len()+len(p) > maxPending {
		return 0, errNotCanonical
	}
	return w.b.Write(p)
}

// compareWriter takes what is written off the front of the buffer.
type compareWriter struct{ b *bytes.Buffer }

func (w compareWriter) Write(p []byte) (int, error) {
	if !bytes.Equal(w.b.Next(len(p)), p) {
		return 0, errNotCanonical
	}
	return len(p), nil
}

// next goes to the next file, past what is left of this one. It returns io.EOF
// at a proper end: two zero blocks and nothing after them.
func (c *canonicalReader) next() (name string, size int64, err error) {
	if _, err := io.Copy(io.Discard, c); err != nil {
		return "", 0, err
	}
	h, err := c.in.Next()
	if err == io.EOF {
		return "", 0, c.end()
	}
	if err != nil {
		return "", 0, damaged(err)
	}
	if err := c.out.WriteHeader(header(h.Name, h.Size)); err != nil {
		if !errors.Is(err, ErrDamaged) {
			err = fmt.Errorf("%w: %w", errNotCanonical, err) // it has no canonical form
		}
		return "", 0, err
	}
	return h.Name, h.Size, nil
}

// end checks what the tar reader took for the end.
func (c *canonicalReader) end() error {
	if err := c.out.Close(); err != nil {
		return damaged(err)
	}
	switch _, err := io.ReadFull(c.raw, make([]byte, 1)); {
	case err == nil || c.pending.Len() > 0:
		return errNotCanonical
	case err != io.EOF:
		return damaged(err)
	}
	return io.EOF
}

// maxRead bounds what one Read can put into pending, in bytes.
const maxRead = 64 << 10

// Read reads the file that next went to.
func (c *canonicalReader) Read(p []byte) (int, error) {
	n, err := c.in.Read(p[:min(len(p), maxRead)])
	if n > 0 {
		if _, err := c.out.Write(p[:n]); err != nil {
			return 0, damaged(err)
		}
	}
	if err != nil && err != io.EOF {
		err = damaged(err)
	}
	return n, err
}

// damaged marks what the tar and zstd readers say as the bundle's fault, unless
// it is known to be something else already.
func damaged(err error) error {
	if errors.Is(err, ErrDamaged) || errors.Is(err, errReading) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}
