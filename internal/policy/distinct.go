package policy

import "slices"

// claim is a principal, by the signers who it is.
type claim struct {
	names []int // indexes into a list of signers
}

// distinct is how many of the signers are there at once, as different
// principals: the size of a maximum matching between signers and principals. One
// key or identity under two names is one signer, and so are two identities that
// only one name is for.
//
// It grows the matching by augmenting paths (Kuhn's algorithm), each of which
// starts at a signer; so it looks at each claim at most once a signer.
func distinct(signers int, claims []claim) (n int, taken []int) {
	taken = make([]int, signers) // taken[s]: index of the claim that stands for signer s
	for s := range taken {
		taken[s] = -1
	}
	of := make([]int, len(claims)) // of[c]: the signer for whom claim c stands
	by := make([][]int, signers)   // by[s]: the claims that could stand for s
	for c := range claims {
		of[c] = -1
		for _, s := range claims[c].names {
			by[s] = append(by[s], c)
		}
	}
	var seen []bool
	var find func(s int) bool
	find = func(s int) bool {
		for _, c := range by[s] {
			if seen[c] {
				continue
			}
			seen[c] = true
			if of[c] < 0 || find(of[c]) {
				of[c], taken[s] = s, c
				return true
			}
		}
		return false
	}
	for s := range signers {
		if seen = make([]bool, len(claims)); find(s) {
			n++
		}
	}
	return n, taken
}

// present matches signers with those who signed, and lists the names of those
// that are there.
func present(signers []*Signer, who []Principal) (n int, names []string) {
	var claims []claim
	index := map[string]int{} // in claims, by id
	for _, w := range who {
		id := w.id()
		if id == "" {
			continue
		}
		c, ok := index[id]
		if !ok {
			c = len(claims)
			index[id], claims = c, append(claims, claim{})
		}
		// One identity has certificates with other extensions, and by each may be
		// other signers: what it is by any of them counts.
		for i, s := range signers {
			if s.is(w) && !slices.Contains(claims[c].names, i) {
				claims[c].names = append(claims[c].names, i)
			}
		}
	}
	n, taken := distinct(len(signers), claims)
	for i, c := range taken {
		if c >= 0 {
			names = append(names, signers[i].Name)
		}
	}
	return n, names
}
