package snapshot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/rekor"
	"github.com/modseal/modseal/internal/trust"
	"github.com/modseal/modseal/merkle"
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

// wanted is a digest to look for, and the modules that have it.
type wanted struct {
	digest  [32]byte
	modules []int // places in collector.modules, ascending
}

// wantedDigests are the digests of all modules that the Rekor at hand may be
// asked about: each zip's and each h1.
func (c *collector) wantedDigests(public bool) []*wanted {
	var out []*wanted
	by := map[[32]byte]*wanted{}
	add := func(digest [32]byte, i int) {
		w := by[digest]
		if w == nil {
			w = &wanted{digest: digest}
			by[digest] = w
			out = append(out, w)
		}
		w.modules = append(w.modules, i)
	}
	for i := range c.modules {
		m := &c.modules[i]
		if public && c.private(m.v) {
			continue
		}
		if m.zip != nil {
			add(*m.zip, i)
		}
		if m.h1 != nil {
			add(*m.h1, i)
		}
	}
	return out
}

// collectRekor searches a Rekor v1 for every digest, retrieves what is kept of
// it, and brings all proofs of a shard to one checkpoint.
func (c *collector) collectRekor(ctx context.Context) error {
	if c.RekorURL == "" {
		return nil
	}
	client := rekor.New(rekor.Options{URL: c.RekorURL, Fetch: c.Fetch, Parallel: c.Parallel})
	shards, err := client.Shards(ctx)
	var untrusted map[string]bool
	if err == nil {
		untrusted, err = untrustedShards(c.Trust, shards)
	}
	if err != nil {
		return &RekorError{URL: c.RekorURL, Err: err}
	}
	verifier, err := evidence.NewVerifier(c.Trust.Sigstore)
	if err != nil {
		return err
	}
	pick := &picker{
		collector: c, client: client, cache: entryCache{dir: c.CacheDir}, verifier: verifier, untrusted: untrusted, maxNamed: maxNamed,
	}
	digests := c.wantedDigests(PublicRekor(c.RekorURL))
	chosen, phase, err := pick.pick(ctx, digests)
	if err != nil {
		return err
	}
	logs, n, err := c.buildRekorLogs(ctx, client, digests, chosen)
	if err != nil {
		return err
	}
	c.logs = append(c.logs, logs...)
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

// untrustedShards names the trees whose head no trusted key signed. It demands
// that one did at least: else nothing that the server gives can count, and
// nothing is asked of it.
func untrustedShards(m *trust.Material, shards []rekor.Shard) (map[string]bool, error) {
	untrusted := map[string]bool{}
	var all []error
	for _, s := range shards {
		_, _, err := m.RekorLogID(s.Checkpoint)
		if err != nil {
			all = append(all, err)
		}
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
		for _, m := range digests[i].modules {
			if !seen[m] {
				seen[m] = true
				out = append(out, ModuleError{Module: c.modules[m].v, Err: err})
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

// shardEntries are the kept entries of one shard.
type shardEntries struct {
	treeID  string
	logID   [32]byte
	entries map[uint64]rekor.Entry // by index in the shard
	speaks  map[uint64][]int
}

// buildRekorLogs makes one log of the entries of each shard.
func (c *collector) buildRekorLogs(ctx context.Context, client *rekor.Client, digests []*wanted, chosen [][]rekor.Entry) ([]collectedLog, int, error) {
	byTree := map[string]*shardEntries{}
	total := 0
	for i, entries := range chosen {
		for _, e := range entries {
			s := byTree[e.TreeID]
			if s == nil {
				s = &shardEntries{treeID: e.TreeID, entries: map[uint64]rekor.Entry{}, speaks: map[uint64][]int{}}
				byTree[e.TreeID] = s
			}
			if _, ok := s.entries[e.Inclusion.Index]; !ok {
				s.entries[e.Inclusion.Index] = e
				total++
			}
			s.speaks[e.Inclusion.Index] = append(s.speaks[e.Inclusion.Index], digests[i].modules...)
		}
	}
	if total == 0 {
		return nil, 0, nil
	}
	// asked after the entries, so that no entry is newer than its shard's head
	shards, err := client.Shards(ctx)
	if err != nil {
		return nil, 0, &RekorError{URL: c.RekorURL, Err: err}
	}
	var logs []collectedLog
	for _, shard := range shards {
		if s := byTree[shard.TreeID]; s != nil {
			l, err := c.buildShard(ctx, client, shard, s)
			if err != nil {
				return nil, 0, fmt.Errorf("rekor: shard %s: %w", shard.TreeID, err)
			}
			logs = append(logs, *l)
			delete(byTree, shard.TreeID)
		}
	}
	for tree := range byTree {
		return nil, 0, fmt.Errorf("rekor: entries of shard %s, which the server does not list", tree)
	}
	return logs, total, nil
}

// head is the one tree head that all proofs of a shard are brought to: what the
// server lists now, or the newest that came with an entry if that is newer.
func (s *shardEntries) head(m *trust.Material, shard rekor.Shard) ([]byte, merkle.Tree, string, error) {
	checkpoint, size := shard.Checkpoint, shard.Size
	for _, e := range s.entries {
		if e.Inclusion.Tree.Size > size {
			checkpoint, size = e.Checkpoint, e.Inclusion.Tree.Size
		}
	}
	id, opened, err := m.RekorLogID(checkpoint)
	if err != nil {
		return nil, merkle.Tree{}, "", err
	}
	s.logID = id
	return checkpoint, opened.Tree, opened.Origin, nil
}

// buildShard rebases every proof to the shard's head, with one consistency proof
// for each size at which entries were proven, and merges them.
func (c *collector) buildShard(ctx context.Context, client *rekor.Client, shard rekor.Shard, s *shardEntries) (*collectedLog, error) {
	checkpoint, head, origin, err := s.head(c.Trust, shard)
	if err != nil {
		return nil, err
	}
	out := &collectedLog{speaks: s.speaks}
	out.LogInfo = bundles.LogInfo{Kind: bundles.RekorV1, Name: origin, LogID: fmt.Sprintf("%x", s.logID)}
	out.Checkpoint = checkpoint
	consistency := map[uint64][]merkle.Hash{}
	var proofs []merkle.Inclusion
	for index, e := range s.entries {
		if e.LogID != s.logID {
			return nil, fmt.Errorf("entry %d says log ID %x, its checkpoint is signed by %x", index, e.LogID, s.logID)
		}
		size := e.Inclusion.Tree.Size
		if _, ok := consistency[size]; !ok {
			if consistency[size], err = client.Consistency(ctx, shard.TreeID, size, head.Size); err != nil {
				return nil, err
			}
		}
		proof, err := merkle.Rebase(e.Inclusion, head, consistency[size])
		if err != nil {
			return nil, fmt.Errorf("entry %d: its proof at tree size %d does not lead to the head at %d: %w", index, size, head.Size, err)
		}
		proofs = append(proofs, proof)
		out.Entries = append(out.Entries, bundles.Entry{
			Index: index, Leaf: string(e.Body), LogIndex: e.LogIndex, IntegratedTime: e.IntegratedTime, SET: e.SET, Envelope: rekorV1(e).Envelope,
		})
	}
	slices.SortFunc(out.Entries, func(a, b bundles.Entry) int { return cmp.Compare(a.Index, b.Index) })
	out.Proof, err = merkle.MergeProofs(head, proofs)
	return out, err
}
