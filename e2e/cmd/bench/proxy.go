//go:build unix

package main

import (
	"bytes"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/tlog"
)

// countingProxy passes everything on to a module proxy and counts what it is asked.
type countingProxy struct {
	URL    string
	server *http.Server

	mu     sync.Mutex
	counts requests
	now    int // requests under way
}

// requests are what a proxy was asked since the last time.
type requests struct {
	lookups map[string]int // of the checksum database, by path
	tiles   map[string]int // full ones
	partial map[string]int // tiles at the right edge of the tree, which don't last
	latest  int
	heads   []int64  // sizes of the largest trees whose heads were shown, by latest and withLookup
	other   []string // paths
	failed  int      // requests of any kind that were not answered 200
	most    int      // at the same time
}

const (
	latest = iota
	withLookup
)

func newRequests() requests {
	return requests{heads: make([]int64, 2), lookups: map[string]int{}, tiles: map[string]int{}, partial: map[string]int{}}
}

func sum(m map[string]int) (n int) {
	for _, k := range m {
		n += k
	}
	return n
}

func startProxy(upstream string) (*countingProxy, error) {
	target, err := url.Parse(upstream)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &countingProxy{URL: "http://" + listener.Addr().String(), counts: newRequests()}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64
	forward := &httputil.ReverseProxy{
		Transport: transport,
		ErrorLog:  log.New(io.Discard, "", 0), // the client is told
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			if u := target.User; u != nil {
				password, _ := u.Password()
				r.Out.SetBasicAuth(u.Username(), password)
			}
			r.Out.Header.Del("Accept-Encoding") // so that answers are read here as they are
		},
		ModifyResponse: func(r *http.Response) error {
			if r.StatusCode != http.StatusOK {
				p.fail()
			} else if path := r.Request.URL.Path; strings.HasSuffix(path, "/latest") || strings.Contains(path, "/lookup/") {
				return p.readHead(r)
			}
			return nil
		},
	}
	p.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.begin(r.URL.Path)
		defer p.end()
		forward.ServeHTTP(w, r)
	})}
	go p.server.Serve(listener)
	return p, nil
}

// Close ends the proxy.
func (p *countingProxy) Close() { p.server.Close() }

// begin counts a request by its path: /sumdb/NAME/lookup/…, /sumdb/NAME/tile/…, /sumdb/NAME/latest.
func (p *countingProxy) begin(path string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now++
	p.counts.most = max(p.counts.most, p.now)
	rest, _ := strings.CutPrefix(path, "/sumdb/")
	_, rest, isSumDB := strings.Cut(rest, "/")
	switch {
	case isSumDB && strings.HasPrefix(rest, "lookup/"):
		p.counts.lookups[rest]++
	case isSumDB && strings.HasPrefix(rest, "tile/") && strings.Contains(rest, ".p/"):
		p.counts.partial[rest]++
	case isSumDB && strings.HasPrefix(rest, "tile/"):
		p.counts.tiles[rest]++
	case isSumDB && rest == "latest":
		p.counts.latest++
	default:
		p.counts.other = append(p.counts.other, path)
	}
}

func (p *countingProxy) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now--
}

// readHead notes the size of the tree whose head is in an answer, which is passed on.
func (p *countingProxy) readHead(r *http.Response) error {
	answer, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	r.Body.Close()
	r.Body = io.NopCloser(bytes.NewReader(answer))
	head, which := answer, latest
	if strings.Contains(r.Request.URL.Path, "/lookup/") {
		which = withLookup
		if _, _, head, err = tlog.ParseRecord(answer); err != nil {
			return err
		}
	}
	tree, err := tlog.ParseTree(head)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts.heads[which] = max(p.counts.heads[which], tree.N)
	return nil
}

func (p *countingProxy) fail() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts.failed++
}

// take returns what was counted, and begins anew.
func (p *countingProxy) take() requests {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.counts
	p.counts = newRequests()
	return r
}
