package rekor

import (
	"fmt"
	"slices"
	"strings"
)

// A Problem says what is wrong with a server's answer.
type Problem string

const (
	Malformed    Problem = "malformed"                      // not the JSON that the API describes, or a value out of its range
	Incomplete   Problem = "incomplete"                     // a part that proves something is missing
	NotAsked     Problem = "not what was asked for"         // an entry of another UUID, or the same one again
	WrongLeaf    Problem = "entry differs from its UUID"    // SHA-256(0x00 || body) isn't the leaf hash in the UUID
	WrongProof   Problem = "inclusion proof fails"          // it doesn't lead to its own root hash
	HeadMismatch Problem = "checkpoint and answer disagree" // on tree ID, size or root hash
)

// An AnswerError is an answer that no honest and working Rekor server gives.
type AnswerError struct {
	Problem Problem
	UUID    UUID  // of the entry, if it is about one
	Err     error // more about it; may be nil
}

func (e *AnswerError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "rekor: bad answer: %s", e.Problem)
	if e.UUID != "" {
		fmt.Fprintf(&b, " (entry %s)", e.UUID)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *AnswerError) Unwrap() error { return e.Err }

func malformed(format string, args ...any) *AnswerError {
	return &AnswerError{Problem: Malformed, Err: fmt.Errorf(format, args...)}
}

// A MissingError lists entries that were asked for and not given. The entries
// that were given are returned beside it.
type MissingError struct {
	UUIDs    []UUID // left out of the answer without a word
	TooLarge []UUID // given, but over the limit of an answer
	Refused  []UUID // called a bad request, such as UUIDs of trees that the server doesn't have
}

func (e *MissingError) Error() string {
	var parts []string
	for _, list := range []struct {
		what  string
		uuids []UUID
	}{{"left out", e.UUIDs}, {"over the size limit", e.TooLarge}, {"refused", e.Refused}} {
		if len(list.uuids) > 0 {
			parts = append(parts, fmt.Sprintf("%d %s (first: %s)", len(list.uuids), list.what, list.uuids[0]))
		}
	}
	return "rekor: entries missing: " + strings.Join(parts, ", ")
}

// Empty tells whether it lists nothing.
func (e *MissingError) Empty() bool {
	return len(e.UUIDs) == 0 && len(e.TooLarge) == 0 && len(e.Refused) == 0
}

// Add lists what another error lists as well: sorted, each once, so that it does
// not matter which came first.
func (e *MissingError) Add(other *MissingError) {
	for _, l := range []struct {
		to    *[]UUID
		uuids []UUID
	}{{&e.UUIDs, other.UUIDs}, {&e.TooLarge, other.TooLarge}, {&e.Refused, other.Refused}} {
		for _, u := range l.uuids {
			if i, there := slices.BinarySearch(*l.to, u); !there {
				*l.to = slices.Insert(*l.to, i, u)
			}
		}
	}
}
