package sumdb

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// publicKey is the verifier key of the public checksum database, as the go
// command has it built in.
const publicKey = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"

// A Database is a checksum database and the key that its heads must be signed
// with. Make one with [ParseGOSUMDB].
type Database struct {
	Name     string // host or host/path; the name in its notes
	Key      string // verifier key, as package note has it
	Verifier note.Verifier
	URL      string // where it is without a proxy
	NoProxy  bool   // URL was given: go there, whatever GOPROXY says
}

// ParseGOSUMDB reads a value of GOSUMDB as the go command does: "off", a known
// name, or "name+hash+key", the last two perhaps followed by a URL. For "off"
// there is no database and no error.
func ParseGOSUMDB(s string) (db *Database, off bool, err error) {
	if s == "sum.golang.google.cn" {
		s = "sum.golang.org https://sum.golang.google.cn"
	}
	if s == "off" {
		return nil, true, nil
	}
	fields := strings.Fields(s)
	switch {
	case len(fields) == 0:
		return nil, false, errors.New("GOSUMDB is empty")
	case len(fields) > 2:
		return nil, false, errors.New("GOSUMDB has more than a key and a URL")
	}
	key := fields[0]
	if key == "sum.golang.org" {
		key = publicKey
	}
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return nil, false, fmt.Errorf("GOSUMDB: key %q: %w", key, err)
	}
	db = &Database{Name: verifier.Name(), Key: key, Verifier: verifier, URL: "https://" + verifier.Name()}
	if err := checkName(db.Name); err != nil {
		return nil, false, fmt.Errorf("GOSUMDB: %w", err)
	}
	if len(fields) == 2 {
		u, err := url.Parse(fields[1])
		if err != nil || u.Scheme == "" {
			return nil, false, errors.New("GOSUMDB: malformed URL") // which may hold a password
		}
		db.URL, db.NoProxy = strings.TrimRight(fields[1], "/"), true
	}
	return db, false, nil
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
