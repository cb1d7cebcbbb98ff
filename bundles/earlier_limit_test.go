package bundles_test

import (
	"errors"
	"testing"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/limit"
	"github.com/modseal/modseal/merkle"
)

// Property: a consistency proof is decoded with as many hashes as any has, and not with
// one more.
func TestHashesOfAConsistencyProof(t *testing.T) {
	for n, ok := range map[int]bool{merkle.MaxConsistency: true, merkle.MaxConsistency + 1: false} {
		file, err := bundles.EncodeEarlier([]bundles.Consistency{bundles.NewConsistency(2, make([]merkle.Hash, n))})
		if err != nil {
			t.Fatal(err)
		}
		got, err := bundles.DecodeEarlier(file)
		if ok && (err != nil || len(got) != 1 || len(got[0].Hashes()) != n) || !ok && !errors.Is(err, limit.ErrExceeded) {
			t.Errorf("%d hashes: %d proofs, %v", n, len(got), err)
		}
	}
}
