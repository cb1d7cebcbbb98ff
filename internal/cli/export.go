package cli

import (
	"context"
	"fmt"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/export"
)

type exportCommand struct {
	Bundle   string `arg:"" placeholder:"BUNDLE" help:"The *.modseal file."`
	Sigstore string `required:"" placeholder:"DIR" help:"Write every Rekor entry as a Sigstore bundle into this folder, which must be new or empty."`
	sealerFlags
	trustFlags
	sandboxFlags
	InsecureIgnoreSeal bool `help:"Take the pieces out of a bundle that nobody trusted sealed. Each can still be verified by itself."`
}

// Help is shown below the flags.
func (c *exportCommand) Help() string {
	return `What is written is verified with the tools of Sigstore, offline:

  cosign verify-blob --trusted-root trusted_root.json --key signer.pub --bundle FILE.zip.0.sigstore.json MODULE.zip

Nothing is verified here but the seal. Exit codes: 0 written; 2 it could not be done; 3 the bundle can't be trusted.`
}

// Run is modseal export.
func (c *exportCommand) Run(ctx context.Context, p *Process) error {
	if !c.given() && !c.InsecureIgnoreSeal {
		return usagef(whoseSeal)
	}
	dir := p.path(c.Sigstore)
	if err := checkNewDir(dir); err != nil {
		return err
	}
	folder, err := beginFolder(dir)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	defer folder.discard()
	if _, err := c.enter(p, folder.output()); err != nil {
		return err
	}
	material, err := c.material(p)
	if err != nil {
		return err
	}
	b, closeFile, err := c.open(p, c.Bundle, material, bundles.OpenOptions{InsecureIgnoreSeals: c.InsecureIgnoreSeal})
	if err != nil {
		return err
	}
	defer closeFile()
	n, err := export.Sigstore(b, folder.root)
	if err == nil {
		err = folder.finish(ctx)
	}
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	fmt.Fprintf(p.Stdout, "%s: %d Sigstore bundles\n", c.Sigstore, n)
	return nil
}
