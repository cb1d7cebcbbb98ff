package bundles

import (
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"time"
)

// Digests are the digests of payload.tar.zst that a seal may sign.
type Digests struct {
	SHA256 [sha256.Size]byte
	SHA512 [sha512.Size]byte
}

// Seal says whose seal over the payload was accepted.
type Seal struct {
	Index int    // N of signatures/N.sigstore.json
	By    string // the sealer, as the SealVerifier names it
	// Time is when it was proven to be logged, if it was; else zero. A key's seal
	// proves none.
	Time time.Time
}

// SealVerifier decides which of a bundle's seals, each a Sigstore bundle in JSON,
// are valid signatures over a blob with these digests by sealers whom the caller
// trusts, and whether they are enough. Nothing of the payload is decompressed
// unless they are.
type SealVerifier interface {
	VerifySeals(seals [][]byte, payload Digests) Sealing
}

// Sealing is what a [SealVerifier] finds. The zero value is no seal, which is
// never enough.
type Sealing struct {
	Accepted []Seal
	Refused  []error // why the other seals do not count
	Lacks    error   // why the accepted seals are not enough; nil if they are
}

// errReading marks errors of the file itself, which say nothing of the bundle.
var errReading = errors.New("reading the bundle")

// source is the file. All reading goes through it, so that no error of the file
// is taken for one of the bundle.
type source struct{ r io.ReaderAt }

func (s source) ReadAt(b []byte, at int64) (int, error) {
	n, err := s.r.ReadAt(b, at)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("%w: %w", errReading, err)
	}
	return n, err
}

// fill reads all of b. That the file ends before is the bundle's fault.
func (s source) fill(b []byte, at int64) error {
	n, err := s.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if err == io.EOF {
		return fmt.Errorf("%w: file is cut off", ErrDamaged)
	}
	return err
}

// chunk is the unit, in bytes, in which a payload is compared with what was
// sealed before it is used.
const chunk = 1 << 20

// sealedPayload is a payload whose digests have been taken. Its bytes come out
// again only if they are still the bytes that the digests were taken of: the
// file can change between the two readings, and may be too large to keep.
type sealedPayload struct {
	src     source
	offset  int64 // where in src the payload starts
	size    int64 // bytes
	chunks  [][sha256.Size]byte
	digests Digests
}

func takeDigests(src source, offset, size int64) (*sealedPayload, error) {
	s := &sealedPayload{src: src, offset: offset, size: size}
	h256, h512 := sha256.New(), sha512.New()
	buf := make([]byte, min(chunk, size))
	for at := int64(0); at < size; at += chunk {
		b := buf[:min(chunk, size-at)]
		if err := src.fill(b, offset+at); err != nil {
			return nil, err
		}
		s.chunks = append(s.chunks, sha256.Sum256(b))
		h256.Write(b)
		h512.Write(b)
	}
	h256.Sum(s.digests.SHA256[:0])
	h512.Sum(s.digests.SHA512[:0])
	return s, nil
}

// reader gives the payload from its start.
func (s *sealedPayload) reader() *sealedReader { return &sealedReader{s: s} }

type sealedReader struct {
	s    *sealedPayload
	next int    // chunk to read
	buf  []byte // of the current chunk
	left []byte // part of buf not handed out yet
	err  error  // nil or io.EOF as long as the payload is what it was
}

func (r *sealedReader) Read(p []byte) (int, error) {
	if len(r.left) == 0 && r.err == nil {
		r.left, r.err = r.nextChunk()
	}
	if len(r.left) == 0 {
		return 0, r.err
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	return n, nil
}

func (r *sealedReader) nextChunk() ([]byte, error) {
	if r.next == len(r.s.chunks) {
		return nil, io.EOF
	}
	if r.buf == nil {
		r.buf = make([]byte, min(chunk, r.s.size))
	}
	at := int64(r.next) * chunk
	b := r.buf[:min(chunk, r.s.size-at)]
	if err := r.s.src.fill(b, r.s.offset+at); err != nil {
		return nil, err
	}
	if sha256.Sum256(b) != r.s.chunks[r.next] {
		return nil, fmt.Errorf("%w: the file changed while it was read", ErrDamaged)
	}
	r.next++
	return b, nil
}
