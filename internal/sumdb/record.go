package sumdb

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/module"
)

// maxRecord is the longest record accepted, in bytes. Module paths and versions
// of the public database make at most about 500.
const maxRecord = 16 << 10

var errRecord = errors.New("record isn't two lines of a go.sum file, of a module and of its go.mod file")

// ParseRecord reads a record, the content of a leaf:
//
//	golang.org/x/mod v0.42.0 h1:ICeL3t2L30ljSPHHxDnR4fqVcBt/zR2zJAb9juavmQg=
//	golang.org/x/mod v0.42.0/go.mod h1:u5fzIrRInkL8MaO1cbRkUHT64v303YIT5KEqpNr7jRs=
//
// These lines and nothing else: whatever it accepts, path, version and hashes
// put together like this again give the very same bytes. The hashes are
// returned as they stand there, "h1:" included.
func ParseRecord(text []byte) (path, version, h1, goModH1 string, err error) {
	fail := func(err error) (string, string, string, string, error) { return "", "", "", "", err }
	if len(text) > maxRecord {
		return fail(fmt.Errorf("record of %d bytes, the limit is %d", len(text), maxRecord))
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) != 3 || lines[2] != "" {
		return fail(errRecord)
	}
	zip, goMod := strings.Split(lines[0], " "), strings.Split(lines[1], " ")
	if len(zip) != 3 || len(goMod) != 3 || goMod[0] != zip[0] || goMod[1] != zip[1]+"/go.mod" {
		return fail(errRecord)
	}
	path, version, h1, goModH1 = zip[0], zip[1], zip[2], goMod[2]
	if err := checkModule(module.Version{Path: path, Version: version}); err != nil {
		return fail(fmt.Errorf("record: %w", err))
	}
	for _, h := range []string{h1, goModH1} {
		if err := checkH1(h); err != nil {
			return fail(err)
		}
	}
	return path, version, h1, goModH1, nil
}

// checkModule allows what can be in a build: version in full and canonical.
func checkModule(m module.Version) error {
	if err := module.Check(m.Path, m.Version); err != nil {
		return err
	}
	if module.CanonicalVersion(m.Version) != m.Version {
		return fmt.Errorf("%s: version isn't canonical", m)
	}
	return nil
}

// checkH1 allows "h1:" and canonical base64 of 32 bytes.
func checkH1(s string) error {
	encoded, ok := strings.CutPrefix(s, "h1:")
	hash, err := base64.StdEncoding.DecodeString(encoded) // which takes more than the canonical form
	if !ok || err != nil || len(hash) != 32 || base64.StdEncoding.EncodeToString(hash) != encoded {
		return fmt.Errorf("record with the hash %.100q", s)
	}
	return nil
}
