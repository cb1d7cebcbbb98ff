package verify

import (
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/internal/trust"
)

// entryRef names an entry of the bundle.
type entryRef struct {
	log   *provenLog
	entry *bundles.Entry
}

// index finds the entries that speak of a module: by what the entries say, not
// by what the manifest claims of them.
type index struct {
	records  map[module.Version][]entryRef // of checksum databases
	byDigest map[[32]byte][]entryRef       // hashedrekord entries
	claimed  map[module.Version]*bundles.Module
	refs     func(bundles.Ref) entryRef
	signers  *signerCheck
}

// indexEntries reads what the entries of all logs say.
func indexEntries(b *bundles.Bundle, logs []provenLog, signers *signerCheck) *index {
	x := &index{
		records: map[module.Version][]entryRef{}, byDigest: map[[32]byte][]entryRef{},
		claimed: map[module.Version]*bundles.Module{}, signers: signers,
	}
	for i := range logs {
		l := &logs[i]
		for j := range l.Entries {
			x.add(entryRef{l, &l.Entries[j]})
		}
	}
	for i := range b.Manifest.Modules {
		d := &b.Manifest.Modules[i]
		x.claimed[module.Version{Path: d.Path, Version: d.Version}] = d
	}
	x.refs = func(r bundles.Ref) entryRef {
		e, _ := logs[r.Log].Entry(r.Index) // bundles.Open checked that it is there
		return entryRef{&logs[r.Log], e}
	}
	return x
}

func (x *index) add(ref entryRef) {
	switch ref.log.Kind {
	case bundles.SumDB:
		r, err := evidence.ParseRecord(ref.entry.Leaf)
		if err != nil {
			return // a leaf that is no record speaks of no module
		}
		x.records[r.Module] = append(x.records[r.Module], ref)
	case bundles.RekorV1:
		if h, err := evidence.ParseHashedRekord([]byte(ref.entry.Leaf)); err == nil {
			x.byDigest[h.SHA256] = append(x.byDigest[h.SHA256], ref)
		}
	}
}

// recorded is a record of a checksum database, with its verdict.
type recorded struct {
	evidence.Record
	*EvidenceReport
}

// recorded judges the records of a module. An honest database has one, and all
// databases have the same.
func (x *index) recorded(m module.Version) []recorded {
	var out []recorded
	for _, ref := range x.records[m] {
		r, err := evidence.ParseRecord(ref.entry.Leaf)
		if err != nil {
			continue // not reached: add parsed it
		}
		e := &EvidenceReport{Log: ref.log.Name, Index: ref.entry.Index, Of: "record", Digest: r.H1.String()}
		if e.Why, e.status = ref.log.refusal(); e.Why != "" {
			e.hint = ref.log.hint()
		}
		e.Accepted = e.Why == ""
		out = append(out, recorded{r, e})
	}
	return out
}

// refusal says why nothing that this log holds counts; "" if it does.
func (l *provenLog) refusal() (string, Status) {
	switch {
	case l.err == nil:
		return "", Verified
	case l.untrusted():
		return fmt.Sprintf("log %q is not trusted here", l.Name), NotAllowed
	}
	return fmt.Sprintf("log %q does not verify: %v", l.Name, l.err), Invalid
}

// hint says what would make the log count.
func (l *provenLog) hint() string {
	switch {
	case !l.untrusted():
		return ""
	case l.Kind == bundles.SumDB:
		return "if you trust this checksum database, name it with --sumdb"
	}
	return "if you trust this log, give its key with --rekor-public-key, or --trusted-root"
}

// signed judges all entries over a digest. What says what was signed: "zip" or
// "listing".
func (x *index) signed(digest [32]byte, what string) []*EvidenceReport {
	var out []*EvidenceReport
	for _, ref := range x.byDigest[digest] {
		out = append(out, x.signers.check(ref, what))
	}
	return out
}

// claimedElsewhere judges the entries that the manifest lists for a module and
// that are over neither digest: somebody vouched for other content.
func (x *index) claimedElsewhere(m module.Version, zip, listing [32]byte) []*EvidenceReport {
	d, ok := x.claimed[m]
	if !ok {
		return nil
	}
	var out []*EvidenceReport
	for _, r := range d.Entries {
		ref := x.refs(r)
		if ref.log.Kind != bundles.RekorV1 {
			continue
		}
		h, err := evidence.ParseHashedRekord([]byte(ref.entry.Leaf))
		if err != nil || h.SHA256 == zip || h.SHA256 == listing {
			continue
		}
		what := "other"
		switch hex.EncodeToString(h.SHA256[:]) {
		case d.Zip:
			what = "zip"
		case d.Listing:
			what = "listing"
		}
		out = append(out, x.signers.check(ref, what))
	}
	return out
}

