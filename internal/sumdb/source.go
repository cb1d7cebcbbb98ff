package sumdb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"path/filepath"
	"strings"
)

// ErrOff says that GOPROXY is or ends in "off", so that there is no way to the
// database. (The go command would then go to the database itself, for modules
// that it has no way to download.)
var ErrOff = errors.New("no way to the checksum database: GOPROXY says off")

// source is where the database is reached, once that is known.
type source struct {
	base string // URL
	err  error  // why there is none
}

// step is one element of GOPROXY.
type step struct {
	url        string // of a proxy, or "direct" or "off"
	onAnyError bool   // the next step is for any error, not only for not found
}

// parseGOPROXY reads a list as the go command does
// (https://go.dev/ref/mod#goproxy-protocol): after a comma the next element is
// for what the one before doesn't have, after a bar for any error of it.
// Nothing follows "direct" or "off".
func parseGOPROXY(list string) ([]step, error) {
	if list == "" {
		list = "direct"
	}
	var steps []step
	for list != "" {
		elem, onAnyError := list, false
		if i := strings.IndexAny(list, ",|"); i >= 0 {
			elem, onAnyError, list = list[:i], list[i] == '|', list[i+1:]
		} else {
			list = ""
		}
		switch elem = strings.TrimSpace(elem); elem {
		case "", "noproxy":
			continue
		case "direct", "off":
			return append(steps, step{url: elem}), nil
		}
		if strings.ContainsAny(elem, ".:/") && !strings.Contains(elem, ":/") && !filepath.IsAbs(elem) && !path.IsAbs(elem) {
			elem = "https://" + elem
		}
		u, err := url.Parse(elem)
		if err != nil {
			return nil, errors.New("GOPROXY has a malformed URL") // which may hold a password
		}
		switch {
		case u.Scheme == "http", u.Scheme == "https":
		case u.Scheme == "file" && *u == url.URL{Scheme: u.Scheme, Path: u.Path, RawPath: u.RawPath}:
		default:
			return nil, fmt.Errorf("GOPROXY has the element %s, which isn't an https, http or file URL", u.Redacted())
		}
		steps = append(steps, step{strings.TrimRight(elem, "/"), onAnyError})
	}
	if len(steps) == 0 {
		return nil, errors.New("GOPROXY is a list without an element")
	}
	return steps, nil
}

// base is the URL to ask, which is chosen once. A choice that was cut short by
// a context is made anew.
func (c *Client) base(ctx context.Context) (string, error) {
	select {
	case c.choosing <- struct{}{}:
		defer func() { <-c.choosing }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if c.source.base != "" || c.source.err != nil {
		return c.source.base, c.source.err
	}
	base, err := c.choose(ctx)
	if err != nil && ctx.Err() != nil {
		return "", err
	}
	c.source = source{base, err}
	return base, err
}

// choose goes through GOPROXY until the database's head can be had. The go
// command asks each proxy for /supported first; the head tells the same and is
// needed anyway. As with the go command, a proxy that has the database is not
// left for another way later on, and a list whose proxies all don't have it
// ends at the database itself.
func (c *Client) choose(ctx context.Context) (string, error) {
	if c.db.NoProxy {
		return c.db.URL, c.probe(ctx, c.db.URL)
	}
	steps, err := parseGOPROXY(c.proxy)
	if err != nil {
		return "", err
	}
	var failed error // of a proxy, other than not having it
	for _, s := range steps {
		switch s.url {
		case "off":
			if failed != nil {
				return "", fmt.Errorf("%w, and before that: %w", ErrOff, failed)
			}
			return "", ErrOff
		case "direct":
			return c.db.URL, c.probe(ctx, c.db.URL)
		}
		base := s.url + "/sumdb/" + c.db.Name
		err := c.probe(ctx, base)
		switch {
		case err == nil:
			return base, nil
		case ctx.Err() != nil:
			return "", err
		case !errors.Is(err, fs.ErrNotExist):
			failed = err
			if !s.onAnyError {
				return "", err
			}
		}
	}
	if failed != nil {
		return "", failed
	}
	return c.db.URL, c.probe(ctx, c.db.URL)
}

// probe asks for the head, and notes it.
func (c *Client) probe(ctx context.Context, base string) error {
	data, err := c.getFrom(ctx, base, "latest", "latest", maxNote)
	if err != nil {
		return err
	}
	head, err := c.openHead(data)
	if err != nil {
		return err
	}
	return c.see(head, atLatest)
}
