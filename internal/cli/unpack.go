package cli

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/export"
	"github.com/modseal/modseal/internal/report"
	"github.com/modseal/modseal/verify"
)

type unpackCommand struct {
	Bundle string `arg:"" placeholder:"BUNDLE" help:"The *.modseal file, made with modseal snapshot --with-modules."`
	Dir    string `arg:"" placeholder:"DIR" help:"The folder to write, which must be new or empty."`

	judgeFlags
	gateFlags `group:"Report and sandbox"`
}

// Help is shown below the flags.
func (c *unpackCommand) Help() string {
	return `Every module that the bundle carries is verified first, by the same rules as modseal verify --zips. DIR is there when all of them are proven, and only then.

Exit codes: 0 every module is proven, and DIR is written; 1 at least one is not; 2 it could not be done; 3 the bundle can't be trusted. Nothing is written to DIR but for 0.

Example: modseal unpack --seal-key seal.pub deps.modseal proxy && GOPROXY=file://$PWD/proxy GOSUMDB=off go build ./...

GOSUMDB=off is safe then for what is in DIR, and only that: modseal verify still compares it with the project. With a bundle made with --sumdb-tiles it is not needed: the go command finds the checksum database in DIR, and checks each module and toolchain itself. There are the modules of the dependency set that the snapshot was taken of; go mod tidy and the like, which walk the whole module graph, want more.`
}

// Run is modseal unpack.
func (c *unpackCommand) Run(ctx context.Context, p *Process) error {
	dir := p.path(c.Dir)
	if err := checkNewDir(dir); err != nil {
		return err
	}
	folder, err := beginFolder(dir)
	if err != nil {
		return err
	}
	g, err := c.gateFlags.open(ctx, p, &c.judgeFlags, folder)
	if err != nil {
		return err
	}
	defer g.close()
	request, b, closeFile, err := c.openCarrying(p)
	if err != nil {
		return err
	}
	defer closeFile()
	if err := g.kept.read(request); err != nil {
		return err
	}
	written, err := export.Modules(ctx, b, folder.root)
	if err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	progress := newVerifyProgress(p, "hash modules", c.Quiet)
	request.Progress = progress.update
	r, err := verify.CheckCarried(ctx, *request, b, folder.fresh)
	progress.done()
	if err := g.conclude(ctx, r, err); err != nil {
		return err
	}
	if c.Format == "text" && c.Output == "" {
		fmt.Fprintf(p.Stdout, "%s: %s, %d bytes, for GOPROXY=file://%s\n", c.Dir, report.Things(written.Modules, 0), written.Bytes, filepath.ToSlash(dir))
		for _, name := range written.SumDBs {
			fmt.Fprintf(p.Stdout, "%s: the checksum database %s is there too, so GOSUMDB can stay on\n", c.Dir, name)
		}
	}
	return nil
}

// openCarrying reads by whose rules the bundle is judged, and opens it. It must carry
// modules.
func (c *unpackCommand) openCarrying(p *Process) (*verify.Request, *bundles.Bundle, func() error, error) {
	request := &verify.Request{World: p.world(), BundleName: filepath.Base(c.Bundle)}
	if err := c.fill(p, request); err != nil {
		return nil, nil, nil, err
	}
	f, size, err := p.openBundle(c.Bundle)
	if err != nil {
		return nil, nil, nil, err
	}
	b, err := bundles.Open(f, size, bundles.OpenOptions{Seals: request.Seals, InsecureIgnoreSeals: request.InsecureIgnoreSeals})
	if err == nil && !b.Manifest.CarriesModules() {
		err = &hintedError{verify.ErrNotCarried, "make one that does with modseal snapshot --with-modules"}
	}
	if err != nil {
		f.Close()
		return nil, nil, nil, err
	}
	return request, b, f.Close, nil
}
