package snapshot_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"

	"github.com/modseal/modseal/internal/fetch"
)

// A wire joins a client to servers in memory, by host name, in real HTTP: so
// connections can be cut, and in a bubble of package synctest nobody waits.
type wire struct {
	servers map[string]http.Handler // by host
	trouble *trouble                // nil is none

	mu   sync.Mutex
	seen map[string]int // requests
	log  []exchange
}

// An exchange is a request and the honest answer to it.
type exchange struct {
	key    string // host, method, URL and body
	kind   string // what the answers of which have one form have in common
	nth    int    // of this key, from 0
	status int
	body   []byte
}

// A trouble is a fault of one request.
type trouble struct {
	fault
	of    exchange
	other []byte // an answer to another request
	hit   int
}

// A fault is what becomes of an answer. It panics with http.ErrAbortHandler to
// cut the connection.
type fault struct {
	name   string
	once   bool // then the server is well again
	answer func(w http.ResponseWriter, r *http.Request, t *trouble)
}

// client gives a client of the wire that works as by default, and what ends it.
func (n *wire) client() (*fetch.Client, func()) {
	n.seen = map[string]int{}
	listeners, ends := map[string]*pipes{}, []func(){}
	for host := range n.servers {
		l := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
		server := &http.Server{Handler: n.handler(host), ErrorLog: stdlog.New(io.Discard, "", 0)}
		go func() { _ = server.Serve(l) }()
		listeners[host] = l
		ends = append(ends, func() { server.Close() })
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
		host, _, _ := strings.Cut(address, ":")
		if l := listeners[host]; l != nil {
			return l.dial(ctx)
		}
		return nil, fmt.Errorf("no host %q", host)
	}}
	return fetch.New(fetch.Options{HTTP: &http.Client{Transport: transport}}), func() {
		transport.CloseIdleConnections()
		for _, end := range ends {
			end()
		}
	}
}

// pipes is a listener of connections in memory.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (p *pipes) dial(ctx context.Context) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// handler answers for a host, and has the trouble.
func (n *wire) handler(host string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(asked))
		honest := httptest.NewRecorder()
		n.servers[host].ServeHTTP(honest, r)
		e := exchange{key: fmt.Sprintf("%s %s %s %s", host, r.Method, r.URL, asked), kind: kindOf(host, r.URL.Path), status: honest.Code, body: honest.Body.Bytes()}
		n.mu.Lock()
		e.nth = n.seen[e.key]
		n.seen[e.key]++
		n.log = append(n.log, e)
		bad := n.trouble != nil && n.trouble.of.key == e.key && (e.nth == n.trouble.of.nth || e.nth > n.trouble.of.nth && !n.trouble.once)
		if bad {
			n.trouble.hit++
		}
		n.mu.Unlock()
		for name, values := range honest.Header() {
			w.Header()[name] = values
		}
		if bad {
			n.trouble.answer(w, r, n.trouble)
			return
		}
		send(w, e.status, e.body)
	})
}

// kindOf is the host with what is asked for: "sum.example.org/lookup".
func kindOf(host, path string) string {
	path = strings.TrimPrefix(path, "/api/v1")
	for _, prefix := range []string{"/lookup", "/tile", "/x/tile"} {
		if strings.HasPrefix(path, prefix) {
			path = prefix
		}
	}
	return host + path
}

func send(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func cutNow(http.ResponseWriter, *http.Request, *trouble) { panic(http.ErrAbortHandler) }

func cutInTheMiddle(w http.ResponseWriter, _ *http.Request, t *trouble) {
	w.Header().Set("Content-Length", fmt.Sprint(len(t.of.body)))
	w.WriteHeader(t.of.status)
	_, _ = w.Write(t.of.body[:len(t.of.body)/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func refuse(status int, retryAfter string) func(http.ResponseWriter, *http.Request, *trouble) {
	return func(w http.ResponseWriter, _ *http.Request, _ *trouble) {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		send(w, status, []byte("no"))
	}
}

// hold answers nothing until the client has given up.
func hold(_ http.ResponseWriter, r *http.Request, _ *trouble) {
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

func say(edit func(t *trouble) []byte) func(http.ResponseWriter, *http.Request, *trouble) {
	return func(w http.ResponseWriter, _ *http.Request, t *trouble) { send(w, 200, edit(t)) }
}

// flipped flips a bit at a part of the body, from 0 to 1.
func flipped(at float64, bit byte) func(t *trouble) []byte {
	return func(t *trouble) []byte {
		b := bytes.Clone(t.of.body)
		if len(b) > 0 {
			b[int(at*float64(len(b)-1))] ^= bit
		}
		return b
	}
}

// passing are faults that a server gets over.
func passing() []fault {
	return []fault{
		{"cut before the answer", true, cutNow},
		{"cut in the middle", true, cutInTheMiddle},
		{"too many requests", true, refuse(429, "45")},
		{"broken", true, refuse(500, "")},
		{"held", true, hold},
	}
}

// lasting are those that it does not.
func lasting() []fault {
	return []fault{
		{"cut in the middle for ever", false, cutInTheMiddle},
		{"unavailable", false, refuse(503, "10")},
		{"held for ever", false, hold},
	}
}

// lying are those that look right.
func lying() []fault {
	return []fault{
		{"half", false, say(func(t *trouble) []byte { return t.of.body[:len(t.of.body)/2] })},
		{"nothing", false, say(func(*trouble) []byte { return nil })},
		{"the answer to another", false, say(func(t *trouble) []byte { return t.other })},
		{"a bit at the beginning", false, say(flipped(0, 1))},
		{"a bit in the first third", false, say(flipped(0.3, 4))},
		{"a bit in the last third", false, say(flipped(0.75, 2))},
	}
}
