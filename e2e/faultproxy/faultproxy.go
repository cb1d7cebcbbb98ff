// Package faultproxy stands between a client and a real server and misbehaves as it is told: it answers late, wrongly
// or not at all, and counts what it was asked.
//
//	proxy, err := faultproxy.New(rekor.URL)
//	…
//	defer proxy.Close()
//	proxy.SetHook(func(r faultproxy.Request) faultproxy.Fault {
//		if r.Path == "/api/v1/index/retrieve" && r.Nth <= 2 {
//			return faultproxy.Fault{Status: 429, RetryAfter: time.Second}
//		}
//		return faultproxy.Fault{} // none
//	})
//
// It is for tests: bodies are read whole, and only HTTP/1 is spoken.
package faultproxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxBody is the longest body, of a request or an answer, that is passed on. A longer one is an error.
const maxBody = 256 << 20 // bytes

// Request is what a [Hook] decides on.
type Request struct {
	Method string
	Path   string // without the query
	Query  string // as sent, without the question mark
	Header http.Header
	Body   []byte
	// Nth counts the requests for Path, from 1.
	Nth int
}

// Hook chooses the fault of a request. It is called by many goroutines at once.
type Hook func(Request) Fault

// Fault is what goes wrong with one request. The zero value is nothing: the request and its answer are passed on. Faults
// combine; each field says when it acts.
type Fault struct {
	// Delay comes first. It ends early when the client gives up or the proxy is closed, so it may be an hour.
	Delay time.Duration

	// Status answers in place of the server, which never sees the request: 429, 500, 503. The body is of text/plain.
	Status int
	// RetryAfter goes with Status as the header of that name, in seconds, rounded up, when it is not 0.
	RetryAfter time.Duration

	// Cut closes the connection in place of the server's part: no answer, and the server never sees the request.
	Cut bool
	// CutAfter passes the request on and closes the connection in place of the answer: done, but nobody is told.
	CutAfter bool

	// Change returns the body to answer with. It is called with the request's path and the server's body, after the
	// server answered with any status. Content-Length is that of the new body.
	Change func(path string, body []byte) []byte
	// Truncate ends the connection after half of the body (an empty one has no half), whose full length is announced.
	Truncate bool
}

// Record is a request that was answered, or cut off.
type Record struct {
	Request
	Fault Fault
	// Status is what the client was sent, 0 for no answer.
	Status int
	// Began is when the request had been read; Took is until its answer was written.
	Began time.Time
	Took  time.Duration
}

// Proxy is a running proxy. Its methods may be called at any time.
type Proxy struct {
	// URL is its base URL, without a slash at its end.
	URL string

	target    *url.URL
	transport *http.Transport
	server    *http.Server
	closing   chan struct{}
	closeOnce sync.Once

	mu       sync.Mutex
	hook     Hook
	nth      map[string]int // requests by path
	records  []Record
	inFlight int
	most     int
}

// New starts a proxy in front of the server at a base URL, on a free loopback port, with no hook.
func New(target string) (*Proxy, error) {
	base, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	if base.Scheme == "" || base.Host == "" {
		return nil, fmt.Errorf("%q is not a base URL", target)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{
		URL:    "http://" + listener.Addr().String(),
		target: base,
		// Nothing is asked for that the client did not ask for, no proxy from the environment is used.
		transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64},
		closing:   make(chan struct{}),
		nth:       map[string]int{},
	}
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: time.Minute}
	go p.server.Serve(listener) // until Close
	return p, nil
}

// Close stops the proxy, cuts what is under way and waits for nothing.
func (p *Proxy) Close() error {
	var err error
	p.closeOnce.Do(func() {
		close(p.closing)
		err = p.server.Close()
		p.transport.CloseIdleConnections()
	})
	return err
}

// SetHook replaces the hook, for requests that have not been read yet. Nil is no hook.
func (p *Proxy) SetHook(hook Hook) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hook = hook
}

