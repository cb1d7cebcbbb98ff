package snapshot

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"sync"

	"github.com/modseal/modseal/internal/atomicfile"
)

// maxSpooled is how many bytes of listings are in memory before a file is begun.
const maxSpooled = 16 << 20

// spool keeps listings until the payload is written: those that fill its memory in a
// file beside the output, where there must be room for the bundle too. The file has no
// name from the beginning, where the system allows that, so that nothing of it is left
// whatever ends the process.
type spool struct {
	beside string // the output
	max    int    // bytes in memory

	mu      sync.Mutex
	of      map[[sha256.Size]byte]span
	buf     []byte // what is not in the file yet
	f       *os.File
	written int64        // bytes in f
	drop    func() error // gives f up
}

// span is where a listing is: in the file, and then the memory.
type span struct {
	at   int64
	size int
}

func newSpool(output string, max int) *spool {
	return &spool{beside: output, max: max, of: map[[sha256.Size]byte]span{}}
}

// put keeps a listing by its SHA-256.
func (s *spool) put(digest [sha256.Size]byte, listing []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.of[digest]; ok {
		return nil
	}
	if len(s.buf)+len(listing) > s.max {
		if err := s.flush(); err != nil {
			return fmt.Errorf("output: %w", err)
		}
	}
	s.of[digest] = span{s.written + int64(len(s.buf)), len(listing)}
	s.buf = append(s.buf, listing...)
	return nil
}

// flush moves what is in memory to the file.
func (s *spool) flush() error {
	if s.f == nil {
		var err error
		if s.f, s.drop, err = atomicfile.Unnamed(s.beside); err != nil {
			return err
		}
	}
	n, err := s.f.WriteAt(s.buf, s.written)
	if err != nil {
		return err
	}
	s.written, s.buf = s.written+int64(n), s.buf[:0]
	return nil
}

// get gives the listing of this digest, in hex.
func (s *spool) get(digest string) ([]byte, error) {
	sum, err := hex.DecodeString(digest)
	if err != nil || len(sum) != sha256.Size {
		return nil, fmt.Errorf("%q is no SHA-256", digest)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.of[[sha256.Size]byte(sum)]
	if !ok {
		return nil, fmt.Errorf("listing %s was not kept", digest)
	}
	if at.at >= s.written {
		begin := at.at - s.written
		return s.buf[begin:][:at.size:at.size], nil
	}
	out := make([]byte, at.size)
	if _, err := s.f.ReadAt(out, at.at); err != nil {
		return nil, fmt.Errorf("listing %s: %w", digest, err)
	}
	return out, nil
}

// close gives room and memory back.
func (s *spool) close() error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf, s.of = nil, nil
	if s.f == nil {
		return nil
	}
	s.f = nil
	return s.drop()
}
