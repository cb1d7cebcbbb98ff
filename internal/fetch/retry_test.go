package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// Passing trouble is tried again, all else isn't; the body is part of a try.
func TestRetry(t *testing.T) {
	status := func(status int) script {
		return func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
	}
	cut := func(_ int, w http.ResponseWriter, _ *http.Request) {
		conn := hijack(w)
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
		conn.Close()
	}
	cutChunk := func(_ int, w http.ResponseWriter, _ *http.Request) {
		conn := hijack(w)
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
		conn.Close()
	}
	reset := func(_ int, w http.ResponseWriter, _ *http.Request) { hijack(w).Close() }
	large := func(_ int, w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 101)) }

	for _, test := range []struct {
		name   string
		first  script
		status int  // of the error, if all answers are like this
		again  bool // whether there are further tries
	}{
		{"429", status(429), 429, true},
		{"500", status(500), 500, true},
		{"502", status(502), 502, true},
		{"503", status(503), 503, true},
		{"504", status(504), 504, true},
		{"body cut short", cut, 200, true},
		{"chunked body cut short", cutChunk, 200, true},
		{"connection closed", reset, 0, true},
		{"204, not accepted", status(204), 204, false},
		{"400", status(400), 400, false},
		{"401", status(401), 401, false},
		{"403", status(403), 403, false},
		{"404", status(404), 404, false},
		{"410", status(410), 410, false},
		{"501", status(501), 501, false},
		{"too large", large, 200, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			tries := 1
			if test.again {
				tries = 4
			}
			server, n := serve(t, test.first)
			c, waits := client(Options{MaxTries: 4})
			_, err := get(c, server.URL)
			wantError(t, err, test.status, tries)
			if int(n.Load()) != tries || len(*waits) != tries-1 {
				t.Errorf("forever: %d requests and %d waits, want %d and %d", n.Load(), len(*waits), tries, tries-1)
			}

			server, _ = serve(t, func(n int, w http.ResponseWriter, r *http.Request) {
				if n < 3 {
					test.first(n, w, r)
					return
				}
				io.WriteString(w, "fine")
			})
			c, _ = client(Options{MaxTries: 4})
			resp, err := get(c, server.URL)
			if recovered := err == nil && string(resp.Body) == "fine"; recovered != test.again {
				t.Errorf("twice, then fine: %q, %v", resp.Body, err)
			}
		})
	}
}

// Waits double up to the maximum, and what the server asks for goes first.
func TestWaits(t *testing.T) {
	second := time.Second
	for _, test := range []struct {
		name       string
		retryAfter string
		want       []time.Duration
	}{
		{"none", "", []time.Duration{2 * second, 4 * second, 8 * second, 10 * second, 10 * second}},
		{"seconds", "3", []time.Duration{3 * second, 3 * second, 3 * second, 3 * second, 3 * second}},
		{"zero", "0", make([]time.Duration, 5)},
		{"date", now.Add(5 * second).Format(http.TimeFormat), []time.Duration{5 * second, 5 * second, 5 * second, 5 * second, 5 * second}},
		{"date gone by", now.Add(-time.Hour).Format(http.TimeFormat), make([]time.Duration, 5)},
		{"a day, capped", "86400", []time.Duration{10 * second, 10 * second, 10 * second, 10 * second, 10 * second}},
		{"beyond int64", "99999999999999999999", []time.Duration{2 * second, 4 * second, 8 * second, 10 * second, 10 * second}},
		{"negative", "-1", []time.Duration{2 * second, 4 * second, 8 * second, 10 * second, 10 * second}},
		{"words", "soon", []time.Duration{2 * second, 4 * second, 8 * second, 10 * second, 10 * second}},
	} {
		t.Run(test.name, func(t *testing.T) {
			server, _ := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
				if test.retryAfter != "" {
					w.Header().Set("Retry-After", test.retryAfter)
				}
				w.WriteHeader(503)
			})
			var told []Retry
			c, waits := client(Options{Wait: Wait{First: 2 * second, Max: 10 * second}, Notify: func(r Retry) { told = append(told, r) }})
			_, err := get(c, server.URL)
			wantError(t, err, 503, 6)
			if !slices.Equal(*waits, test.want) {
				t.Errorf("waited %v, want %v", *waits, test.want)
			}
			if len(told) != 5 || told[0].Try != 1 || told[0].Tries != 6 || told[0].Wait != test.want[0] || told[4].Try != 5 {
				t.Errorf("told of %+v", told)
			}
		})
	}
}

