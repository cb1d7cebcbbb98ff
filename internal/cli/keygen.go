package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/term"

	"github.com/modseal/modseal/internal/keys"
)

// passwordVariable holds the password of private keys.
const passwordVariable = "MODSEAL_PASSWORD"

type keygenCommand struct {
	Output string `short:"o" required:"" placeholder:"NAME" help:"Writes NAME.key and NAME.pub."`
	Type   string `enum:"ecdsa-p256,ed25519" default:"ecdsa-p256" help:"ecdsa-p256 (seals and attests) or ed25519 (seals, and attests by statements)."`
	NoPass bool   `name:"no-password" help:"Do not ask for a password; leave the private key unencrypted."`
}

// Help is shown below the flags.
func (c *keygenCommand) Help() string {
	return "The private key is encrypted with the password in $" + passwordVariable + " or, on a terminal, one that is asked for; without either it is not encrypted. Its format is cosign's: the key works there too."
}

// Run is modseal keygen.
func (c *keygenCommand) Run(p *Process) error {
	private, public := p.path(c.Output+".key"), p.path(c.Output+".pub")
	for _, name := range []string{private, public} {
		if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
			return usagef("%s is there already; a key is never overwritten", name)
		}
	}
	pass, err := c.newPassword(p)
	if err != nil {
		return err
	}
	k, err := keys.Generate(keys.Kind(c.Type))
	if err != nil {
		return err
	}
	file, err := k.MarshalPEM(pass)
	if err != nil {
		return err
	}
	if err := createFile(private, file, 0o600); err != nil {
		return err
	}
	if err := createFile(public, k.Public().MarshalPEM(), 0o644); err != nil {
		_ = os.Remove(private)
		return err
	}
	how := "encrypted with the password"
	if pass == nil {
		how = "NOT encrypted"
	}
	fmt.Fprintf(p.Stdout, "%s.key: private key, %s\n%s.pub: public key %s\n", c.Output, how, c.Output, k.Public())
	return nil
}

// createFile makes a file that must not be there yet.
func createFile(name string, data []byte, mode os.FileMode) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(name)
	}
	return err
}

func (c *keygenCommand) newPassword(p *Process) ([]byte, error) {
	if c.NoPass {
		return nil, nil
	}
	if s := p.Getenv(passwordVariable); s != "" {
		return []byte(s), nil
	}
	if !p.stdinIsTerminal() {
		return nil, nil
	}
	first, err := p.ask("password for the private key (empty: none): ")
	if err != nil || len(first) == 0 {
		return nil, err
	}
	second, err := p.ask("once more: ")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(first, second) {
		return nil, usagef("the two passwords differ")
	}
	return first, nil
}

// password gives the password of an existing key.
func (p *Process) password(prompt string) ([]byte, error) {
	if s := p.Getenv(passwordVariable); s != "" {
		return []byte(s), nil
	}
	if !p.stdinIsTerminal() {
		return nil, fmt.Errorf("%w: set %s", keys.ErrPassword, passwordVariable)
	}
	return p.ask(prompt)
}

func (p *Process) stdinIsTerminal() bool {
	return p.Stdin != nil && term.IsTerminal(int(p.Stdin.Fd()))
}

func (p *Process) ask(prompt string) ([]byte, error) {
	fmt.Fprint(p.Stderr, prompt)
	b, err := term.ReadPassword(int(p.Stdin.Fd()))
	fmt.Fprintln(p.Stderr)
	if err == io.EOF {
		return nil, usagef("no password was given")
	}
	return b, err
}
