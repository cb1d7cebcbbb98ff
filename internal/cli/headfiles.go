package cli

import (
	"bytes"
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
	logs  []bundles.Log // of a bundle, in the order of notes
}

// readHeads reads the signed heads of a file. What sort of file it is shows in
// its first bytes.
func (p *Process) readHeads(name string) (*headFile, error) {
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
		return out, out.readBundle(file, size)
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

func (h *headFile) readBundle(file *os.File, size int64) error {
	b, err := bundles.Open(file, size, bundles.OpenOptions{InsecureIgnoreSeals: true})
	if err != nil {
		return fmt.Errorf("%s: %w", h.name, err)
	}
	h.logs = b.Logs
	for i := range b.Logs {
		h.notes = append(h.notes, b.Logs[i].Checkpoint)
	}
	return nil
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
