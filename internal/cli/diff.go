package cli

import (
	"fmt"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/diff"
	"github.com/modseal/modseal/internal/report"
)

type diffCommand struct {
	Old string `arg:"" placeholder:"OLD" help:"The bundle before."`
	New string `arg:"" placeholder:"NEW" help:"The bundle after it."`
	claimFlags
	sandboxFlags
	Format string `enum:"text,json" default:"text" help:"Format: text or json."`
}

// Help is shown below the flags.
func (c *diffCommand) Help() string {
	return `Shows which modules, artifacts, log entries, signers, heads of logs, trust files and seals changed. It shows what the bundles claim and verifies nothing: who signed what is for modseal verify to say. With --seal-key or --seal-identity both must be sealed as these flags say, and may then be larger than what anybody can have made.

Exit codes: 0 nothing of that differs (the time at which they were made may); 1 something does; 2 they could not be compared; 3 one is damaged.`
}

// errDiffers is the outcome of a comparison, which has been shown already.
var errDiffers = fmt.Errorf("%w: the bundles differ", errUnproven)

// Run is modseal diff.
func (c *diffCommand) Run(p *Process) error {
	if _, err := c.enter(p); err != nil {
		return err
	}
	_, read, err := c.reader(p, bundles.OpenOptions{Among: 2})
	if err != nil {
		return err
	}
	old, closeOld, err := p.openBy(read, c.Old)
	if err != nil {
		return err
	}
	defer closeOld()
	new, closeNew, err := p.openBy(read, c.New)
	if err != nil {
		return err
	}
	defer closeNew()
	d := diff.Of(old, new)
	d.Old.File, d.New.File = c.Old, c.New
	if c.Format == "json" {
		err = report.WriteJSON(p.Stdout, d)
	} else {
		err = diff.Text(p.Stdout, d)
	}
	if err == nil && !d.Same {
		err = errDiffers
	}
	return err
}

// openBy opens a bundle of which errors are told by its name.
func (p *Process) openBy(read bundleReader, name string) (*bundles.Bundle, func() error, error) {
	file, size, err := p.openBundle(name)
	if err != nil {
		return nil, nil, err
	}
	b, err := read(file, size)
	if err != nil {
		file.Close()
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	return b, file.Close, nil
}
