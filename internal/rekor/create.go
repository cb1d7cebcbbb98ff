package rekor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
)

// createPolls is how often an entry that exists is asked for until it is in
// the tree: a server says that there is one from the moment that it is queued.
const createPolls = 6

// Create logs a proposed entry (ProposedEntry of the API, JSON), or finds it if
// the log has it already; existed says which. The entry is checked as in
// [Client.Entries]; that its body is what was proposed is for the caller to
// see.
func (c *Client) Create(ctx context.Context, proposed []byte) (entry Entry, existed bool, err error) {
	resp, err := c.post(ctx, "create", "log/entries", proposed, maxEntriesAnswer, http.StatusCreated, http.StatusConflict)
	if err != nil {
		return Entry{}, false, err
	}
	if resp.Status == http.StatusCreated {
		entry, err := parseEntry(resp.Body)
		return entry, false, err
	}
	// The location is the server's text: its last element is taken as a UUID,
	// and the rest, another host perhaps, is of no interest.
	uuid, err := ParseUUID(path.Base(resp.Header.Get("Location")))
	if err != nil {
		return Entry{}, false, malformed("location of an existing entry: %w", err)
	}
	entry, err = c.await(ctx, uuid)
	return entry, true, err
}

func (c *Client) await(ctx context.Context, uuid UUID) (Entry, error) {
	for poll := 1; ; poll++ {
		entries, err := c.Entries(ctx, []UUID{uuid})
		if err == nil {
			return entries[0], nil
		}
		var missing *MissingError
		if !errors.As(err, &missing) || len(missing.UUIDs) == 0 || poll == createPolls {
			return Entry{}, fmt.Errorf("entry that the log has already: %w", err)
		}
		if err := c.fetch.Backoff(ctx, poll); err != nil {
			return Entry{}, err
		}
	}
}
