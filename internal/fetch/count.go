package fetch

import (
	"cmp"
	"slices"
)

// A Count tells how often a host was asked for one kind of thing. Tries that
// are made again count each time.
type Count struct {
	Host     string // "file" for files
	Kind     string // of the requests
	Requests int
	Failed   int   // of Requests: those without an accepted, whole answer
	Bytes    int64 // of bodies
}

type countKey struct{ host, kind string }

func (c *Client) count(host, kind string, size int, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := countKey{host, kind}
	n := c.counts[key]
	if n == nil {
		n = &Count{Host: host, Kind: kind}
		c.counts[key] = n
	}
	n.Requests++
	n.Bytes += int64(size)
	if !ok {
		n.Failed++
	}
}

// Counts returns what has been asked so far, by host and kind, sorted.
func (c *Client) Counts() []Count {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]Count, 0, len(c.counts))
	for _, n := range c.counts {
		list = append(list, *n)
	}
	slices.SortFunc(list, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Kind, b.Kind))
	})
	return list
}
