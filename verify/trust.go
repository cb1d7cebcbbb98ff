package verify

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/tufchain"
)

// ErrTrust says that the bundle's trust chain does not lead from the enclave's
// pinned root to a trusted root: the bundle can't be trusted. It wraps a
// *tufchain.Error when there is a chain.
var ErrTrust = errors.New("the bundle's trust chain is refused")

// Anchor is a TUF root that the enclave pins. What the chain that begins with it
// leads to is trusted besides Request.Trust.
type Anchor struct {
	Root []byte // root.json
	Name string // for the report: where it is from
	// Chain is the enclave's own chain. Nil takes that of the bundle.
	Chain tufchain.Files
	// Fallback is the trusted_root.json to trust when the bundle carries no chain.
	// Nil demands one. A chain that is there and can't be walked is an error
	// either way: it says that the bundle, or the pinned root, is not the right
	// one.
	Fallback []byte
}

// TrustReport says where the walk of a trust chain ended.
type TrustReport struct {
	Pinned        string    `json:"pinned"` // where the pinned root is from
	PinnedVersion int64     `json:"pinnedVersion"`
	RootVersion   int64     `json:"rootVersion"` // that the walk ended at
	Moved         bool      `json:"moved"`       // the two differ
	Chain         string    `json:"chain"`       // whose chain it was: bundle or enclave
	At            time.Time `json:"at"`          // as of when it was judged
	Given         bool      `json:"given"`       // At was asked for; else it is the bundle's time

	Root      tufchain.Role `json:"root"`
	Timestamp tufchain.Role `json:"timestamp"`
	Snapshot  tufchain.Role `json:"snapshot"`
	Targets   tufchain.Role `json:"targets"`
}

// trusted is step 3: what is trusted, besides what was given, by the chain that
// leads from the pinned root; and where that ended, if there was one.
func (r *Request) trusted(b *bundles.Bundle) (*Material, *TrustReport, error) {
	a := r.Anchor
	if a == nil || a.Chain == nil && b.Trust == nil && a.Fallback != nil {
		if a == nil {
			return r.Trust, nil, nil
		}
		m, err := with(r.Trust, a.Fallback)
		return m, nil, err
	}
	at := r.At
	if at.IsZero() {
		created, err := b.Manifest.CreatedAt()
		if err != nil {
			return nil, nil, err
		}
		at = created
	}
	if a.Chain != nil {
		m, report, err := a.walk(r.Trust, a.Chain, at)
		if err != nil {
			return nil, nil, fmt.Errorf("the enclave's own chain: %w", err)
		}
		report.Chain, report.Given = "enclave", !r.At.IsZero()
		return m, report, nil
	}
	if b.Trust == nil {
		return nil, nil, fmt.Errorf("%w: the bundle carries none, and a root is pinned to begin one with", ErrTrust)
	}
	m, report, err := a.walk(r.Trust, b.Trust, at)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrTrust, err)
	}
	report.Chain, report.Given = "bundle", !r.At.IsZero()
	return m, report, nil
}

// Own adds to what is trusted already what the anchor itself has, without any
// bundle: what its own chain leads to as of a time, or else what stands in for a
// chain.
func (a *Anchor) Own(base *Material, at time.Time) (*Material, error) {
	if a.Chain != nil {
		return a.Trusted(base, at)
	}
	return with(base, a.Fallback)
}

// Trusted adds what the anchor's own chain leads to, as of a time, to what is
// trusted already.
func (a *Anchor) Trusted(base *Material, at time.Time) (*Material, error) {
	m, _, err := a.walk(base, a.Chain, at)
	return m, err
}

func (a *Anchor) walk(base *Material, chain tufchain.Files, at time.Time) (*Material, *TrustReport, error) {
	w, err := tufchain.Walk(a.Root, chain, at)
	if err != nil {
		return nil, nil, err
	}
	m, err := with(base, w.TrustedRoot)
	if err != nil {
		return nil, nil, err
	}
	return m, &TrustReport{
		Pinned: a.Name, PinnedVersion: w.PinnedVersion, RootVersion: w.Root.Version, Moved: w.Moved(), At: w.At.UTC(),
		Root: w.Root, Timestamp: w.Timestamp, Snapshot: w.Snapshot, Targets: w.Targets,
	}, nil
}

// maxSkew is by how much clocks may differ, and how long a snapshot may take.
const maxSkew = time.Hour

// backdated says that a chain was judged as of a time that the bundle states,
// and that its own evidence proves to be before it was made: then a chain that
// had expired when the bundle was made passes. It may be honest (a snapshot with
// SOURCE_DATE_EPOCH), so it is for a person to judge.
func (r *TrustReport) backdated(verdicts []*Verdict) []string {
	if r == nil || r.Given {
		return nil
	}
	var newest time.Time
	for _, v := range verdicts {
		for _, e := range v.Evidence {
			if e.Accepted && e.Time.After(newest) {
				newest = e.Time
			}
		}
	}
	if !newest.After(r.At.Add(maxSkew)) {
		return nil
	}
	return []string{fmt.Sprintf("the trust chain was judged as of %s, the time that the bundle states, but the bundle has evidence that was logged %s: --at judges the chain as of a time of your choice",
		r.At.Format(time.RFC3339), newest.UTC().Format(time.RFC3339))}
}

// with is what is trusted, and a trusted_root.json. What was given is left as it
// is.
func with(base *Material, trustedRoot []byte) (*Material, error) {
	m := &Material{SumDBs: base.SumDBs, Sigstore: slices.Clone(base.Sigstore)}
	return m, m.AddTrustedRoot(trustedRoot)
}
