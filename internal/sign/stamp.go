package sign

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	sigstore "github.com/sigstore/sigstore-go/pkg/sign"

	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/fetch"
	"github.com/modseal/modseal/internal/limit"
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
		tsa := sigstore.NewTimestampAuthority(&sigstore.TimestampAuthorityOptions{URL: url, Retries: retries, Transport: stampsAlone{endsWith(ctx, s.Transport)}})
		t, err := tsa.GetTimestamp(ctx, signature)
		if err != nil {
			return fmt.Errorf("timestamp of %s: %w", url, shown(ctx, err))
		}
		// Before anything is logged, and for a Rekor v1 too, where the log's own time would
		// be enough for what is signed to verify.
		if err := evidence.VerifyStamp(t, signature, s.Trust.Sigstore); err != nil {
			return fmt.Errorf("timestamp of %s: %w (--trusted-root)", url, err)
		}
		d.entry.Timestamps = append(d.entry.Timestamps, t)
	}
	return nil
}

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

// stampsAlone hands out answers of a timestamp authority that are not costly to verify:
// sigstore-go does so as soon as it has one.
type stampsAlone struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t stampsAlone) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(r)
	if err != nil || resp.StatusCode/100 != 2 {
		return resp, err
	}
	defer resp.Body.Close()
	body, err := limit.ReadAll(resp.Body, "answer", evidence.MaxStamp)
	if err == nil {
		err = evidence.CheckStamp(body)
	}
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}
