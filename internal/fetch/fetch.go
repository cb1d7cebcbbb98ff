// Package fetch makes one HTTP exchange whose answer has a limit, and makes it
// again when the network or the server had a bad moment.
//
// A try is the whole exchange: the request, the answer's head and the answer's
// body up to its end, all within [Options.TryTimeout]. So a connection that is
// cut in the middle of a body is tried again just as one that was never made.
// What is tried again, and when:
//
//   - status 429, 500, 502, 503 and 504. Retry-After (RFC 9110, Section 10.2.3)
//     is honoured in both its forms, up to [Wait.Max]. After a 429 every
//     request to the same host waits, not only the one that was told to;
//   - errors of the connection, time-outs, and bodies that end early;
//   - a host name that is unknown: once more, as resolvers do hiccup.
//
// Everything else is final: other statuses, certificates that don't verify, an
// answer over its limit, and whatever happens after the context is done.
//
// file URLs are read from disk, as the go command does for GOPROXY; a file
// that doesn't exist is status 404.
//
// The package authenticates nothing but the TLS server. Its answers are for
// the caller to verify.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

const (
	defaultTries      = 6
	defaultTryTimeout = 60 * time.Second
	defaultPerHost    = 16
	defaultFirstWait  = 500 * time.Millisecond
	defaultMaxWait    = 60 * time.Second

	// maxUnknownHostTries is for names that the resolver says don't exist.
	maxUnknownHostTries = 2

	// maxHeader is the largest head of an answer, in bytes: net/http takes 10 MiB,
	// of which it makes a map, for each of the answers that come at once.
	maxHeader = 128 << 10

	// maxRedirects is how many redirects one exchange follows.
	maxRedirects = 5
)

// Options say how a [Client] works. The zero value of each field has a useful
// meaning.
type Options struct {
	// HTTP makes the requests. Nil means a client of our own: proxies from the
	// environment, at most PerHost connections to a host. A caller's client is
	// the place for credentials. Redirects are limited and never lead from
	// https to http unless HTTP has a CheckRedirect of its own.
	HTTP *http.Client

	PerHost    int           // connections to one host at a time, if HTTP is nil; 0 means 16
	UserAgent  string        // sent with each request if not empty
	MaxTries   int           // 0 means 6; 1 means never again
	TryTimeout time.Duration // for one try, its body included; 0 means a minute
	Wait       Wait

	// Notify is called before each wait for another try, if it isn't nil. It
	// may be called by several goroutines at once.
	Notify func(Retry)

	// The world, for tests. Nil means the real clock, a real wait that ends
	// with the context, and math/rand. Jitter's results are in [0, 1).
	Now    func() time.Time
	Sleep  func(context.Context, time.Duration) error
	Jitter func() float64
}

// Wait says how long to wait between tries: First before the second try, twice
// as long before each further one, at most Max, and each of these cut by up to
// a half at random. Max is also the longest that a server's Retry-After is
// heeded. Zeros mean half a second and a minute.
type Wait struct {
	First, Max time.Duration
}

// A Retry tells of a try that went wrong and will be followed by another.
type Retry struct {
	Method, URL string // URL without user information
	Try, Tries  int    // the try that went wrong, from 1, of how many
	Wait        time.Duration
	Cause       error
}

// A Request is one exchange to make.
type Request struct {
	Method      string // "" means GET
	URL         string // http, https or file
	Body        []byte
	ContentType string // of Body
	Kind        string // names the request in [Client.Counts], such as "tile"

	// MaxBytes is the largest body to accept, which must be positive. A body
	// with one byte more is [ErrTooLarge], or, with Prefix, is cut there and
	// marked as such.
	MaxBytes int64
	Prefix   bool

	// Accept lists the statuses that aren't errors; none means 200 only.
	Accept []int
}

func (r *Request) method() string {
	if r.Method == "" {
		return http.MethodGet
	}
	return r.Method
}

func (r *Request) accepts(status int) bool {
	if len(r.Accept) == 0 {
		return status == http.StatusOK
	}
	return slices.Contains(r.Accept, status)
}

// A Response is an answer with an accepted status and its whole body.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
	More   bool // Body was longer than MaxBytes; only with Prefix
}

