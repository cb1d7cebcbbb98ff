package merkle

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The binary form of a multiproof, without magic, length or checksum:
//
//	size     uvarint               1 to MaxSize
//	count    uvarint               1 to MaxLeaves
//	indexes  uvarint, count times  the first index, then each distance to the one before, less 1
//	nodes    32 bytes each         as many as NumNodes says
//
// A uvarint is that of encoding/binary, in its shortest form. Every multiproof
// of the right shape has one encoding, and no two have the same.

// AppendBinary appends the binary form of m to b. It is an error if m doesn't
// have the right shape; see [NumNodes].
func (m *Multiproof) AppendBinary(b []byte) ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("multiproof: %w", err)
	}
	b = m.appendShape(b)
	for i := range m.Nodes {
		b = append(b, m.Nodes[i][:]...)
	}
	return b, nil
}

// MarshalBinary gives the binary form of m; see [Multiproof.AppendBinary].
func (m *Multiproof) MarshalBinary() ([]byte, error) {
	// A shape takes a few bytes a leaf; this is a guess that spares copying.
	return m.AppendBinary(make([]byte, 0, len(m.Nodes)*HashSize+len(m.Indexes)*4+2*binary.MaxVarintLen64))
}

// appendShape appends all that comes before the nodes.
func (m *Multiproof) appendShape(b []byte) []byte {
	b = binary.AppendUvarint(b, m.Size)
	b = binary.AppendUvarint(b, uint64(len(m.Indexes)))
	next := uint64(0) // lowest index that may come
	for _, index := range m.Indexes {
		b = binary.AppendUvarint(b, index-next)
		next = index + 1
	}
	return b
}

// ParseMultiproof reads the binary form of a multiproof, which must be all of
// b. The result has the right shape and encodes to b again; nothing else is
// known of it, until it is verified.
//
// What is claimed in b but isn't there costs nothing: the memory used is at
// most about ten times len(b). The result shares none with b.
func ParseMultiproof(b []byte) (*Multiproof, error) {
	return ReadMultiproof(bytes.NewReader(b))
}

// ReadMultiproof is [ParseMultiproof] of all that r holds. An error of r other
// than io.EOF is wrapped.
func ReadMultiproof(r io.Reader) (*Multiproof, error) {
	m, err := readUnverified(bufio.NewReader(r))
	if err != nil {
		return nil, fmt.Errorf("parsing multiproof: %w", err)
	}
	return m, nil
}

func readUnverified(r *bufio.Reader) (*Multiproof, error) {
	m, err := readShape(r)
	if err != nil {
		return nil, err
	}
	want, err := NumNodes(m.Size, m.Indexes)
	if err != nil {
		return nil, err
	}
	for len(m.Nodes) < want {
		m.Nodes = room(m.Nodes, want)
		var h Hash
		if _, err := io.ReadFull(r, h[:]); err != nil {
			return nil, fmt.Errorf("node %d of the %d of %d bytes that %d leaves in a tree of size %d need: %w",
				len(m.Nodes)+1, want, HashSize, len(m.Indexes), m.Size, unexpected(err))
		}
		m.Nodes = append(m.Nodes, h)
	}
	if m.Nodes == nil {
		m.Nodes = []Hash{}
	}
	if _, err := r.ReadByte(); err == nil {
		return nil, fmt.Errorf("more bytes than those of the %d nodes that %d leaves in a tree of size %d need", want, len(m.Indexes), m.Size)
	} else if err != io.EOF {
		return nil, err
	}
	return m, nil
}

// room makes room in s for another of at most n elements. It takes memory for
// eight times those that are there: what is merely claimed costs next to nothing,
// and what is there is copied when it is an eighth of all at most.
func room[T any](s []T, n int) []T {
	if len(s) < cap(s) {
		return s
	}
	return append(make([]T, 0, min(n, max(128, 8*len(s)))), s...)
}

func readShape(r io.ByteReader) (*Multiproof, error) {
	size, err := readUvarint(r)
	if err != nil {
		return nil, fmt.Errorf("tree size: %w", err)
	}
	if err := checkSize(size); err != nil {
		return nil, err
	}
	count, err := readUvarint(r)
	if err != nil {
		return nil, fmt.Errorf("number of leaves: %w", err)
	}
	if count > MaxLeaves {
		return nil, fmt.Errorf("%d leaves are above the limit of %d", count, MaxLeaves)
	}
	m := &Multiproof{Size: size}
	next := uint64(0) // lowest index that may come
	for i := range count {
		gap, err := readUvarint(r)
		if err != nil {
			return nil, fmt.Errorf("leaf %d of %d: %w", i+1, count, err)
		}
		if gap >= size-next {
			return nil, fmt.Errorf("leaf %d of %d is outside the tree of size %d", i+1, count, size)
		}
		m.Indexes = append(room(m.Indexes, int(count)), next+gap)
		next += gap + 1
	}
	return m, nil
}

// readUvarint reads a number in its shortest form, in which the last byte is not
// 0 unless it is the only one.
func readUvarint(r io.ByteReader) (n uint64, err error) {
	for shift := 0; shift < 64; shift += 7 {
		b, err := r.ReadByte()
		switch {
		case err != nil:
			return 0, fmt.Errorf("not a number: %w", unexpected(err))
		case b == 0 && shift > 0:
			return 0, errors.New("a number is not in its shortest form")
		case shift == 63 && b > 1:
			return 0, errTooLarge
		}
		n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return n, nil
		}
	}
	return 0, errTooLarge // not reached: the tenth byte is the last or too large
}

var errTooLarge = errors.New("not a number of up to 64 bits")

// unexpected is the error for an end where there should be more.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
