package policy

import (
	"strings"
	"time"
)

// signedKinds are what signatures are over.
func signedKinds() []string { return []string{OfZip, OfListing, OfStatement, OfSignature} }

func namesOf(signers []*Signer) []string {
	var out []string
	for _, s := range signers {
		out = append(out, s.Name)
	}
	return out
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func plural(n int, word string) string {
	switch {
	case n == 1:
		return word
	case strings.HasSuffix(word, "s"):
		return word + "es"
	}
	return word + "s"
}

// maxListed is how many names a message lists.
const maxListed = 8

func listed(names []string) string {
	if len(names) == 0 {
		return ""
	}
	more := ""
	if len(names) > maxListed {
		names, more = names[:maxListed], ", …"
	}
	return ": " + strings.Join(names, ", ") + more
}

func article(of string) string {
	if of == OfSignature {
		return "an artifact"
	}
	return "a " + of
}
