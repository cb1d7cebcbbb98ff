package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// now is when all tests happen.
var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// script answers the n-th request, from 1.
type script func(n int, w http.ResponseWriter, r *http.Request)

// serve runs s on loopback and counts requests.
func serve(t *testing.T, s script) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s(int(n.Add(1)), w, r)
	}))
	t.Cleanup(server.Close)
	return server, &n
}

// client returns a client that doesn't wait but notes how long it would have.
func client(o Options) (*Client, *[]time.Duration) {
	var mu sync.Mutex
	var waits []time.Duration
	o.Now = func() time.Time { return now }
	o.Jitter = func() float64 { return 0 }
	o.Sleep = func(ctx context.Context, d time.Duration) error {
		mu.Lock()
		defer mu.Unlock()
		waits = append(waits, d)
		return ctx.Err()
	}
	return New(o), &waits
}

func get(c *Client, url string) (Response, error) {
	return c.Do(context.Background(), Request{URL: url, MaxBytes: 100, Kind: "test"})
}

// wantError checks the parts of err that callers branch on.
func wantError(t *testing.T, err error, status, tries int) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %T (%v), want *Error", err, err)
	}
	if e.Status != status || e.Tries != tries {
		t.Fatalf("error has status %d after %d tries (%v), want %d after %d", e.Status, e.Tries, err, status, tries)
	}
	return e
}

func hijack(w http.ResponseWriter) net.Conn {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	return conn
}

// The request arrives as it was given, and the answer as it was sent.
func TestExchange(t *testing.T) {
	server, _ := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Location", "/there")
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, "%s %s %s %s", r.Method, r.Header.Get("Content-Type"), r.UserAgent(), body)
	})
	c, waits := client(Options{UserAgent: "modseal/test"})
	resp, err := c.Do(context.Background(), Request{
		Method: "POST", URL: server.URL, Body: []byte("{}"), ContentType: "application/json",
		MaxBytes: 100, Accept: []int{201, 409},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(resp.Body), "POST application/json modseal/test {}"; got != want {
		t.Errorf("body %q, want %q", got, want)
	}
	if resp.Status != 201 || resp.Header.Get("Location") != "/there" || resp.More {
		t.Errorf("response %+v", resp)
	}
	if len(*waits) != 0 {
		t.Errorf("waited %v", *waits)
	}
}

// A body may have MaxBytes bytes, announced or not, and not one more.
func TestLimit(t *testing.T) {
	for _, announced := range []bool{true, false} {
		server, _ := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
			var n int
			fmt.Sscanf(r.URL.Path, "/%d", &n)
			if !announced {
				w.(http.Flusher).Flush()
			}
			w.Write(make([]byte, n))
		})
		c, _ := client(Options{})
		for n, ok := range map[string]bool{"0": true, "99": true, "100": true, "101": false, "5000": false} {
			resp, err := get(c, server.URL+"/"+n)
			if ok && (err != nil || fmt.Sprint(len(resp.Body)) != n || resp.More) {
				t.Errorf("announced %v, %s bytes: got %d, %v", announced, n, len(resp.Body), err)
			}
			if !ok && (!errors.Is(err, ErrTooLarge) || resp.Body != nil) {
				t.Errorf("announced %v, %s bytes: error %v, want ErrTooLarge", announced, n, err)
			}
			resp, err = c.Do(context.Background(), Request{URL: server.URL + "/" + n, MaxBytes: 100, Prefix: true})
			if err != nil || resp.More == ok || len(resp.Body) > 100 || resp.More && len(resp.Body) != 100 {
				t.Errorf("announced %v, prefix of %s bytes: got %d, more %v, %v", announced, n, len(resp.Body), resp.More, err)
			}
		}
	}
	server, n := serve(t, func(int, http.ResponseWriter, *http.Request) {})
	c, _ := client(Options{})
	if _, err := c.Do(context.Background(), Request{URL: server.URL}); err == nil || n.Load() != 0 {
		t.Errorf("a request without a limit: %v after %d requests", err, n.Load())
	}
}

// Once the context is done there is no further try, and the error says so.
func TestContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	server, n := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		cancel()
		w.WriteHeader(503)
	})
	c, _ := client(Options{})
	_, err := c.Do(ctx, Request{URL: server.URL, MaxBytes: 1})
	if !errors.Is(err, context.Canceled) || n.Load() != 1 {
		t.Errorf("cancelled during the first try: %v after %d requests", err, n.Load())
	}
	_, err = c.Do(ctx, Request{URL: server.URL, MaxBytes: 1})
	if !errors.Is(err, context.Canceled) || n.Load() != 1 {
		t.Errorf("cancelled before: %v after %d requests", err, n.Load())
	}
	_, err = c.Do(ctx, Request{URL: "file:///dev/null", MaxBytes: 1})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before reading a file: %v", err)
	}
	// The real wait ends with the context.
	if err := New(Options{}).Backoff(ctx, 100); !errors.Is(err, context.Canceled) {
		t.Errorf("wait: %v", err)
	}
}

