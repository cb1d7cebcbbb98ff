package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// maxErrorBody is how much of an error's body is read, in bytes: enough for a
// message, and for small ones to leave the connection usable.
const maxErrorBody = 4 << 10

// ErrTooLarge says that an answer is longer than the request's MaxBytes.
var ErrTooLarge = errors.New("answer over the limit")

// failed is one try that went wrong.
type failed struct {
	status     int    // 0 if there was no answer
	retryAfter string // header of the answer
	body       string // beginning of the answer's body
	err        error  // nil if it is the status that is wrong
}

func (f *failed) cause() error {
	if f.err != nil {
		return f.err
	}
	return fmt.Errorf("status %d %s", f.status, http.StatusText(f.status))
}

// endedBy adds that there is no other try because the context is done.
func (f *failed) endedBy(err error) *failed {
	if errors.Is(f.err, err) {
		return f
	}
	ended := *f
	ended.err = fmt.Errorf("%w, after: %w", err, f.cause())
	return &ended
}

// exchange makes one try. The body is read here, so that whatever cuts it
// short counts as this try's failure.
func (c *Client) exchange(ctx context.Context, req Request, u *url.URL) (Response, *failed) {
	if err := ctx.Err(); err != nil {
		return Response{}, &failed{err: err}
	}
	tryCtx, cancel := context.WithTimeout(ctx, c.opts.TryTimeout)
	defer cancel()
	explain := func(err error) error {
		if tryCtx.Err() != nil && ctx.Err() == nil {
			// Not the caller's deadline, so it mustn't look like it.
			return fmt.Errorf("no whole answer within %v", c.opts.TryTimeout)
		}
		return withoutURL(err)
	}
	httpReq, err := http.NewRequestWithContext(tryCtx, req.method(), u.String(), bytes.NewReader(req.Body))
	if err != nil {
		return Response{}, &failed{err: errBadRequest{err}}
	}
	httpReq.Header.Set("Accept", "*/*") // without it some servers choose a format of their own
	if req.ContentType != "" {
		httpReq.Header.Set("Content-Type", req.ContentType)
	}
	if c.opts.UserAgent != "" {
		httpReq.Header.Set("User-Agent", c.opts.UserAgent)
	}

	resp, err := c.opts.HTTP.Do(httpReq)
	if err != nil {
		c.count(u.Host, req.Kind, 0, false)
		return Response{}, &failed{err: explain(err)}
	}
	defer resp.Body.Close()
	if !req.accepts(resp.StatusCode) {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
		c.count(u.Host, req.Kind, len(body), false)
		return Response{}, &failed{
			status:     resp.StatusCode,
			retryAfter: resp.Header.Get("Retry-After"),
			body:       string(body),
		}
	}
	body, more, err := readBody(resp.Body, resp.ContentLength, &req)
	c.count(u.Host, req.Kind, len(body), err == nil)
	if err != nil {
		return Response{}, &failed{status: resp.StatusCode, err: explain(err)}
	}
	return Response{Status: resp.StatusCode, Header: resp.Header, Body: body, More: more}, nil
}

// readBody reads r to its end. Length is what the sender said, or negative; it
// saves memory when it is true and harms nothing when it isn't.
func readBody(r io.Reader, length int64, req *Request) (body []byte, more bool, err error) {
	if length > req.MaxBytes && !req.Prefix {
		return nil, false, fmt.Errorf("%w: %d bytes are announced, the limit is %d", ErrTooLarge, length, req.MaxBytes)
	}
	var buf bytes.Buffer
	if length > 0 {
		// Buffer.ReadFrom wants room to see the end in, or it doubles.
		buf.Grow(int(min(length, req.MaxBytes, 1<<20)) + bytes.MinRead)
	}
	// LimitReader ends without an error at its limit, hence one byte more.
	_, err = buf.ReadFrom(io.LimitReader(r, req.MaxBytes+1))
	if int64(buf.Len()) > req.MaxBytes {
		if !req.Prefix {
			return nil, false, fmt.Errorf("%w of %d bytes", ErrTooLarge, req.MaxBytes)
		}
		return buf.Bytes()[:req.MaxBytes], true, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("reading the body: %w", err)
	}
	return buf.Bytes(), false, nil
}

// withoutURL takes the cause out of net/http's error, which repeats the URL
// with the user name in it.
func withoutURL(err error) error {
	var urlErr *url.Error
	if errors.As(err, &urlErr) {
		return urlErr.Err
	}
	return err
}

// errBadRequest is a request that can't be sent.
type errBadRequest struct{ error }
