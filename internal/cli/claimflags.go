package cli

import (
	"errors"
	"os"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/limit"
	"github.com/modseal/modseal/internal/trust"
)

// claimFlags are those of a command that shows what bundles claim: it takes them
// whoever sealed them, unless sealers are named.
type claimFlags struct {
	sealerFlags
	trustFlags
}

// bundleReader reads a bundle of size bytes.
type bundleReader func(file *os.File, size int64) (*bundles.Bundle, error)

// reader reads bundles as o says, by the seals of those who are named. The material is
// what the flags trust.
func (f *claimFlags) reader(p *Process, o bundles.OpenOptions) (*trust.Material, bundleReader, error) {
	m, err := f.material(p)
	if err != nil {
		return nil, nil, err
	}
	if o.Seals, err = f.verifier(p, m); err != nil {
		return nil, nil, err
	}
	o.InsecureIgnoreSeals = !f.given()
	return m, func(file *os.File, size int64) (*bundles.Bundle, error) {
		b, err := bundles.Open(file, size, o)
		if errors.Is(err, limit.ErrExceeded) && !f.given() {
			err = &hintedError{err, "if it is from somebody who may seal bundles, name the sealer with --seal-key or --seal-identity"}
		}
		return b, err
	}, nil
}