// signerCheck is step 5 for signed entries: package evidence verifies them, the
// policy says whether the signer counts. Each entry is verified once.
type signerCheck struct {
	policy   *policy.Policy
	verifier *evidence.Verifier

	mu   sync.Mutex
	done map[*bundles.Entry]*signerResult
}

type signerResult struct {
	once   sync.Once
	digest [32]byte
	signer string
	time   time.Time
	status Status // Verified if it counts
	why    string // it does not
	hint   string // what would make it count
}

func (r *signerResult) refuse(s Status, format string, a ...any) {
	r.status, r.why = s, fmt.Sprintf(format, a...)
}

func newSignerCheck(p *policy.Policy, m *trust.Material) (*signerCheck, error) {
	var known []*keys.Public
	for _, s := range p.Signers {
		if s.Key != nil {
			known = append(known, s.Key)
		}
	}
	v, err := evidence.NewVerifier(m.Sigstore, known...)
	return &signerCheck{policy: p, verifier: v, done: map[*bundles.Entry]*signerResult{}}, err
}

// check gives the verdict on an entry. What says what was signed.
func (s *signerCheck) check(ref entryRef, what string) *EvidenceReport {
	s.mu.Lock()
	r := s.done[ref.entry]
	if r == nil {
		r = &signerResult{}
		s.done[ref.entry] = r
	}
	s.mu.Unlock()
	r.once.Do(func() { s.judge(ref, r) })
	return &EvidenceReport{
		Log: ref.log.Name, Index: ref.entry.LogIndex, Of: what, Digest: "sha256:" + hex.EncodeToString(r.digest[:]), sum: r.digest,
		Signer: r.signer, Time: r.time, Accepted: r.status == Verified, Why: r.why, status: r.status, hint: r.hint,
	}
}

func (s *signerCheck) judge(ref entryRef, r *signerResult) {
	h, err := evidence.ParseHashedRekord([]byte(ref.entry.Leaf))
	if err != nil {
		r.refuse(Invalid, "%v", err) // not reached: the index parsed it
		return
	}
	r.digest = h.SHA256
	r.signer = "a certificate"
	if h.Certificate == nil {
		r.signer = policy.KeySigner(h.Key).Name
	}
	if r.why, r.status = ref.log.refusal(); r.why != "" {
		r.hint = ref.log.hint()
		return
	}
	r.hint = "if you trust the signer, name it with --key, or --certificate-identity and --certificate-oidc-issuer"
	// whom the policy does not name is not worth a verification
	byKey, named := s.policy.ByKey(h.Key)
	switch {
	case h.Certificate == nil && !named:
		r.refuse(NotAllowed, "signed by %s, whom the policy does not name", r.signer)
		return
	case h.Certificate != nil && !s.policy.NamesIdentities():
		r.refuse(NotAllowed, "signed with a certificate, and the policy names no identity")
		return
	}
	signed, err := s.verify(ref, h)
	if err != nil {
		r.hint = ""
		r.refuse(Invalid, "%v", err)
		return
	}
	r.time = signed.Time
	if h.Certificate == nil {
		r.signer, r.status = byKey.Name, Verified
		return
	}
	signer, ok := s.policy.ByCertificate(*signed.Certificate)
	if !ok {
		r.signer = fmt.Sprintf("identity %.200q of %.200q", signed.Certificate.SubjectAlternativeName, signed.Certificate.Issuer)
		r.refuse(NotAllowed, "signed by %s, whom the policy does not name", r.signer)
		return
	}
	r.signer, r.status = signer.Name, Verified
}

// verify takes the ordinary inclusion proof out of the multiproof and verifies
// the entry as the Sigstore bundle that it is.
func (s *signerCheck) verify(ref entryRef, h *evidence.HashedRekord) (*evidence.Signed, error) {
	inclusion, err := ref.log.proven.Inclusion(ref.entry.Index)
	if err != nil {
		return nil, err
	}
	return s.verifier.Verify(&evidence.RekorV1{
		Body: []byte(ref.entry.Leaf), LogID: ref.log.id, LogIndex: ref.entry.LogIndex, IntegratedTime: ref.entry.IntegratedTime,
		SET: ref.entry.SET, Inclusion: inclusion, Checkpoint: ref.log.Checkpoint,
	}, h)
}
