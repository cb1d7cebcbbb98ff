package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/heads"
	"github.com/modseal/modseal/internal/limit"
	"github.com/modseal/modseal/internal/state"
)

// headFile is a file with signed heads: a bundle, a state file, or what modseal
// heads prints. Nothing in it is trusted.
type headFile struct {
	name  string
	notes [][]byte
	// Of a bundle, for each note, what proves that its tree begins with earlier ones.
	earlier [][]bundles.Consistency
}

// readHeads reads the signed heads of a file. What sort of file it is shows in
// its first bytes.
func (p *Process) readHeads(name string, read bundleReader) (*headFile, error) {
	file, size, err := p.openBundle(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	begin := make([]byte, 512)
	n, err := file.ReadAt(begin, 0)
	if err != nil && err != io.EOF {
		return nil, err
	}
	out := &headFile{name: name}
	switch begin = begin[:n]; {
	case isFrame(begin):
		b, err := read(file, size)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out.ofBundle(b)
		return out, nil
	case bytes.HasPrefix(begin, []byte("{")):
		return out, out.readState(file)
	}
	data, err := limit.ReadAll(file, name, heads.MaxFile)
	if err == nil {
		out.notes, err = heads.Parse(data)
	}
	if err != nil {
		return nil, usagef("%s: neither a bundle nor a state file: %w", name, err)
	}
	return out, nil
}

// isFrame tells whether a file begins as a bundle does.
func isFrame(begin []byte) bool {
	for _, name := range []string{"signatures/0.sigstore.json\x00", bundles.PayloadName + "\x00"} {
		if bytes.HasPrefix(begin, []byte(name)) {
			return true
		}
	}
	return false
}

// readForHeads reads a bundle whoever sealed it.
func readForHeads(file *os.File, size int64) (*bundles.Bundle, error) {
	b, err := bundles.Open(file, size, bundles.OpenOptions{InsecureIgnoreSeals: true})
	if errors.Is(err, limit.ErrExceeded) {
		err = &hintedError{err, "modseal heads prints the heads of a bundle that is sealed by somebody whom you name, and --since takes them too"}
	}
	return b, err
}

func (h *headFile) ofBundle(b *bundles.Bundle) {
	for i := range b.Logs {
		h.notes = append(h.notes, b.Logs[i].Checkpoint)
		h.earlier = append(h.earlier, b.Logs[i].Earlier)
	}
}

func (h *headFile) readState(file *os.File) error {
	data, err := limit.ReadAll(file, h.name, state.MaxFile)
	if err != nil {
		return usagef("%w", err)
	}
	s, err := state.Decode(data)
	if err != nil {
		return usagef("%s: %w", h.name, err)
	}
	for i := range s.Heads {
		h.notes = append(h.notes, s.Heads[i].Checkpoint)
	}
	return nil
}
