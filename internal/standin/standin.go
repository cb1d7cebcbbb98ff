// Package standin runs a program in place of this one: with the streams that it is
// given, which are this program's own; signals are passed on to it, and its exit
// code is told as a shell would tell it.
package standin

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// Program is what to run.
type Program struct {
	Path string   // its file
	Args []string // with its name, as it was called
	Dir  string   // to run it in
	Env  []string

	Stdin          *os.File
	Stdout, Stderr io.Writer

	// Signals are passed on. One that came before the program was started keeps it
	// from being started.
	Signals <-chan os.Signal
}

// Run runs the program to its end. The code is its exit code or, if signal n ended
// it, 128+n. An error says that it was not started.
func (p *Program) Run() (code int, err error) {
	select {
	case s := <-p.Signals:
		return codeOf(s), nil
	default:
	}
	cmd := &exec.Cmd{Path: p.Path, Args: p.Args, Dir: p.Dir, Env: p.Env, Stdout: p.Stdout, Stderr: p.Stderr}
	if p.Stdin != nil {
		cmd.Stdin = p.Stdin
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case s := <-p.Signals:
			// Of ^C at a terminal the system tells the program too; twice, it would mean
			// more to some.
			if s != os.Interrupt || !atTerminal() {
				cmd.Process.Signal(s) // fails only if it has ended already
			}
		case err := <-done:
			return ended(cmd.ProcessState, err)
		}
	}
}

const bySignal = 128

func codeOf(s os.Signal) int {
	if n, ok := s.(syscall.Signal); ok {
		return bySignal + int(n)
	}
	return bySignal
}

// ended tells how a program ended that was waited for.
func ended(state *os.ProcessState, err error) (int, error) {
	var exit *exec.ExitError
	if state == nil || err != nil && !errors.As(err, &exit) {
		return 0, fmt.Errorf("lost sight of it: %w", err)
	}
	status, ok := state.Sys().(interface {
		Signaled() bool
		Signal() syscall.Signal
	})
	if ok && status.Signaled() {
		return codeOf(status.Signal()), nil
	}
	return state.ExitCode(), nil
}