// ServeHTTP implements [http.Handler].
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := readAll(r.Body)
	if err != nil {
		http.Error(w, "faultproxy: request: "+err.Error(), http.StatusBadGateway)
		return
	}
	record := p.begin(r, body)
	defer func() { p.end(record) }() // also when answer panics to cut the connection
	p.answer(w, r, record)
}

// begin counts a request and asks the hook.
func (p *Proxy) begin(r *http.Request, body []byte) *Record {
	record := &Record{Began: time.Now(), Request: Request{
		Method: r.Method,
		Path:   r.URL.Path,
		Query:  r.URL.RawQuery,
		Header: r.Header.Clone(),
		Body:   body,
	}}
	p.mu.Lock()
	p.nth[record.Path]++
	record.Nth = p.nth[record.Path]
	p.inFlight++
	p.most = max(p.most, p.inFlight)
	hook := p.hook
	p.mu.Unlock()
	if hook != nil {
		record.Fault = hook(record.Request)
	}
	return record
}

func (p *Proxy) end(record *Record) {
	record.Took = time.Since(record.Began)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inFlight--
	p.records = append(p.records, *record)
}

// cut closes the connection of the request being served, without another byte.
func cut() { panic(http.ErrAbortHandler) }

// answer does what the record's fault says and sets the record's status.
func (p *Proxy) answer(w http.ResponseWriter, r *http.Request, record *Record) {
	fault := record.Fault
	if fault.Delay > 0 && !p.wait(r.Context(), fault.Delay) {
		cut()
	}
	if fault.Cut {
		cut()
	}
	if fault.Status != 0 {
		if fault.RetryAfter > 0 {
			seconds := (fault.RetryAfter + time.Second - 1) / time.Second
			w.Header().Set("Retry-After", strconv.Itoa(int(seconds)))
		}
		record.Status = fault.Status
		http.Error(w, "faultproxy: "+http.StatusText(fault.Status), fault.Status)
		return
	}
	resp, body, err := p.forward(r, record.Body)
	if err != nil {
		record.Status = http.StatusBadGateway
		http.Error(w, "faultproxy: "+err.Error(), http.StatusBadGateway)
		return
	}
	if fault.CutAfter {
		cut()
	}
	if fault.Change != nil {
		body = fault.Change(record.Path, body)
	}
	copyHeader(w.Header(), resp.Header)
	if len(body) > 0 || resp.ContentLength == 0 { // not where there is no body by rule, as for HEAD, 204 and 304
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	record.Status = resp.StatusCode
	w.WriteHeader(resp.StatusCode)
	if !fault.Truncate {
		w.Write(body) // the client may be gone
		return
	}
	w.Write(body[:len(body)/2])
	http.NewResponseController(w).Flush()
	cut()
}

// wait returns false when the client or the proxy ends before a delay does.
func (p *Proxy) wait(ctx context.Context, delay time.Duration) bool {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-p.closing:
	}
	return false
}

// forward sends a request to the server and reads its answer.
func (p *Proxy) forward(r *http.Request, body []byte) (*http.Response, []byte, error) {
	to := *p.target
	to.Path = strings.TrimSuffix(p.target.Path, "/") + r.URL.Path
	to.RawPath = strings.TrimSuffix(p.target.EscapedPath(), "/") + r.URL.EscapedPath()
	to.RawQuery = r.URL.RawQuery
	req, err := http.NewRequestWithContext(r.Context(), r.Method, to.String(), bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	copyHeader(req.Header, r.Header)
	req.Header.Del("Accept-Encoding") // so that Change sees what was meant
	resp, err := p.transport.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	got, err := readAll(resp.Body)
	return resp, got, err
}

// copyHeader copies what is not between two neighbours only (RFC 9110, Section 7.6.1), nor the length, which is set anew.
func copyHeader(to, from http.Header) {
	for name, values := range from {
		switch name {
		case "Connection", "Content-Length", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		default:
			to[name] = values
		}
	}
}

func readAll(body io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(body, maxBody+1))
	if err == nil && len(data) > maxBody {
		err = errors.New("body is too long")
	}
	return data, err
}
