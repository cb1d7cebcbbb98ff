package verify

import "fmt"

// Status is the verdict on one module. The zero value is no verdict.
type Status int

// The verdicts.
const (
	Unchecked  Status = iota // never looked at; a report with one is not a pass
	Verified                 // content on disk equals content proven by evidence that the policy accepts
	Mismatch                 // content on disk differs from the proven content
	NotLogged                // the bundle has no evidence for the module
	NotAllowed               // there is evidence, and the policy does not accept it
	Invalid                  // evidence is there and does not verify
	NotOnDisk                // the build needs it and it is nowhere to hash
	Exempt                   // the policy exempts it
	Local                    // a replace directive takes it from a directory
)

// numStatuses is how many verdicts there are.
const numStatuses = int(Local) + 1

func (s Status) String() string {
	switch s {
	case Unchecked:
		return "unchecked"
	case Verified:
		return "verified"
	case Mismatch:
		return "mismatch"
	case NotLogged:
		return "not-logged"
	case NotAllowed:
		return "not-allowed"
	case Invalid:
		return "invalid"
	case NotOnDisk:
		return "not-on-disk"
	case Exempt:
		return "exempt"
	case Local:
		return "local"
	}
	return fmt.Sprintf("status(%d)", int(s))
}

// MarshalText gives the word of docs/report.md.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Statuses lists all verdicts in their order.
func Statuses() []Status {
	s := make([]Status, numStatuses)
	for i := range s {
		s[i] = Status(i)
	}
	return s
}
