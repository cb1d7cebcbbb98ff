package catalogue

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"path"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/module"
)

const (
	maxGoMod = 16 << 20 // bytes; the go command's limit
	attempts = 3        // at a go.mod file
	atOnce   = 24       // requests
)

// A modProxy is a module proxy on loopback (https://go.dev/ref/mod#goproxy-protocol). It has the go.mod files of another
// proxy, and makes up the zips.
type modProxy struct {
	*httptest.Server
	upstream string
	client   *http.Client
	slots    chan struct{}

	mu    sync.Mutex
	files map[string]*modFile // by path of the URL
	bytes int
	odd   []string // requests that are not for a .mod, .zip or .info file
}

// A modFile is what the other proxy answered.
type modFile struct {
	once   sync.Once
	status int
	data   []byte
	err    error
}

// errNoNetwork is that of a proxy that can't be reached.
var errNoNetwork = errors.New("no module proxy can be reached")

// upstreamProxy gives the first URL of GOPROXY.
func upstreamProxy(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOPROXY").Output()
	if err != nil {
		return "", fmt.Errorf("go env: %w", err)
	}
	for _, p := range strings.FieldsFunc(string(out), func(r rune) bool { return r == ',' || r == '|' }) {
		u, err := url.Parse(strings.TrimSpace(p))
		if err == nil && (u.Scheme == "http" || u.Scheme == "https") {
			return strings.TrimRight(u.String(), "/"), nil
		}
	}
	return "", fmt.Errorf("GOPROXY has no URL: %w", errNoNetwork)
}

func newModProxy(upstream string) *modProxy {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = atOnce
	p := &modProxy{
		upstream: upstream,
		client:   &http.Client{Transport: transport, Timeout: time.Minute},
		slots:    make(chan struct{}, atOnce),
		files:    map[string]*modFile{},
	}
	p.Server = httptest.NewServer(p)
	return p
}

// ServeHTTP answers the go command.
func (p *modProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ext := path.Ext(r.URL.Path)
	name := strings.TrimSuffix(r.URL.Path, ext)
	m, err := moduleOf(name)
	if err != nil || ext != ".mod" && ext != ".zip" && ext != ".info" {
		p.mu.Lock()
		p.odd = append(p.odd, r.URL.Path)
		p.mu.Unlock()
		http.NotFound(w, r)
		return
	}
	if ext == ".info" {
		_ = json.NewEncoder(w).Encode(map[string]string{"Version": m.Version})
		return
	}
	f := p.get(name + ".mod")
	data, err := f.data, f.err
	if err == nil && f.status == http.StatusOK && ext == ".zip" {
		data, err = standIn(m, data)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.WriteHeader(f.status)
	_, _ = w.Write(data)
}

// moduleOf reads "/<path>/@v/<version>".
func moduleOf(name string) (m module.Version, err error) {
	escapedPath, escapedVersion, ok := strings.Cut(strings.TrimPrefix(name, "/"), "/@v/")
	if !ok {
		return m, errors.New("no version")
	}
	if m.Path, err = module.UnescapePath(escapedPath); err != nil {
		return m, err
	}
	if m.Version, err = module.UnescapeVersion(escapedVersion); err != nil {
		return m, err
	}
	return m, module.Check(m.Path, m.Version)
}

// goMod gives a module's go.mod.
func (p *modProxy) goMod(m module.Version) ([]byte, error) {
	escapedPath, err := module.EscapePath(m.Path)
	if err != nil {
		return nil, err
	}
	escapedVersion, err := module.EscapeVersion(m.Version)
	if err != nil {
		return nil, err
	}
	f := p.get("/" + escapedPath + "/@v/" + escapedVersion + ".mod")
	if f.err != nil {
		return nil, f.err
	}
	if f.status != http.StatusOK {
		return nil, fmt.Errorf("go.mod of %s: status %d: %.200q", m, f.status, f.data)
	}
	return f.data, nil
}

// get fetches a file from the other proxy, once.
func (p *modProxy) get(name string) *modFile {
	p.mu.Lock()
	f, ok := p.files[name]
	if !ok {
		f = new(modFile)
		p.files[name] = f
	}
	p.mu.Unlock()
	f.once.Do(func() {
		p.slots <- struct{}{}
		defer func() { <-p.slots }()
		for try := 1; ; try++ {
			f.status, f.data, f.err = p.fetch(name)
			busy := f.status >= http.StatusInternalServerError || f.status == http.StatusTooManyRequests
			if f.err == nil && !busy || try == attempts {
				break
			}
			time.Sleep(time.Duration(try) * time.Second)
		}
		p.mu.Lock()
		p.bytes += len(f.data)
		p.mu.Unlock()
	})
	return f
}

func (p *modProxy) fetch(name string) (status int, data []byte, err error) {
	resp, err := p.client.Get(p.upstream + name)
	if err != nil {
		return 0, nil, fmt.Errorf("%w: %v", errNoNetwork, err)
	}
	defer resp.Body.Close()
	data, err = io.ReadAll(io.LimitReader(resp.Body, maxGoMod+1))
	if err == nil && len(data) > maxGoMod {
		err = fmt.Errorf("%s: more than %d bytes", name, maxGoMod)
	}
	return resp.StatusCode, data, err
}

// standIn makes a zip as small as a module's can be: its go.mod, and a package.
func standIn(m module.Version, goMod []byte) ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, data := range map[string][]byte{"go.mod": goMod, "x.go": []byte("package x\n")} {
		f, err := w.Create(m.String() + "/" + name)
		if err != nil {
			return nil, err
		}
		if _, err := f.Write(data); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return b.Bytes(), err
}
