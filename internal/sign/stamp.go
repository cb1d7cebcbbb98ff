package sign

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	sigstore "github.com/sigstore/sigstore-go/pkg/sign"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/modseal/modseal/internal/fetch"
	"github.com/modseal/modseal/internal/trust"
)

// retries is how often a Fulcio and a timestamp authority are asked again after
// a status that may pass.
const retries = 3

// maxConns is how many connections there are to one of them at a time.
const maxConns = 16

// orUsual is the given transport, or a new one of our own.
func orUsual(t http.RoundTripper) http.RoundTripper {
	if t == nil {
		return fetch.Transport(maxConns)
	}
	return t
}

// stamp has each timestamp authority say that the signature exists now.
func (s *Service) stamp(ctx context.Context, d *draft) error {
	if len(s.Timestamps) == 0 {
		return nil
	}
	signature := d.claim.Signature
	if signature == nil { // of an entry that was found
		c, err := d.entry.Claim()
		if err != nil {
			return nil // which verification will say
		}
		signature = c.Signature
	}
	d.entry.Timestamps = nil
	for _, url := range s.Timestamps {
		tsa := sigstore.NewTimestampAuthority(&sigstore.TimestampAuthorityOptions{URL: url, Retries: retries, Transport: endsWith(ctx, s.Transport)})
		t, err := tsa.GetTimestamp(ctx, signature)
		if err != nil {
			return fmt.Errorf("timestamp of %s: %w", url, shown(ctx, err))
		}
		if err := checkStamp(t, signature, s.Trust); err != nil {
			return fmt.Errorf("timestamp of %s: %w", url, err)
		}
		d.entry.Timestamps = append(d.entry.Timestamps, t)
	}
	return nil
}

// checkStamp demands a time stamp over the signature, of an authority that is trusted.
// It is done before anything is logged, and for a Rekor v1 too, where the log's own time
// would be enough for what is signed to verify.
func checkStamp(stamp, signature []byte, m *trust.Material) error {
	good, bad, err := verify.VerifySignedTimestamp(stamped{stamp: stamp, signature: signature}, m.Sigstore)
	if err != nil {
		return err
	}
	if len(good) == 0 {
		return fmt.Errorf("it does not verify for this signature by any authority that is trusted here (--trusted-root): %.200q", errors.Join(bad...).Error())
	}
	return nil
}

// stamped is a signature with one time stamp, as sigstore-go verifies that.
type stamped struct {
	verify.SignedEntity
	stamp, signature []byte
}

func (s stamped) Timestamps() ([][]byte, error) { return [][]byte{s.stamp}, nil }

func (s stamped) SignatureContent() (verify.SignatureContent, error) {
	return onlySignature{signature: s.signature}, nil
}

type onlySignature struct {
	verify.SignatureContent
	signature []byte
}

func (s onlySignature) Signature() []byte { return s.signature }

// endsWith makes requests end when a context does: sigstore-go makes them
// without one.
func endsWith(ctx context.Context, next http.RoundTripper) http.RoundTripper {
	return withContext{ctx, next}
}

type withContext struct {
	ctx  context.Context
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t withContext) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context()) // which has the time limit
	context.AfterFunc(t.ctx, func() { cancel(t.ctx.Err()) })
	return t.next.RoundTrip(r.WithContext(ctx))
}
