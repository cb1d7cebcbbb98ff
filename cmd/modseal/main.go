// Command modseal proves the modules of a Go build without a network.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/modseal/modseal/internal/cli"
	"github.com/modseal/modseal/internal/sandbox"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(run(ctx))
}

// softLimit is how much memory, in bytes, is taken for what nobody need have signed
// before the garbage collector works as much as it can: the rest, up to 256 MiB,
// is for what it does not count.
const softLimit = 176 << 20

func run(ctx context.Context) int {
	if readsUnsealed(os.Args[1:]) && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(softLimit)
	}
	tuneCollector()
	dir, err := os.Getwd()
	if err != nil {
		os.Stderr.WriteString("modseal: working directory: " + err.Error() + "\n")
		return cli.ExitUsage
	}
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	color := os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return cli.Run(ctx, &cli.Process{
		Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Environ: os.Environ(), Getenv: os.Getenv, Dir: dir, Now: time.Now, Sandbox: sandbox.Enter,
		Terminal: term.IsTerminal(int(os.Stderr.Fd())) && os.Getenv("TERM") != "dumb",
		Color:    color && term.IsTerminal(int(os.Stdout.Fd())),
		Self:     self, Notify: notify,
	}, version())
}

// readsUnsealed tells whether a command line takes bundles or chains that nobody need have
// signed. What a trusted sealer sealed may take what it takes.
func readsUnsealed(args []string) bool {
	if len(args) == 0 {
		return false
	}
	if slices.Contains(args, "--insecure-ignore-seal") {
		return true
	}
	sealers := slices.ContainsFunc(args, func(a string) bool {
		return strings.HasPrefix(a, "--seal-key") || strings.HasPrefix(a, "--seal-identity")
	})
	return slices.Contains([]string{"inspect", "diff", "heads", "trust"}, args[0]) && !sealers
}

// notify gives the signals that ask a program to end.
func notify() (<-chan os.Signal, func()) {
	c := make(chan os.Signal, 8)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	return c, func() { signal.Stop(c) }
}

// version is that of the module, as the go command recorded it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "modseal (unknown version)"
	}
	return "modseal " + info.Main.Version
}
