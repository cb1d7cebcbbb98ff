package faultproxy_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modseal/modseal/e2e/faultproxy"
)

// server answers with what it was asked, and counts.
type server struct {
	*httptest.Server
	served atomic.Int32
}

func newServer(t *testing.T) *server {
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.served.Add(1)
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/base/conflict" {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(http.StatusConflict)
		}
		fmt.Fprintf(w, "%s %s %s", r.Method, r.URL.RequestURI(), body)
	}))
	t.Cleanup(s.Close)
	return s
}

func newProxy(t *testing.T, s *server, hook faultproxy.Hook) *faultproxy.Proxy {
	p, err := faultproxy.New(s.URL + "/base/")
	if err != nil {
		t.Fatal(err)
	}
	p.SetHook(hook)
	t.Cleanup(func() { p.Close() })
	return p
}

// post returns the answer and its body as far as it came. Each request has a connection of its own, as a client tries
// again by itself when one that it had used before is cut.
func post(url, body string) (*http.Response, string, error) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Post(url, "text/plain", strings.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	return resp, string(got), err
}

// Without a fault, requests and answers pass unchanged, and are on record.
func TestPass(t *testing.T) {
	s := newServer(t)
	p := newProxy(t, s, nil)
	_, got, err := post(p.URL+"/a%2Fb?q=1&q=2", "hello")
	if want := "POST /base/a%2Fb?q=1&q=2 hello"; err != nil || got != want {
		t.Errorf("answer %q, %v, want %q", got, err, want)
	}
	resp, _, err := post(p.URL+"/conflict", "")
	if err != nil || resp.StatusCode != 409 || resp.Header.Get("Location") != "/elsewhere" {
		t.Errorf("answer %v, %v, want the server's 409 and Location", resp, err)
	}
	records := p.Records()
	if len(records) != 2 || p.Count("/a/b") != 1 || p.Count("/conflict") != 1 || p.Count("/") != 0 || len(p.Counts()) != 2 {
		t.Fatalf("records %+v, counts %v", records, p.Counts())
	}
	if r := records[0]; r.Method != "POST" || r.Query != "q=1&q=2" || string(r.Body) != "hello" || r.Status != 200 || r.Nth != 1 {
		t.Errorf("record %+v", r)
	}
	p.Reset()
	if len(p.Records()) != 0 || p.Count("/conflict") != 0 {
		t.Error("records are there after Reset")
	}
}

// Each fault shows at the client as what it is called, reaches the server or not, and is on record.
func TestFaults(t *testing.T) {
	for _, test := range []struct {
		name   string
		fault  faultproxy.Fault
		status int // of the answer and on record, 0 for none
		served int32
		check  func(resp *http.Response, body string, err error) bool
	}{
		{"too many", faultproxy.Fault{Status: 429, RetryAfter: 1500 * time.Millisecond}, 429, 0,
			func(resp *http.Response, _ string, _ error) bool { return resp.Header.Get("Retry-After") == "2" }},
		{"unavailable", faultproxy.Fault{Status: 503}, 503, 0,
			func(resp *http.Response, _ string, _ error) bool { return resp.Header.Get("Retry-After") == "" }},
		{"cut", faultproxy.Fault{Cut: true}, 0, 0,
			func(_ *http.Response, _ string, err error) bool { return errors.Is(err, io.EOF) }},
		{"cut after", faultproxy.Fault{CutAfter: true}, 0, 1,
			func(_ *http.Response, _ string, err error) bool { return errors.Is(err, io.EOF) }},
		{"changed", faultproxy.Fault{Change: func(path string, body []byte) []byte { return []byte(path + ": " + string(body[:4])) }}, 200, 1,
			func(_ *http.Response, body string, err error) bool { return err == nil && body == "/p: POST" }},
		{"truncated", faultproxy.Fault{Truncate: true}, 200, 1,
			func(resp *http.Response, body string, err error) bool {
				return errors.Is(err, io.ErrUnexpectedEOF) && body == "POST /ba" && resp.ContentLength == 16
			}},
		{"late", faultproxy.Fault{Delay: 50 * time.Millisecond}, 200, 1,
			func(_ *http.Response, body string, err error) bool { return err == nil && body == "POST /base/p all" }},
		{"late and cut", faultproxy.Fault{Delay: 50 * time.Millisecond, Cut: true}, 0, 0,
			func(_ *http.Response, _ string, err error) bool { return errors.Is(err, io.EOF) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newServer(t)
			p := newProxy(t, s, func(faultproxy.Request) faultproxy.Fault { return test.fault })
			began := time.Now()
			resp, body, err := post(p.URL+"/p", "all")
			if took := time.Since(began); took < test.fault.Delay {
				t.Errorf("answered in %s, want at least %s", took, test.fault.Delay)
			}
			if resp != nil && resp.StatusCode != test.status || resp == nil && test.status != 0 {
				t.Fatalf("answer %v, %v, want status %d", resp, err, test.status)
			}
			if !test.check(resp, body, err) {
				t.Errorf("answer %v, body %q, error %v", resp, body, err)
			}
			if got := s.served.Load(); got != test.served {
				t.Errorf("the server was asked %d times, want %d", got, test.served)
			}
			p.Close()
			if r := firstRecord(t, p); r.Status != test.status || r.Took < test.fault.Delay {
				t.Errorf("record %+v, want status %d", r, test.status)
			}
		})
	}
}

