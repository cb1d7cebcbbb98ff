package verify

import (
	"slices"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/merkle"
)

// entryRef names an entry of the bundle.
type entryRef struct {
	log   *provenLog
	entry *bundles.Entry
}

// claim reads what a Rekor entry says.
func (r entryRef) claim() (*evidence.Entry, *evidence.Claim, error) {
	e, err := evidence.OfBundle(r.log.Log, r.entry, merkle.Inclusion{})
	if err != nil {
		return nil, nil, err
	}
	c, err := e.Claim()
	return e, c, err
}

// number is the entry's index as people know it: of Rekor v1 over all shards.
func (r entryRef) number() uint64 {
	if r.log.Kind == bundles.RekorV1 {
		return r.entry.LogIndex
	}
	return r.entry.Index
}

// piece is an entry that speaks of a module or an artifact, with its verdict.
// Unless its status is Verified, it can't count whatever the policy says.
type piece struct {
	EvidenceReport
	ref       entryRef
	status    Status
	untrusted bool            // its log is
	hint      string          // what would make it count
	evidence  policy.Evidence // for the policy, if it is Verified
	digest    evidence.Digest // that was signed
	record    evidence.Record // of a checksum database
}

// recorded judges the records of a module. An honest database has one, and all
// databases have the same.
func (x *index) recorded(m module.Version) []*piece {
	var out []*piece
	for _, ref := range x.recordsOf(m) {
		r, err := evidence.ParseRecord(ref.entry.Leaf)
		if err != nil || r.Module != m {
			continue // a leaf that is no record speaks of no module
		}
		p := &piece{ref: ref, record: r, EvidenceReport: EvidenceReport{Log: ref.log.Name, Index: ref.entry.Index, Of: policy.OfRecord, Digest: r.H1.String()}, untrusted: ref.log.untrusted()}
		if p.Why, p.status = ref.log.refusal(); p.Why != "" {
			p.hint = ref.log.hint()
		}
		p.evidence = policy.Evidence{Log: ref.log.policyLog(), Of: policy.OfRecord, Witnesses: ref.log.witnesses}
		out = append(out, p)
	}
	return out
}

// signed judges all entries over a digest of a module. What says what has it:
// OfZip or OfListing. A statement must name the module.
func (x *index) signed(d evidence.Digest, what string, m module.Version) []*piece {
	var out []*piece
	for _, p := range x.over(d, what) {
		p.evidence.NamesSubject = slices.ContainsFunc(p.names, func(name string) bool { return evidence.NamesModule(name, m) })
		out = append(out, &p.piece)
	}
	return out
}

// claimedElsewhere judges the entries that the manifest lists for a module and
// that are over neither digest: somebody vouched for other content. Of digests
// of other algorithms than SHA-256 nobody here can say that they are of other
// content.
func (x *index) claimedElsewhere(m module.Version, zip, listing evidence.Digest) []*piece {
	d := x.claimed(m)
	if d == nil {
		return nil
	}
	var out []*piece
	for _, r := range d.Entries {
		ref := x.ref(r)
		if ref.log.Kind == bundles.SumDB {
			continue
		}
		_, c, err := ref.claim()
		if err != nil || slices.ContainsFunc(c.Digests(), func(d evidence.Digest) bool { return d == zip || d == listing }) {
			continue
		}
		for _, digest := range aboutModule(c, m) {
			if digest.Algorithm != "sha256" {
				continue
			}
			what := ofOther
			switch digest.Hex {
			case d.Zip:
				what = policy.OfZip
			case d.Listing:
				what = policy.OfListing
			}
			p := x.signers.check(ref, what, digest)
			if p == nil {
				continue // not reached: the claim has the digest
			}
			p.evidence.NamesSubject = slices.ContainsFunc(p.names, func(name string) bool { return evidence.NamesModule(name, m) })
			out = append(out, &p.piece)
		}
	}
	return out
}

// aboutModule are those digests of a claim that it has under the module's name,
// or one of it if there are none: a statement may be about a thousand other things,
// which would all be told of.
func aboutModule(c *evidence.Claim, m module.Version) []evidence.Digest {
	if c.Statement == nil {
		return c.Digests()
	}
	var named []evidence.Digest
	seen := map[evidence.Digest]bool{}
	for _, s := range c.Statement.Subjects {
		if !evidence.NamesModule(s.Name, m) {
			continue
		}
		for _, d := range s.Digests {
			if !seen[d] {
				seen[d], named = true, append(named, d)
			}
		}
	}
	if len(named) == 0 {
		return c.Digests()[:1]
	}
	return named
}

// refuse is the verdict on what the policy denies: the worst that can be said of
// the evidence there is.
func (v *Verdict) refuse(pieces []*piece, d policy.Decision, hintNotLogged string) {
	if len(pieces) == 0 {
		v.set(NotLogged, "the bundle has no evidence for it", hintNotLogged)
		return
	}
	first := func(is func(*piece) bool) *piece {
		if i := slices.IndexFunc(pieces, is); i >= 0 {
			return pieces[i]
		}
		return nil
	}
	if e := first(func(e *piece) bool { return e.status == Invalid }); e != nil {
		v.set(Invalid, e.Why, e.hint)
		return
	}
	if e := first(func(e *piece) bool { return e.untrusted }); e != nil {
		v.set(NotAllowed, e.Why, e.hint)
		return
	}
	weighed := first(func(e *piece) bool { return e.status == Verified && e.Of != policy.OfRecord })
	if e := first(func(e *piece) bool { return e.status == NotAllowed }); e != nil && weighed == nil {
		v.set(NotAllowed, e.Why, e.hint)
		return
	}
	v.set(NotAllowed, d.Reason, d.Hint)
}
