package merkle_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"runtime"
	"slices"
	"testing"

	"github.com/modseal/modseal/merkle"
)

// The binary form is the documented one, written out here by hand.
func TestEncodingByHand(t *testing.T) {
	a, b := merkle.Hash{0: 0xaa, 31: 1}, merkle.Hash{0: 0xbb, 31: 2}
	for _, test := range []struct {
		m    merkle.Multiproof
		want string
	}{
		{merkle.Multiproof{Size: 1, Indexes: []uint64{0}}, "01" + "01" + "00"},
		{merkle.Multiproof{Size: 3, Indexes: []uint64{1}, Nodes: []merkle.Hash{a, b}}, "03" + "01" + "01" +
			"aa00000000000000000000000000000000000000000000000000000000000001" +
			"bb00000000000000000000000000000000000000000000000000000000000002"},
		// 300 leaves: all but leaf 43, so that after 42 there is a gap of 1.
		{merkle.Multiproof{Size: 300, Indexes: allBut(300, 43), Nodes: []merkle.Hash{a}}, "ac02" + "ab02" +
			hex.EncodeToString(make([]byte, 43)) + "01" + hex.EncodeToString(make([]byte, 255)) +
			"aa00000000000000000000000000000000000000000000000000000000000001"},
	} {
		got, err := test.m.MarshalBinary()
		if err != nil || hex.EncodeToString(got) != test.want {
			t.Errorf("size %d: got %x, want %s: %v", test.m.Size, got, test.want, err)
		}
		m, err := merkle.ParseMultiproof(got)
		if err != nil || !sameMultiproof(m, &test.m) {
			t.Errorf("size %d: parsed to %v: %v", test.m.Size, m, err)
		}
	}
}

func allBut(size, missing uint64) []uint64 {
	var indexes []uint64
	for i := range size {
		if i != missing {
			indexes = append(indexes, i)
		}
	}
	return indexes
}

// Bytes that are not the one encoding of a multiproof are refused.
func TestParseRefuses(t *testing.T) {
	const max64 = "ffffffffffffffffff01"
	node := hex.EncodeToString(bytes.Repeat([]byte{7}, merkle.HashSize))
	for _, test := range []struct{ name, in, want string }{
		{"nothing", "", "tree size: not a number"},
		{"size cut", "80", "tree size: not a number"},
		{"size over 64 bits", "ffffffffffffffffff02" + "01" + "00", "tree size: not a number"},
		{"empty tree", "00" + "01" + "00", "the tree is empty"},
		{"size over the limit", "818080808080808040" + "01" + "00", "above the limit of 4611686018427387904"},
		{"no count", "02", "number of leaves: not a number"},
		{"no leaves", "02" + "00", "no leaf to prove"},
		{"no leaves, but a node", "01" + "00" + node, "no leaf to prove"},
		{"count over the limit", "02" + "81808002", "4194305 leaves are above the limit of 4194304"},
		{"count of 2^64-1", "02" + max64 + "00", "above the limit"},
		{"count over what is there", "02" + "02" + "00", "leaf 2 of 2: not a number: unexpected EOF"},
		{"index cut", "02" + "01" + "80", "leaf 1 of 1: not a number"},
		{"first index outside", "02" + "01" + "02", "leaf 1 of 1 is outside the tree of size 2"},
		{"second index outside", "02" + "02" + "00" + "01", "leaf 2 of 2 is outside the tree of size 2"},
		{"more indexes than leaves", "01" + "02" + "00" + "00", "leaf 2 of 2 is outside the tree of size 1"},
		{"index that overflows to 0", "02" + "02" + "00" + max64, "leaf 2 of 2 is outside the tree of size 2"},
		{"size in two bytes", "8200" + "02" + "0000", "not in its shortest form"},
		{"count in two bytes", "02" + "8200" + "0000", "not in its shortest form"},
		{"index in two bytes", "02" + "02" + "008000", "not in its shortest form"},
		{"index in ten bytes", "02" + "02" + "0080808080808080808000", "not in its shortest form"},
		{"no node", "02" + "01" + "00", "node 1 of the 1 of 32 bytes that 1 leaves in a tree of size 2 need: unexpected EOF"},
		{"node cut", "02" + "01" + "00" + node[2:], "node 1 of the 1 of 32 bytes that 1 leaves in a tree of size 2 need: unexpected EOF"},
		{"a byte too many", "02" + "01" + "00" + node + "00", "more bytes than those of the 1 nodes"},
		{"a node too many", "02" + "01" + "00" + node + node, "more bytes than those of the 1 nodes"},
		{"a node where none is needed", "02" + "02" + "0000" + node, "more bytes than those of the 0 nodes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			in, err := hex.DecodeString(test.in)
			if err != nil {
				t.Fatal(err)
			}
			m, err := merkle.ParseMultiproof(in)
			if m != nil {
				t.Errorf("got result %v", m)
			}
			checkMessage(t, err, test.want)
		})
	}
}

