// Withrekor runs a command beside a real Rekor v1 on loopback, with an empty log of its own:
//
//	withrekor command [argument…]
//
// The command finds it through its environment: REKOR_URL is the base URL, REKOR_PUBLIC_KEY names a PEM file with the key
// of the log. Rekor is stopped when the command ends, and the exit code is the command's: 128 and the number of the signal
// if one ended it, 125 if there was no Rekor to run it beside.
//
// Rekor is built from the module of the working directory, as package stack says: run it in this module's folder.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/modseal/modseal/e2e/stack"
)

const exitNoRekor = 125

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: withrekor command [argument…]")
		os.Exit(2)
	}
	code, err := run(os.Args[1], os.Args[2:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "withrekor:", err)
	}
	os.Exit(code)
}

func run(name string, args []string) (code int, err error) {
	// An interrupt from a terminal reaches the command as well: let it end, then stop Rekor.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	rekor, err := stack.Start(ctx, stack.Options{})
	if err != nil {
		return exitNoRekor, err
	}
	defer func() { err = errors.Join(err, rekor.Close()) }()

	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "REKOR_URL="+rekor.URL, "REKOR_PUBLIC_KEY="+rekor.PublicKeyPath)
	if err := cmd.Start(); err != nil {
		return exitNoRekor, err
	}
	if err := cmd.Wait(); cmd.ProcessState == nil {
		return exitNoRekor, err
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return cmd.ProcessState.ExitCode(), nil
}
