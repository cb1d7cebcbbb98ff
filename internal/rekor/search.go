package rekor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/modseal/modseal/internal/fetch"
)

// Found is the result of a search.
type Found struct {
	UUIDs []UUID // in the server's order, each once
	More  bool   // there were more than the limits let us read
}

// Search asks the index for the entries with a SHA-256 digest: of an artifact,
// of a subject of a statement, or of an envelope's payload. No entry is an
// empty result.
//
// Anyone can make any number of entries for any digest, so that there are
// limits (10,000 UUIDs, 1 MiB) and everything up to them is returned: who
// floods a digest uses neither more memory than that, nor hides the entries
// that the server names first. The index is outside of Rekor's promises. What
// it leaves out may be in the log all the same.
func (c *Client) Search(ctx context.Context, digest [32]byte) (Found, error) {
	return c.search(ctx, fmt.Appendf(nil, `{"hash":"sha256:%x"}`, digest))
}

// SearchBy names who signed what is searched for: exactly one of the two.
type SearchBy struct {
	PublicKey []byte // PEM, as it stands in the entries
	Subject   string // of a certificate
}

// SearchSigned is [Client.Search] for the entries of one signer alone, so that
// those of others, however many, don't matter. What it returns says no more
// than that the index thinks so.
func (c *Client) SearchSigned(ctx context.Context, digest [32]byte, by SearchBy) (Found, error) {
	if (by.PublicKey == nil) == (by.Subject == "") {
		return Found{}, errors.New("rekor: search by neither or both of key and subject")
	}
	type publicKey struct {
		Format  string `json:"format"`
		Content []byte `json:"content"`
	}
	request := struct {
		Hash      string     `json:"hash"`
		PublicKey *publicKey `json:"publicKey,omitempty"`
		Subject   string     `json:"subject,omitempty"`
		Operator  string     `json:"operator"`
	}{Hash: fmt.Sprintf("sha256:%x", digest), Subject: by.Subject, Operator: "and"}
	if by.PublicKey != nil {
		request.PublicKey = &publicKey{Format: "x509", Content: by.PublicKey}
	}
	body, err := json.Marshal(request)
	if err != nil {
		return Found{}, err
	}
	return c.search(ctx, body)
}

func (c *Client) search(ctx context.Context, request []byte) (Found, error) {
	resp, err := c.fetch.Do(ctx, fetch.Request{
		Method:      http.MethodPost,
		URL:         c.base + "index/retrieve",
		Body:        request,
		ContentType: "application/json",
		Kind:        "search",
		MaxBytes:    maxSearchAnswer,
		Prefix:      true,
	})
	if err != nil {
		return Found{}, fmt.Errorf("rekor: %w", err)
	}
	return parseSearch(resp.Body, resp.More)
}

// parseSearch reads a list of UUIDs. If cut, the end of data isn't the end of
// the answer, and what follows the last comma in it is dropped.
func parseSearch(data []byte, cut bool) (Found, error) {
	if cut {
		last := bytes.LastIndexByte(data, ',')
		if last < 0 {
			return Found{}, malformed("search result over the limit that isn't a list of UUIDs")
		}
		data = append(data[:last:last], ']')
	}
	found := Found{More: cut}
	seen := make(map[UUID]bool)
	d := json.NewDecoder(bytes.NewReader(data)) // one by one: a list of nothing has millions
	if start, err := d.Token(); err != nil || start != json.Delim('[') && start != nil {
		return Found{}, malformed("search result isn't a list: %w", notEOF(err))
	} else if start == nil {
		return found, endOf(d)
	}
	for d.More() {
		var s string
		if err := d.Decode(&s); err != nil {
			return Found{}, malformed("search result: %w", notEOF(err))
		}
		uuid, err := ParseUUID(s)
		if err != nil {
			return Found{}, malformed("search result: %w", err)
		}
		if seen[uuid] {
			continue
		}
		if len(found.UUIDs) == maxSearchUUIDs {
			found.More = true
			return found, nil
		}
		seen[uuid] = true
		found.UUIDs = append(found.UUIDs, uuid)
	}
	if _, err := d.Token(); err != nil {
		return Found{}, malformed("search result: %w", notEOF(err))
	}
	if err := endOf(d); err != nil {
		return Found{}, err
	}
	return found, nil
}

// endOf says that nothing follows a value.
func endOf(d *json.Decoder) error {
	if _, err := d.Token(); err != io.EOF {
		return malformed("search result with something after it")
	}
	return nil
}
