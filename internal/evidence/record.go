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

// MaxRecord is the longest record accepted, in bytes. Module paths and versions
// of the public database make at most about 500.
const MaxRecord = 16 << 10

// ParseRecord reads a record as it is hashed into the database: exactly the
// two lines
//
//	path version h1:...
//	path version/go.mod h1:...
//
// (https://go.dev/ref/mod#checksum-database), which Record.String gives back.
// Anything else is an error.
func ParseRecord(text string) (Record, error) {
	r, err := parseRecord(text)
	if err == nil && r.String() != text {
		err = fmt.Errorf("not the two lines of a module and of its go.mod: %.200q", text)
	}
	if err != nil {
		return Record{}, fmt.Errorf("checksum database record: %w", err)
	}
	return r, nil
}

func parseRecord(text string) (r Record, err error) {
	if len(text) > MaxRecord {
		return r, fmt.Errorf("%d bytes, the limit is %d", len(text), MaxRecord)
	}
	f := strings.Fields(text)
	if len(f) != 6 {
		return r, fmt.Errorf("%d fields where there should be 6", len(f))
	}
	r.Module = module.Version{Path: f[0], Version: f[1]}
	if module.Check(f[0], f[1]) != nil || module.CanonicalVersion(f[1]) != f[1] { // an error of Check has hostile text as it is
		return r, fmt.Errorf("%.200q is not a module version", f[0]+"@"+f[1])
	}
	if r.H1, err = modhash.ParseH1(f[2]); err != nil {
		return r, fmt.Errorf("%s: %w", r.Module, err)
	}
	if r.GoMod, err = modhash.ParseH1(f[5]); err != nil {
		return r, fmt.Errorf("%s: %w", r.Module, err)
	}
	return r, nil
}

// String is the record as the database has it.
func (r Record) String() string {
	m := r.Module
	return fmt.Sprintf("%s %s %s\n%s %s/go.mod %s\n", m.Path, m.Version, r.H1, m.Path, m.Version, r.GoMod)
}
