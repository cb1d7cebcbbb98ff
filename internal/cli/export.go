package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/export"
)

type exportCommand struct {
	Bundle   string `arg:"" placeholder:"BUNDLE" help:"The *.modseal file."`
	Sigstore string `required:"" placeholder:"DIR" help:"Write every Rekor entry as a Sigstore bundle into this folder, which must be new or empty."`
	sealerFlags
	trustFlags
	InsecureIgnoreSeal bool `help:"Take the pieces out of a bundle that nobody trusted sealed. Each can still be verified by itself."`
}

// Help is shown below the flags.
func (c *exportCommand) Help() string {
	return `What is written is verified with the tools of Sigstore, offline:

  cosign verify-blob --trusted-root trusted_root.json --key signer.pub --bundle FILE.zip.0.sigstore.json MODULE.zip

Nothing is verified here but the seal. Exit codes: 0 written; 2 it could not be done; 3 the bundle can't be trusted.`
}

// Run is modseal export.
func (c *exportCommand) Run(p *Process) error {
	if !c.given() && !c.InsecureIgnoreSeal {
		return usagef(whoseSeal)
	}
	dir := p.path(c.Sigstore)
	if err := checkNewDir(dir); err != nil {
		return err
	}
	material, err := c.material(p)
	if err != nil {
		return err
	}
	b, closeFile, err := c.open(p, c.Bundle, material, c.InsecureIgnoreSeal)
	if err != nil {
		return err
	}
	defer closeFile()
	n, err := exportSigstore(b, dir)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	fmt.Fprintf(p.Stdout, "%s: %d Sigstore bundles\n", c.Sigstore, n)
	return nil
}

// checkNewDir demands that nothing is in the place of a folder to be made but
// perhaps an empty folder.
func checkNewDir(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return usagef("%w", err)
	case len(entries) > 0:
		return usagef("%s is not empty", dir)
	}
	return nil
}

// exportSigstore writes into a folder beside its place and then renames it: the
// folder is there whole or not at all.
func exportSigstore(b *bundles.Bundle, dir string) (n int, err error) {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return 0, err
	}
	fresh, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+".*")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(fresh)
	root, err := os.OpenRoot(fresh)
	if err != nil {
		return 0, err
	}
	defer root.Close()
	if n, err = export.Sigstore(b, root); err != nil {
		return 0, err
	}
	if err := os.Chmod(fresh, 0o755); err != nil {
		return 0, err
	}
	return n, os.Rename(fresh, dir) // onto an empty folder too
}
