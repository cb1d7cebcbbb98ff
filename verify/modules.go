package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/gomod"
	"github.com/modseal/modseal/internal/modhash"
	"github.com/modseal/modseal/internal/policy"
)

// moduleCheck is step 6: it hashes what the build would read of a module and
// compares that with the evidence.
type moduleCheck struct {
	*reader
	policy  *policy.Policy
	now     time.Time              // of judging
	explain func(name string) bool // whether to report how the policy decided
	index   *index
	strict  bool                                // hash the content of zips whose unpacked tree is there too
	goMods  map[module.Version]*modhash.Listing // of modules of which only go.mod is read
	known   *knownVerdicts                      // of other projects by the same bundle; nil if it is asked about one
}

// judgement is one module under way.
type judgement struct {
	*moduleCheck
	m      gomod.Module
	v      module.Version
	report *ModuleReport

	content
	goMod *modhash.H1 // of the .mod file, once that was read
	want  modhash.H1  // the proven h1 that the content should have and has not
}

// check gives the module exactly one verdict. Its error is for ctx alone: a
// module that can't be read gets a verdict that says so. e is its content.
func (c *moduleCheck) check(ctx context.Context, m gomod.Module, e *early) (judged, error) {
	r := judged{ModuleReport: ModuleReport{Path: m.Path, Version: m.Version, GoModOnly: m.GoModOnly}}
	j := &judgement{moduleCheck: c, m: m, v: module.Version{Path: m.Path, Version: m.Version}, report: &r.ModuleReport}
	if m.Required != j.v {
		r.Replaces = m.Required.String()
	}
	if m.LocalDir != "" {
		j.local()
	} else if err := j.judge(ctx, e); err != nil {
		if ctx.Err() != nil {
			return r, ctx.Err()
		}
		j.unreadable(err)
	}
	r.OK = r.Status == Verified || r.Status == Exempt || r.Status == Local && m.InTree && c.policy.AllowLocal
	r.have, r.want = j.listing, j.want
	return r, nil
}

// judged is a report with what can explain it.
type judged struct {
	ModuleReport
	want modhash.H1       // the proven h1 that the content does not have; zero if there is none
	have *modhash.Listing // what is on disk
}

func (j *judgement) local() {
	r := j.report
	r.Status, r.Dir, r.Replaces = Local, j.m.LocalDir, j.m.Required.String()
	switch {
	case !j.m.InTree:
		r.Reason = "replaced by a directory outside of the source tree, which nothing vouches for"
		r.Hint = "publish and attest it, or move it into the source tree"
	case !j.policy.AllowLocal:
		r.Reason = "replaced by a directory of the source tree, which the policy does not allow"
	default:
		r.Reason = "part of the source tree"
	}
}

// unreadable judges content that can't be hashed as a module's.
func (j *judgement) unreadable(err error) {
	var refused *modhash.RefusedError
	var irregular *gomod.NotRegularError
	switch {
	case errors.As(err, &refused):
		j.verdict(Mismatch, "content is not that of a module: "+err.Error(), hintRefetch)
	case errors.As(err, &irregular):
		j.verdict(Mismatch, err.Error(), hintRefetch)
	case errors.Is(err, errChanged):
		j.verdict(Mismatch, err.Error(), hintQuiet)
	default:
		j.verdict(NotOnDisk, "can't be read: "+err.Error(), "")
	}
}

const hintQuiet = "let nothing write to the module cache while it is verified"

const hintRefetch = "remove it from the module cache and fetch it again; if it recurs, distrust where it comes from"

func (j *judgement) verdict(s Status, reason, hint string) {
	j.report.set(s, reason, hint)
}

func (j *judgement) onDisk(what, file, digest string) {
	j.report.OnDisk = append(j.report.OnDisk, Content{What: what, File: file, Digest: digest})
}

// judge hashes and decides. An error means that content could not be hashed.
func (j *judgement) judge(ctx context.Context, e *early) error {
	var err error
	j.content, err = e.take(ctx, j.reader, j.m)
	j.report.OnDisk = append(j.report.OnDisk, j.hashed...)
	if err != nil {
		return err
	}
	if j.m.GoModOnly {
		return j.judgeGoModOnly()
	}
	if j.listing == nil {
		j.verdict(NotOnDisk, "neither its zip nor its unpacked tree is in "+j.places.String(), j.hintFetch())
		return nil
	}
	proof := j.gather()
	if j.report.Status != Unchecked {
		return nil
	}
	d, err := j.prove(ctx, proof)
	if err != nil || d.Outcome == policy.Denied {
		return err
	}
	proof.exempt = d.Outcome == policy.Exempt
	if err := j.checkZipBeside(ctx, proof); err != nil || j.report.Status != Unchecked {
		return err
	}
	if err := j.checkGoMod(proof); err != nil || j.report.Status != Unchecked {
		return err
	}
	j.pass(d)
	return nil
}

// pass is the verdict on what the policy lets pass, if go.sum does too.
func (j *judgement) pass(d policy.Decision) {
	j.checkGoSum()
	switch {
	case j.report.Status != Unchecked:
	case d.Outcome == policy.Allowed:
		j.verdict(Verified, "", "")
	case d.Outcome == policy.Exempt:
		j.verdict(Exempt, d.Reason, "")
	}
}

