package stack_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/bits"
)

// The checks of RFC 9162 in their plainest form, so that what the servers say is checked with nobody else's code.

func leafHash(body []byte) []byte {
	sum := sha256.Sum256(append([]byte{0}, body...))
	return sum[:]
}

func nodeHash(left, right []byte) []byte {
	sum := sha256.Sum256(bytes.Join([][]byte{{1}, left, right}, nil))
	return sum[:]
}

func unhex(hashes []string) ([][]byte, error) {
	out := make([][]byte, len(hashes))
	for i, h := range hashes {
		var err error
		if out[i], err = hex.DecodeString(h); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// inclusionRoot is RFC 9162, Section 2.1.3.2: the root that a leaf's inclusion proof leads to.
func inclusionRoot(index, size uint64, leaf []byte, proof [][]byte) ([]byte, error) {
	fn, sn, r := index, size-1, leaf
	for _, p := range proof {
		if sn == 0 {
			return nil, errors.New("inclusion proof is too long")
		}
		if fn&1 == 1 || fn == sn {
			r = nodeHash(p, r)
			shift := bits.TrailingZeros64(fn)
			fn, sn = fn>>shift, sn>>shift
		} else {
			r = nodeHash(r, p)
		}
		fn, sn = fn>>1, sn>>1
	}
	if sn != 0 {
		return nil, errors.New("inclusion proof is too short")
	}
	return r, nil
}

// checkConsistency is RFC 9162, Section 2.1.4.2, for 0 < first < second.
func checkConsistency(first, second uint64, firstRoot, secondRoot []byte, proof [][]byte) error {
	if first&(first-1) == 0 { // a power of 2: its root is a node of the second tree
		proof = append([][]byte{firstRoot}, proof...)
	}
	if len(proof) == 0 {
		return errors.New("consistency proof is empty")
	}
	fn, sn := first-1, second-1
	shift := bits.TrailingZeros64(^fn)
	fn, sn = fn>>shift, sn>>shift
	fr, sr := proof[0], proof[0]
	for _, c := range proof[1:] {
		if sn == 0 {
			return errors.New("consistency proof is too long")
		}
		if fn&1 == 1 || fn == sn {
			fr, sr = nodeHash(c, fr), nodeHash(c, sr)
			if fn != 0 {
				shift := bits.TrailingZeros64(fn)
				fn, sn = fn>>shift, sn>>shift
			}
		} else {
			sr = nodeHash(sr, c)
		}
		fn, sn = fn>>1, sn>>1
	}
	switch {
	case sn != 0:
		return errors.New("consistency proof is too short")
	case !bytes.Equal(fr, firstRoot):
		return errors.New("consistency proof does not lead to the first root")
	case !bytes.Equal(sr, secondRoot):
		return errors.New("consistency proof does not lead to the second root")
	}
	return nil
}

// treeHash is RFC 9162, Section 2.1.1, for at least one leaf hash.
func treeHash(leaves [][]byte) []byte {
	if len(leaves) == 1 {
		return leaves[0]
	}
	k := 1 << (bits.Len(uint(len(leaves)-1)) - 1) // the largest power of 2 below their number
	return nodeHash(treeHash(leaves[:k]), treeHash(leaves[k:]))
}
