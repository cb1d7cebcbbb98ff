package policy

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Property: distinct finds the largest set of signers that different principals
// can stand for: as many as trying out all assignments finds.
func TestDistinct(t *testing.T) {
	var best func(signer, signers int, claims []claim, used []bool) int
	best = func(signer, signers int, claims []claim, used []bool) int {
		if signer == signers {
			return 0
		}
		n := best(signer+1, signers, claims, used) // without this signer
		for c := range claims {
			if !used[c] && slices.Contains(claims[c].names, signer) {
				used[c] = true
				n = max(n, 1+best(signer+1, signers, claims, used))
				used[c] = false
			}
		}
		return n
	}
	r := rand.New(rand.NewPCG(1, 2))
	sum := 0
	for range 5000 {
		signers, claims := r.IntN(6), make([]claim, r.IntN(6))
		for c := range claims {
			for s := range signers {
				if r.IntN(3) == 0 {
					claims[c].names = append(claims[c].names, s)
				}
			}
		}
		n, taken := distinct(signers, claims)
		if want := best(0, signers, claims, make([]bool, len(claims))); n != want {
			t.Fatalf("%d signers, %v: %d, want %d", signers, claims, n, want)
		}
		seen, there := map[int]bool{}, 0
		for s, c := range taken {
			if c < 0 {
				continue
			}
			if there++; seen[c] || !slices.Contains(claims[c].names, s) {
				t.Fatalf("%v: claim %d stands for signer %d", claims, c, s)
			}
			seen[c] = true
		}
		if there != n {
			t.Fatalf("%d taken, %d counted", there, n)
		}
		sum += n
	}
	if sum < 5000 {
		t.Errorf("the cases are trivial: %d in all", sum)
	}
}
