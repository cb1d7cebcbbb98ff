package verify

import (
	"context"

	"github.com/modseal/modseal/bundles"
)

// CheckJudged is Check, and gives the leaves of the signed entries whose claims were
// read, each once.
func CheckJudged(ctx context.Context, r Request) (*Report, map[string]bool, error) {
	e, err := readEnclave(r)
	if err != nil {
		return nil, nil, err
	}
	b, err := bundles.Open(r.Bundle, r.BundleSize, bundles.OpenOptions{Seals: r.Seals})
	if err != nil {
		return nil, nil, err
	}
	p, err := r.prove(b)
	if err != nil {
		return nil, nil, err
	}
	report, err := r.judgeBy(ctx, e, p, r.newReader(e))
	judged := map[string]bool{}
	for e := range p.index.signers.done {
		judged[e.Leaf] = true
	}
	return report, judged, err
}

// HashedAhead is how many modules are hashed before there is a bundle, if their listings
// may take most bytes.
func HashedAhead(ctx context.Context, r Request, most int64) (int, error) {
	e, err := readEnclave(r)
	if err != nil {
		return 0, err
	}
	a := r.newReader(e).hashAhead(ctx, e.project.Modules, most)
	<-a.done
	a.close()
	n := 0
	for i := range a.of {
		if a.of[i].listing != nil {
			n++
		}
	}
	return n, nil
}
