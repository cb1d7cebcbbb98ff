package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	"golang.org/x/mod/module"
	"golang.org/x/sync/errgroup"

	"github.com/modseal/modseal/internal/attest"
	"github.com/modseal/modseal/internal/gomod"
	"github.com/modseal/modseal/internal/modhash"
	"github.com/modseal/modseal/internal/report"
	"github.com/modseal/modseal/internal/sign"
	"github.com/modseal/modseal/snapshot"
)

type attestCommand struct {
	Modules []string `arg:"" optional:"" placeholder:"MODULE@VERSION" help:"The modules to attest, as they are in the module cache; with --all the project (default: here)."`

	Dir       string `short:"C" default:"." placeholder:"DIR" help:"The project that --all is of (default: here)."`
	All       bool   `help:"Attest every module of the project."`
	Key       string `placeholder:"K.key" help:"Private key to sign with, as modseal keygen makes it. Without it, an identity signs, with a certificate of a Fulcio."`
	Statement bool   `help:"Sign one in-toto statement about each module, in place of its zip and its listing."`
	RekorURL  string `name:"rekor-url" placeholder:"URL" help:"Rekor to log in (default ${public_rekor})."`
	signingFlags
	trustFlags
	projectFlags
	Output string `short:"o" default:"attestations" placeholder:"DIR" help:"Folder for the Sigstore bundles (default ${default})."`
	Quiet  bool   `short:"q" help:"No progress."`
}

// Help is shown below the flags.
func (c *attestCommand) Help() string {
	return `What is attested already is not logged again: a Sigstore bundle in the output folder that verifies, or the same signer's entry that a Rekor v1 finds. So an attestation that was interrupted goes on when it is run again. A file of another signer is never overwritten: keep each signer's in a folder of their own.

The password of an encrypted --key is taken from $MODSEAL_PASSWORD or asked for.

Example: modseal attest --key signer.key --rekor-url URL --rekor-public-key rekor.pub --all .`
}

// attestAtOnce is how many modules are attested at the same time.
const attestAtOnce = 8

// Run is modseal attest.
func (c *attestCommand) Run(ctx context.Context, p *Process) error {
	if err := c.arguments(); err != nil {
		return err
	}
	if err := c.configure(p, &c.RekorURL); err != nil {
		return err
	}
	if c.RekorURL == "" {
		c.RekorURL = publicRekorURL
	}
	env, err := gomod.ReadEnv(p.world())
	if err != nil {
		return err
	}
	if c.ModCache != "" {
		env.GOMODCACHE = p.path(c.ModCache)
	}
	cache, err := env.Cache()
	if err != nil {
		return err
	}
	modules, err := c.modules(p, env)
	if err != nil {
		return err
	}
	if err := c.refusePrivate(env, modules); err != nil {
		return err
	}
	ui := newPhases(p, c.Quiet)
	defer ui.end()
	a, err := c.attester(ctx, p, ui)
	if err != nil {
		return err
	}
	return c.attestAll(ctx, p, ui, &attesting{Attester: a, hasher: modhash.New(modhash.Options{}), cache: cache}, modules)
}

// arguments takes the project's folder as an argument of --all.
func (c *attestCommand) arguments() error {
	if c.All && len(c.Modules) == 1 && c.Dir == "." {
		c.Dir, c.Modules = c.Modules[0], nil
	}
	if c.All == (len(c.Modules) > 0) {
		return usagef("name modules as MODULE@VERSION, or give --all, with at most one folder")
	}
	return nil
}