// Redirects are followed, but neither for ever nor to less security.
func TestRedirect(t *testing.T) {
	redirect := func(to string) *http.Response {
		return &http.Response{StatusCode: 302, Header: http.Header{"Location": {to}}, Body: http.NoBody}
	}
	requests := 0
	c, _ := client(Options{HTTP: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		requests++
		switch r.URL.Path {
		case "/loop":
			return redirect("/loop"), nil
		case "/down":
			return redirect("http://log.invalid/here"), nil
		case "/once":
			return redirect("/here"), nil
		}
		return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader("here"))}, nil
	})}})
	if resp, err := get(c, "https://log.invalid/once"); err != nil || string(resp.Body) != "here" {
		t.Errorf("one redirect: %q, %v", resp.Body, err)
	}
	if _, err := get(c, "https://log.invalid/down"); !errors.Is(err, errRedirect) {
		t.Errorf("redirect to http: %v", err)
	}
	requests = 0
	if _, err := get(c, "https://log.invalid/loop"); !errors.Is(err, errRedirect) || requests != 1+maxRedirects {
		t.Errorf("loop: %v after %d requests", err, requests)
	}
}

// No message tells the credentials in a URL, and hostile text is quoted, cut.
func TestErrorText(t *testing.T) {
	server, _ := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(400)
		io.WriteString(w, "\x1b[2J"+strings.Repeat("x", 10000))
	})
	u, _ := url.Parse(server.URL)
	u.User = url.UserPassword("name", "secret")
	c, _ := client(Options{})
	_, err := get(c, u.String())
	wantError(t, err, 400, 1)
	text := err.Error()
	if strings.Contains(text, "secret") || strings.Contains(text, "name") || !strings.Contains(text, u.Host) {
		t.Errorf("message %q", text)
	}
	if strings.Contains(text, "\x1b") || len(text) > 400 {
		t.Errorf("message has %d bytes: %q", len(text), text)
	}
	server.Close()
	for _, bad := range []string{u.String(), "http://name:secret@[broken/", "ftp://name:secret@host/", "://name:secret@"} {
		if _, err := get(c, bad); err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "name") {
			t.Errorf("message %q", err)
		}
	}
}

// A file URL is its file, and 404 if there is none.
func TestFile(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a b%", "latest")
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, make([]byte, 100), 0o666); err != nil {
		t.Fatal(err)
	}
	at := func(path string) string {
		return (&url.URL{Scheme: "file", Path: filepath.ToSlash(path)}).String()
	}
	c, waits := client(Options{})
	if resp, err := get(c, at(name)); err != nil || resp.Status != 200 || len(resp.Body) != 100 {
		t.Errorf("file: %d bytes, %v", len(resp.Body), err)
	}
	_, err := c.Do(context.Background(), Request{URL: at(name), MaxBytes: 99})
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("file over the limit: %v", err)
	}
	for _, missing := range []string{name + "x", dir} {
		if _, err := get(c, at(missing)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v, want fs.ErrNotExist", missing, err)
		}
	}
	resp, err := c.Do(context.Background(), Request{URL: at(name + "x"), MaxBytes: 99, Accept: []int{200, 404}})
	if err != nil || resp.Status != 404 {
		t.Errorf("missing file where 404 is accepted: %d, %v", resp.Status, err)
	}
	for _, bad := range []string{"file://host/x", "file:x", "file:///x?y", "file:///x#y", "file://"} {
		_, err := get(c, bad)
		wantError(t, err, 0, 1)
	}
	if _, err := c.Do(context.Background(), Request{Method: "POST", URL: at(name), MaxBytes: 100}); err == nil {
		t.Error("a file was posted to")
	}
	if len(*waits) != 0 {
		t.Errorf("waited %v", *waits)
	}
}

// Every try is counted, under its host and kind.
func TestCounts(t *testing.T) {
	server, _ := serve(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 1 {
			w.WriteHeader(503)
			return
		}
		io.WriteString(w, "four")
	})
	c, _ := client(Options{})
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			if _, err := c.Do(context.Background(), Request{URL: server.URL, MaxBytes: 4, Kind: "tile"}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if _, err := c.Do(context.Background(), Request{URL: server.URL, MaxBytes: 4, Kind: "lookup"}); err != nil {
		t.Error(err)
	}
	u, _ := url.Parse(server.URL)
	want := []Count{
		{Host: u.Host, Kind: "lookup", Requests: 1, Bytes: 4},
		{Host: u.Host, Kind: "tile", Requests: 11, Failed: 1, Bytes: 40},
	}
	if got := c.Counts(); !slices.Equal(got, want) {
		t.Errorf("counts %+v, want %+v", got, want)
	}
}
