package bundles

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"

	"github.com/modseal/modseal/internal/limit"
)

// readFrame reads the outer archive: the seals as they are, and the digests of
// the payload.
func readFrame(src source, size int64, lim limits) ([][]byte, *sealedPayload, error) {
	c := newCanonicalReader(io.NewSectionReader(src, 0, size))
	var seals [][]byte
	for at := int64(0); ; {
		name, n, err := c.next()
		if err == io.EOF {
			return nil, nil, fmt.Errorf("%w: there is no %s in it", ErrDamaged, PayloadName)
		}
		if err != nil {
			return nil, nil, err
		}
		at += block // the header
		if name == PayloadName {
			payload, err := readPayload(src, at, n, size, lim)
			return seals, payload, err
		}
		if len(seals) == lim.seals || name != sealName(len(seals)) {
			return nil, nil, fmt.Errorf("%w: unexpected file %.80q", ErrDamaged, name)
		}
		seal, err := limit.ReadAll(c, name, lim.seal)
		if err != nil {
			return nil, nil, damaged(err)
		}
		seals = append(seals, seal)
		at += roundUp(n)
	}
}

// readPayload takes the digests of the payload of n bytes at offset, and demands
// that zeros up to a whole block follow it, two blocks of zeros, and nothing
// more.
func readPayload(src source, offset, n, size int64, lim limits) (*sealedPayload, error) {
	if err := over(PayloadName, n, lim.payload, "bytes"); err != nil {
		return nil, err
	}
	if offset+roundUp(n)+2*block != size {
		return nil, fmt.Errorf("%w: the archive does not end where the payload does", ErrDamaged)
	}
	tail := make([]byte, size-offset-n)
	if err := src.fill(tail, offset+n); err != nil {
		return nil, err
	}
	if !bytes.Equal(tail, make([]byte, len(tail))) {
		return nil, errNotCanonical
	}
	return takeDigests(src, offset, n)
}

// WriteFile writes a bundle file: the seals, then the payload, which must have
// size bytes.
func WriteFile(w io.Writer, seals [][]byte, payload io.Reader, size int64) error {
	return writeFrame(w, seals, payload, size, formatLimits())
}

func writeFrame(w io.Writer, seals [][]byte, payload io.Reader, size int64, lim limits) error {
	if len(seals) > lim.seals {
		return fmt.Errorf("%d seals (at most %d)", len(seals), lim.seals)
	}
	if size < 0 || size > lim.payload {
		return fmt.Errorf("payload of %d bytes (at most %d)", size, lim.payload)
	}
	t := tar.NewWriter(w)
	for i, s := range seals {
		if int64(len(s)) > lim.seal {
			return fmt.Errorf("seal of %d bytes (at most %d)", len(s), lim.seal)
		}
		if err := writeFile(t, sealName(i), s); err != nil {
			return err
		}
	}
	if err := t.WriteHeader(header(PayloadName, size)); err != nil {
		return err
	}
	switch n, err := io.Copy(t, payload); {
	case err == tar.ErrWriteTooLong, err == nil && n < size:
		return fmt.Errorf("payload does not have the %d bytes that were said", size)
	case err != nil:
		return err
	}
	return t.Close()
}

func sealName(i int) string { return fmt.Sprintf("signatures/%d.sigstore.json", i) }

// DigestsOf takes the digests that a seal signs.
func DigestsOf(payload io.ReaderAt, size int64) (Digests, error) {
	s, err := takeDigests(source{payload}, 0, size)
	if err != nil {
		return Digests{}, err
	}
	return s.digests, nil
}

// UnsealedFrame gives a bundle file without seals around a payload, without
// copying it: what a self-check reads before there is a seal. Open refuses it
// unless it is told to ignore seals.
func UnsealedFrame(payload io.ReaderAt, size int64) (io.ReaderAt, int64, error) {
	var head bytes.Buffer
	t := tar.NewWriter(&head)
	if err := t.WriteHeader(header(PayloadName, size)); err != nil {
		return nil, 0, err
	}
	tail := make([]byte, roundUp(size)-size+2*block)
	return &frame{head: head.Bytes(), payload: payload, size: size, tail: tail}, int64(head.Len()) + size + int64(len(tail)), nil
}

// frame is a payload with a tar header before it and zeros after it.
type frame struct {
	head    []byte
	payload io.ReaderAt
	size    int64
	tail    []byte
}

// ReadAt implements io.ReaderAt.
func (f *frame) ReadAt(p []byte, off int64) (n int, err error) {
	parts := []struct {
		r    io.ReaderAt
		size int64
	}{{bytes.NewReader(f.head), int64(len(f.head))}, {f.payload, f.size}, {bytes.NewReader(f.tail), int64(len(f.tail))}}
	for _, part := range parts {
		if off >= part.size {
			off -= part.size
			continue
		}
		want := min(int64(len(p)-n), part.size-off)
		got, err := part.r.ReadAt(p[n:n+int(want)], off)
		n += got
		if int64(got) < want {
			return n, err
		}
		if n == len(p) {
			return n, nil
		}
		off = 0
	}
	return n, io.EOF
}
