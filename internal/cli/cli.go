// Package cli is the command line of modseal: it turns flags into requests and
// results into text and exit codes. What modseal does is in the packages below.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/gomod"
	"github.com/modseal/modseal/internal/report"
	"github.com/modseal/modseal/internal/sandbox"
	"github.com/modseal/modseal/internal/tufchain"
	"github.com/modseal/modseal/snapshot"
	"github.com/modseal/modseal/verify"
)

// The exit codes, the same for every command and format.
const (
	ExitOK        = 0 // every module is verified, or an allowed local
	ExitUnproven  = 1 // at least one is not
	ExitUsage     = 2 // usage, configuration or environment: nothing could be checked
	ExitUntrusted = 3 // the bundle can't be trusted
)

// Process is the world that a command runs in.
type Process struct {
	Args    []string // without the program's name
	Stdin   *os.File
	Stdout  io.Writer
	Stderr  io.Writer
	Environ []string
	Getenv  func(string) string
	Dir     string // working directory
	Now     func() time.Time
	// Sandbox gives up what a verification does not need, once and for all of the
	// process; nil is a program that has no sandbox.
	Sandbox func(sandbox.Mode, ...sandbox.Output) (sandbox.State, error)
	// Terminal tells whether Stderr is one, so that progress can be shown on it.
	Terminal bool
	// Color tells whether Stdout takes colours.
	Color bool
	// Self is the program itself, to be started again.
	Self string
	// Notify gives the signals that are to be passed on to a program that is run in
	// place of this one, until stop is called.
	Notify func() (signals <-chan os.Signal, stop func())
}

type commands struct {
	Snapshot snapshotCommand  `cmd:"" help:"Collect evidence for the modules of projects into a sealed bundle (needs a network)."`
	Verify   verifyCommand    `cmd:"" help:"Prove the modules of a project by a bundle, without a network. The gate before go build."`
	Unpack   unpackCommand    `cmd:"" help:"Verify the modules that a bundle carries and write them as a file:// GOPROXY, without a network."`
	Attest   attestCommand    `cmd:"" help:"Sign modules and log the signatures in Rekor (needs a network)."`
	Inspect  inspectCommand   `cmd:"" help:"Show what is in a bundle, without trusting it."`
	Diff     diffCommand      `cmd:"" help:"Show what changed from one bundle to another, without trusting them."`
	Heads    headsCommand     `cmd:"" help:"Print the signed heads of logs, or compare those of several people."`
	Export   exportCommand    `cmd:"" help:"Take the standard pieces out of a bundle, for other tools to check."`
	Trust    trustCommand     `cmd:"" help:"Fetch, show and check the TUF metadata that says which logs and authorities to trust."`
	Sign     signCommand      `cmd:"" help:"Add a seal to a bundle."`
	Keygen   keygenCommand    `cmd:"" help:"Make a key pair for sealing bundles or attesting modules."`
	Version  kong.VersionFlag `help:"Print the version and exit."`
}

const description = `modseal proves, before a build without a network compiles anything, that every Go module it is about to use is the one that a transparency log recorded and that somebody it trusts vouched for.

On a connected host: modseal snapshot. In the enclave: modseal verify.

Exit codes: 0 every module is proven; 1 at least one is not; 2 nothing could be checked; 3 the bundle can't be trusted.`

// exited carries kong's wish to exit, after --help or --version.
type exited int

