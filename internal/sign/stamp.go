package sign

import (
	"context"
	"fmt"
	"net/http"

	sigstore "github.com/sigstore/sigstore-go/pkg/sign"
)

// retries is how often a Fulcio and a timestamp authority are asked again after
// a status that may pass.
const retries = 3

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
		d.entry.Timestamps = append(d.entry.Timestamps, t)
	}
	return nil
}

// endsWith makes requests end when a context does: sigstore-go makes them
// without one.
func endsWith(ctx context.Context, next http.RoundTripper) http.RoundTripper {
	return withContext{ctx, orUsual(next)}
}

func orUsual(t http.RoundTripper) http.RoundTripper {
	if t == nil {
		return http.DefaultTransport
	}
	return t
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
