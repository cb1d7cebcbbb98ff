package snapshot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/rekor"
	"github.com/modseal/modseal/internal/trust"
)

// PublicRekor tells whether a URL is of a public instance of Rekor, which must
// not learn of private modules. What has no host is taken for one.
func PublicRekor(rekorURL string) bool {
	u, err := url.Parse(rekorURL)
	if err != nil {
		return true
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")) // as the domain name system compares
	for _, domain := range []string{"sigstore.dev", "sigstage.dev"} {
		if host == "" || host == domain || strings.HasSuffix(host, "."+domain) {
			return true
		}
	}
	return false
}

// wanted is a digest to look for, and the subjects that have it.
type wanted struct {
	digest   [32]byte
	subjects []int // places in collector.subjects, ascending
}

// wantedDigests are the digests of all subjects that the Rekor at hand may be
// asked about: each zip's and each h1, and the SHA-256 of artifacts.
func (c *collector) wantedDigests(public bool) []*wanted {
	var out []*wanted
	by := map[evidence.Digest]*wanted{}
	for i := range c.subjects {
		m := &c.subjects[i]
		if public && m.artifact == nil && c.private(m.v) {
			continue
		}
		for _, d := range m.digests() {
			sum, err := bundles.ParseHex(d.Hex)
			if err != nil {
				continue // of another algorithm, which the index does not know
			}
			w := by[d]
			if w == nil {
				w = &wanted{digest: sum}
				by[d] = w
				out = append(out, w)
			}
			w.subjects = append(w.subjects, i)
		}
	}
	return out
}

// collectRekor searches a Rekor v1 for every digest, and retrieves what is kept
// of it.
func (c *collector) collectRekor(ctx context.Context) error {
	if c.RekorURL == "" {
		return nil
	}
	client := rekor.New(rekor.Options{URL: c.RekorURL, Fetch: c.Fetch, Parallel: c.Parallel})
	shards, err := client.Shards(ctx)
	var untrusted map[string]bool
	if err == nil {
		untrusted, err = c.untrustedShards(shards)
	}
	if fork := (*ForkError)(nil); err != nil && !errors.As(err, &fork) {
		return &RekorError{URL: c.RekorURL, Err: err}
	} else if err != nil {
		return err
	}
	verifier, err := evidence.NewVerifier(c.Trust.Sigstore)
	if err != nil {
		return err
	}
	pick := &picker{
		collector: c, client: client, cache: entryCache{dir: c.CacheDir, sweep: new(sync.Once)}, verifier: verifier, untrusted: untrusted, maxNamed: maxNamed,
	}
	digests := c.wantedDigests(PublicRekor(c.RekorURL))
	chosen, phase, err := pick.pick(ctx, digests)
	if err != nil {
		return err
	}
	n := 0
	for i, entries := range chosen {
		for _, e := range entries {
			isNew, err := c.keep(rekorV1(e), c.RekorURL, digests[i].subjects)
			if err != nil {
				return err
			}
			if isNew {
				n++
			}
		}
	}
	c.client = client
	phase.Done += fmt.Sprintf(", %d kept", n)
	c.phase(phase)
	return nil
}

// pick searches for every digest, retrieves what is found, and gives what is
// kept of it by digest, with the phase that is not yet done.
func (p *picker) pick(ctx context.Context, digests []*wanted) ([][]rekor.Entry, Phase, error) {
	phase := Phase{Name: "search Rekor", Total: int64(len(digests)), Unit: "digests"}
	p.phase(phase)
	choices, err := p.searchAll(ctx, digests)
	if err != nil {
		return nil, phase, err
	}
	found := 0
	for _, c := range choices {
		found += c.found
	}
	phase.Done = fmt.Sprintf("%d digests, %d entries found", len(digests), found)
	if ask := union(choices); len(ask) > 0 {
		p.phase(phase)
		phase = Phase{Name: "retrieve entries", Total: int64(len(ask)), Unit: "entries"}
		p.phase(phase)
		if err := p.retrieve(ctx, ask); err != nil {
			return nil, phase, err
		}
		phase.Done = fmt.Sprintf("%d entries", len(ask))
	}
	chosen, failed := make([][]rekor.Entry, len(digests)), make([]error, len(digests))
	for i, c := range choices {
		var left leftOut
		chosen[i], left, failed[i] = c.end()
		p.note(c.wanted, left)
	}
	return chosen, phase, p.searchFailures(digests, failed)
}

// untrustedShards names the trees whose head no trusted key signed, and notes the
// other heads. It demands that there is one at least: else nothing that the server
// gives can count, and nothing is asked of it.
func (c *collector) untrustedShards(shards []rekor.Shard) (map[string]bool, error) {
	untrusted := map[string]bool{}
	var all []error
	for _, s := range shards {
		logID, head, err := c.Trust.RekorLogID(s.Checkpoint)
		if err == nil {
			err = c.seen.add(shardID{logID: logID, origin: head.Origin}, signedHead{head.Tree, s.Checkpoint, inList})
			if err != nil {
				return nil, err
			}
			continue
		}
		all = append(all, err)
		if errors.Is(err, trust.ErrUntrustedLog) {
			untrusted[s.TreeID] = true
		}
	}
	if len(all) == len(shards) {
		return nil, all[0]
	}
	return untrusted, nil
}

// RekorError says that a Rekor can't be used at all.
type RekorError struct {
	URL string
	Err error
}

func (e *RekorError) Error() string { return fmt.Sprintf("Rekor %s can't be used: %v", e.URL, e.Err) }
func (e *RekorError) Unwrap() error { return e.Err }

// Hint says what to do without it.
func (e *RekorError) Hint() string {
	if errors.Is(e.Err, trust.ErrUntrustedLog) {
		return "name the log's public key with --rekor-public-key, or a trusted root that has it with --trusted-root"
	}
	return "--rekor-url=URL names another Rekor; with --rekor-url=off a snapshot is taken of the checksum database alone"
}

// searchFailures names the modules whose search failed.
func (c *collector) searchFailures(digests []*wanted, failed []error) error {
	var out []ModuleError
	seen := map[int]bool{}
	for i, err := range failed {
		if err == nil {
			continue
		}
		for _, n := range digests[i].subjects {
			if !seen[n] {
				seen[n] = true
				out = append(out, c.subjects[n].failed(err))
			}
		}
	}
	if len(out) == 0 {
		return nil
	}
	slices.SortFunc(out, func(a, b ModuleError) int { return cmp.Compare(a.Module.String(), b.Module.String()) })
	c.summary.Failed = append(c.summary.Failed, out...)
	if c.AllowMissing {
		return nil
	}
	return &IncompleteError{What: "the search of Rekor failed", Modules: out,
		Hint: "try again, or seal without what was not found with --allow-missing"}
}