// Jitter takes up to half of a wait and never adds to it.
func TestJitter(t *testing.T) {
	for _, test := range []struct {
		jitter float64
		want   time.Duration
	}{{0, 4 * time.Second}, {0.5, 3 * time.Second}, {0.999, 2002 * time.Millisecond}} {
		c := New(Options{Wait: Wait{First: time.Second, Max: time.Minute}, Jitter: func() float64 { return test.jitter }})
		if got := c.backoff(3); got != test.want {
			t.Errorf("jitter %v: %v, want %v", test.jitter, got, test.want)
		}
	}
	c := New(Options{Jitter: func() float64 { return 0 }})
	if got := c.backoff(1 << 30); got != defaultMaxWait {
		t.Errorf("wait before a late try: %v", got)
	}
}

// After a 429 other requests to that host wait too, those to others don't.
func TestTooManyRequestsHoldsTheHost(t *testing.T) {
	busy, _ := serve(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 1 {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(429)
		}
	})
	other, _ := serve(t, func(int, http.ResponseWriter, *http.Request) {})
	c, waits := client(Options{MaxTries: 1})
	_, err := get(c, busy.URL)
	wantError(t, err, 429, 1)
	if len(*waits) != 0 {
		t.Fatalf("waited %v after the last try", *waits)
	}

	c, waits = client(Options{})
	busy, _ = serve(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 1 {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(429)
		}
	})
	for _, url := range []string{busy.URL, busy.URL, other.URL} {
		if _, err := get(c, url); err != nil {
			t.Fatal(err)
		}
	}
	if want := []time.Duration{7 * time.Second, 7 * time.Second}; !slices.Equal(*waits, want) {
		t.Errorf("waited %v, want %v: the retry, and the next request to that host", *waits, want)
	}
}

// stalled is a body whose end doesn't come before its context's.
type stalled struct{ context.Context }

func (s stalled) Read([]byte) (int, error) { <-s.Done(); return 0, s.Err() }
func (s stalled) Close() error             { return nil }

// A server that stops in the middle costs one try's time, and that is not the
// caller's deadline.
func TestTryTimeout(t *testing.T) {
	tries := 0
	var causes []error
	c, _ := client(Options{
		TryTimeout: 100 * time.Millisecond,
		Notify:     func(r Retry) { causes = append(causes, r.Cause) },
		HTTP: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			tries++
			if tries == 1 {
				return &http.Response{StatusCode: 200, ContentLength: 4, Body: stalled{r.Context()}}, nil
			}
			return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader("fine"))}, nil
		})},
	})
	resp, err := get(c, "https://log.invalid/")
	if err != nil || string(resp.Body) != "fine" || tries != 2 {
		t.Fatalf("%q, %v after %d tries", resp.Body, err, tries)
	}
	if len(causes) != 1 || errors.Is(causes[0], context.DeadlineExceeded) {
		t.Errorf("causes %v", causes)
	}
}

// transport is a network that answers in place.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// An unknown host is tried once more only.
func TestUnknownHost(t *testing.T) {
	tries := 0
	c, _ := client(Options{HTTP: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		tries++
		return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Name: r.URL.Host, Err: "no such host", IsNotFound: true}}
	})}})
	_, err := get(c, "https://log.invalid/")
	wantError(t, err, 0, 2)
	if tries != 2 {
		t.Errorf("%d tries", tries)
	}
}

// A server whose certificate doesn't verify isn't asked again.
func TestCertificate(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	c, _ := client(Options{})
	_, err := get(c, server.URL)
	wantError(t, err, 0, 1)
}

// An answer's head has a limit, above which it is not asked for again.
func TestHeaderLimit(t *testing.T) {
	for name, test := range map[string]struct {
		size, n int
		ok      bool
	}{"below the limit": {maxHeader - 1000, 1, true}, "over the limit": {maxHeader + 4096, 1, false}, "many": {1, maxHeader / 8, false}} {
		t.Run(name, func(t *testing.T) {
			server, n := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
				for i := range test.n {
					w.Header()[fmt.Sprintf("X%x", i)] = []string{strings.Repeat("x", test.size)}
				}
				io.WriteString(w, "fine")
			})
			c, _ := client(Options{})
			_, err := get(c, server.URL)
			if (err == nil) != test.ok || n.Load() != 1 {
				t.Errorf("%d requests, %v", n.Load(), err)
			}
		})
	}
}
