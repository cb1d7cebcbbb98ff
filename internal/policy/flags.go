package policy

// Require says which kinds of evidence the flags ask for.
type Require string

// The requirements. The zero value is none of them, and nothing meets it.
const (
	RequireAny   Require = "any"   // a checksum-database record or a trusted signer's entry in Rekor
	RequireAll   Require = "all"   // both
	RequireRekor Require = "rekor" // a trusted signer's entry in Rekor
	RequireSumDB Require = "sumdb" // a checksum-database record
)

const needsNothing = "what nothing meets"

// requirement is what the word stands for; nil if it is none.
func (r Require) requirement(signers []*Signer) requirement {
	record := &records{logs: 1}
	entry := &signedBy{signers: signers, threshold: 1, logs: 1, words: "a trusted signer's entry in Rekor"}
	switch r {
	case RequireAny:
		return &anyOf{[]requirement{record, entry}}
	case RequireAll:
		return &allOf{[]requirement{record, entry}}
	case RequireRekor:
		return entry
	case RequireSumDB:
		return record
	}
	return nil
}

// Flags are shorthand for a policy of one rule, which is for everything. Its
// zero value accepts nothing.
type Flags struct {
	Require    Require
	Signers    []Signer
	AllowLocal bool
	// Sealers are who may seal. SealThreshold is how many of them must: 0 is one,
	// AllSealers is each.
	Sealers       []Signer
	SealThreshold int
}

// AllSealers is the SealThreshold that asks for every sealer.
const AllSealers = -1

// FromFlags is the policy that flags stand for.
func FromFlags(f Flags) *Policy {
	p := &Policy{AllowLocal: f.AllowLocal}
	p.Signers = append(p.Signers, f.Signers...)
	signers, sealers := pointers(f.Signers), pointers(f.Sealers)
	p.named = append(append(p.named, signers...), sealers...)
	p.rules = []rule{{
		name: "--require=" + string(f.Require), match: matcher{text: "everything", everything: true}, require: f.Require.requirement(signers),
	}}
	p.Seal = SealRule{by: sealers, threshold: f.SealThreshold}
	switch f.SealThreshold {
	case 0:
		p.Seal.threshold = 1
	case AllSealers:
		p.Seal.threshold = most(sealers)
	}
	return p
}

func pointers(signers []Signer) []*Signer {
	var out []*Signer
	for _, s := range signers {
		out = append(out, &s)
	}
	return out
}
