package rekor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/modseal/modseal/internal/fetch"
)

// Entries fetches and checks the entries of the given UUIDs, ten a call and
// several calls at a time. They come in the order of uuids, each once. A UUID
// without a tree ID is left to one with the same leaf hash if there is any.
//
// Entries that can't be had don't hide the others: what could be had is
// returned with a [*MissingError]. With any other error nothing is returned;
// an answer that fails a check is an [*AnswerError].
func (c *Client) Entries(ctx context.Context, uuids []UUID) ([]Entry, error) {
	wanted, err := distinct(uuids)
	if err != nil {
		return nil, fmt.Errorf("rekor: %w", err)
	}
	batches := slices.Collect(slices.Chunk(wanted, batch))
	answers := make([]answer, len(batches))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(c.parallel)
	for i, uuids := range batches {
		group.Go(func() (err error) {
			answers[i], err = c.retrieve(ctx, uuids)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var all answer
	for _, a := range answers {
		all.add(a)
	}
	if !all.missing.empty() {
		return all.entries, &all.missing
	}
	return all.entries, nil
}

// answer is what came of asking for some entries.
type answer struct {
	entries []Entry
	missing MissingError
}

func (a *answer) add(b answer) {
	a.entries = append(a.entries, b.entries...)
	a.missing.add(&b.missing)
}

// distinct checks the UUIDs and drops those that ask for the same again.
func distinct(uuids []UUID) ([]UUID, error) {
	full := make(map[string]bool) // leaf hashes that are asked for with a tree ID
	for i, u := range uuids {
		parsed, err := ParseUUID(string(u))
		if err != nil {
			return nil, err
		}
		if parsed != u {
			return nil, fmt.Errorf("entry UUID %d isn't in lower case", i)
		}
		if u.TreeID() != "" {
			full[u.leaf()] = true
		}
	}
	seen := make(map[UUID]bool, len(uuids))
	var wanted []UUID
	for _, u := range uuids {
		if seen[u] || u.TreeID() == "" && full[u.leaf()] {
			continue
		}
		seen[u] = true
		wanted = append(wanted, u)
	}
	return wanted, nil
}

// retrieve asks for at most ten entries. An answer that is too large, or a
// request that the server calls bad, may be the fault of a single entry: then
// it asks for each half, down to the one.
func (c *Client) retrieve(ctx context.Context, uuids []UUID) (answer, error) {
	request, err := json.Marshal(map[string][]UUID{"entryUUIDs": uuids})
	if err != nil {
		return answer{}, err
	}
	resp, err := c.post(ctx, "entries", "log/entries/retrieve", request, maxEntriesAnswer, http.StatusOK)
	var failed *fetch.Error
	errors.As(err, &failed)
	tooLarge := errors.Is(err, fetch.ErrTooLarge)
	refused := failed != nil && (failed.Status == http.StatusBadRequest || failed.Status == http.StatusUnprocessableEntity)
	switch {
	case err == nil:
		entries, err := parseEntries(resp.Body)
		if err != nil {
			return answer{}, err
		}
		return match(uuids, entries)
	case !tooLarge && !refused:
		return answer{}, err
	case len(uuids) > 1:
		first, err := c.retrieve(ctx, uuids[:len(uuids)/2])
		if err != nil {
			return answer{}, err
		}
		second, err := c.retrieve(ctx, uuids[len(uuids)/2:])
		first.add(second)
		return first, err
	case tooLarge:
		return answer{missing: MissingError{TooLarge: uuids}}, nil
	default:
		return answer{missing: MissingError{Refused: uuids}}, nil
	}
}

// match puts entries into the order of the UUIDs that they were asked by.
func match(uuids []UUID, entries []Entry) (answer, error) {
	given := make(map[UUID]Entry, len(entries))
	for _, entry := range entries {
		uuid := entry.UUID
		if !slices.Contains(uuids, uuid) {
			uuid = UUID(uuid.leaf())
		}
		if !slices.Contains(uuids, uuid) {
			return answer{}, &AnswerError{Problem: NotAsked, UUID: entry.UUID}
		}
		if _, again := given[uuid]; again {
			return answer{}, &AnswerError{Problem: NotAsked, UUID: entry.UUID, Err: errors.New("entry is there twice")}
		}
		given[uuid] = entry
	}
	var a answer
	for _, uuid := range uuids {
		entry, ok := given[uuid]
		if !ok {
			a.missing.UUIDs = append(a.missing.UUIDs, uuid)
			continue
		}
		a.entries = append(a.entries, entry)
	}
	return a, nil
}
