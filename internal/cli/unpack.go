package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/export"
	"github.com/modseal/modseal/internal/materialize"
	"github.com/modseal/modseal/internal/report"
	"github.com/modseal/modseal/verify"
)

type unpackCommand struct {
	Bundle string `arg:"" placeholder:"BUNDLE" help:"The *.modseal file, made with modseal snapshot --with-modules."`
	Dir    string `arg:"" placeholder:"DIR" help:"The folder to write, which must be new or empty."`

	judgeFlags
	reportFlags
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
	request := &verify.Request{World: p.world()}
	if err := c.fill(p, request); err != nil {
		return err
	}
	f, size, err := p.openBundle(c.Bundle)
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := bundles.Open(f, size, bundles.OpenOptions{Seals: request.Seals, InsecureIgnoreSeals: request.InsecureIgnoreSeals})
	if err != nil {
		return err
	}
	if !b.Manifest.CarriesModules() {
		return &hintedError{verify.ErrNotCarried, "make one that does with modseal snapshot --with-modules"}
	}
	request.BundleName = filepath.Base(c.Bundle)
	progress := newVerifyProgress(p, "hash modules", c.Quiet)
	request.Progress = progress.update
	var written export.Written
	err = writeWhole(ctx, dir, 0o755, func(fresh string, root *os.Root) error {
		if written, err = export.Modules(ctx, b, root); err != nil {
			return fmt.Errorf("unpack: %w", err)
		}
		r, err := verify.CheckCarried(ctx, *request, b, fresh)
		progress.done()
		if err != nil {
			return err
		}
		return c.judged(p, r, c.Explain)
	})
	if err != nil {
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

// writeWhole lets write fill a folder beside dir, gives it its mode and then renames
// it: dir, which must be new or empty, is there whole or not at all. Nobody else
// can look into the folder before that.
func writeWhole(ctx context.Context, dir string, mode os.FileMode, write func(fresh string, root *os.Root) error) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	fresh, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+".*")
	if err != nil {
		return err
	}
	defer materialize.Remove(fresh)
	root, err := os.OpenRoot(fresh)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := write(fresh, root); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := os.Chmod(fresh, mode); err != nil {
		return err
	}
	return os.Rename(fresh, dir) // onto an empty folder too
}