// Run runs one command and returns its exit code.
func Run(ctx context.Context, p *Process, version string) (code int) {
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(exited)
			if !ok {
				panic(r)
			}
			code = int(e)
		}
	}()
	var c commands
	parser, err := kong.New(&c,
		kong.Name("modseal"), kong.Description(description), kong.Vars{"version": version, "public_rekor": publicRekorURL, "others": strconv.Itoa(snapshot.DefaultOthers)},
		kong.Writers(p.Stdout, p.Stderr), kong.Exit(func(code int) { panic(exited(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 100}),
		kong.UsageOnError(),
	)
	if err != nil {
		panic(err) // the command line itself is wrong, which any test finds
	}
	args, command := splitCommand(p.Args)
	c.Verify.command = command
	k, err := parser.Parse(args)
	if err != nil {
		return p.fail(&usageError{err})
	}
	k.BindTo(ctx, (*context.Context)(nil))
	return p.fail(k.Run(p))
}

// usageError is an error in how modseal was called.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, a ...any) error { return &usageError{fmt.Errorf(format, a...)} }

// errUnproven is the outcome of a verification that found something: it has been
// reported already.
var errUnproven = errors.New("not all modules are proven")

// fail prints an error with what can be done about it, and gives the exit code.
func (p *Process) fail(err error) int {
	if err == nil {
		return ExitOK
	}
	if errors.Is(err, errUnproven) {
		return ExitUnproven
	}
	var ended endedError
	if errors.As(err, &ended) {
		return int(ended)
	}
	if errors.Is(err, context.Canceled) {
		p.say("interrupted; what was fetched is kept")
		return ExitUsage
	}
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	p.say("%s", lines[0])
	for _, line := range lines[1:] {
		fmt.Fprintf(p.Stderr, "    %s\n", onTerminal(line))
	}
	if h := hint(err); h != "" {
		p.say("hint: %s", h)
	}
	return exitCode(err)
}

func (p *Process) say(format string, a ...any) {
	fmt.Fprintf(p.Stderr, "modseal: %s\n", onTerminal(fmt.Sprintf(format, a...)))
}

// onTerminal makes text of several lines fit for a terminal: errors tell what
// servers and files of others say.
func onTerminal(s string) string {
	lines := strings.Split(strings.ReplaceAll(s, "\t", "    "), "\n")
	for i := range lines {
		lines[i] = report.Visible(lines[i])
	}
	return strings.Join(lines, "\n")
}

func exitCode(err error) int {
	var incomplete *snapshot.IncompleteError
	var published *snapshot.PublishedError
	var chain *chainError
	var refused *verify.RefusedError
	var since *snapshot.SinceError
	var fork *snapshot.ForkError
	switch {
	case errors.As(err, &refused), errors.Is(err, errForked), errors.Is(err, bundles.ErrUnsealed), errors.Is(err, bundles.ErrDamaged), errors.Is(err, bundles.ErrVersion), errors.Is(err, verify.ErrTrust):
		return ExitUntrusted
	case errors.As(err, &incomplete) && incomplete.Unproven, errors.As(err, &published) && published.Unproven, errors.As(err, &chain), errors.As(err, &since), errors.As(err, &fork):
		return ExitUnproven
	}
	return ExitUsage
}

// hint says what to do about an error.
func hint(err error) string {
	var usage *usageError
	var unsupported *gomod.UnsupportedError
	var noGoMod *gomod.MissingGoModError
	var incomplete *snapshot.IncompleteError
	var noRekor *snapshot.RekorError
	var published *snapshot.PublishedError
	var chain *tufchain.Error
	var hinted *hintedError
	var refused *verify.RefusedError
	var since *snapshot.SinceError
	var fork *snapshot.ForkError
	errors.As(err, &chain)
	switch {
	case errors.As(err, &hinted):
		return hinted.hint
	case errors.As(err, &refused):
		return refused.Hint()
	case errors.As(err, &since):
		return since.Hint()
	case errors.As(err, &fork):
		return fork.Hint()
	case errors.Is(err, verify.ErrState):
		return "if the key was changed on purpose, begin a new state file: the next bundle is then taken as the first"
	case errors.Is(err, verify.ErrTrust) && chain == nil:
		return "seal a bundle with a chain (modseal snapshot --trust DIR), or give one of your own with --trust DIR"
	case chain != nil && errors.Is(err, verify.ErrTrust):
		return chain.Advice + "; what you trust without the bundle's chain is named with --trust DIR or --trusted-root FILE"
	case chain != nil:
		return chain.Advice
	case errors.As(err, &usage):
		return "modseal --help and modseal COMMAND --help list the flags"
	case errors.As(err, &unsupported):
		return unsupported.Hint
	case errors.As(err, &noGoMod):
		return noGoMod.Hint
	case errors.As(err, &incomplete):
		return incomplete.Hint
	case errors.As(err, &noRekor):
		return noRekor.Hint()
	case errors.As(err, &published):
		return published.Hint()
	case errors.Is(err, bundles.ErrUnsealed):
		return "name the sealer with --seal-key, or --seal-identity and --seal-issuer; if this bundle should have been sealed so, distrust the bundle"
	case errors.Is(err, bundles.ErrDamaged):
		return "copy the bundle again and compare its SHA-256 with that on the host where it was made"
	case errors.Is(err, verify.ErrChanged):
		return "let nothing write to the project and its module cache, and try again"
	case errors.Is(err, verify.ErrNothing):
		return "this is not a pass: look whether DIR is the project that is going to be built; without DIR, --artifact is verified alone"
	}
	return ""
}

// path makes a file name absolute, relative to the working directory.
func (p *Process) path(name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(p.Dir, name)
}

// world is what is read of the process environment for the go command's
// settings.
func (p *Process) world() gomod.World {
	home, _ := os.UserHomeDir()
	config, _ := os.UserConfigDir()
	return gomod.World{Getenv: p.Getenv, ReadFile: os.ReadFile, HomeDir: home, ConfigDir: config}
}