func (c *attestCommand) attestAll(ctx context.Context, p *Process, ui *phases, a *attesting, modules []module.Version) error {
	ui.phase(snapshot.Phase{Name: "attest modules", Total: int64(len(modules)), Unit: "modules"})
	var logged, known atomic.Int64
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(attestAtOnce)
	for _, m := range modules {
		g.Go(func() error {
			done, err := a.attest(gctx, m)
			if err != nil {
				return fmt.Errorf("%s: %w", m, err)
			}
			for _, d := range done {
				if d.Existed {
					known.Add(1)
				} else {
					logged.Add(1)
				}
			}
			ui.count(1)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	ui.phase(snapshot.Phase{Name: "attest modules", Done: fmt.Sprintf("%d modules", len(modules))})
	fmt.Fprintf(p.Stdout, "%s attested: %d new entries in %s, %d were there; Sigstore bundles in %s\n", report.Count(len(modules), "module"), logged.Load(), c.RekorURL, known.Load(), c.Output)
	return nil
}

// modules are those named, or all that the project's build reads the content of.
func (c *attestCommand) modules(p *Process, env gomod.Env) ([]module.Version, error) {
	var out []module.Version
	for _, arg := range c.Modules {
		path, version, ok := strings.Cut(arg, "@")
		m := module.Version{Path: path, Version: version}
		if !ok || gomod.CheckModule(m) != nil {
			return nil, usagef("%q is not MODULE@VERSION with a full version, such as golang.org/x/mod@v0.42.0", arg)
		}
		out = append(out, m)
	}
	if !c.All {
		return out, nil
	}
	project, err := gomod.Load(gomod.Request{Dir: p.path(c.Dir), Env: env, Mod: c.Mod, Vendor: gomod.IgnoreVendor})
	if err != nil {
		return nil, err
	}
	for _, m := range project.Modules {
		if m.LocalDir == "" && !m.GoModOnly {
			out = append(out, module.Version{Path: m.Path, Version: m.Version})
		}
	}
	if len(out) == 0 {
		return nil, usagef("%s needs no modules", cmp.Or(project.Main, project.Work))
	}
	return out, nil
}

// refusePrivate keeps digests of private modules out of a public log, where they
// would stay.
func (c *attestCommand) refusePrivate(env gomod.Env, modules []module.Version) error {
	if !snapshot.PublicRekor(c.RekorURL) {
		return nil
	}
	for _, m := range modules {
		if env.Private(m.Path) {
			return usagef("%s is private (GOPRIVATE, GONOSUMDB) and %s is public: name a Rekor of your own with --rekor-url", m, c.RekorURL)
		}
	}
	return nil
}

func (c *attestCommand) attester(ctx context.Context, p *Process, ui *phases) (*attest.Attester, error) {
	signer, err := c.signer(p)
	if err != nil {
		return nil, err
	}
	material, err := c.material(p)
	if err != nil {
		return nil, err
	}
	service, err := c.service(ctx, signer, c.RekorURL, material, ui)
	if err != nil {
		return nil, err
	}
	if err := said(ctx, p, c.Quiet, service); err != nil {
		return nil, err
	}
	return attest.New(attest.Options{Sign: service, Statement: c.Statement, Dir: p.path(c.Output)}), nil
}

func (c *attestCommand) signer(p *Process) (sign.Signer, error) {
	if c.Key == "" {
		return c.keyless(p, c.RekorURL, "")
	}
	key, err := p.privateKey(c.Key)
	if err != nil {
		return nil, err
	}
	if err := attest.CheckKey(key.Public(), c.Statement); err != nil {
		return nil, &usageError{err}
	}
	return sign.ByKey(key), nil
}

// attesting attests modules of a module cache.
type attesting struct {
	*attest.Attester
	hasher *modhash.Hasher
	cache  *gomod.Cache
}

func (a *attesting) attest(ctx context.Context, m module.Version) ([]attest.Attestation, error) {
	zip, err := a.cache.Zip(m)
	if err != nil {
		return nil, err
	}
	if _, err := gomod.RegularFile(zip); err != nil {
		return nil, fmt.Errorf("%w: fetch it with go mod download %s", err, m)
	}
	z, err := a.hasher.Zip(ctx, zip, m)
	if err != nil {
		return nil, err
	}
	return a.Module(ctx, m, z)
}
