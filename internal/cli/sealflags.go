package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/internal/seal"
	"github.com/modseal/modseal/internal/sign"
	"github.com/modseal/modseal/internal/trust"
)

// sealerFlags say whose seals are trusted.
type sealerFlags struct {
	SealKey            []string `placeholder:"K.pub" sep:"none" help:"Public key of somebody who may seal bundles. Repeatable."`
	SealIdentity       []string `placeholder:"ID" sep:"none" help:"Identity in the certificate of somebody who may seal bundles. Repeatable."`
	SealIdentityRegexp []string `placeholder:"RE" sep:"none" help:"The same as a regular expression, which must match all of it."`
	SealIssuer         string   `placeholder:"URL" help:"OIDC issuer in these certificates."`
	SealIssuerRegexp   string   `placeholder:"RE" help:"The same as a regular expression, which must match all of it."`
	Seals              string   `default:"any" placeholder:"any|all|N" help:"How many of these sealers must have sealed the bundle (default any, which is one)."`
}

// given tells whether any sealer is named.
func (f *sealerFlags) given() bool {
	return len(f.SealKey)+len(f.SealIdentity)+len(f.SealIdentityRegexp) > 0
}

// rule is who may seal, and how many must.
func (f *sealerFlags) rule(p *Process) (policy.SealRule, error) {
	var out policy.Flags
	for _, name := range f.SealKey {
		k, err := p.publicKey(name)
		if err != nil {
			return policy.SealRule{}, err
		}
		s := policy.KeySigner(k)
		s.Name = filepath.Base(name) + " (" + s.Name + ")"
		out.Sealers = append(out.Sealers, s)
	}
	identities := []policy.Identity{}
	for _, id := range f.SealIdentity {
		identities = append(identities, policy.Identity{Subject: id})
	}
	for _, re := range f.SealIdentityRegexp {
		identities = append(identities, policy.Identity{SubjectRegexp: re})
	}
	for _, id := range identities {
		id.Issuer, id.IssuerRegexp = f.SealIssuer, f.SealIssuerRegexp
		s, err := policy.IdentitySigner(id)
		if err != nil {
			return policy.SealRule{}, usagef("who may seal: %w (--seal-issuer)", err)
		}
		out.Sealers = append(out.Sealers, s)
	}
	if len(identities) == 0 && f.SealIssuer+f.SealIssuerRegexp != "" {
		return policy.SealRule{}, usagef("--seal-issuer is of an identity: name it with --seal-identity")
	}
	switch n, err := strconv.Atoi(f.Seals); {
	case f.Seals == "any":
	case f.Seals == "all":
		out.SealThreshold = policy.AllSealers
	case err != nil || n < 1 || n > bundles.MaxSeals:
		return policy.SealRule{}, usagef("--seals=%s is none of any, all, and a number from 1 to %d", f.Seals, bundles.MaxSeals)
	case n > len(out.Sealers) && len(f.SealIdentityRegexp) == 0:
		return policy.SealRule{}, usagef("--seals=%d, and only %s named", n, map[bool]string{true: "1 sealer is", false: fmt.Sprintf("%d sealers are", len(out.Sealers))}[len(out.Sealers) == 1])
	default:
		out.SealThreshold = n
	}
	return policy.FromFlags(out).Seal, nil
}

// verifier is what bundles are opened with.
func (f *sealerFlags) verifier(p *Process, m *trust.Material) (bundles.SealVerifier, error) {
	rule, err := f.rule(p)
	return seal.Trusted{Rule: rule, Trust: m}, err
}

// open opens a bundle file by the seals that are trusted, as o says besides; nil
// material trusts keys alone.
func (f *sealerFlags) open(p *Process, name string, m *trust.Material, o bundles.OpenOptions) (_ *bundles.Bundle, _ func() error, err error) {
	if o.Seals, err = f.verifier(p, m); err != nil {
		return nil, nil, err
	}
	file, size, err := p.openBundle(name)
	if err != nil {
		return nil, nil, err
	}
	b, err := bundles.Open(file, size, o)
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return b, file.Close, nil
}

// sealingFlags say who seals.
type sealingFlags struct {
	SealKey      string `placeholder:"K.key" help:"Private key to seal the bundle with (modseal keygen makes one)."`
	SealKeyless  bool   `help:"Seal with an identity and no key: the seal is logged in a Rekor."`
	SealRekorURL string `name:"seal-rekor-url" placeholder:"URL" help:"Rekor to log the seal in (default: Sigstore's public one, as long as that is trusted)."`
	signingFlags `embed:"" prefix:"seal-"`
}

// sealer is what seals payloads, and who counts as the same sealer.
type sealer struct {
	seal func(bundles.Digests) ([]byte, error)
	who  func() (policy.Signer, error) // of an identity once it has a certificate
}

// sealer reads the key, or finds out that what is needed without one is there.
// Nil is nobody.
func (f *sealingFlags) sealer(ctx context.Context, p *Process, m *trust.Material, public bool, ui *phases) (*sealer, error) {
	switch {
	case f.SealKey != "" && f.SealKeyless:
		return nil, usagef("seal with --seal-key or with --seal-keyless, not both")
	case f.SealKey != "":
		k, err := p.privateKey(f.SealKey)
		if err != nil {
			return nil, err
		}
		return &sealer{
			seal: func(d bundles.Digests) ([]byte, error) { return seal.ByKey(k, d) },
			who:  func() (policy.Signer, error) { return policy.KeySigner(k.Public()), nil },
		}, nil
	case !f.SealKeyless:
		return nil, nil
	}
	url := f.SealRekorURL
	if err := f.configure(p, &url); err != nil {
		return nil, err
	}
	if url == "" {
		if !public {
			return nil, usagef("where is the seal logged? name a Rekor of your own with --seal-rekor-url, since you don't trust the public one")
		}
		url = publicRekorURL
	}
	signer, err := f.keyless(p, url, "seal-")
	if err != nil {
		return nil, err
	}
	service, err := f.service(ctx, signer, url, m, ui)
	if err != nil {
		return nil, err
	}
	if err := said(ctx, p, ui.quiet, service); err != nil { // before all the work, not after it
		return nil, err
	}
	return &sealer{
		seal: func(d bundles.Digests) ([]byte, error) {
			s, err := service.Sign(ctx, sign.Content{SHA256: d.SHA256})
			if err != nil {
				return nil, err
			}
			return s.Sigstore, nil
		},
		who: func() (policy.Signer, error) {
			c, err := service.Credential(ctx)
			if err != nil {
				return policy.Signer{}, err
			}
			return c.Signer()
		},
	}, nil
}
