package cli

import (
	"slices"
	"time"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/gomod"
	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/internal/seal"
	"github.com/modseal/modseal/verify"
)

// judgeFlags say by whose rules a bundle, and what it speaks of, is judged.
type judgeFlags struct {
	sealerFlags        `group:"Who may seal"`
	InsecureIgnoreSeal bool `group:"Who may seal" help:"Accept a bundle that nobody trusted sealed. Its evidence is still verified."`
	policyFlags        `group:"What modules and artifacts need"`
	Explain            []string `group:"What modules and artifacts need" placeholder:"MODULE" sep:"none" help:"Say how the policy decided on this module (path, or path@version) or artifact. Repeatable."`
	trustFlags         `group:"Which logs and authorities count"`
	chainFlags         `group:"Which logs and authorities count"`
	stateFlags         `group:"How new it must be"`
	MaxAge             time.Duration `group:"How new it must be" placeholder:"720h" help:"How old the bundle may be, by signed evidence, at the moment of judging; warned of from four fifths of it on. Older is exit code 3."`
	At                 string        `group:"How new it must be" placeholder:"TIME" help:"Judge as of this moment, 2026-01-02T15:04:05Z or 2026-01-02: the trust chain (default: the time that the bundle states), and the policy's time windows, exemptions and ages (default: now)."`
	SumDB              string        `group:"Which logs and authorities count" name:"sumdb" placeholder:"NAME|KEY|off" help:"Checksum database to trust, as GOSUMDB has it (default: GOSUMDB, or sum.golang.org where that is off)."`
}

// fill puts the rules into a request, which has its World. An empty trust is
// refused here, where the flag that would help can be named.
func (f *judgeFlags) fill(p *Process, r *verify.Request) error {
	var err error
	r.InsecureIgnoreSeals = f.InsecureIgnoreSeal
	if r.Policy, err = f.policy(p); err != nil {
		return err
	}
	rule, err := f.sealRule(p, r.Policy)
	if err != nil {
		return err
	}
	r.Explain = func(name string) bool { return slices.Contains(f.Explain, name) }
	if r.Trust, r.Anchor, err = f.trusted(p); err != nil {
		return err
	}
	switch {
	case f.MaxAge < 0:
		return usagef("--max-age=%s is no age", f.MaxAge)
	case f.MaxAge > 0 && r.Policy.Seal.MaxAge() > 0:
		return usagef("both %s and --max-age say how old the bundle may be: leave one out", f.Policy)
	}
	r.MaxAge = f.MaxAge
	r.Now = p.Now()
	if f.At != "" {
		if r.At, err = atTime(f.At); err != nil {
			return err
		}
		r.Now = r.At
	}
	env, err := gomod.ReadEnv(r.World)
	if err != nil {
		return err
	}
	db, err := verifierSumDB(f.SumDB, env)
	if err != nil {
		return &usageError{err}
	}
	if db != nil {
		r.Trust.SumDBs = append(r.Trust.SumDBs, *db)
	}
	r.Seals, err = f.sealVerifier(r, rule)
	return err
}

const whoseSeal = "whose bundles are trusted? give --seal-key K.pub, or --seal-identity and --seal-issuer, or a policy file that says who may seal, or accept anybody's with --insecure-ignore-seal"

// sealRule is who may seal: whom the flags name, or the policy file.
func (f *judgeFlags) sealRule(p *Process, policy *policy.Policy) (policy.SealRule, error) {
	byPolicy := len(policy.Seal.Sealers()) > 0
	switch {
	case f.given() && byPolicy:
		return policy.Seal, usagef("both %s and --seal-key or --seal-identity say who may seal: leave one out", f.Policy)
	case byPolicy:
		return policy.Seal, nil
	case !f.given() && !f.InsecureIgnoreSeal:
		return policy.Seal, usagef(whoseSeal)
	}
	return f.rule(p)
}

// sealVerifier judges seals by what the enclave itself trusts: nothing of a
// bundle is read before its seal is verified, its trust chain neither.
func (f *judgeFlags) sealVerifier(r *verify.Request, rule policy.SealRule) (bundles.SealVerifier, error) {
	m := r.Trust
	if r.Anchor != nil && (r.Anchor.Chain != nil || r.Anchor.Fallback != nil) {
		var err error
		if m, err = r.Anchor.Own(r.Trust, r.Now); err != nil {
			return nil, err
		}
	}
	return seal.Trusted{Rule: rule, Trust: m}, nil
}
