package cli

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/atomicfile"
	"github.com/modseal/modseal/internal/gomod"
	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/internal/report"
	"github.com/modseal/modseal/internal/seal"
	"github.com/modseal/modseal/verify"
)

type verifyCommand struct {
	Bundle string `arg:"" placeholder:"BUNDLE" help:"The *.modseal file."`
	Dir    string `arg:"" optional:"" placeholder:"DIR" help:"The project (default: here, or with --artifact or --binary none)."`

	sealerFlags
	InsecureIgnoreSeal bool `help:"Accept a bundle that nobody trusted sealed. Its evidence is still verified."`
	policyFlags
	Explain []string `placeholder:"MODULE" sep:"none" help:"Say how the policy decided on this module (path, or path@version) or artifact. Repeatable."`
	artifactFlags
	binaryFlags
	trustFlags
	chainFlags
	At    string `placeholder:"TIME" help:"Judge as of this moment, 2026-01-02T15:04:05Z or 2026-01-02: the trust chain (default: the time that the bundle states), and the policy's time windows, exemptions and ages (default: now)."`
	SumDB string `name:"sumdb" placeholder:"NAME|KEY|off" help:"Checksum database to trust, as GOSUMDB has it (default: GOSUMDB, or sum.golang.org where that is off)."`
	projectFlags
	Zips     string `placeholder:"DIR" help:"Verify module zips of a file:// GOPROXY or a folder of zips, in place of a module cache."`
	HashZips bool   `help:"Also hash the content of zips that no build reads, because the module is unpacked beside them."`

	Format string `enum:"text,json" default:"text" help:"Format of the report: text or json."`
	Output string `short:"o" placeholder:"FILE" help:"Write the report to a file."`
	All    bool   `short:"a" help:"List verified modules too, with their evidence."`
	Quiet  bool   `short:"q" help:"No progress."`
}

// Help is shown below the flags.
func (c *verifyCommand) Help() string {
	return `Exit codes: 0 every module is proven; 1 at least one is not; 2 nothing could be checked; 3 the bundle can't be trusted. They are the same in every format.

Example: modseal verify --seal-key seal.pub --key signer.pub --require rekor deps.modseal . && go build ./...`
}

// Run is modseal verify.
func (c *verifyCommand) Run(ctx context.Context, p *Process) error {
	request, err := c.request(p)
	if err != nil {
		return err
	}
	f, size, err := p.openBundle(c.Bundle)
	if err != nil {
		return err
	}
	defer f.Close()
	request.Bundle, request.BundleSize, request.BundleName = f, size, filepath.Base(c.Bundle)
	progress := newVerifyProgress(p, c.Quiet)
	request.Progress = progress.update
	r, err := verify.Check(ctx, *request)
	progress.done()
	if err != nil {
		return err
	}
	if err := c.write(p, r); err != nil {
		return err
	}
	for _, name := range c.Explain {
		if !explained(r, name) {
			p.say("--explain %s: there is no such module, and no such artifact was named", name)
		}
	}
	if !r.OK {
		return errUnproven
	}
	return nil
}

// request reads the enclave's side. An empty trust is refused here, where the
// flag that would help can be named.
func (c *verifyCommand) request(p *Process) (*verify.Request, error) {
	r := &verify.Request{
		Dir: c.project(p, c.Dir, len(c.Binary) > 0), World: p.world(), Mod: c.Mod, HashZips: c.HashZips, InsecureIgnoreSeals: c.InsecureIgnoreSeal,
	}
	if c.ModCache != "" {
		r.ModCache = p.path(c.ModCache)
	}
	if c.Zips != "" {
		r.Zips = p.path(c.Zips)
	}
	var err error
	if r.Policy, err = c.policy(p); err != nil {
		return nil, err
	}
	rule, err := c.sealRule(p, r.Policy)
	if err != nil {
		return nil, err
	}
	if r.Artifacts, err = c.artifacts(p); err != nil {
		return nil, err
	}
	if r.Binaries, err = c.binaries(p); err != nil {
		return nil, err
	}
	r.Explain = func(name string) bool { return slices.Contains(c.Explain, name) }
	if r.Trust, r.Anchor, err = c.trusted(p); err != nil {
		return nil, err
	}
	r.Now = p.Now()
	if c.At != "" {
		if r.At, err = atTime(c.At); err != nil {
			return nil, err
		}
		r.Now = r.At
	}
	env, err := gomod.ReadEnv(r.World)
	if err != nil {
		return nil, err
	}
	db, err := verifierSumDB(c.SumDB, env)
	if err != nil {
		return nil, &usageError{err}
	}
	if db != nil {
		r.Trust.SumDBs = append(r.Trust.SumDBs, *db)
	}
	r.Seals, err = c.sealVerifier(r, rule)
	return r, err
}

const whoseSeal = "whose bundles are trusted? give --seal-key K.pub, or --seal-identity and --seal-issuer, or a policy file that says who may seal, or accept anybody's with --insecure-ignore-seal"

// sealRule is who may seal: whom the flags name, or the policy file.
func (c *verifyCommand) sealRule(p *Process, policy *policy.Policy) (policy.SealRule, error) {
	byPolicy := len(policy.Seal.Sealers()) > 0
	switch {
	case c.given() && byPolicy:
		return policy.Seal, usagef("both %s and --seal-key or --seal-identity say who may seal: leave one out", c.Policy)
	case byPolicy:
		return policy.Seal, nil
	case !c.given() && !c.InsecureIgnoreSeal:
		return policy.Seal, usagef(whoseSeal)
	}
	return c.rule(p)
}

// sealVerifier judges seals by what the enclave itself trusts: nothing of a
// bundle is read before its seal is verified, its trust chain neither.
func (c *verifyCommand) sealVerifier(r *verify.Request, rule policy.SealRule) (bundles.SealVerifier, error) {
	m := r.Trust
	if r.Anchor != nil && (r.Anchor.Chain != nil || r.Anchor.Fallback != nil) {
		var err error
		if m, err = r.Anchor.Own(r.Trust, r.Now); err != nil {
			return nil, err
		}
	}
	return seal.Trusted{Rule: rule, Trust: m, Now: r.Now}, nil
}

// explained tells whether a report has what --explain asks about.
func explained(r *verify.Report, name string) bool {
	return slices.ContainsFunc(r.Modules, func(m verify.ModuleReport) bool { return name == m.Path || name == m.Path+"@"+m.Version }) ||
		slices.ContainsFunc(r.Artifacts, func(a verify.ArtifactReport) bool { return name == a.String() }) ||
		slices.ContainsFunc(r.Binaries, func(b verify.BinaryReport) bool {
			return slices.ContainsFunc(b.Modules, func(m verify.BinaryModule) bool { return name == m.Path || name == m.Path+"@"+m.Version })
		})
}

// write writes the report to standard output, or to a file that is there whole
// or not at all.
func (c *verifyCommand) write(p *Process, r *verify.Report) error {
	format := func(w io.Writer, color bool) error {
		if c.Format == "json" {
			return report.JSON(w, r)
		}
		return report.Text(w, r, report.TextOptions{Color: color, All: c.All})
	}
	if c.Output == "" {
		return format(p.Stdout, p.Color)
	}
	err := atomicfile.Write(p.path(c.Output), func(w io.Writer) error { return format(w, false) })
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}
