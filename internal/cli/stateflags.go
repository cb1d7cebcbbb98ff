package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/modseal/modseal/internal/report"
	"github.com/modseal/modseal/internal/sandbox"
	"github.com/modseal/modseal/internal/state"
	"github.com/modseal/modseal/verify"
)

// stateFlags say where it is kept what was accepted before.
type stateFlags struct {
	State string `placeholder:"FILE" help:"File in which the heads of logs, the TUF root and the time of the last accepted bundle are kept: an older or forked one is refused (exit code 3). Made if it is not there, replaced after a pass."`
}

// hold makes sure that no other modseal reads or writes the state file, and that
// it can be written in the sandbox. Without the flag it does neither, and what it
// gives is of no effect.
func (f *stateFlags) hold(ctx context.Context, p *Process) (*heldState, error) {
	if f.State == "" {
		return &heldState{}, nil
	}
	waiting := make(chan struct{}, 1)
	timer := time.AfterFunc(time.Second, func() { waiting <- struct{}{} })
	defer timer.Stop()
	file, err := state.Hold(ctx, p.path(f.State), waiting, func() {
		p.say("waiting for another modseal that holds %s", f.State)
	})
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, usagef("state: %w", err)
	}
	return &heldState{file, f.State}, nil
}

// heldState is a state file that is held, or none.
type heldState struct {
	file *state.File
	name string
}

// outputs are what the sandbox lets be written.
func (h *heldState) outputs() []sandbox.Output {
	if h.file == nil {
		return nil
	}
	return []sandbox.Output{{Temp: h.file.Temp(), Dir: filepath.Dir(h.file.Name())}}
}

// read puts what was accepted before into a request.
func (h *heldState) read(r *verify.Request) error {
	if h.file == nil {
		return nil
	}
	s, err := h.file.Read()
	switch {
	case errors.Is(err, state.ErrDamaged):
		return &hintedError{fmt.Errorf("%s: %w", h.name, err), "nothing is known of what was accepted before: restore the file from a copy; if you remove it, the next bundle is taken as the first, however old it is"}
	case err != nil:
		return usagef("state: %w", err)
	}
	r.State, r.StateName = s, h.name
	return nil
}

// save keeps what an accepted bundle leads to.
func (h *heldState) save(r *verify.Report) error {
	if h.file == nil {
		return nil
	}
	if err := h.file.Save(r.Remember); err != nil {
		return fmt.Errorf("state: %s is as it was, so this bundle does not count as accepted: %w", h.name, err)
	}
	return nil
}

func (h *heldState) close() {
	if h.file != nil {
		h.file.Close()
	}
}

// refused writes the report on a bundle that is refused by what was accepted
// before, where a program is to read it, and gives the error back.
func (f *reportFlags) refused(p *Process, err error, out reportPlace) error {
	var refused *verify.RefusedError
	if f.Format != "json" || !errors.As(err, &refused) {
		return err
	}
	write := func(w io.Writer) error { return report.RefusedJSON(w, refused) }
	if out.file != nil {
		return errors.Join(err, out.file.Write(write))
	}
	return errors.Join(err, write(p.Stdout))
}
