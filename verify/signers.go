package verify

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/internal/trust"
)

// ofOther is what is signed and neither a module's zip nor its listing.
const ofOther = "other"

// signerCheck is step 4 for signed entries: package evidence verifies them. Each
// is verified once, and only if the policy names its signer at all: whether that
// is enough is for the policy to say of each module.
type signerCheck struct {
	policy   *policy.Policy
	verifier *evidence.Verifier
	known    map[[32]byte]bool // keys of signers, by their fingerprints

	mu   sync.Mutex
	done map[*bundles.Entry]*signerResult
}

// hintStranger says how to name a signer.
func hintStranger(p *policy.Policy) string {
	if strings.HasPrefix(p.Name(), "--") {
		return "if you trust the signer, name it with --key, or --certificate-identity and --certificate-oidc-issuer"
	}
	return "if you trust the signer, name it among the signers of the policy, and in the rule"
}

type signerResult struct {
	once      sync.Once
	by        policy.Principal
	signer    string              // in words
	digest    evidence.Digest     // that was signed; zero if a statement was
	statement *evidence.Statement // nil if what was signed is no statement
	time      time.Time
	status    Status // Verified if it verifies
	why       string // it can't count
	hint      string // what would make it count
}

func (r *signerResult) refuse(s Status, format string, a ...any) {
	r.status, r.why = s, fmt.Sprintf(format, a...)
}

// about tells whether the entry says something of d. One that says nothing at all is
// about the zero value.
func (r *signerResult) about(d evidence.Digest) bool {
	if r.statement == nil {
		return r.digest == d && d != evidence.Digest{}
	}
	return len(r.statement.Names(d)) > 0
}

func newSignerCheck(p *policy.Policy, m *trust.Material) (*signerCheck, error) {
	v, err := evidence.NewVerifier(m.Sigstore, p.Keys()...)
	s := &signerCheck{policy: p, verifier: v, known: map[[32]byte]bool{}, done: map[*bundles.Entry]*signerResult{}}
	for _, k := range p.Keys() {
		s.known[k.Fingerprint()] = true
	}
	return s, err
}

// signedPiece is a piece of a signed entry.
type signedPiece struct {
	piece
	names []string // of a statement's subjects that have the digest
}

// check gives the verdict on an entry over d, or nil if that says nothing of it. What
// says what has this digest.
func (s *signerCheck) check(ref entryRef, what string, d evidence.Digest) *signedPiece {
	s.mu.Lock()
	r := s.done[ref.entry]
	if r == nil {
		r = &signerResult{}
		s.done[ref.entry] = r
	}
	s.mu.Unlock()
	r.once.Do(func() { s.judge(ref, r) })
	if !r.about(d) {
		return nil
	}
	p := &signedPiece{}
	p.ref = ref
	p.EvidenceReport = EvidenceReport{Log: ref.log.Name, Index: ref.number(), Of: what, Digest: d.String(), Signer: r.signer, Time: r.time, Why: r.why}
	p.status, p.hint, p.digest, p.untrusted = r.status, r.hint, d, ref.log.untrusted()
	p.evidence = policy.Evidence{Log: ref.log.policyLog(), Of: what, By: r.by, Time: r.time, Witnesses: ref.log.witnesses}
	if what == ofOther {
		p.evidence.Of = policy.OfSignature
	}
	if r.statement != nil {
		p.names = r.statement.Names(d)
		p.PredicateType = r.statement.PredicateType
		p.evidence.Of, p.evidence.PredicateType = policy.OfStatement, r.statement.PredicateType
		if what != ofOther {
			p.Of = policy.OfStatement
		}
	}
	return p
}

func (s *signerCheck) judge(ref entryRef, r *signerResult) {
	e, c, err := ref.claim()
	if err != nil {
		return // it says nothing
	}
	r.digest, r.statement, r.signer = c.Digest, c.Statement, "a certificate"
	if c.Certificate == nil {
		r.by = policy.Principal{Key: c.Key}
		r.signer = r.by.String()
	}
	if r.why, r.status = ref.log.refusal(); r.why != "" {
		r.hint = ref.log.hint()
		return
	}
	r.hint = hintStranger(s.policy)
	// whom the policy does not name is not worth a verification
	switch {
	case c.Certificate == nil && !s.known[c.Key.Fingerprint()]:
		r.refuse(NotAllowed, "signed by %s, whom the policy does not name", r.signer)
		return
	case c.Certificate != nil && !s.policy.NamesIdentities():
		r.refuse(NotAllowed, "signed with a certificate, and the policy names no identity")
		return
	case c.Certificate != nil:
		if r.by, err = policy.Claimed(c.Certificate); err != nil {
			r.hint = ""
			r.refuse(Invalid, "%v", err)
			return
		}
	}
	names := s.policy.Names(r.by)
	if len(names) == 0 { // of a certificate alone; the keys that are known are named
		r.signer = r.by.String()
		r.refuse(NotAllowed, "signed by %s (not verified), whom the policy does not name", r.signer)
		return
	}
	// the ordinary inclusion proof, out of the multiproof
	if e.Inclusion, err = ref.log.proven.Inclusion(ref.entry.Index); err != nil {
		r.refuse(Invalid, "%v", err)
		return
	}
	signed, err := s.verifier.Verify(e, c)
	if err != nil {
		r.hint = ""
		r.refuse(Invalid, "%v", err)
		return
	}
	r.time, r.signer, r.status, r.hint = signed.Time, names[0], Verified, ""
}
