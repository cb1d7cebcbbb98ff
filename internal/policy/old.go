package policy

import (
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"

	"github.com/modseal/modseal/internal/keys"
)

// What is left of policies without rules. It goes with Policy.Require when
// packages verify and snapshot ask Policy.Decide.

// Met tells whether what a module has is enough.
func (r Require) Met(sumdb, rekor bool) bool {
	switch r {
	case RequireAny:
		return sumdb || rekor
	case RequireAll:
		return sumdb && rekor
	case RequireRekor:
		return rekor
	case RequireSumDB:
		return sumdb
	}
	return false
}

// Needs says in words what the requirement is.
func (r Require) Needs() string {
	if q := r.requirement(nil); q != nil {
		return q.needs()
	}
	return needsNothing
}

// ByKey finds the signer with this key.
func (p *Policy) ByKey(k *keys.Public) (Signer, bool) { return p.by(Principal{Key: k}) }

// ByCertificate finds the first signer whom a certificate names.
func (p *Policy) ByCertificate(c certificate.Summary) (Signer, bool) {
	return p.by(Principal{Certificate: &c})
}

func (p *Policy) by(who Principal) (Signer, bool) {
	for i := range p.Signers {
		if p.Signers[i].is(who) {
			return p.Signers[i], true
		}
	}
	return Signer{}, false
}
