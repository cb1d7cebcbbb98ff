package verify

import (
	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/internal/trust"
)

// proven is a bundle after steps 3 and 4, which are the same whatever is verified by
// it: who is trusted, and which of its logs are proven.
type proven struct {
	*bundles.Bundle
	logs     []provenLog
	index    *index         // of their entries, none of which is verified yet
	walked   *TrustReport   // nil if no chain was walked
	related  *StateReport   // nil if no state is kept, as
	remember *State         // is this
	known    *knownVerdicts // nil unless several projects are verified
}

func (r *Request) prove(b *bundles.Bundle) (*proven, error) {
	p := &proven{Bundle: b}
	trusted, walked, err := r.trusted(b)
	if err != nil {
		return nil, err
	}
	witnesses, err := parseWitnesses(r.Policy)
	if err != nil {
		return nil, err
	}
	p.walked, p.logs = walked, proveLogs(b, trusted, witnesses)
	if p.related, p.remember, err = r.checkState(b, p.logs, trusted, walked); err != nil {
		return nil, err
	}
	signers, err := newSignerCheck(r.Policy, trusted)
	if err != nil {
		return nil, err
	}
	p.index = indexEntries(b, p.logs, signers)
	return p, nil
}

func parseWitnesses(p *policy.Policy) ([]trust.Witness, error) {
	var out []trust.Witness
	for _, w := range p.Witnesses {
		parsed, err := trust.ParseWitness(w.Name, w.VKey)
		if err != nil {
			return nil, err
		}
		out = append(out, parsed)
	}
	return out, nil
}