// proof is what there is to prove the content with.
type proof struct {
	h1     modhash.H1
	goMods []modhash.H1 // what trusted checksum databases recorded for go.mod
	pieces []*piece     // all evidence that speaks of the content
	zips   []*piece     // those over the zip's bytes and not over the listing
	exempt bool         // nothing proves the content, and the policy lets it pass
}

// gather finds the evidence for the content's h1. A trusted record of another h1
// ends it with a mismatch, whatever else there is.
func (j *judgement) gather() *proof {
	p := &proof{h1: j.listing.H1(), pieces: j.index.recorded(j.v)}
	for _, r := range p.pieces {
		switch {
		case r.status != Verified:
		case r.record.H1 != p.h1:
			r.status, r.Why = Mismatch, "it is of other content"
			j.differs(r.record.H1, fmt.Sprintf("%s, record %d", r.Log, r.Index))
		default:
			p.goMods = append(p.goMods, r.record.GoMod)
		}
	}
	listing := evidence.SHA256(p.h1)
	p.pieces = append(p.pieces, j.index.signed(listing, policy.OfListing, j.v)...)
	if j.zip != nil {
		for _, e := range j.index.signed(evidence.SHA256(*j.zip), policy.OfZip, j.v) {
			if !slices.ContainsFunc(p.pieces, e.saidBy) {
				p.pieces, p.zips = append(p.pieces, e), append(p.zips, e)
			}
		}
	}
	j.publish(p)
	return p
}

// saidBy tells whether q is of the same entry, a statement over zip and listing,
// and says no less. Then p is not told again.
func (p *piece) saidBy(q *piece) bool {
	return p.ref == q.ref && (q.evidence.NamesSubject || !p.evidence.NamesSubject)
}

// decide asks the policy about pieces of evidence, and notes on each whether it
// counted. Those that don't verify are not shown to it.
func (c *moduleCheck) decide(s policy.Subject, pieces []*piece) policy.Decision {
	var shown []*piece
	var evidence []policy.Evidence
	for _, p := range pieces {
		if p.status == Verified {
			shown, evidence = append(shown, p), append(evidence, p.evidence)
		}
	}
	d := c.policy.Decide(s, c.now, evidence)
	for i, p := range shown {
		p.Accepted, p.Why = d.Counted[i], d.Why[i]
	}
	return d
}

// prove asks the policy whether the evidence is enough. A signature over the
// zip's bytes vouches for what the compiler reads only if that is the zip's
// content, which is compared unless signatures over the listing are enough. What
// is denied has its verdict.
func (j *judgement) prove(ctx context.Context, p *proof) (d policy.Decision, err error) {
	subject := policy.Subject{Module: j.v}
	d = j.decide(subject, p.pieces)
	defer func() { j.conclusion(p, d) }()
	if d.Outcome != policy.Allowed || j.at.tree == "" || !slices.ContainsFunc(p.zips, (*piece).counts) {
		return j.conclude(p, d), nil
	}
	others := slices.DeleteFunc(slices.Clone(p.pieces), func(e *piece) bool { return slices.Contains(p.zips, e) })
	without := j.decide(subject, others)
	enough := without.Outcome == policy.Allowed
	if !enough || !slices.ContainsFunc(others, func(e *piece) bool { return e.counts() && e.Of != policy.OfRecord }) {
		if err := j.readZip(ctx, j.v, &j.content); err != nil {
			return d, err
		}
		if j.zipListing.H1() != p.h1 {
			for _, e := range p.zips {
				e.Accepted, e.Why = false, "the content of the zip is not that of the unpacked tree"
			}
			if d = without; !enough {
				d.Outcome = policy.Denied
				j.verdict(Mismatch, fmt.Sprintf("the unpacked tree is not the content of the zip, which is attested\ntree: %s   (%s)\nzip:  %s   (%s)",
					p.h1, j.at.tree, j.zipListing.H1(), j.at.zip), hintRefetch)
				j.report.setDifferences(modhash.Diff(j.zipListing, j.listing))
			}
			return d, nil // what is beside the tree is judged by checkZipBeside
		}
	}
	return j.decide(subject, p.pieces), nil
}

func (p *piece) counts() bool { return p.Accepted }

// conclusion puts into the report what the policy said, and of what.
func (j *judgement) conclusion(p *proof, d policy.Decision) {
	j.report.Rule = d.Rule
	if j.explain != nil && (j.explain(j.v.Path) || j.explain(j.v.String())) {
		j.report.Explain = d.Explain
	}
	j.publish(p)
}

func (j *judgement) publish(p *proof) {
	j.report.Evidence = nil
	for _, e := range p.pieces {
		j.report.Evidence = append(j.report.Evidence, e.EvidenceReport)
	}
}

// differs is the verdict on content whose h1 is not the proven one.
func (j *judgement) differs(want modhash.H1, by string) {
	j.want = want
	j.verdict(Mismatch, fmt.Sprintf("content differs from the log\non disk: %s   (%s)\nlogged:  %s   (%s)",
		j.listing.H1(), j.contentFile(), want, by), j.hintContent())
}

func (j *judgement) contentFile() string {
	if j.at.tree != "" {
		return j.at.tree
	}
	return j.at.zip
}
