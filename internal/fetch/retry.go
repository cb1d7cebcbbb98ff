package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// triesFor is how many tries a request has whose last try ended like this.
func (c *Client) triesFor(f *failed) int {
	if f.err != nil {
		return min(triesAfterError(f.err, c.opts.MaxTries), c.opts.MaxTries)
	}
	switch f.status {
	case http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return c.opts.MaxTries
	}
	return 1
}

func triesAfterError(err error, usual int) int {
	var (
		unknownHost *net.DNSError
		certificate *tls.CertificateVerificationError
		authority   x509.UnknownAuthorityError
		notTLS      tls.RecordHeaderError
		badRequest  errBadRequest
	)
	switch {
	case isHeaderTooLarge(err), errors.Is(err, ErrTooLarge), errors.Is(err, errRedirect), errors.As(err, &badRequest),
		errors.As(err, &certificate), errors.As(err, &authority), errors.As(err, &notTLS):
		return 1
	case errors.As(err, &unknownHost) && unknownHost.IsNotFound:
		return maxUnknownHostTries
	}
	return usual
}

// isHeaderTooLarge tells that an answer's head is above maxHeader, for which
// net/http has no error of its own: of HTTP/1.1 (readLoop in net/http/transport.go, and
// readContinuedLineSlice in net/textproto/reader.go), and of HTTP/2.
func isHeaderTooLarge(err error) bool {
	s := err.Error()
	return strings.Contains(s, "server response headers exceeded") || strings.Contains(s, "transport connection broken: message too large") || strings.Contains(s, "response header list larger than advertised limit")
}

// waitAfter is the time to wait after the given try. When the server says that
// there are too many requests, those to come wait as well.
func (c *Client) waitAfter(f *failed, try int, host string) time.Duration {
	now := c.opts.Now()
	wait := c.backoff(try)
	if after, ok := parseRetryAfter(f.retryAfter, now); ok {
		wait = min(after, c.opts.Wait.Max)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.status == http.StatusTooManyRequests {
		if until := now.Add(wait); until.After(c.resume[host]) {
			c.resume[host] = until
		}
	}
	return max(wait, c.resume[host].Sub(now))
}

// awaitHost waits until the host may be asked again. A little randomness keeps
// all those who wait from asking at once.
func (c *Client) awaitHost(ctx context.Context, host string) error {
	c.mu.Lock()
	until, waiting := c.resume[host]
	c.mu.Unlock()
	if !waiting {
		return ctx.Err()
	}
	wait := until.Sub(c.opts.Now())
	if wait <= 0 {
		return ctx.Err()
	}
	return c.opts.Sleep(ctx, wait+time.Duration(c.opts.Jitter()*float64(c.opts.Wait.First)))
}

// backoff is the wait before try n+1 when the server doesn't name one.
func (c *Client) backoff(n int) time.Duration {
	wait := c.opts.Wait.First
	for range n - 1 {
		if wait >= c.opts.Wait.Max {
			break
		}
		wait *= 2
	}
	wait = min(wait, c.opts.Wait.Max)
	return wait - time.Duration(c.opts.Jitter()*float64(wait)/2)
}

// parseRetryAfter reads the field's two forms, delay-seconds and HTTP-date, by
// RFC 9110, Section 10.2.3. Anything else is as if it weren't there.
func parseRetryAfter(value string, now time.Time) (time.Duration, bool) {
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0), true
	}
	return 0, false
}
