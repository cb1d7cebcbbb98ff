package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/gomod"
	"github.com/modseal/modseal/internal/heads"
	"github.com/modseal/modseal/internal/report"
	"github.com/modseal/modseal/internal/trust"
	"github.com/modseal/modseal/verify"
)

type headsCommand struct {
	Show  headsShowCommand  `cmd:"" default:"withargs" help:"Print the signed heads of logs in a bundle or a state file."`
	Check headsCheckCommand `cmd:"" help:"Compare heads from several files: find out that a log shows different people different trees."`
}

type headsShowCommand struct {
	File string `arg:"" placeholder:"BUNDLE|STATE" help:"A bundle, or a state file of verify --state."`
	claimFlags
	sandboxFlags
}

// Help is shown below the flags.
func (c *headsShowCommand) Help() string {
	return `Prints signed notes, with an empty line in between: send them to somebody else who uses the same logs, by mail or on paper, for modseal heads check. Nothing is verified here: a head is worth what its signature is.`
}

// Run is modseal heads.
func (c *headsShowCommand) Run(p *Process) error {
	if _, err := c.enter(p); err != nil {
		return err
	}
	_, read, err := c.reader(p, bundles.OpenOptions{})
	if err != nil {
		return err
	}
	f, err := p.readHeads(c.File, read)
	if err != nil {
		return err
	}
	list, err := heads.Format(f.notes)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	if len(list) == 0 {
		p.say("%s has no heads", c.File)
	}
	_, err = p.Stdout.Write(list)
	return err
}

type headsCheckCommand struct {
	File []string `arg:"" placeholder:"FILE" help:"Bundles, state files, or what modseal heads printed: two or more."`
	claimFlags
	sandboxFlags
	SumDB string `name:"sumdb" placeholder:"NAME|KEY|off" help:"Checksum database to trust, as GOSUMDB has it (default: GOSUMDB, or sum.golang.org where that is off)."`
}

// Help is shown below the flags.
func (c *headsCheckCommand) Help() string {
	return `Heads count if a trusted key signed them. Two of one log and one size are the same or a fork. Whether one of another size begins with the other is proven by a bundle among the files that was taken with snapshot --since.

Exit codes: 0 every log that is in two files is proven to be one tree; 1 it can't be told of some, or no trusted key signed them; 2 there was nothing to compare; 3 a log signed two trees of which neither begins with the other.`
}

// Run is modseal heads check.
func (c *headsCheckCommand) Run(p *Process) error {
	if len(c.File) < 2 {
		return usagef("heads check compares: give two files or more")
	}
	if _, err := c.enter(p); err != nil {
		return err
	}
	m, read, err := c.reader(p, bundles.OpenOptions{})
	if err != nil {
		return err
	}
	env, err := gomod.ReadEnv(p.world())
	if err != nil {
		return err
	}
	db, err := verifierSumDB(c.SumDB, env)
	if err != nil {
		return &usageError{err}
	}
	if db != nil {
		m.SumDBs = append(m.SumDBs, *db)
	}
	var all []verify.ForeignHead
	for _, name := range c.File {
		f, err := p.readHeads(name, read)
		if err != nil {
			return err
		}
		for i, note := range f.notes {
			h := verify.ForeignHead{From: name, Checkpoint: note}
			if f.earlier != nil {
				h.Earlier = f.earlier[i]
			}
			all = append(all, h)
		}
	}
	return c.tell(p, verify.CompareForeign(all, m))
}

// tell prints what was found, and gives the exit code as an error.
func (c *headsCheckCommand) tell(p *Process, found *verify.Comparison) error {
	print := func(format string, a ...any) {
		fmt.Fprint(p.Stdout, onTerminal(fmt.Sprintf(format, a...))+"\n")
	}
	for _, h := range found.Untrusted {
		why := "no trusted key signed a head in it"
		if !errors.Is(h.Err, trust.ErrUntrustedLog) {
			why = h.Err.Error()
		}
		origin, _, _ := strings.Cut(string(h.Checkpoint), "\n")
		print("not checked  %s: %q: %s", h.From, origin, why)
	}
	compared := 0
	for _, l := range found.Logs {
		if l.Files < 2 && len(l.Forks) == 0 {
			print("alone        %s: in one file alone", l.Name)
			continue
		}
		compared++
		switch {
		case len(l.Forks) > 0:
			for _, f := range l.Forks {
				print("FORK         %s: %s", l.Name, f.What)
				for _, h := range []verify.ForeignHead{f.A, f.B} {
					print("    %s:\n        %s", h.From, strings.ReplaceAll(strings.TrimSuffix(string(h.Checkpoint), "\n"), "\n", "\n        "))
				}
			}
		case len(l.Unproven) > 0:
			for _, u := range l.Unproven {
				print("not proven   %s: %s", l.Name, u.What)
			}
		default:
			print("consistent   %s: %s", l.Name, report.Count(l.Trees, "tree"))
		}
	}
	switch {
	case found.Forked():
		return errForked
	case compared == 0:
		return &hintedError{errors.New("no log is in two of these files, signed by a trusted key: nothing was compared"), "name the keys with --rekor-public-key, --trusted-root or --sumdb"}
	case !found.Proven():
		return errUnproven
	}
	return nil
}

// errForked is the outcome of a comparison: it has been told already.
var errForked = &hintedError{errors.New("a log has signed two trees of which neither begins with the other"), "keep these files: they are evidence that anybody can check who knows the log's key. Do not build with what this log proves"}
