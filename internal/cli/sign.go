package cli

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/atomicfile"
	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/internal/seal"
	"github.com/modseal/modseal/internal/trust"
)

type signCommand struct {
	Bundle string `arg:"" placeholder:"BUNDLE" help:"The *.modseal file."`
	sealingFlags
	trustFlags
	Output string `short:"o" placeholder:"FILE" help:"The bundle to write, in place of the one that is read."`
	Quiet  bool   `short:"q" help:"No progress."`
}

// Help is shown below the flags.
func (c *signCommand) Help() string {
	return `Adds a seal to a bundle; what is sealed does not change. A seal vouches for the bundle: look at it first, with modseal verify on your own copy of the project. The password of an encrypted --seal-key is taken from $MODSEAL_PASSWORD or asked for.`
}

// Run is modseal sign.
func (c *signCommand) Run(ctx context.Context, p *Process) error {
	f, size, err := p.openBundle(c.Bundle)
	if err != nil {
		return err
	}
	defer f.Close()
	material, err := c.material(p)
	if err != nil {
		return err
	}
	ui := newPhases(p, c.Quiet)
	defer ui.end()
	by, err := c.sealer(ctx, p, material, c.public(), ui)
	if err != nil {
		return err
	}
	if by == nil {
		return usagef("who seals? give --seal-key K.key, or --seal-keyless")
	}
	// Whose the seals are that it has is not looked at; that it is whole is.
	b, err := bundles.Open(f, size, bundles.OpenOptions{InsecureIgnoreSeals: true, Own: true})
	if err != nil {
		return err
	}
	seals, name, err := c.add(b, by, material, p)
	if err != nil {
		return err
	}
	out := c.Output
	if out == "" {
		out = c.Bundle
	}
	err = atomicfile.Write(p.path(out), func(w io.Writer) error {
		return bundles.WriteFile(w, seals, b.PayloadReader(), b.Size)
	})
	if err != nil {
		return fmt.Errorf("output: %w", err)
	}
	fmt.Fprintf(p.Stdout, "%s: sealed by %s: seal %d over sha256:%s\n", out, name, len(seals)-1, hex.EncodeToString(b.Payload.SHA256[:]))
	return nil
}

// add seals the payload. Another seal by the same sealer would count for nothing.
func (c *signCommand) add(b *bundles.Bundle, by *sealer, m *trust.Material, p *Process) (seals [][]byte, name string, err error) {
	seals = b.SealFiles()
	if len(seals) == bundles.MaxSeals {
		return nil, "", usagef("%s has %d seals, and no bundle has more", c.Bundle, len(seals))
	}
	who, err := by.who()
	if err != nil {
		return nil, "", err
	}
	own := seal.Trusted{Rule: policy.FromFlags(policy.Flags{Sealers: []policy.Signer{who}}).Seal, Trust: m}
	if have := own.VerifySeals(seals, b.Payload).Accepted; len(have) > 0 {
		return nil, "", usagef("%s is sealed by %s already (seal %d)", c.Bundle, have[0].By, have[0].Index)
	}
	s, err := by.seal(b.Payload)
	if err != nil {
		return nil, "", fmt.Errorf("seal: %w", err)
	}
	made := own.VerifySeals([][]byte{s}, b.Payload)
	if len(made.Accepted) != 1 {
		return nil, "", fmt.Errorf("the new seal does not verify: %w", made.Refused[0])
	}
	return append(seals[:len(seals):len(seals)], bytes.Clone(s)), made.Accepted[0].By, nil
}
