package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Outcome is what a policy says of a subject. The zero value is no.
type Outcome int

// The outcomes.
const (
	Denied  Outcome = iota
	Allowed         // by a rule, whose requirement is met
	Exempt          // no rule allows it, and an exemption does
)

func (o Outcome) String() string {
	switch o {
	case Denied:
		return "denied"
	case Allowed:
		return "allowed"
	case Exempt:
		return "exempt"
	}
	return fmt.Sprintf("outcome(%d)", int(o))
}

// Decision is what a policy says of a subject, and why.
type Decision struct {
	Outcome Outcome
	Rule    string   // which rule or exemption decided; "" if none is for the subject
	Counted []bool   // whether each piece of evidence counted for what the rule asks
	Why     []string // why it did not; "" if it did
	Reason  string   // one sentence, unless allowed
	Hint    string   // what to do about it
	Explain []string // the rule and what it asks, with what was found; indented by two spaces a level
}

// rule says what the subjects of a pattern must have.
type rule struct {
	name    string // in messages
	match   matcher
	require requirement // nothing meets a nil one
	deny    string      // why nothing is enough; "" if something is
}

// exemption lets subjects pass without evidence, for a while.
type exemption struct {
	name   string
	match  matcher
	reason string
	until  time.Time // first moment at which it no longer holds
}

// Decide judges a subject by the evidence for it. At is the moment of judging,
// for what depends on one: with a zero at no such window and no exemption holds.
//
// The first rule whose pattern matches decides. An exemption counts only where
// that rule's requirement is not met or no rule matches. More evidence never
// makes less of a decision, and its order has no influence on the outcome.
//
// Content that differs from what was logged is not for a policy to judge, nor to
// exempt: the caller finds that out.
func (p *Policy) Decide(s Subject, at time.Time, evidence []Evidence) Decision {
	t := &trial{policy: p, subject: s, at: at, evidence: evidence, counted: make([]bool, len(evidence)), why: make([]refusal, len(evidence))}
	d := Decision{Counted: t.counted, Why: make([]string, len(evidence))}
	r := p.ruleFor(s)
	denied := false // by a rule that says so
	switch {
	case r == nil:
		t.explain("no rule is for it")
		d.Reason, d.Hint = "no rule of the policy is for it", "add a rule for it, or a last one for everything"
		t.refuseAll("no rule of the policy is for " + s.String())
	case r.deny != "":
		d.Rule, denied = r.name, true
		t.explain("%s, %s: denied", r.name, r.match.text)
		d.Reason, d.Hint = fmt.Sprintf("%s denies it: %s", r.name, r.deny), "use another version, or do without it"
		t.refuseAll(r.name + " denies it whatever it has")
	default:
		d.Rule, t.rule = r.name, r.name
		t.refuseAll("the policy requires " + needsNothing) // until a requirement says something else
		done := t.enter(fmt.Sprintf("%s, %s", r.name, r.match.text))
		if t.verdict(r.require != nil && r.require.judge(t)) {
			d.Outcome = Allowed
		} else {
			d.Reason, d.Hint = t.missing(r)
		}
		done()
	}
	if d.Outcome == Denied && !denied {
		p.tryExempt(t, &d)
	}
	for i, why := range t.why {
		if !t.counted[i] {
			d.Why[i] = why.text
		}
	}
	d.Explain = t.lines
	return d
}

func (p *Policy) ruleFor(s Subject) *rule {
	for i := range p.rules {
		if p.rules[i].match.matches(s) {
			return &p.rules[i]
		}
	}
	return nil
}

func (p *Policy) tryExempt(t *trial, d *Decision) {
	for _, x := range p.exempt {
		switch {
		case !x.match.matches(t.subject):
		case t.at.IsZero() || !t.at.Before(x.until):
			t.explain("%s, %s: expired on %s (%s)", x.name, x.match.text, x.lastDay(), x.reason)
			d.Hint = fmt.Sprintf("%s, %q, held until %s: renew it, or have the evidence made", x.name, x.reason, x.lastDay())
		default:
			t.explain("%s, %s: exempt until %s: %s", x.name, x.match.text, x.lastDay(), x.reason)
			d.Outcome, d.Rule, d.Hint = Exempt, x.name, ""
			d.Reason = fmt.Sprintf("exempt until %s: %s", x.lastDay(), x.reason)
			return
		}
	}
}

func (x *exemption) lastDay() string {
	return x.until.Add(-time.Nanosecond).UTC().Format(time.DateOnly)
}

// missing says in a sentence what is missing for a rule, and what to do.
func (t *trial) missing(r *rule) (reason, hint string) {
	needs, asks := needsNothing, r.name
	if r.require != nil {
		needs = r.require.needs()
	}
	flags := t.policy.source == ""
	if flags {
		asks = "the policy"
	} else {
		hint = "modseal verify --explain " + t.subject.String() + " says what counted, and what did not and why"
	}
	closest := -1 // the piece that came closest to counting
	for i, why := range t.why {
		if !t.counted[i] && why.at > atKind && (closest < 0 || why.at > t.why[closest].at) {
			closest = i
		}
	}
	if closest >= 0 && (flags || !slices.Contains(t.counted, true)) {
		reason = t.why[closest].text
		if t.why[closest].at == atStranger {
			if flags {
				return reason, "if you trust the signer, name it with --key, or --certificate-identity and --certificate-oidc-issuer"
			}
			hint = "if you trust the signer, name it among the signers of the policy, and in the rule"
		}
		return fmt.Sprintf("%s; %s requires %s", reason, asks, needs), hint
	}
	return fmt.Sprintf("it has %s; %s requires %s", t.have(), asks, needs), hint
}

// have lists the evidence of those whom the policy knows.
func (t *trial) have() string {
	var have []string
	add := func(what string) {
		if !slices.Contains(have, what) {
			have = append(have, what)
		}
	}
	for _, e := range t.evidence {
		if e.Of == OfRecord {
			add("a checksum-database record")
			continue
		}
		for _, name := range t.policy.Names(e.By) {
			if t.policy.source == "" {
				name = "a trusted signer's entry"
			} else {
				name = "an entry signed by " + name
			}
			add(name)
		}
	}
	switch {
	case len(have) == 0:
		return "nothing that counts"
	case len(have) > maxListed:
		have = append(have[:maxListed], "more")
	}
	return strings.Join(have, ", ")
}
