package snapshot_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/snapshot"
	"github.com/modseal/modseal/verify"
)

// tap is a network: it writes down all that is sent, and takes requests for one
// host to a server.
type tap struct {
	host, server string
	sent         bytes.Buffer
}

func (n *tap) RoundTrip(r *http.Request) (*http.Response, error) {
	body := []byte{}
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	fmt.Fprintf(&n.sent, "%s %s\n%s\n", r.Method, r.URL, body)
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	if r.URL.Host == n.host {
		to, err := url.Parse(n.server)
		if err != nil {
			return nil, err
		}
		r.URL.Scheme, r.URL.Host = to.Scheme, to.Host
	}
	return http.DefaultTransport.RoundTrip(r)
}

// told says what of a module was sent.
func (n *tap) told(m mod) []string {
	var out []string
	sent := strings.ToLower(n.sent.String())
	for what, s := range map[string]string{"path": "secret", "zip": fmt.Sprintf("%x", m.zipDigest()), "h1": fmt.Sprintf("%x", m.h1()), "base64 h1": strings.ToLower(sum(m.h1()))} {
		if strings.Contains(sent, s) {
			out = append(out, what)
		}
	}
	return out
}

// Property: neither path nor digest of a private module is sent to the checksum
// database, or to the public Rekor, however its name is spelled; a Rekor of
// one's own is asked. The others are asked about everywhere.
func TestPrivateModules(t *testing.T) {
	for _, name := range []string{"GOPRIVATE", "GONOSUMDB"} {
		for _, host := range []string{"rekor.sigstore.dev", "REKOR.Sigstore.dev", "rekor.sigstore.dev.", "rekor.corp.example.com"} {
			public := host != "rekor.corp.example.com"
			w := newWorld(t)
			w.env[name] = "other.example.com,corp.example.com/*"
			network := &tap{host: host, server: w.request.RekorURL}
			w.request.RekorURL, w.request.Fetch, w.request.Parallel = "http://"+host, client(network), 1
			w.flags.Require = "any"
			w.request.AllowMissing = public // it has no evidence then
			s := w.take()
			want := verify.Verified
			if public {
				want = verify.NotLogged
			}
			for _, m := range s.Reports[0].Modules {
				if (m.Path == corp && m.Status != want) || (m.Path != corp && m.Status != verify.Verified) {
					t.Errorf("%s, %s: %s is %s: %s", name, host, m.Path, m.Status, m.Reason)
				}
			}
			if told := network.told(w.mod(corp)); public && told != nil || !public && len(told) != 2 {
				t.Errorf("%s: %s was told the %q of the private module", name, host, told)
			}
			if told := network.told(w.mod(plain)); len(told) != 2 {
				t.Errorf("%s: %s was told the %q of a public module", name, host, told)
			}
			for _, r := range w.db.Requests() {
				if strings.Contains(r, "corp") {
					t.Errorf("%s: the database was asked for %s", name, r)
				}
			}
			if s.Private != 1 {
				t.Errorf("%d private modules", s.Private)
			}
		}
	}
}

// Property: which hosts are the public Rekor's is decided by the host alone; what
// is no URL of a host is taken for public.
func TestPublicRekor(t *testing.T) {
	for u, want := range map[string]bool{
		"https://rekor.sigstore.dev":                   true,
		"https://rekor.sigstore.dev:443/":              true,
		"https://rekor.sigstage.dev/api":               true,
		"https://Rekor.SigStore.DEV":                   true,
		"https://rekor.sigstore.dev.":                  true,
		"https://log2025-1.rekor.sigstore.dev":         true,
		"https://sigstore.dev":                         true,
		"https://user:secret@rekor.sigstore.dev/x?y#z": true,
		"rekor.sigstore.dev":                           true,
		"://":                                          true,
		"":                                             true,
		"https://rekor.example.com":                    false,
		"https://rekor.sigstore.dev.example.com":       false,
		"https://notsigstore.dev":                      false,
		"https://example.com/rekor.sigstore.dev":       false,
		"http://127.0.0.1:3000":                        false,
		"http://[::1]:3000":                            false,
	} {
		if got := snapshot.PublicRekor(u); got != want {
			t.Errorf("%q: %t, want %t", u, got, want)
		}
	}
}

// Property: with GOSUMDB=off no checksum database is asked, and a Rekor of one's
// own can prove everything alone.
func TestNoSumDB(t *testing.T) {
	w := newWorld(t)
	w.env["GOSUMDB"] = "off"
	w.flags.Require = "rekor"
	s := w.take()
	if asked := w.db.Requests(); len(asked) != 0 {
		t.Errorf("the database was asked: %q", asked)
	}
	if len(s.Logs) != 1 || s.Logs[0].Kind != bundles.RekorV1 || !w.enclave().OK {
		t.Errorf("logs %+v", s.Logs)
	}
}

// Property: the database is reached as the go command would reach it: through the
// proxy that has it, or where GOSUMDB says.
func TestWayToSumDB(t *testing.T) {
	w := newWorld(t)
	_, server, _ := strings.Cut(w.env["GOSUMDB"], " ")
	w.env["GOSUMDB"], w.env["GOPROXY"] = w.db.Key(), server+"/proxy"
	network := &tap{}
	w.request.Fetch, w.request.Parallel = client(network), 1
	w.take()
	if sent := network.sent.String(); !strings.Contains(sent, "GET "+server+"/proxy/sumdb/sum.example.org/lookup/example.com/!upper@v1.0.0") || strings.Contains(sent, "GET "+server+"/lookup") {
		t.Errorf("sent:\n%s", sent)
	}
	if err := os.Remove(w.request.Output); err != nil {
		t.Fatal(err)
	}
	w.env["GOPROXY"] = "off"
	if err := w.fail(); !strings.Contains(err.Error(), "off") {
		t.Errorf("no way: %v", err)
	}
	w.env["GOSUMDB"] = "no key"
	if err := w.fail(); !strings.Contains(err.Error(), "GOSUMDB") {
		t.Errorf("no key: %v", err)
	}
}
