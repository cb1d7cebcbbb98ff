package snapshot

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"

	"github.com/modseal/modseal/internal/atomicfile"
	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/limit"
	"github.com/modseal/modseal/internal/rekor"
	"github.com/modseal/modseal/merkle"
)

// maxRetrieved is how many entries over one digest are looked at one by one.
// Beyond it only those of the signers that were named are looked for.
const maxRetrieved = 200

// picker decides which of the entries over a digest are kept: all of the
// signers that were named, and a bounded number of others. Anybody can log any
// number of entries, so neither may the rest fill the bundle nor hide one.
type picker struct {
	*collector
	client   *rekor.Client
	cache    entryCache
	verifier *evidence.Verifier // of certificates
	mu       sync.Mutex
}

// leftOut counts what was found over a digest and not kept.
type leftOut struct {
	others int  // entries of other signers
	kinds  int  // entries of kinds that are not carried
	more   bool // and more than the search gives
}

// entries finds, retrieves and chooses the entries over a digest.
func (p *picker) entries(ctx context.Context, digest [32]byte) ([]rekor.Entry, leftOut, error) {
	found, err := p.client.Search(ctx, digest)
	if err != nil {
		return nil, leftOut{}, err
	}
	look := found.UUIDs
	if len(look) > maxRetrieved || found.More {
		named, err := p.searchNamed(ctx, digest)
		if err != nil {
			return nil, leftOut{}, err
		}
		look = append(named, look[:min(len(look), maxRetrieved)]...)
	}
	all, err := p.retrieve(ctx, look)
	if err != nil {
		return nil, leftOut{}, err
	}
	kept, kinds := p.choose(all, digest)
	exist := max(len(found.UUIDs), len(all)) // the index may not give all that it has
	return kept, leftOut{others: exist - len(kept) - kinds, kinds: kinds, more: found.More}, nil
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
		if found.More {
			return nil, fmt.Errorf("%s has logged more entries over it than the index gives", s.Name)
		}
		out = append(out, found.UUIDs...)
	}
	return out, nil
}

// retrieve gets entries from the cache or the server.
func (p *picker) retrieve(ctx context.Context, uuids []rekor.UUID) ([]rekor.Entry, error) {
	uuids = slices.Clone(uuids)
	slices.Sort(uuids)
	uuids = slices.Compact(uuids)
	var out []rekor.Entry
	var ask []rekor.UUID
	for _, u := range uuids {
		if e, ok := p.cache.get(u); ok && p.authentic(e) == nil {
			out = append(out, e)
		} else {
			ask = append(ask, u)
		}
	}
	if len(ask) > 0 {
		entries, err := p.client.Entries(ctx, ask)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if err := p.authentic(e); err != nil {
				return nil, fmt.Errorf("rekor: bad answer: entry %s: %w", e.UUID, err)
			}
			p.cache.put(e)
		}
		out = append(out, entries...)
	}
	slices.SortFunc(out, func(a, b rekor.Entry) int { return cmp.Compare(a.LogIndex, b.LogIndex) })
	return out, nil
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

// choose keeps the entries of named signers, and the oldest few of others.
func (p *picker) choose(all []rekor.Entry, digest [32]byte) (kept []rekor.Entry, kinds int) {
	spare := p.Others
	for _, e := range all {
		h, err := evidence.ParseHashedRekord(e.Body)
		switch {
		case err != nil || h.SHA256 != digest:
			kinds++
		case p.named(h):
			// Rekor takes in any certificate, so what it says is verified first: else
			// whoever likes could log any number of entries in the name of a signer.
			if h.Certificate == nil || p.verifies(e, h) {
				kept = append(kept, e)
			}
		case spare > 0:
			spare--
			kept = append(kept, e)
		}
	}
	return kept, kinds
}

// named tells whether an entry claims to be by a signer that was named.
func (p *picker) named(h *evidence.HashedRekord) bool {
	if h.Certificate == nil {
		_, ok := p.Policy.ByKey(h.Key)
		return ok
	}
	if !p.Policy.NamesIdentities() {
		return false
	}
	s, err := certificate.SummarizeCertificate(h.Certificate)
	if err != nil {
		return false
	}
	_, ok := p.Policy.ByCertificate(s)
	return ok
}

// verifies tells whether an entry would be accepted as evidence, but for the
// policy.
func (p *picker) verifies(e rekor.Entry, h *evidence.HashedRekord) bool {
	_, err := p.verifier.Verify(&evidence.RekorV1{
		Body: e.Body, LogID: e.LogID, LogIndex: e.LogIndex, IntegratedTime: e.IntegratedTime,
		SET: e.SET, Inclusion: e.Inclusion, Checkpoint: e.Checkpoint,
	}, h)
	return err == nil
}

// note records what was left out, for the summary and the manifest.
func (p *picker) note(w *wanted, l leftOut) {
	if l == (leftOut{}) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, i := range w.modules {
		m := &p.modules[i]
		m.leftOut += l.others + l.kinds
		if l.others > 0 || l.more {
			why := "by signers whom nobody named"
			if l.more {
				why += "; the index has even more"
			}
			p.summary.LeftOut = append(p.summary.LeftOut, LeftOut{Module: m.v, Count: l.others, Why: why})
		}
		if l.kinds > 0 {
			p.summary.LeftOut = append(p.summary.LeftOut, LeftOut{Module: m.v, Count: l.kinds, Why: "of kinds other than hashedrekord"})
		}
	}
}

// entryCache keeps retrieved entries, so that an interrupted snapshot does not
// fetch them again. A leaf never changes; its proof is of some older tree head
// and is rebased like any other. What comes out is checked like what comes from
// a server.
type entryCache struct{ dir string }

const maxCachedEntry = 8 << 20 // bytes

func (c entryCache) file(u rekor.UUID) string {
	return filepath.Join(c.dir, "rekor", string(u[len(u)-64:][:2]), string(u))
}

func (c entryCache) get(u rekor.UUID) (rekor.Entry, bool) {
	var e rekor.Entry
	if c.dir == "" || u.TreeID() == "" {
		return e, false
	}
	f, err := os.Open(c.file(u))
	if err != nil {
		return e, false
	}
	defer f.Close()
	b, err := limit.ReadAll(f, "cached entry", maxCachedEntry)
	if err != nil || gob.NewDecoder(bytes.NewReader(b)).Decode(&e) != nil || e.UUID != u {
		return rekor.Entry{}, false
	}
	if leaf := merkle.LeafHash(e.Body); leaf != e.Inclusion.Leaf || fmt.Sprintf("%x", leaf[:]) != string(u[len(u)-64:]) {
		return rekor.Entry{}, false
	}
	in := e.Inclusion
	return e, merkle.VerifyInclusion(in.Tree, in.Index, in.Leaf, in.Path) == nil
}

// put may fail: then the entry is fetched again another time.
func (c entryCache) put(e rekor.Entry) {
	if c.dir == "" {
		return
	}
	var b bytes.Buffer
	if gob.NewEncoder(&b).Encode(e) != nil {
		return
	}
	name := c.file(e.UUID)
	_ = errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), atomicfile.WriteBytes(name, b.Bytes()))
}
