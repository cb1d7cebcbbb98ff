// Package attest signs modules and logs the signatures in Rekor: for each module
// one hashedrekord entry over the zip and one over the listing, so that the zip,
// the unpacked tree and a vendored copy can all be proven by the log alone.
package attest

import (
	"context"
	"crypto"
	"errors"
	"fmt"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/internal/modhash"
	"github.com/modseal/modseal/internal/rekor"
	"github.com/modseal/modseal/internal/trust"
)

// Attester signs with one key and logs in one Rekor. It is safe for concurrent
// use.
type Attester struct {
	key      *keys.Private
	client   *rekor.Client
	trust    *trust.Material
	verifier *evidence.Verifier
}

// New makes an attester. The key must sign SHA-256 digests: the digest logged is
// the one that others search for.
func New(key *keys.Private, client *rekor.Client, m *trust.Material) (*Attester, error) {
	if key.Public().Hash() != crypto.SHA256 {
		return nil, fmt.Errorf("%w: an Ed25519 key signs SHA-512 digests in Rekor, which nobody looks up; attest with an ECDSA P-256 key", keys.ErrUnsupported)
	}
	v, err := evidence.NewVerifier(m.Sigstore, key.Public())
	if err != nil {
		return nil, err
	}
	return &Attester{key: key, client: client, trust: m, verifier: v}, nil
}

// CheckLog demands that a trusted key signs the log's heads. What is logged
// stays: without it, a log that nobody here trusts would be told of modules.
func (a *Attester) CheckLog(ctx context.Context) error {
	shards, err := a.client.Shards(ctx)
	if err != nil {
		return err
	}
	_, _, err = a.trust.RekorLogID(shards[len(shards)-1].Checkpoint) // of the active shard
	return err
}

// Attestation is one logged signature.
type Attestation struct {
	Of       string // zip or listing
	Digest   [32]byte
	LogIndex uint64
	Existed  bool   // the log had it already
	Sigstore []byte // the Sigstore bundle, JSON
}

// Module attests a module whose zip has been hashed and checked.
func (a *Attester) Module(ctx context.Context, m module.Version, z *modhash.ZipResult) ([]Attestation, error) {
	if got := z.Listing.Module(); got != m {
		return nil, fmt.Errorf("the zip is of %s", got)
	}
	var out []Attestation
	for _, what := range []Attestation{{Of: "zip", Digest: z.Digest}, {Of: "listing", Digest: z.Listing.H1()}} {
		if err := a.log(ctx, &what); err != nil {
			return nil, fmt.Errorf("%s of %s: %w", what.Of, m, err)
		}
		out = append(out, what)
	}
	return out, nil
}

// log finds this key's entry over the digest, or makes one, and verifies it.
// Signatures are deterministic, so a second entry is not made even if the search
// misses the first.
func (a *Attester) log(ctx context.Context, what *Attestation) error {
	e, err := a.find(ctx, what.Digest)
	if err != nil {
		return err
	}
	what.Existed = e != nil
	if e == nil {
		if e, what.Existed, err = a.create(ctx, what.Digest); err != nil {
			return err
		}
	}
	what.LogIndex = e.LogIndex
	what.Sigstore, err = a.verify(e, what.Digest)
	return err
}

func (a *Attester) find(ctx context.Context, digest [32]byte) (*rekor.Entry, error) {
	found, err := a.client.SearchSigned(ctx, digest, rekor.SearchBy{PublicKey: a.key.Public().MarshalPEM()})
	if err != nil {
		return nil, err
	}
	const enough = 10 // one is what is looked for
	uuids := found.UUIDs[:min(enough, len(found.UUIDs))]
	if len(uuids) == 0 {
		return nil, nil
	}
	entries, err := a.client.Entries(ctx, uuids)
	var missing *rekor.MissingError
	if err != nil && !errors.As(err, &missing) {
		return nil, err
	}
	for i := range entries {
		if _, err := a.verify(&entries[i], digest); err == nil {
			return &entries[i], nil
		}
	}
	return nil, nil
}

func (a *Attester) create(ctx context.Context, digest [32]byte) (*rekor.Entry, bool, error) {
	sig, err := a.key.SignDigest(digest[:])
	if err != nil {
		return nil, false, err
	}
	proposed, err := evidence.ProposeHashedRekord(digest, sig, a.key.Public())
	if err != nil {
		return nil, false, err
	}
	e, existed, err := a.client.Create(ctx, proposed)
	return &e, existed, err
}

// verify makes the Sigstore bundle of an entry and verifies it, so that nothing
// is handed out that an enclave would refuse.
func (a *Attester) verify(e *rekor.Entry, digest [32]byte) ([]byte, error) {
	entry := &evidence.Entry{
		Body: e.Body, LogID: e.LogID, LogIndex: e.LogIndex, IntegratedTime: e.IntegratedTime,
		SET: e.SET, Inclusion: e.Inclusion, Checkpoint: e.Checkpoint,
	}
	claim, err := entry.Claim()
	if err != nil {
		return nil, err
	}
	if claim.Digest != evidence.SHA256(digest) || claim.Certificate != nil || claim.Key.Fingerprint() != a.key.Public().Fingerprint() {
		return nil, errors.New("the log's entry is not what was asked of it")
	}
	if _, err := a.trust.OpenRekorV1(e.LogID, e.Checkpoint); err != nil {
		return nil, err
	}
	if _, err := a.verifier.Verify(entry, claim); err != nil {
		return nil, err
	}
	return entry.MarshalSigstore()
}
