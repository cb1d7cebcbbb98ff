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
	artifactFlags
	binaryFlags
	projectFlags
	goFlags
	Zips     string `placeholder:"DIR" help:"Verify module zips of a file:// GOPROXY or a folder of zips, in place of a module cache."`
	HashZips bool   `help:"Also hash the content of zips that no build reads, because the module is unpacked beside them."`
	reportFlags
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
	return c.judged(p, r, c.Explain)
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
