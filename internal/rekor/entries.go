package rekor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/modseal/modseal/internal/fetch"
)

// An Answer is what came of asking for one entry.
type Answer struct {
	Asked UUID
	Entry Entry
	// Err says why there is no entry. A [*MissingError] is about this one alone,
	// and so is an [*AnswerError]; anything else is trouble with the server,
	// which all that were asked for in one call share.
	Err error
}

// Retrieve fetches and checks the entries of the given UUIDs, ten a call and
// several calls at a time. It tells of each of them once, as soon as its call is
// answered, and from several goroutines at a time; an error of tell ends it. A
// UUID without a tree ID is left to one with the same leaf hash if there is any.
//
// One entry that can't be had does not hide the others: where an answer does not
// say whose fault it is, each half is asked for, down to the one. A server that
// fails, however, is not asked again for the same.
func (c *Client) Retrieve(ctx context.Context, uuids []UUID, tell func(Answer) error) error {
	wanted, short, err := distinct(uuids)
	if err != nil {
		return fmt.Errorf("rekor: %w", err)
	}
	var bad badAnswers
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(c.parallel)
	for ten := range slices.Chunk(wanted, batch) {
		group.Go(func() error {
			return c.retrieve(ctx, ten, &bad, func(a Answer) error {
				for _, a.Asked = range append([]UUID{a.Asked}, short[a.Asked]...) {
					if err := tell(a); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
	return group.Wait()
}

// Entries is [Client.Retrieve] for few entries. They come in the order of uuids,
// each once.
//
// Entries that can't be had don't hide the others: what could be had is
// returned with a [*MissingError]. With any other error nothing is returned;
// an answer that fails a check is an [*AnswerError].
func (c *Client) Entries(ctx context.Context, uuids []UUID) ([]Entry, error) {
	var mu sync.Mutex
	given := make(map[UUID]Entry, len(uuids))
	var missing MissingError
	err := c.Retrieve(ctx, uuids, func(a Answer) error {
		mu.Lock()
		defer mu.Unlock()
		var lacks *MissingError
		switch {
		case a.Err == nil:
			given[a.Asked] = a.Entry
		case errors.As(a.Err, &lacks):
			missing.Add(lacks)
		default:
			return a.Err
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var entries []Entry
	seen := make(map[UUID]bool, len(given))
	for _, u := range uuids {
		if e, ok := given[u]; ok && !seen[e.UUID] {
			seen[e.UUID] = true
			entries = append(entries, e)
		}
	}
	if !missing.Empty() {
		return entries, &missing
	}
	return entries, nil
}

// distinct checks the UUIDs and drops those that ask for the same again. The
// ones without a tree ID that are left to another are listed by that one.
func distinct(uuids []UUID) (wanted []UUID, short map[UUID][]UUID, err error) {
	full := make(map[string]UUID) // by leaf hash: what is asked for with a tree ID
	for i, u := range uuids {
		parsed, err := ParseUUID(string(u))
		if err != nil {
			return nil, nil, err
		}
		if parsed != u {
			return nil, nil, fmt.Errorf("entry UUID %d isn't in lower case", i)
		}
		if _, ok := full[u.leaf()]; !ok && u.TreeID() != "" {
			full[u.leaf()] = u
		}
	}
	seen := make(map[UUID]bool, len(uuids))
	short = make(map[UUID][]UUID)
	for _, u := range uuids {
		if seen[u] {
			continue
		}
		seen[u] = true
		if other, ok := full[u.leaf()]; ok && u.TreeID() == "" {
			short[other] = append(short[other], u)
			continue
		}
		wanted = append(wanted, u)
	}
	return wanted, short, nil
}

// Distinct drops UUIDs that are there again, and those without a tree ID beside
// one with the same leaf hash.
func Distinct(uuids []UUID) ([]UUID, error) {
	wanted, _, err := distinct(uuids)
	return wanted, err
}

// retrieve asks for at most ten entries, and tells of each. bad counts the answers
// that no honest server gives.
func (c *Client) retrieve(ctx context.Context, uuids []UUID, bad *badAnswers, tell func(Answer) error) error {
	for open := [][]UUID{uuids}; len(open) > 0; {
		ask := open[0]
		open = open[1:]
		answers, err := c.ask(ctx, ask, bad)
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !blamesAnEntry(err):
			// The server fails: the rest would only wait as long once more.
			answers = nil
			for _, u := range slices.Concat(append(open, ask)...) {
				answers = append(answers, Answer{Asked: u, Err: err})
			}
			open = nil
		case len(ask) > 1:
			open = append(open, ask[:len(ask)/2], ask[len(ask)/2:])
		default:
			answers = []Answer{{Asked: ask[0], Err: err}}
		}
		for _, a := range answers {
			if err := tell(a); err != nil {
				return err
			}
		}
	}
	return nil
}

// blamesAnEntry tells whether an error may be due to a single one of those that
// were asked for.
func blamesAnEntry(err error) bool {
	var missing *MissingError
	var bad *AnswerError
	return errors.As(err, &missing) || errors.As(err, &bad)
}

// badAnswers counts what one call of Retrieve gets for nothing.
type badAnswers struct {
	wrong   atomic.Int32 // not Rekor's, each as often as it may be large
	tooLong atomic.Int32 // over maxEntryAnswer
}

// errNoPatience says that a server gave too many answers that are not Rekor's.
var errNoPatience = fmt.Errorf("rekor: more than %d bad answers: nothing more is asked for", maxBadAnswers)

// ask makes one call, or for one entry that is large, two. An error is about the
// answer as a whole. Those that no honest server gives are counted, each as often
// as it may be large.
func (c *Client) ask(ctx context.Context, uuids []UUID, bad *badAnswers) ([]Answer, error) {
	if bad.wrong.Load() > maxBadAnswers {
		return nil, errNoPatience
	}
	weight := int32(1)
	answers, err := c.askWithin(ctx, uuids, maxEntriesAnswer)
	if missing := (*MissingError)(nil); len(uuids) == 1 && errors.As(err, &missing) && len(missing.TooLarge) > 0 {
		c.large.Lock()
		defer c.large.Unlock()
		if bad.wrong.Load() > maxBadAnswers {
			return nil, errNoPatience
		}
		if bad.tooLong.Load() == maxTooLong {
			return nil, err
		}
		weight = maxEntryAnswer / maxEntriesAnswer
		answers, err = c.askWithin(ctx, uuids, maxEntryAnswer)
		if errors.As(err, &missing) && len(missing.TooLarge) > 0 {
			bad.tooLong.Add(1)
		}
	}
	if wrong := (*AnswerError)(nil); errors.As(err, &wrong) {
		bad.wrong.Add(weight)
	}
	return answers, err
}

// askWithin makes one call whose answer has at most so many bytes.
func (c *Client) askWithin(ctx context.Context, uuids []UUID, maxBytes int64) ([]Answer, error) {
	request, err := json.Marshal(map[string][]UUID{"entryUUIDs": uuids})
	if err != nil {
		return nil, err
	}
	resp, err := c.post(ctx, "entries", "log/entries/retrieve", request, maxBytes, http.StatusOK)
	var failed *fetch.Error
	switch {
	case err == nil:
	case errors.Is(err, fetch.ErrTooLarge):
		return nil, &MissingError{TooLarge: uuids}
	case errors.As(err, &failed) && (failed.Status == http.StatusBadRequest || failed.Status == http.StatusUnprocessableEntity):
		return nil, &MissingError{Refused: uuids}
	default:
		return nil, err
	}
	entries, err := parseEntries(resp.Body)
	if err != nil {
		return nil, err
	}
	return match(uuids, entries)
}

// match puts entries into the order of the UUIDs that they were asked by.
func match(uuids []UUID, entries []checkedEntry) ([]Answer, error) {
	given := make(map[UUID]checkedEntry, len(entries))
	for _, entry := range entries {
		uuid := entry.uuid
		if !slices.Contains(uuids, uuid) {
			uuid = UUID(uuid.leaf())
		}
		_, again := given[uuid]
		switch {
		case !slices.Contains(uuids, uuid) && entry.err != nil:
			return nil, entry.err
		case !slices.Contains(uuids, uuid):
			return nil, &AnswerError{Problem: NotAsked, UUID: entry.uuid}
		case again:
			return nil, &AnswerError{Problem: NotAsked, UUID: entry.uuid, Err: errors.New("entry is there twice")}
		}
		given[uuid] = entry
	}
	answers := make([]Answer, 0, len(uuids))
	for _, uuid := range uuids {
		entry, ok := given[uuid]
		a := Answer{Asked: uuid, Entry: entry.Entry, Err: entry.err}
		if !ok {
			a.Err = &MissingError{UUIDs: []UUID{uuid}}
		}
		answers = append(answers, a)
	}
	return answers, nil
}
