package cli

import (
	"errors"
	"fmt"

	"github.com/modseal/modseal/internal/sandbox"
	"github.com/modseal/modseal/verify"
)

// sandboxFlags say what the process gives up before it reads what it does not
// trust.
type sandboxFlags struct {
	Sandbox string `enum:"require,auto,off" default:"auto" placeholder:"require|auto|off" help:"Give up sockets, other programs, and writing but of the outputs, before anything untrusted is read: what this system offers (auto, the default), all of it or exit 2 (require), or not (off). The report says which it was."`
}

// enter gives up what the flag says but for writing the outputs, for good. It is
// called before any file is read, the enclave's own too: all of them can be read
// inside, and among them are other people's, such as files that --binary names,
// modules.txt, and folders of zips.
func (f *sandboxFlags) enter(p *Process, outputs ...sandbox.Output) (*verify.SandboxReport, error) {
	state := sandbox.State{Mode: f.Sandbox, Lacks: []string{}}
	var err error
	switch {
	case p.Sandbox != nil:
		state, err = p.Sandbox(sandbox.Mode(f.Sandbox), outputs...)
	case f.Sandbox == string(sandbox.Require):
		err = errors.New("sandbox: this program has none")
	case f.Sandbox == string(sandbox.Auto):
		state.Lacks = append(state.Lacks, "this program has none")
	}
	switch {
	case errors.Is(err, sandbox.ErrRequired):
		return nil, &hintedError{fmt.Errorf("--sandbox=require: %w", err), "--sandbox=auto goes on with what this system has, and the report says what it lacks"}
	case err != nil:
		return nil, err
	}
	r := verify.SandboxReport(state)
	return &r, nil
}
