package policy

import (
	"fmt"
	"strings"
	"time"
)

// SealRule says who may seal bundles, how many of them must, and how old a
// bundle may be. Nothing meets the zero value.
type SealRule struct {
	by        []*Signer
	threshold int
	maxAge    time.Duration // 0 is any
}

// Sealers are who may seal.
func (r *SealRule) Sealers() []Signer {
	var out []Signer
	for _, s := range r.by {
		out = append(out, *s)
	}
	return out
}

// Needs says in words who must seal.
func (r *SealRule) Needs() string {
	names := namesOf(r.by)
	switch {
	case len(names) == 0 || r.threshold <= 0:
		return "what nobody can give"
	case r.threshold == 1:
		return "a seal by " + strings.Join(names, " or ")
	}
	return fmt.Sprintf("seals by %d of %s", r.threshold, strings.Join(names, ", "))
}

// Names lists the sealers who a principal is.
func (r *SealRule) Names(who Principal) []string {
	var out []string
	for _, s := range r.by {
		if s.is(who) {
			out = append(out, s.Name)
		}
	}
	return out
}

// Enough tells whether these are as many different sealers as the rule asks for,
// and if not, why. Each seal must have been verified. Who sealed twice counts once.
func (r *SealRule) Enough(by []Principal) (ok bool, why string) {
	n, names := present(r.by, by)
	if len(r.by) > 0 && r.threshold > 0 && n >= r.threshold {
		return true, ""
	}
	have := "none that counts"
	if n > 0 {
		have = strings.Join(names, ", ")
	}
	return false, fmt.Sprintf("sealed by %s; the policy requires %s", have, r.Needs())
}

// MaxAge is how old a bundle may be at the moment of judging; 0 is any age.
func (r *SealRule) MaxAge() time.Duration { return r.maxAge }
