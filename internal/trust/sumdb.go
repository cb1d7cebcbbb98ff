package trust

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// treeNoteOrigin is the first line of a checksum database's signed tree head.
const treeNoteOrigin = "go.sum database tree"

// publicKey is the verifier key of the public checksum database, as the go
// command has it built in.
const publicKey = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"

// SumDB is a checksum database and the key that its heads must be signed with.
// Make one with [ParseGOSUMDB].
type SumDB struct {
	Name     string // host or host/path; the name in its notes
	Key      string // verifier key, as package note has it
	Verifier note.Verifier
	URL      string // where it is without a proxy
	NoProxy  bool   // URL was given: go there, whatever GOPROXY says
}

// ParseGOSUMDB reads a value of GOSUMDB as the go command does: "off", a known
// name, or "name+hash+key", the last two perhaps followed by a URL. For "off"
// it returns nil and no error.
func ParseGOSUMDB(s string) (*SumDB, error) {
	if s == "sum.golang.google.cn" {
		s = "sum.golang.org https://sum.golang.google.cn"
	}
	if s == "off" {
		return nil, nil
	}
	fields := strings.Fields(s)
	switch {
	case len(fields) == 0:
		return nil, errors.New("GOSUMDB is empty")
	case len(fields) > 2:
		return nil, errors.New("GOSUMDB has more than a key and a URL")
	}
	key := fields[0]
	if key == "sum.golang.org" {
		key = publicKey
	}
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return nil, fmt.Errorf("GOSUMDB: key %q: %w", key, err)
	}
	db := &SumDB{Name: verifier.Name(), Key: key, Verifier: verifier, URL: "https://" + verifier.Name()}
	if err := checkName(db.Name); err != nil {
		return nil, fmt.Errorf("GOSUMDB: %w", err)
	}
	if len(fields) == 2 {
		u, err := url.Parse(fields[1])
		if err != nil || u.Scheme == "" {
			return nil, errors.New("GOSUMDB: malformed URL") // which may hold a password
		}
		db.URL, db.NoProxy = strings.TrimRight(fields[1], "/"), true
	}
	return db, nil
}

// checkName allows what is host[/path] and nothing else: the name becomes part
// of URLs and of file names.
func checkName(name string) error {
	u, err := url.Parse("https://" + name)
	if err != nil || u.Host == "" || u.Host+u.Path != name {
		return fmt.Errorf("database name %q isn't host[/path]", name)
	}
	for elem := range strings.SplitSeq(name, "/") {
		if elem == "" || elem == "." || elem == ".." || strings.ContainsAny(elem, `\:`) && elem != u.Host {
			return fmt.Errorf("database name %q isn't host[/path]", name)
		}
	}
	return nil
}

// OpenSumDB verifies the signed tree head of a checksum database. It returns
// ErrUntrustedLog when no database of that name is trusted. There may be several
// keys for one name: any of them will do.
func (m *Material) OpenSumDB(name string, file []byte) (*Checkpoint, error) {
	err := fmt.Errorf("%w: checksum database %.100q", ErrUntrustedLog, name)
	for _, db := range m.SumDBs {
		if db.Name != name || db.Verifier == nil {
			continue
		}
		c, openErr := openNote(file, db.Verifier)
		if openErr == nil && c.Origin != treeNoteOrigin {
			openErr = fmt.Errorf("checkpoint: origin %.60q, want %q", c.Origin, treeNoteOrigin)
		}
		if openErr == nil {
			return c, nil
		}
		err = openErr
	}
	return nil, err
}
