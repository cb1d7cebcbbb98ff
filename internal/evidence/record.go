package evidence

import (
	"fmt"
	"strings"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/internal/modhash"
)

// Record is what a checksum database says of a module version.
type Record struct {
	Module module.Version
	H1     modhash.H1 // of the module's content
	GoMod  modhash.H1 // of its go.mod file
}

// ParseRecord reads a record as it is hashed into the database: exactly the
// two lines
//
//	path version h1:...
//	path version/go.mod h1:...
//
// (https://go.dev/ref/mod#checksum-database). Anything else is an error.
func ParseRecord(text string) (Record, error) {
	first, _, _ := strings.Cut(text, "\n")
	f := strings.Split(first, " ")
	if len(f) != 3 {
		return Record{}, fmt.Errorf("checksum database record %.100q: want two lines of three fields", text)
	}
	r := Record{Module: module.Version{Path: f[0], Version: f[1]}}
	if err := module.Check(f[0], f[1]); err != nil {
		return Record{}, fmt.Errorf("checksum database record: %w", err)
	}
	var err error
	if r.H1, err = modhash.ParseH1(f[2]); err != nil {
		return Record{}, fmt.Errorf("checksum database record of %s: %w", r.Module, err)
	}
	prefix := first + "\n" + f[0] + " " + f[1] + "/go.mod "
	goMod, ok := strings.CutPrefix(text, prefix)
	if !ok || !strings.HasSuffix(goMod, "\n") {
		return Record{}, fmt.Errorf("checksum database record of %s: the second line is not of its go.mod: %.200q", r.Module, text)
	}
	if r.GoMod, err = modhash.ParseH1(strings.TrimSuffix(goMod, "\n")); err != nil {
		return Record{}, fmt.Errorf("checksum database record of %s: %w", r.Module, err)
	}
	return r, nil
}
