package cli

import (
	"github.com/modseal/modseal/internal/trust"
	"github.com/modseal/modseal/verify"
)

// chainFlags say which TUF root is pinned, and where its chain is.
type chainFlags struct {
	TUFRoot  string `name:"tuf-root" placeholder:"FILE|public-good|staging" help:"Pin this TUF root.json, and trust what the chain that begins with it leads to, besides --trusted-root and --rekor-public-key."`
	TrustDir string `name:"trust" placeholder:"DIR" help:"A chain that modseal trust fetch wrote: for snapshot to carry in the bundle, for verify to walk in place of the bundle's."`
}

// anchor is the pinned root, with the chain in --trust if there is one; nil if
// neither flag was given.
func (f *chainFlags) anchor(p *Process) (*verify.Anchor, error) {
	if f.TUFRoot == "" && f.TrustDir == "" {
		return nil, nil
	}
	root, name, err := p.tufRoot(f.TUFRoot)
	if err != nil {
		return nil, err
	}
	a := &verify.Anchor{Root: root, Name: name}
	if f.TrustDir != "" {
		if a.Chain, err = p.readChain(f.TrustDir); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// trusted is what verify trusts: logs and authorities that flags name; or those
// to which a chain leads from a root that is pinned; or both. Without any of the
// flags it is Sigstore's public instance: by the bundle's chain from the root
// that is built in, or, if the bundle has none, as built in.
func (c *judgeFlags) trusted(p *Process) (*trust.Material, *verify.Anchor, error) {
	a, err := c.anchor(p)
	if err != nil {
		return nil, nil, err
	}
	if a == nil && !c.named() {
		root, name, err := p.tufRoot("")
		return &trust.Material{}, &verify.Anchor{Root: root, Name: name, Fallback: trust.PublicGoodTrustedRoot()}, err
	}
	m, err := c.onlyNamed(p)
	return m, a, err
}
