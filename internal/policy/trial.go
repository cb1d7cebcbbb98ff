package policy

import (
	"fmt"
	"strings"
	"time"
)

// trial is one decision under way.
type trial struct {
	policy   *Policy
	rule     string // its name
	subject  Subject
	at       time.Time
	evidence []Evidence

	counted []bool
	why     []refusal // why a piece does not count, by the requirement that it came closest to
	lines   []string
	open    []level // the requirements that are being judged, outermost first
}

type level struct {
	line   int // its index in lines
	pieces int // of evidence that were explained
}

// maxPieces is how many pieces of evidence a requirement's explanation names:
// strangers can log as many as they like.
const maxPieces = 20

// refusal is why a piece of evidence does not count for a requirement.
type refusal struct {
	at   stage
	text string // "" if it counts
}

func (t *trial) refuseAll(why string) {
	for i := range t.why {
		t.why[i] = refusal{atNothing, why}
	}
}

// stage is how far a piece of evidence came before it was refused.
type stage int

const (
	atNothing  stage = iota // nothing looked at it
	atKind                  // it is of another kind than the requirement asks for
	atStranger              // the policy does not know who signed it
	atSigner                // the rule does not name who signed it
	atOf
	atLog
	atTime
	atWitness
)

func (t *trial) note(i int, why refusal) {
	if why.at > t.why[i].at {
		t.why[i] = why
	}
	if why.at > atKind {
		t.piece("not counted: " + t.evidence[i].label() + ": " + why.text)
	}
}

func (t *trial) count(i int) {
	t.counted[i] = true
	label := t.evidence[i].label()
	if names := t.policy.Names(t.evidence[i].By); len(names) > 0 {
		label += ", signed by " + strings.Join(names, " or ")
	}
	t.piece("counted: " + label)
}

func (t *trial) piece(text string) {
	l := &t.open[len(t.open)-1]
	switch l.pieces++; {
	case l.pieces <= maxPieces:
		t.explain("%s", text)
	case l.pieces == maxPieces+1:
		t.explain("…")
	}
}

func (e Evidence) label() string {
	if e.Of == OfRecord {
		return "the record of " + e.Log.Name
	}
	return fmt.Sprintf("%s in %s", e.Of, e.Log.Name)
}

// enter begins a requirement; what it returns ends it.
func (t *trial) enter(label string) func() {
	t.explain("%s", label)
	t.open = append(t.open, level{line: len(t.lines) - 1})
	return func() { t.open = t.open[:len(t.open)-1] }
}

// verdict ends the line of the requirement that is being judged.
func (t *trial) verdict(met bool) bool {
	line := &t.lines[t.open[len(t.open)-1].line]
	if met {
		*line += ": met"
	} else {
		*line += ": not met"
	}
	return met
}

func (t *trial) explain(format string, a ...any) {
	t.lines = append(t.lines, strings.Repeat("  ", len(t.open))+fmt.Sprintf(format, a...))
}
