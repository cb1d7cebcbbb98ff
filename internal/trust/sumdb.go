package trust

import (
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// PublicSumDB is the key of the checksum database that the go command trusts by
// default, as golang.org/x/mod and cmd/go have it.
const PublicSumDB = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"

// treeNoteOrigin is the first line of a checksum database's signed tree head.
const treeNoteOrigin = "go.sum database tree"

// SumDB is a Go checksum database that is trusted.
type SumDB struct {
	Name string // of its key, as in "sum.golang.org"
	Key  string // name+hash+key
	URL  string // where to reach it directly; not used offline
	v    note.Verifier
}

// ParseGOSUMDB reads a value of GOSUMDB as cmd/go does: "off", the name of a
// known database, or a key, either of the last two followed by a URL if need be.
// It returns nil for "off".
func ParseGOSUMDB(s string) (*SumDB, error) {
	f := strings.Fields(s)
	if len(f) == 0 || len(f) > 2 {
		return nil, fmt.Errorf("GOSUMDB=%.100q: want a name or key, and perhaps a URL", s)
	}
	if f[0] == "off" {
		return nil, nil
	}
	key, url := f[0], ""
	switch f[0] {
	case "sum.golang.org":
		key = PublicSumDB
	case "sum.golang.google.cn": // the same database at another address
		key, url = PublicSumDB, "https://sum.golang.google.cn"
	}
	v, err := note.NewVerifier(key)
	if err != nil {
		return nil, fmt.Errorf("GOSUMDB=%.100q: neither a known database nor a key: %w", s, err)
	}
	switch {
	case len(f) == 2:
		url = strings.TrimSuffix(f[1], "/")
	case url == "":
		url = "https://" + v.Name()
	}
	return &SumDB{Name: v.Name(), Key: key, URL: url, v: v}, nil
}

// Verifier checks signatures by the database's key.
func (s *SumDB) Verifier() note.Verifier { return s.v }

// OpenSumDB verifies the signed tree head of a checksum database. It returns
// ErrUntrustedLog when no database of that name is trusted.
func (m *Material) OpenSumDB(name string, file []byte) (*Checkpoint, error) {
	for _, db := range m.SumDBs {
		if db.Name != name {
			continue
		}
		c, err := openNote(file, db.v)
		if err != nil {
			return nil, err
		}
		if c.Origin != treeNoteOrigin {
			return nil, fmt.Errorf("checkpoint: origin %.60q, want %q", c.Origin, treeNoteOrigin)
		}
		return c, nil
	}
	return nil, fmt.Errorf("%w: checksum database %.100q", ErrUntrustedLog, name)
}