// A changed byte gives another multiproof or none, and a cut one gives none:
// no two encodings mean the same.
func TestEncodingIsCanonical(t *testing.T) {
	good, err := denseTree().multiproof([]uint64{3, 4, 200, 299}, 300).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	for n := range good {
		if _, err := merkle.ParseMultiproof(good[:n]); err == nil {
			t.Errorf("accepted the first %d of %d bytes", n, len(good))
		}
	}
	for i := range good[:40] {
		for b := range 256 {
			in := slices.Clone(good)
			in[i] = byte(b)
			m, err := merkle.ParseMultiproof(in)
			if err != nil {
				continue
			}
			if out, err := m.MarshalBinary(); err != nil || !bytes.Equal(in, out) {
				t.Errorf("byte %d as %#x: encoded again to other bytes: %v", i, b, err)
			}
		}
	}
}

// The largest number of leaves is parsed; one more is refused at once.
func TestParseLimits(t *testing.T) {
	in := binary.AppendUvarint(nil, merkle.MaxLeaves)
	in = binary.AppendUvarint(in, merkle.MaxLeaves)
	in = append(in, make([]byte, merkle.MaxLeaves)...) // leaf 0, and each next one
	m, err := merkle.ParseMultiproof(in)
	if err != nil || len(m.Indexes) != merkle.MaxLeaves || m.Indexes[merkle.MaxLeaves-1] != merkle.MaxLeaves-1 {
		t.Error(err)
	}
	in = binary.AppendUvarint(nil, merkle.MaxLeaves+1)
	in = binary.AppendUvarint(in, merkle.MaxLeaves+1)
	in = append(in, make([]byte, merkle.MaxLeaves+1)...)
	_, err = merkle.ParseMultiproof(in)
	checkMessage(t, err, "4194305 leaves are above the limit of 4194304")
}

// Input that claims more than it has is refused without memory being set aside
// for the claim.
func TestParseAllocatesWhatIsThere(t *testing.T) {
	claim := binary.AppendUvarint(nil, merkle.MaxSize)
	claim = binary.AppendUvarint(claim, merkle.MaxLeaves)
	// As many leaves as nodes of 40 times 32 bytes each are claimed with.
	leaves := binary.AppendUvarint(nil, merkle.MaxSize)
	leaves = binary.AppendUvarint(leaves, 1000)
	for range 1000 {
		leaves = binary.AppendUvarint(leaves, merkle.MaxSize/1024)
	}
	for _, in := range [][]byte{claim, append(claim, 0), leaves} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := merkle.ParseMultiproof(in)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Error("accepted")
		}
		if got, limit := after.TotalAlloc-before.TotalAlloc, uint64(10_000+4*len(in)); got > limit {
			t.Errorf("%d bytes of input: %d bytes allocated, want at most %d: %v", len(in), got, limit, err)
		}
	}
}
