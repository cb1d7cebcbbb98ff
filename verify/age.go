package verify

import (
	"fmt"
	"time"

	"github.com/modseal/modseal/bundles"
)

// RefusedStale is why a bundle is refused that is older than is wanted, or of
// which nothing says how old it is.
const RefusedStale = "stale"

// AgeReport says how old a bundle is, at most, and by whose word: it can't have
// been made before the newest thing in it that somebody trusted has dated.
type AgeReport struct {
	MaxSeconds int64     `json:"maxSeconds"` // how old it may be
	Seconds    int64     `json:"seconds"`    // how old it is at most
	At         time.Time `json:"at"`         // the moment of judging
	Time       time.Time `json:"time"`       // that is trusted
	By         string    `json:"by"`         // of the evidence that it is from
	Who        string    `json:"who"`
	Warning    bool      `json:"warning"` // four fifths of the time are over
	// Evidence is the newest of each kind.
	Evidence []TimeEvidence `json:"evidence"`
}

// What dates a bundle.
const (
	TimeSealer  = "sealer"  // the time that it states, by the word of who sealed it
	TimeSeal    = "seal"    // when a seal by an identity was logged, by the log's or a timestamp authority's word
	TimeEntry   = "entry"   // when evidence that counts was logged, by the same
	TimeWitness = "witness" // when a witness cosigned a head
	// TimeTUF is when the TUF timestamp that it carries expires: it was made before
	// that, by the word of who holds the timestamp's key.
	TimeTUF = "tuf-timestamp"
)

// TimeEvidence is one thing that dates a bundle.
type TimeEvidence struct {
	By   string    `json:"by"`
	Who  string    `json:"who"`
	Time time.Time `json:"time"`
}

// warnAfter is after how many hundredths of the time a bundle is warned of.
const warnAfter = 80

// age judges how old the bundle is, if that matters.
func (r *Request) age(b *bundles.Bundle, logs []provenLog, out *Report) error {
	limit := r.Policy.Seal.MaxAge()
	if r.MaxAge > 0 && (limit == 0 || r.MaxAge < limit) {
		limit = r.MaxAge
	}
	if limit == 0 || r.OwnManifest {
		return nil
	}
	refuse := func(format string, a ...any) error {
		return &RefusedError{[]Refusal{{Kind: RefusedStale, What: fmt.Sprintf(format, a...)}}}
	}
	found, err := dated(b, logs, out)
	if err != nil {
		return err
	}
	a := &AgeReport{MaxSeconds: int64(limit / time.Second), At: r.Now.UTC(), Evidence: found}
	for _, t := range found {
		if t.By != TimeTUF && t.Time.After(a.Time) {
			a.Time, a.By, a.Who = t.Time, t.By, t.Who
		}
	}
	stamp := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	age := r.Now.Sub(a.Time)
	switch {
	case r.Now.IsZero() || a.Time.IsZero():
		return refuse("nothing that is signed by anybody trusted says how old it is, and it may be %s old", limit)
	case age < -maxSkew:
		return refuse("it is of %s (%s, %s), which is after %s: a clock is wrong", stamp(a.Time), a.By, a.Who, stamp(r.Now))
	case age > limit:
		return refuse("it is of %s (%s, %s), and is older than %s at %s", stamp(a.Time), a.By, a.Who, limit, stamp(r.Now))
	}
	for _, t := range found {
		if t.By == TimeTUF && r.Now.Sub(t.Time) > limit {
			return refuse("it was made before %s, when its TUF timestamp expired, and so is older than %s at %s", stamp(t.Time), limit, stamp(r.Now))
		}
	}
	a.Seconds = int64(max(age, 0) / time.Second)
	a.Warning = age >= limit/100*warnAfter
	out.Age = a
	return nil
}

// dated is the newest evidence of each kind of when the bundle was made. What
// nobody sealed states no time.
func dated(b *bundles.Bundle, logs []provenLog, out *Report) ([]TimeEvidence, error) {
	newest := map[string]TimeEvidence{}
	note := func(by, who string, t time.Time) {
		if !t.IsZero() && t.After(newest[by].Time) {
			newest[by] = TimeEvidence{by, who, t.UTC()}
		}
	}
	for _, s := range b.Seals {
		created, err := b.Manifest.CreatedAt()
		if err != nil {
			return nil, err
		}
		note(TimeSealer, s.By, created)
		note(TimeSeal, s.By, s.Time)
	}
	for _, v := range out.verdicts() {
		for _, e := range v.Evidence {
			if e.Accepted {
				note(TimeEntry, e.Log, e.Time)
			}
		}
	}
	for i := range logs {
		for _, c := range logs[i].cosigned {
			note(TimeWitness, c.Name, c.Time)
		}
	}
	if t := out.Trust; t != nil && t.Chain == "bundle" {
		note(TimeTUF, t.Pinned, t.Timestamp.Expires)
	}
	var all []TimeEvidence
	for _, by := range []string{TimeSealer, TimeSeal, TimeEntry, TimeWitness, TimeTUF} {
		if t, ok := newest[by]; ok {
			all = append(all, t)
		}
	}
	return all, nil
}