// firstRecord returns the first record, which is written just after the client has its answer.
func firstRecord(t *testing.T, p *faultproxy.Proxy) faultproxy.Record {
	t.Helper()
	waitUntil(t, func() bool { return len(p.Records()) > 0 })
	return p.Records()[0]
}

func waitUntil(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited for 10 seconds")
		}
	}
}

// A hook that counts can let the third request pass; counts are by path.
func TestNth(t *testing.T) {
	s := newServer(t)
	p := newProxy(t, s, func(r faultproxy.Request) faultproxy.Fault {
		if r.Path == "/flaky" && r.Nth <= 2 {
			return faultproxy.Fault{Status: 500}
		}
		return faultproxy.Fault{}
	})
	for i, want := range []int{500, 500, 200, 200} {
		if resp, _, err := post(p.URL+"/flaky", ""); err != nil || resp.StatusCode != want {
			t.Errorf("request %d: %v, %v, want status %d", i+1, resp, err, want)
		}
		if resp, _, err := post(p.URL+"/sound", ""); err != nil || resp.StatusCode != 200 {
			t.Errorf("other path: %v, %v, want status 200", resp, err)
		}
	}
}

// An answer that does not come holds up neither a client that gives up nor Close.
func TestHang(t *testing.T) {
	s := newServer(t)
	p := newProxy(t, s, func(faultproxy.Request) faultproxy.Fault { return faultproxy.Fault{Delay: time.Hour} })
	var wg sync.WaitGroup
	ctx, giveUp := context.WithCancel(t.Context())
	wg.Go(func() {
		req, err := http.NewRequestWithContext(ctx, "GET", p.URL+"/p", nil)
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := http.DefaultClient.Do(req); !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v, want that the client gave up", err)
		}
	})
	waitUntil(t, func() bool { return p.Count("/p") == 1 })
	giveUp()
	wg.Wait()
	firstRecord(t, p) // the proxy noticed

	for range 3 {
		wg.Go(func() {
			if resp, _, err := post(p.URL+"/p", ""); err == nil {
				t.Errorf("answer %v from a closed proxy", resp)
			}
		})
	}
	waitUntil(t, func() bool { return p.Count("/p") == 4 })
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if got := p.MostAtOnce(); got != 3 {
		t.Errorf("%d requests at once, want 3", got)
	}
	if s.served.Load() != 0 {
		t.Error("the server was asked")
	}
}

// A server that is away is a 502 of the proxy's own, and a base URL has to be one.
func TestNoServer(t *testing.T) {
	s := newServer(t)
	p := newProxy(t, s, nil)
	s.Close()
	if resp, body, err := post(p.URL+"/p", ""); err != nil || resp.StatusCode != 502 || !strings.HasPrefix(body, "faultproxy: ") {
		t.Errorf("answer %v, %q, %v, want status 502", resp, body, err)
	}
	for _, target := range []string{"", "localhost", "/path", "http://", ":"} {
		if p, err := faultproxy.New(target); err == nil {
			p.Close()
			t.Errorf("New(%q) succeeds", target)
		}
	}
}
