package modhash

import (
	"crypto/sha256"
	"slices"
	"strings"
)

// A Change is a file in which two listings differ.
type Change struct {
	Name      string // slash-separated, relative to the module
	Kind      Kind
	Want, Got [sha256.Size]byte // of the content; zero where the file is missing
}

// Kind is how a file differs.
type Kind int

// Kinds. The zero value is none of them.
const (
	_       Kind = iota
	Changed      // in both listings, with different content
	Missing      // only in the one that was wanted
	Extra        // only in the one that was found
	Endings      // with different line endings and nothing else, as git's core.autocrlf changes them
)

func (k Kind) String() string {
	switch k {
	case Changed:
		return "changed"
	case Missing:
		return "missing"
	case Extra:
		return "extra"
	case Endings:
		return "line endings changed (git autocrlf)"
	}
	return "invalid"
}

// Diff returns the changes that lead from want to got, sorted by name; there are none if and only if the h1 are equal.
// Listings of two different modules have no file in common.
func Diff(want, got *Listing) []Change {
	if want.h1 == got.h1 {
		return nil
	}
	var changes []Change
	w, g := want.files, got.files
	same := want.module == got.module
	for len(w) > 0 || len(g) > 0 {
		switch {
		case len(g) == 0 || len(w) > 0 && (w[0].Name < g[0].Name || !same && w[0].Name == g[0].Name):
			changes = append(changes, Change{Name: w[0].Name, Kind: Missing, Want: w[0].SHA256})
			w = w[1:]
		case len(w) == 0 || g[0].Name < w[0].Name:
			changes = append(changes, Change{Name: g[0].Name, Kind: Extra, Got: g[0].SHA256})
			g = g[1:]
		default:
			if w[0].SHA256 != g[0].SHA256 {
				changes = append(changes, Change{Name: w[0].Name, Kind: Changed, Want: w[0].SHA256, Got: g[0].SHA256})
			}
			w, g = w[1:], g[1:]
		}
	}
	return changes
}

func find(files []File, name string) (at int, ok bool) {
	return slices.BinarySearchFunc(files, name, func(f File, name string) int { return strings.Compare(f.Name, name) })
}

func sortFiles(files []File) {
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
}
