// Package rekor is a client of Rekor's API version 1, for as much of it as
// collecting evidence and logging new entries needs. The API is described by
// openapi.yaml in github.com/sigstore/rekor:
//
//	GET  /api/v1/log                    [Client.Shards]
//	GET  /api/v1/log/proof              [Client.Consistency]
//	GET  /api/v1/log/publicKey          [Client.PublicKey]
//	POST /api/v1/index/retrieve         [Client.Search]
//	POST /api/v1/log/entries/retrieve   [Client.Retrieve]
//	POST /api/v1/log/entries            [Client.Create]
//
// A server's answer is hostile until it is checked, and what can be checked
// without a key is checked here: an [Entry] has the leaf hash that its UUID
// names, an inclusion proof that leads to the tree that its checkpoint speaks
// of, and nothing that wasn't asked for. An answer that fails is an
// [*AnswerError].
//
// What the package does not do: verify signatures. Neither checkpoints nor
// signed entry timestamps (SETs) are authenticated, so that all of it may be
// an invention of the server until the caller has verified [Shard.Checkpoint]
// or [Entry.Checkpoint] with a key that it trusts. Nor does it look into
// entry bodies.
package rekor

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/modseal/modseal/internal/fetch"
)

const (
	// batch is the most entries that one call may ask for; with more the
	// server answers 422.
	batch = 10

	// Limits of answers, in bytes. A usual entry has 2 to 6 kB, a certificate
	// chain or a stored attestation included up to 200 kB. Many answers are in
	// memory at once: one that is larger than maxEntriesAnswer is of one entry
	// alone, and is read while no other such is.
	maxEntriesAnswer = 512 << 10
	maxEntryAnswer   = 8 << 20
	maxShardsAnswer  = 4 << 20
	maxProofAnswer   = 64 << 10
	maxKeyAnswer     = 64 << 10
	maxSearchAnswer  = 1 << 20

	// maxSearchUUIDs is the most UUIDs that one search returns.
	maxSearchUUIDs = 10_000

	// maxBadAnswers is how many answers that can't be an honest server's one call
	// of Retrieve looks at, before it asks for nothing more.
	maxBadAnswers = 100

	// maxTooLong is how many answers over maxEntryAnswer it reads up to there, before
	// one over maxEntriesAnswer is enough.
	maxTooLong = 32

	// maxShards is the most shards that a log may have. The public one has
	// three.
	maxShards = 1000

	defaultParallel = 8
)

// Options say which server a [Client] speaks to, and how.
type Options struct {
	URL      string        // of the server, without /api/v1
	Fetch    *fetch.Client // nil means one with default options
	Parallel int           // calls at a time that [Client.Retrieve] makes; 0 means 8
}

// A Client speaks to one Rekor server. It is safe for concurrent use.
type Client struct {
	base     string
	fetch    *fetch.Client
	parallel int
	large    sync.Mutex // held while there is an answer over maxEntriesAnswer
}

// New returns a client of the server at o.URL. It makes no request.
func New(o Options) *Client {
	c := &Client{base: strings.TrimRight(o.URL, "/") + "/api/v1/", fetch: o.Fetch, parallel: o.Parallel}
	if c.fetch == nil {
		c.fetch = fetch.New(fetch.Options{})
	}
	if c.parallel <= 0 {
		c.parallel = defaultParallel
	}
	return c
}

func (c *Client) get(ctx context.Context, kind, path string, maxBytes int64) ([]byte, error) {
	resp, err := c.fetch.Do(ctx, fetch.Request{URL: c.base + path, Kind: kind, MaxBytes: maxBytes})
	if err != nil {
		return nil, fmt.Errorf("rekor: %w", err)
	}
	return resp.Body, nil
}

func (c *Client) post(ctx context.Context, kind, path string, body []byte, maxBytes int64, accept ...int) (fetch.Response, error) {
	resp, err := c.fetch.Do(ctx, fetch.Request{
		Method:      http.MethodPost,
		URL:         c.base + path,
		Body:        body,
		ContentType: "application/json",
		Kind:        kind,
		MaxBytes:    maxBytes,
		Accept:      accept,
	})
	if err != nil {
		return fetch.Response{}, fmt.Errorf("rekor: %w", err)
	}
	return resp, nil
}
