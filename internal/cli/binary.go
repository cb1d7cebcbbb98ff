package cli

import (
	"errors"
	"fmt"
	"slices"

	"github.com/modseal/modseal/verify"
)

// binaryFlags name Go binaries.
type binaryFlags struct {
	Binary []string `placeholder:"FILE" sep:"none" help:"A Go binary, such as a release: each module that its build info names must be proven. Repeatable. Without DIR there are no other modules."`
}

// binaries reads the files, each named once.
func (f *binaryFlags) binaries(p *Process) ([]verify.Binary, error) {
	var out []verify.Binary
	for _, name := range f.Binary {
		b, err := verify.ReadBinary(p.path(name))
		switch {
		case errors.Is(err, verify.ErrNoModules):
			return nil, &hintedError{fmt.Errorf("binary: %w", err), "this is not a pass: if the file itself is attested, --artifact FILE proves it"}
		case err != nil:
			return nil, usagef("binary: %w", err)
		}
		if !slices.ContainsFunc(out, func(o verify.Binary) bool { return o.Name == b.Name && o.SHA256 == b.SHA256 }) {
			out = append(out, *b)
		}
	}
	return out, nil
}
