package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// requirement is what a rule asks for: records, signed entries, or all or any of
// several requirements. It is judged on a trial, where it leaves what it found.
type requirement interface {
	judge(t *trial) bool
	needs() string // in words
}

type allOf struct{ of []requirement }

func (q *allOf) judge(t *trial) bool {
	defer t.enter("all-of")()
	met := len(q.of) > 0
	for _, r := range q.of {
		met = r.judge(t) && met
	}
	return t.verdict(met)
}

func (q *allOf) needs() string { return join(q.of, "both ", " and ", "all of: ") }

type anyOf struct{ of []requirement }

func (q *anyOf) judge(t *trial) bool {
	defer t.enter("any-of")()
	met := false
	for _, r := range q.of {
		met = r.judge(t) || met
	}
	return t.verdict(met)
}

func (q *anyOf) needs() string { return join(q.of, "", " or ", "any of: ") }

func join(of []requirement, before, between, list string) string {
	var words []string
	for _, r := range of {
		w := r.needs()
		switch r.(type) {
		case *allOf, *anyOf:
			w = "(" + w + ")"
		}
		words = append(words, w)
	}
	switch len(words) {
	case 1:
		return words[0]
	case 2:
		return before + words[0] + between + words[1]
	}
	return list + strings.Join(words, "; ")
}

// records asks for records of checksum databases.
type records struct {
	of        []string // names of databases; nil is any that is trusted
	logs      int      // how many databases
	witnesses *cosigned
}

func (q *records) judge(t *trial) bool {
	defer t.enter(q.label())()
	var logs []Log
	for i, e := range t.evidence {
		if why := q.refuse(e); why.text != "" {
			t.note(i, why)
			continue
		}
		t.count(i)
		logs = append(logs, e.Log)
	}
	n, names := distinctLogs(logs)
	t.explain("%d of %d %s%s", n, q.logs, plural(q.logs, "database"), listed(names))
	return t.verdict(n >= q.logs)
}

func (q *records) refuse(e Evidence) refusal {
	switch {
	case e.Of != OfRecord:
		return refusal{atKind, "no signed entry is asked for"}
	case e.By != (Principal{}):
		return refusal{atKind, "a record that somebody signed is none"}
	case e.Log.same() == "":
		return refusal{atKind, "it is of no log"}
	case q.of != nil && !slices.Contains(q.of, e.Log.Name) && !slices.Contains(q.of, e.Log.ID):
		return refusal{atLog, fmt.Sprintf("recorded by %s, which the rule does not name", e.Log.Name)}
	}
	return q.witnesses.refuse(e)
}

func (q *records) label() string {
	if q.of == nil {
		return "sumdb" + q.witnesses.suffix()
	}
	return "sumdb [" + strings.Join(q.of, ", ") + "]" + q.witnesses.suffix()
}

func (q *records) needs() string {
	switch {
	case q.of == nil:
		return "a checksum-database record" + q.witnesses.suffix()
	case len(q.of) == 1:
		return "a record of " + q.of[0] + q.witnesses.suffix()
	case q.logs == 1:
		return "a record of one of " + strings.Join(q.of, ", ") + q.witnesses.suffix()
	}
	return fmt.Sprintf("records of %d of %s%s", q.logs, strings.Join(q.of, ", "), q.witnesses.suffix())
}

// signedBy asks for entries by signers. Those that match every condition must
// come from threshold different signers and from as many different logs.
type signedBy struct {
	signers       []*Signer
	threshold     int // of signers
	logs          int
	in            []string // names or IDs of logs; nil is any that is trusted
	of            []string // nil is any
	predicates    []string // of statements; nil is any
	after, before time.Time
	within        time.Duration // before the moment of judging; 0 is any
	witnesses     *cosigned
	words         string // what it asks for, where the flags have words for it
}

func (q *signedBy) judge(t *trial) bool {
	defer t.enter(q.label())()
	var logs []Log
	var who []Principal
	for i, e := range t.evidence {
		if why := q.refuse(t, e); why.text != "" {
			t.note(i, why)
			continue
		}
		t.count(i)
		logs, who = append(logs, e.Log), append(who, e.By)
	}
	signers, names := present(q.signers, who)
	t.explain("%d of %d %s%s", signers, q.threshold, plural(q.threshold, "signer"), listed(names))
	n, in := distinctLogs(logs)
	t.explain("%d of %d %s%s", n, q.logs, plural(q.logs, "log"), listed(in))
	return t.verdict(q.threshold > 0 && q.logs > 0 && signers >= q.threshold && n >= q.logs)
}

