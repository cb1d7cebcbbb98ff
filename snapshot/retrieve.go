package snapshot

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/modseal/modseal/internal/rekor"
)

const (
	// maxRetrieved is how many entries over one digest are looked at one by one.
	// Beyond it only those of the signers that were named are looked for.
	maxRetrieved = 200

	// maxNamed is how many entries over one digest one of these may have. Anybody
	// can log entries with a certificate that names somebody, and only the entry
	// itself shows that no authority issued it.
	maxNamed = 2000
)

// searchAll searches for every digest, and offers the entries that are in the
// cache.
func (p *picker) searchAll(ctx context.Context, digests []*wanted) ([]*choice, error) {
	choices := make([]*choice, len(digests))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(p.Parallel)
	for i, w := range digests {
		c := &choice{wanted: w}
		choices[i] = c
		g.Go(func() error {
			defer p.count(1)
			look, err := p.search(ctx, c)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err != nil {
				c.fail(err)
				return nil
			}
			return p.offerCached(c, look)
		})
	}
	return choices, g.Wait()
}

// offerCached offers the entries that are in the cache; the others must be
// retrieved. It is an error that the head of one is of another history.
func (p *picker) offerCached(c *choice, uuids []rekor.UUID) error {
	for _, u := range uuids {
		e, ok := p.cache.get(u)
		if !ok || p.authentic(e) != nil {
			c.ask = append(c.ask, u)
			continue
		}
		e = withoutOther(e)
		if err := p.saw(e, inCache); err != nil {
			return err
		}
		p.offer(c, e)
	}
	return nil
}

// saw notes the head that an authentic entry came with.
func (p *picker) saw(e rekor.Entry, from string) error {
	return p.seen.add(shardID{logID: e.LogID, origin: originOf(e.Checkpoint)}, signedHead{e.Inclusion.Tree, e.Checkpoint, from})
}

// search finds the entries over a digest that are to be looked at.
func (p *picker) search(ctx context.Context, c *choice) ([]rekor.UUID, error) {
	found, err := p.client.Search(ctx, c.digest)
	if err != nil {
		return nil, err
	}
	look := p.inTrustedShards(found.UUIDs)
	c.found, c.left.more, c.left.untrusted = len(found.UUIDs), found.More, len(found.UUIDs)-len(look)
	c.seen = c.left.untrusted
	if len(look) > maxRetrieved || found.More {
		named, err := p.searchNamed(ctx, c.digest)
		if err != nil {
			return nil, err
		}
		look = append(named, look[:min(len(look), maxRetrieved)]...)
	}
	return rekor.Distinct(look)
}

// inTrustedShards drops what names a shard whose key is not trusted: it can't
// count, whatever it is.
func (p *picker) inTrustedShards(uuids []rekor.UUID) []rekor.UUID {
	var out []rekor.UUID
	for _, u := range uuids {
		if !p.untrusted[u.TreeID()] {
			out = append(out, u)
		}
	}
	return out
}

// searchNamed asks the index for the entries of each named key and each exact
// e-mail identity alone.
func (p *picker) searchNamed(ctx context.Context, digest [32]byte) ([]rekor.UUID, error) {
	var out []rekor.UUID
	for _, s := range p.Policy.Signers {
		var by rekor.SearchBy
		switch {
		case s.Key != nil:
			by.PublicKey = s.Key.MarshalPEM()
		case s.Identity != nil && s.Identity.SubjectAlternativeName.SubjectAlternativeName != "":
			by.Subject = s.Identity.SubjectAlternativeName.SubjectAlternativeName
		default:
			return nil, fmt.Errorf("more than %d entries are logged over it, and the index can't be asked for those of %s: name the signer exactly", maxRetrieved, s.Name)
		}
		found, err := p.client.SearchSigned(ctx, digest, by)
		if err != nil {
			return nil, err
		}
		uuids := p.inTrustedShards(found.UUIDs)
		if len(uuids) > p.maxNamed || found.More {
			return nil, fmt.Errorf("more than %d entries are logged over it in the name of %s: anybody can log in the name of an identity, so have it attested with a key, and name that instead", p.maxNamed, s.Name)
		}
		out = append(out, uuids...)
	}
	return out, nil
}

// retrieve gets what is not in the cache, in as few calls as there can be for
// all digests together, and offers each entry to the digests that the index
// named it for. An entry that can't be had fails these alone.
func (p *picker) retrieve(ctx context.Context, ask map[rekor.UUID][]*choice) error {
	return p.client.Retrieve(ctx, slices.Sorted(maps.Keys(ask)), func(a rekor.Answer) error {
		defer p.count(1)
		err := a.Err
		if err == nil && !p.untrusted[a.Entry.TreeID] {
			if err = p.authentic(a.Entry); err != nil {
				err = fmt.Errorf("rekor: bad answer: entry %s: %w", a.Entry.UUID, err)
			} else if fork := p.saw(a.Entry, withLeaf); fork != nil {
				return fork
			} else {
				a.Entry = withoutOther(a.Entry)
				p.cache.put(a.Entry)
			}
		}
		for _, c := range ask[a.Asked] {
			if err != nil {
				c.fail(err)
			} else {
				p.offer(c, a.Entry)
			}
		}
		return nil
	})
}

// union is what all choices together ask for.
func union(choices []*choice) map[rekor.UUID][]*choice {
	ask := map[rekor.UUID][]*choice{}
	for _, c := range choices {
		for _, u := range c.ask {
			ask[u] = append(ask[u], c)
		}
	}
	return ask
}

// authentic verifies what the log alone can sign: the checkpoint that the entry
// is proven by, and the signed entry timestamp, which covers all of the entry
// that the tree does not. What a server made up is not kept for another time.
func (p *picker) authentic(e rekor.Entry) error {
	head, err := p.Trust.OpenRekorV1(e.LogID, e.Checkpoint)
	if err != nil {
		return err
	}
	if head.Tree != e.Inclusion.Tree || !strings.HasSuffix(head.Origin, " - "+e.TreeID) {
		return errors.New("its checkpoint is of another tree")
	}
	key, ok := p.Trust.Sigstore.RekorLogs()[hex.EncodeToString(e.LogID[:])].PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return errors.New("the log's key is not an ECDSA key")
	}
	// RFC 8785 JSON, as Rekor signs it
	signed := sha256.Sum256(fmt.Appendf(nil, `{"body":"%s","integratedTime":%d,"logID":"%x","logIndex":%d}`,
		base64.StdEncoding.EncodeToString(e.Body), e.IntegratedTime, e.LogID, e.LogIndex))
	if !ecdsa.VerifyASN1(key, signed[:], e.SET) {
		return errors.New("its signed entry timestamp does not verify")
	}
	return nil
}
