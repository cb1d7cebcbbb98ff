package merkle

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
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
	m, err := parseUnverified(b)
	if err != nil {
		return nil, fmt.Errorf("parsing multiproof: %w", err)
	}
	return m, nil
}

func parseUnverified(b []byte) (*Multiproof, error) {
	m, rest, err := parseShape(b)
	if err != nil {
		return nil, err
	}
	// Of all that was decoded only a uvarint can be written in several ways.
	shape := b[:len(b)-len(rest)]
	if !bytes.Equal(m.appendShape(make([]byte, 0, len(shape))), shape) {
		return nil, errors.New("a number is not in its shortest form")
	}
	want, err := NumNodes(m.Size, m.Indexes)
	if err != nil {
		return nil, err
	}
	if len(rest)/HashSize != want || len(rest)%HashSize != 0 {
		return nil, fmt.Errorf("%d bytes for nodes where %d leaves in a tree of size %d need %d nodes of %d bytes",
			len(rest), len(m.Indexes), m.Size, want, HashSize)
	}
	m.Nodes = make([]Hash, want)
	for i := range m.Nodes {
		m.Nodes[i] = Hash(rest[i*HashSize:])
	}
	return m, nil
}

func parseShape(b []byte) (*Multiproof, []byte, error) {
	size, b, err := cutUvarint(b)
	if err != nil {
		return nil, nil, fmt.Errorf("tree size: %w", err)
	}
	if err := checkSize(size); err != nil {
		return nil, nil, err
	}
	count, b, err := cutUvarint(b)
	if err != nil {
		return nil, nil, fmt.Errorf("number of leaves: %w", err)
	}
	if count > MaxLeaves {
		return nil, nil, fmt.Errorf("%d leaves are above the limit of %d", count, MaxLeaves)
	}
	// Each index takes a byte at least: allocate for those that are there.
	if count > uint64(len(b)) {
		return nil, nil, fmt.Errorf("%d bytes are too few for %d leaves", len(b), count)
	}
	m := &Multiproof{Size: size, Indexes: make([]uint64, count)}
	next := uint64(0) // lowest index that may come
	for i := range m.Indexes {
		var gap uint64
		if gap, b, err = cutUvarint(b); err != nil {
			return nil, nil, fmt.Errorf("leaf %d of %d: %w", i+1, count, err)
		}
		if gap >= size-next {
			return nil, nil, fmt.Errorf("leaf %d of %d is outside the tree of size %d", i+1, count, size)
		}
		m.Indexes[i] = next + gap
		next += gap + 1
	}
	return m, b, nil
}

func cutUvarint(b []byte) (n uint64, rest []byte, err error) {
	n, size := binary.Uvarint(b)
	if size <= 0 {
		return 0, nil, errors.New("not a number of up to 64 bits")
	}
	return n, b[size:], nil
}