func (q *signedBy) refuse(t *trial, e Evidence) refusal {
	switch {
	case e.Of == OfRecord:
		return refusal{atKind, "no checksum-database record is asked for"}
	case !slices.Contains(signedKinds(), e.Of) || e.By.id() == "":
		return refusal{atKind, "it is nothing that somebody signed"}
	case e.Log.same() == "":
		return refusal{atKind, "it is of no log"}
	case !slices.ContainsFunc(q.signers, func(s *Signer) bool { return s.is(e.By) }):
		if names := t.policy.Names(e.By); len(names) > 0 {
			return refusal{atSigner, fmt.Sprintf("signed by %s, whom %s does not name", strings.Join(names, " or "), t.rule)}
		}
		return refusal{atStranger, fmt.Sprintf("signed by %s, whom the policy does not name", e.By)}
	case q.of != nil && !slices.Contains(q.of, e.Of):
		return refusal{atOf, fmt.Sprintf("it is over %s; the rule asks for %s", article(e.Of), strings.Join(q.of, " or "))}
	case e.Of == OfStatement && !e.NamesSubject:
		return refusal{atOf, fmt.Sprintf("the statement has this content, but not under the name of %s", t.subject)}
	case q.predicates != nil && !slices.Contains(q.predicates, e.PredicateType):
		return refusal{atOf, fmt.Sprintf("the statement is of type %.200q; the rule asks for %s", e.PredicateType, strings.Join(q.predicates, " or "))}
	case q.in != nil && !slices.Contains(q.in, e.Log.Name) && !slices.Contains(q.in, e.Log.ID):
		return refusal{atLog, fmt.Sprintf("logged in %s, which the rule does not name", e.Log.Name)}
	}
	if why := q.untimely(t.at, e.Time); why != "" {
		return refusal{atTime, why}
	}
	return q.witnesses.refuse(e)
}

// untimely says why the proven time is outside of the windows, "" if it is not:
// from after until just before before, and not longer than within before at.
func (q *signedBy) untimely(at, logged time.Time) string {
	says := func(format string, when any) string {
		return fmt.Sprintf("logged at %s, "+format, stamp(logged), when)
	}
	switch {
	case q.after.IsZero() && q.before.IsZero() && q.within == 0:
		return ""
	case logged.IsZero():
		return "nothing proves when it was logged"
	case !q.after.IsZero() && logged.Before(q.after):
		return says("before %s", stamp(q.after))
	case !q.before.IsZero() && !logged.Before(q.before):
		return says("not before %s", stamp(q.before))
	case q.within == 0:
		return ""
	case at.IsZero():
		return "there is no moment of judging to be logged within " + q.within.String() + " of"
	case logged.After(at):
		return says("after the moment of judging, %s", stamp(at))
	case at.Sub(logged) > q.within:
		return says("more than %s before", q.within.String()) + " " + stamp(at)
	}
	return ""
}

func (q *signedBy) label() string {
	return "signed-by [" + strings.Join(namesOf(q.signers), ", ") + "]" + q.conditions()
}

func (q *signedBy) needs() string {
	if q.words != "" {
		return q.words
	}
	names := namesOf(q.signers)
	what := "an entry signed by " + strings.Join(names, " or ")
	if q.threshold > 1 {
		what = fmt.Sprintf("entries signed by %d of %s", q.threshold, strings.Join(names, ", "))
	}
	return what + q.conditions()
}

func (q *signedBy) conditions() string {
	var b strings.Builder
	if q.logs > 1 {
		fmt.Fprintf(&b, ", in %d logs", q.logs)
	}
	if q.in != nil {
		b.WriteString(", in " + strings.Join(q.in, " or "))
	}
	if q.of != nil {
		b.WriteString(", over the " + strings.Join(q.of, " or "))
	}
	if q.predicates != nil {
		b.WriteString(", of type " + strings.Join(q.predicates, " or "))
	}
	if !q.after.IsZero() {
		b.WriteString(", logged at or after " + stamp(q.after))
	}
	if !q.before.IsZero() {
		b.WriteString(", logged before " + stamp(q.before))
	}
	if q.within != 0 {
		b.WriteString(", logged within " + q.within.String())
	}
	return b.String() + q.witnesses.suffix()
}

// cosigned asks for witnesses. A nil one asks for none.
type cosigned struct {
	of        []string
	threshold int
}

func (q *cosigned) refuse(e Evidence) refusal {
	if q == nil {
		return refusal{}
	}
	var there []string
	for _, w := range q.of {
		if slices.Contains(e.Witnesses, w) {
			there = append(there, w)
		}
	}
	if len(there) >= q.threshold && q.threshold > 0 {
		return refusal{}
	}
	return refusal{atWitness, fmt.Sprintf("%s is cosigned by %d of %d %s%s", e.Log.Name, len(there), q.threshold, plural(q.threshold, "witness"), listed(there))}
}

func (q *cosigned) suffix() string {
	switch {
	case q == nil:
		return ""
	case q.threshold == 1:
		return ", cosigned by " + strings.Join(q.of, " or ")
	}
	return fmt.Sprintf(", cosigned by %d of %s", q.threshold, strings.Join(q.of, ", "))
}

// distinctLogs counts different logs and lists their names.
func distinctLogs(logs []Log) (n int, names []string) {
	seen := map[string]bool{}
	for _, l := range logs {
		if id := l.same(); id != "" && !seen[id] {
			seen[id] = true
			names = append(names, l.Name)
		}
	}
	return len(seen), names
}