// A Client makes exchanges. It is safe for concurrent use.
type Client struct {
	opts Options

	mu     sync.Mutex
	counts map[countKey]*Count
	resume map[string]time.Time // by host: no request before
}

// New returns a client that works as o says.
func New(o Options) *Client {
	if o.MaxTries <= 0 {
		o.MaxTries = defaultTries
	}
	if o.TryTimeout <= 0 {
		o.TryTimeout = defaultTryTimeout
	}
	if o.PerHost <= 0 {
		o.PerHost = defaultPerHost
	}
	if o.Wait.First <= 0 {
		o.Wait.First = defaultFirstWait
	}
	if o.Wait.Max <= 0 {
		o.Wait.Max = defaultMaxWait
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.Jitter == nil {
		o.Jitter = rand.Float64
	}
	o.HTTP = httpClient(o.HTTP, o.PerHost)
	return &Client{
		opts:   o,
		counts: make(map[countKey]*Count),
		resume: make(map[string]time.Time),
	}
}

func httpClient(given *http.Client, perHost int) *http.Client {
	client := http.Client{}
	if given != nil {
		client = *given
	} else {
		client.Transport = Transport(perHost)
	}
	if client.CheckRedirect == nil {
		client.CheckRedirect = checkRedirect
	}
	return &client
}

// Transport is that of a client of our own: proxies from the environment, at most
// perHost connections to a host, no answer's head above 128 KiB.
func Transport(perHost int) *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:      true,
		MaxConnsPerHost:        perHost,
		MaxIdleConnsPerHost:    perHost,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    15 * time.Second,
		ResponseHeaderTimeout:  45 * time.Second,
		MaxResponseHeaderBytes: maxHeader,
	}
}

var errRedirect = errors.New("redirect refused")

func checkRedirect(next *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("%w: more than %d of them", errRedirect, maxRedirects)
	}
	if last := via[len(via)-1]; last.URL.Scheme == "https" && next.URL.Scheme != "https" {
		return fmt.Errorf("%w: from https to %s", errRedirect, next.URL.Scheme)
	}
	return nil
}

// Do makes the exchange, as often as it takes. Errors are [*Error].
func (c *Client) Do(ctx context.Context, req Request) (Response, error) {
	u, err := url.Parse(req.URL)
	if err != nil {
		// The error of url.Parse quotes the URL, which may hold a password.
		return Response{}, c.failure(req, nil, 0, &failed{err: errors.New("malformed URL")})
	}
	if req.MaxBytes <= 0 {
		return Response{}, c.failure(req, u, 0, &failed{err: errors.New("request without a limit for its answer")})
	}
	switch u.Scheme {
	case "file":
		return c.readFile(ctx, req, u)
	case "http", "https":
	default:
		return Response{}, c.failure(req, u, 0, &failed{err: fmt.Errorf("URL scheme %q is none of http, https, file", u.Scheme)})
	}
	if err := c.awaitHost(ctx, u.Host); err != nil {
		return Response{}, c.failure(req, u, 0, &failed{err: err})
	}
	for try := 1; ; try++ {
		resp, bad := c.exchange(ctx, req, u)
		if bad == nil {
			return resp, nil
		}
		if err := ctx.Err(); err != nil {
			return Response{}, c.failure(req, u, try, bad.endedBy(err))
		}
		if try >= c.triesFor(bad) {
			return Response{}, c.failure(req, u, try, bad)
		}
		wait := c.waitAfter(bad, try, u.Host)
		if c.opts.Notify != nil {
			c.opts.Notify(Retry{Method: req.method(), URL: redact(u), Try: try, Tries: c.triesFor(bad), Wait: wait, Cause: bad.cause()})
		}
		if err := c.opts.Sleep(ctx, wait); err != nil {
			return Response{}, c.failure(req, u, try, bad.endedBy(err))
		}
	}
}

// Backoff waits as long as before try n+1 of an exchange. It is for callers
// that poll: what was asked for isn't there yet, though nothing went wrong.
func (c *Client) Backoff(ctx context.Context, n int) error {
	return c.opts.Sleep(ctx, c.backoff(n))
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
