package cli

import (
	"context"
	"path/filepath"

	"github.com/modseal/modseal/verify"
)

type verifyCommand struct {
	Bundle string `arg:"" placeholder:"BUNDLE" help:"The *.modseal file."`
	Dir    string `arg:"" optional:"" placeholder:"DIR" help:"The project (default: here, or with --artifact or --binary none)."`

	judgeFlags
	artifactFlags `group:"What is verified"`
	binaryFlags   `group:"What is verified"`
	projectFlags  `group:"What is verified"`
	goFlags       `group:"What is verified"`
	Zips          string `group:"What is verified" placeholder:"DIR" help:"Verify module zips of a file:// GOPROXY or a folder of zips, in place of a module cache."`
	HashZips      bool   `group:"What is verified" help:"Also hash the content of zips that no build reads, because the module is unpacked beside them."`

	Materialize string `group:"What is verified" placeholder:"DIR" help:"Copy the modules first, verify the copies, and leave them in DIR, a module cache which must be new or empty."`
	gateFlags   `group:"Report and sandbox"`

	command []string // to run after a pass
}

// Help is shown below the flags.
func (c *verifyCommand) Help() string {
	return `Exit codes: 0 every module is proven; 1 at least one is not; 2 nothing could be checked; 3 the bundle can't be trusted. They are the same in every format.

Example: modseal verify --seal-key seal.pub --key signer.pub --require rekor deps.modseal . -- go build -trimpath ./...

What follows "--" is run after a pass, and only then: in DIR, or here if none is given, with GOMODCACHE set to verified copies of the modules (a temporary folder, or that of --materialize), GOPROXY=off and -mod=readonly in GOFLAGS. Its exit code is passed on, 128+n if signal n ended it. The report goes to standard error then.

Whatever becomes of the old module cache meanwhile, what was proven is what is built; "modseal verify … && go build" leaves that to you. A build without -trimpath has the name of the module cache in what it compiles, so with a temporary folder it compiles all modules anew.`
}

// Run is modseal verify.
func (c *verifyCommand) Run(ctx context.Context, p *Process) error {
	if c.command != nil {
		return c.guard(p)
	}
	var copies *newFolder
	var err error
	if c.Materialize != "" {
		if copies, err = c.beginCopies(p); err != nil {
			return err
		}
	}
	g, err := c.gateFlags.open(ctx, p, &c.judgeFlags, copies)
	if err != nil {
		return err
	}
	defer g.close()
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
	if err := g.kept.read(request); err != nil {
		return err
	}
	progress := newVerifyProgress(p, "hash modules", c.Quiet)
	request.Progress = progress.update
	var r *verify.Report
	if copies == nil {
		r, err = verify.Check(ctx, *request)
	} else {
		r, err = c.materialize(ctx, p, request, copies)
	}
	progress.done()
	return g.conclude(ctx, r, err)
}

// request reads the enclave's side.
func (c *verifyCommand) request(p *Process) (*verify.Request, error) {
	r := &verify.Request{Dir: c.project(p, c.Dir, len(c.Binary) > 0), World: p.world(), Mod: c.Mod, HashZips: c.HashZips}
	if c.ModCache != "" {
		r.ModCache = p.path(c.ModCache)
	}
	if c.Zips != "" {
		r.Zips = p.path(c.Zips)
	}
	if err := c.judgeFlags.fill(p, r); err != nil {
		return nil, err
	}
	if err := c.goFlags.fill(p, r); err != nil {
		return nil, err
	}
	var err error
	if r.Artifacts, err = c.artifacts(p); err != nil {
		return nil, err
	}
	r.Binaries, err = c.binaries(p)
	return r, err
}
