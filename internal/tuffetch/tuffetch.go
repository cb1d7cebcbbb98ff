// Package tuffetch gets the metadata of a TUF repository over the network and
// keeps it as a chain (package tufchain) in a folder.
//
// It asks as the TUF specification (1.0.31, Section 5.3 to 5.7) has it: the
// roots after the pinned one, one by one until there is none, then timestamp,
// snapshot, targets and the target trusted_root.json. Nothing is written before
// all of it has been walked as of now, and then the whole folder is exchanged at
// once. What a folder holds already is continued: no root in it is lost or asked
// for again, and no older state replaces it.
package tuffetch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"github.com/modseal/modseal/internal/fetch"
	"github.com/modseal/modseal/internal/tufchain"
)

// PublicGood is the TUF repository of Sigstore's public-good instance.
const PublicGood = "https://tuf-repo-cdn.sigstore.dev"

// Request says what to fetch, and where to keep it.
type Request struct {
	Mirror string // URL of the metadata; targets are in targets/ below it
	Root   []byte // the pinned root.json
	Dir    string // the folder, which is made if it is not there
	Now    time.Time
	Client *fetch.Client
	// Fetched is told of every file that came, if it is not nil.
	Fetched func(name string)
}

// Summary says what was fetched.
type Summary struct {
	*tufchain.Result
	Files   int // in the folder now
	Fetched int // of them asked for this time
	Bytes   int64
}

// Fetch brings the folder up to date. Errors match *tufchain.Error when what the
// mirror serves, or the folder holds, does not lead from the pinned root to a
// trusted root, and *fetch.Error when the mirror did not answer.
func Fetch(ctx context.Context, r Request) (*Summary, error) {
	held, err := tufchain.ReadDir(r.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", r.Dir, err)
	}
	m := &mirror{base: strings.TrimRight(r.Mirror, "/") + "/", client: r.Client, fetched: r.Fetched}
	result, chain, err := tufchain.Follow(ctx, tufchain.FollowRequest{Pinned: r.Root, Source: m, At: r.Now, Held: held})
	if err != nil {
		return nil, err
	}
	if err := replace(r.Dir, chain); err != nil {
		return nil, err
	}
	s := &Summary{Result: result, Files: len(chain), Fetched: m.files}
	for _, data := range chain {
		s.Bytes += int64(len(data))
	}
	return s, nil
}

// mirror is a TUF repository behind a URL.
type mirror struct {
	base    string
	client  *fetch.Client
	fetched func(name string)
	files   int
}

// File asks for a file. Status 403 is an absence, too: stores like S3 answer it
// for names that are not there.
func (m *mirror) File(ctx context.Context, name string, max int64) ([]byte, error) {
	kind, _, _ := strings.Cut(name, "/")
	if i := strings.IndexByte(kind, '.'); kind != "targets" && i >= 0 {
		kind = strings.TrimSuffix(strings.TrimLeft(kind, "0123456789."), ".json")
	}
	resp, err := m.client.Do(ctx, fetch.Request{URL: m.base + name, Kind: kind, MaxBytes: max})
	var answer *fetch.Error
	if errors.As(err, &answer) && answer.Status == http.StatusForbidden && answer.Err == nil {
		return nil, fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	if err != nil {
		return nil, fmt.Errorf("TUF mirror: %w", err)
	}
	m.files++
	if m.fetched != nil {
		m.fetched(name)
	}
	return resp.Body, nil
}
