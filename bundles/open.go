package bundles

import (
	"errors"
	"fmt"
	"io"

	"github.com/modseal/modseal/internal/limit"
)

// OpenOptions say whom to trust.
type OpenOptions struct {
	// Seals accepts or refuses the seals. A nil verifier accepts none.
	Seals SealVerifier
	// InsecureIgnoreSeals reads a bundle even when its seals are not accepted. What
	// comes out is then nobody's word.
	InsecureIgnoreSeals bool
	// Whole reads listings, module files and tiles at once, and demands that nothing
	// follows them. Else that is left to who uses them: each is checked when it is
	// handed out. What nobody sealed is read whole in any case.
	Whole bool
	// Own says that the caller has made it or is about to seal it: then the limits are
	// those of a sealed bundle. Else those on what nobody sealed are lower, so that
	// reading it does not take more than 256 MiB of memory.
	Own bool
	// Among is how many bundles the caller has in memory at once, this one among them:
	// what nobody sealed has its part of the lower limits. 0 means 1.
	Among int
}

// Bundle is an opened bundle: authenticated by Seals, well formed, and not yet
// verified against any log.
type Bundle struct {
	Manifest Manifest
	Logs     []Log // Logs[i] belongs to Manifest.Logs[i]
	// Trust is the TUF chain that the bundle carries, by name; nil if it has none.
	// It is evidence of what to trust, to be walked from a root of one's own.
	Trust   map[string][]byte
	Seals   []Seal  // the accepted seals; empty only with InsecureIgnoreSeals
	Refused []error // why the other seals were refused, and why they are not enough
	Payload Digests
	Size    int64 // bytes of payload.tar.zst

	payload *sealedPayload
	seals   [][]byte
	limits  limits
}

// Open reads a bundle of size bytes. It reads all of it once to take the
// payload's digests, asks for seals over them, and only then decompresses and
// checks manifest, logs and trust, and the rest if it is to be read Whole: framing,
// canonical form, limits, digests, references.
func Open(r io.ReaderAt, size int64, o OpenOptions) (*Bundle, error) {
	return open(r, size, o, formatLimits())
}

func open(r io.ReaderAt, size int64, o OpenOptions, lim limits) (*Bundle, error) {
	seals, payload, err := readFrame(source{r}, size, lim)
	if err != nil {
		return nil, err
	}
	b := &Bundle{Payload: payload.digests, Size: payload.size, payload: payload, seals: seals, limits: lim}
	b.checkSeals(o.Seals)
	if len(b.Seals) == 0 && !o.InsecureIgnoreSeals {
		if len(seals) == 0 {
			return nil, fmt.Errorf("%w: it has no seal", ErrUnsealed)
		}
		return nil, fmt.Errorf("%w: %w", ErrUnsealed, errors.Join(b.Refused...))
	}
	if len(b.Seals) == 0 && !o.Own {
		b.limits = lim.unsealed(max(1, o.Among))
	}
	err = b.decode(o.Whole || len(b.Seals) == 0)
	if errors.Is(err, limit.ErrExceeded) && b.limits != lim {
		err = fmt.Errorf("%w (limits are lower for a bundle that no trusted sealer sealed)", err)
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// checkSeals accepts the seals if they are enough, and else none of them.
func (b *Bundle) checkSeals(v SealVerifier) {
	if v == nil {
		v = nobody{}
	}
	s := v.VerifySeals(b.seals, b.Payload)
	b.Refused = s.Refused
	if s.Lacks != nil {
		b.Refused = append([]error{s.Lacks}, s.Refused...)
	} else {
		b.Seals = s.Accepted
	}
}

// nobody trusts no sealer.
type nobody struct{}

// VerifySeals implements SealVerifier.
func (nobody) VerifySeals(seals [][]byte, _ Digests) (s Sealing) {
	for i := range seals {
		s.Refused = append(s.Refused, fmt.Errorf("seal %d: no sealer is trusted", i))
	}
	return s
}

// SealFiles are all seals as they are in the file, whoever made them.
func (b *Bundle) SealFiles() [][]byte { return b.seals }

// Listings hands out the listings that are wanted, in the order of their digests;
// nil wants all. Others are passed over in the payload, and what comes after the
// last is not read. A listing has the digest by which it is handed out, and proves
// nothing until that is proven.
func (b *Bundle) Listings(want func(digest string) bool, yield func(digest string, listing []byte) error) error {
	if want == nil {
		want = allListings
	}
	digests := b.Manifest.listingDigests()
	for len(digests) > 0 && !want(digests[len(digests)-1]) {
		digests = digests[:len(digests)-1]
	}
	if len(digests) == 0 {
		return nil
	}
	p, err := b.openPayloadAfter(1 + len(b.Manifest.Files))
	if err != nil {
		return err
	}
	defer p.close()
	return p.listings(digests, want, yield)
}

// PayloadReader gives the bytes of payload.tar.zst as they were sealed.
func (b *Bundle) PayloadReader() io.Reader { return b.payload.reader() }
