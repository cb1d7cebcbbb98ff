package sign_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/internal/sign"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/internal/trust"
)

var (
	digest    = sha256.Sum256([]byte("a zip"))
	artifact  = sign.Content{SHA256: digest}
	statement = sign.Content{Statement: fmt.Appendf(nil, `{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"m@v1.0.0","digest":{"sha256":"%x"}}],"predicateType":"https://example.com/p","predicate":{}}`, digest)}
)

// Property: who signs, what, where it is logged and whether it is stamped don't
// depend on each other; what comes out verifies offline, says all that, and is
// read again as the same.
func TestAllWays(t *testing.T) {
	for _, who := range []string{"key", "identity"} {
		for _, what := range []string{"artifact", "statement"} {
			for version := 1; version <= 2; version++ {
				for stamps := version - 1; stamps <= 2; stamps++ {
					t.Run(fmt.Sprint(who, " ", what, " v", version, " stamped ", stamps), func(t *testing.T) {
						w := newWorld(t)
						var signer sign.Signer = sign.ByKey(w.key)
						if who == "identity" {
							signer = w.keyless(alice)
						}
						content := map[string]sign.Content{"artifact": artifact, "statement": statement}[what]
						s := w.service(signer, version, []string{w.tsaURL, w.tsaURL}[:stamps]...)
						out := w.sign(s, content)
						w.judge(out.Sigstore, who, what, version, stamps)
						if out.Existed {
							t.Error("a new entry was there before")
						}
						again, err := s.Read(context.Background(), out.Sigstore, content)
						if err != nil || !again.Existed || again.LogIndex != out.LogIndex || !bytes.Equal(again.Sigstore, out.Sigstore) {
							t.Errorf("read again: %+v, %v", again, err)
						}
						found, err := s.Find(context.Background(), content)
						if err != nil || (found != nil) != (version == 1 && (who == "key" || stamps == 0)) || found != nil && (!found.Existed || found.LogIndex != out.LogIndex) {
							t.Errorf("found: %+v, %v", found, err)
						}
					})
				}
			}
		}
	}
}

// judge verifies a Sigstore bundle as an enclave does.
func (w *world) judge(file []byte, who, what string, version, stamps int) {
	w.Helper()
	p, err := evidence.ReadBundle(file)
	if err != nil || len(p) != 1 || !p[0].Proven {
		w.Fatalf("%s: %v", file, err)
	}
	v, err := evidence.NewVerifier(w.trust.Sigstore, w.key.Public())
	if err != nil {
		w.Fatal(err)
	}
	signed, err := v.Verify(&p[0].Entry, p[0].Claim)
	if err != nil {
		w.Fatal(err)
	}
	if !signed.Time.Equal(w.now) || p[0].V2 != (version == 2) || len(p[0].Timestamps) != stamps {
		w.Errorf("at %s, v2 %t, %d timestamps", signed.Time, p[0].V2, len(p[0].Timestamps))
	}
	if byIdentity := signed.Certificate != nil; byIdentity != (who == "identity") || byIdentity && (signed.Certificate.SubjectAlternativeName != alice || signed.Certificate.Issuer != issuer) {
		w.Errorf("by %+v", signed.Certificate)
	}
	if (p[0].Claim.Statement != nil) != (what == "statement") || p[0].Claim.Digests()[0] != evidence.SHA256(digest) {
		w.Errorf("over %s, statement %+v", p[0].Claim.Digest, p[0].Claim.Statement)
	}
}

// Property: an Ed25519 key signs statements in a Rekor v1, and nothing else.
func TestEd25519(t *testing.T) {
	w := newWorld(t)
	key, err := keys.Generate(keys.Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	w.key = key
	w.judge(w.sign(w.service(sign.ByKey(key), 1), statement).Sigstore, "key", "statement", 1, 0)
	if out, err := w.service(sign.ByKey(key), 1).Sign(context.Background(), artifact); err == nil {
		t.Errorf("an artifact: %+v", out)
	}
	if _, err := sign.New(sign.Options{Signer: sign.ByKey(key), Log: w.log(2), Timestamps: []string{w.tsaURL}, Trust: w.trust}); !errors.Is(err, keys.ErrUnsupported) {
		t.Errorf("Rekor v2: %v", err)
	}
}

// Property: a Rekor v2 without a timestamp authority is refused before anything
// is signed.
func TestNeedsTimestamp(t *testing.T) {
	w := newWorld(t)
	for _, s := range []sign.Signer{sign.ByKey(w.key), w.keyless(alice)} {
		if _, err := sign.New(sign.Options{Signer: s, Log: w.log(2), Trust: w.trust}); !errors.Is(err, sign.ErrNeedsTimestamp) {
			t.Error(err)
		}
	}
	if w.fulcio.Issued() != 0 || w.v2.Size() != 0 {
		t.Error("something was signed")
	}
}

// Property: what was logged and does not verify with this trust is not handed
// out.
func TestNotTrusted(t *testing.T) {
	all := func(w *world) testlog.Sigstore {
		return testlog.Sigstore{Rekor: []*testlog.Rekor{w.v1}, V2: []*testlog.RekorV2{w.v2}, Fulcio: []*testlog.CA{w.fulcio.CA}, TSA: []*testlog.TSA{w.tsa}}
	}
	for _, c := range []struct {
		name    string
		without func(s *testlog.Sigstore)
		signer  func(w *world) sign.Signer
		version int
	}{
		{"log v1", func(s *testlog.Sigstore) { s.Rekor = nil }, func(w *world) sign.Signer { return sign.ByKey(w.key) }, 1},
		{"log v2", func(s *testlog.Sigstore) { s.V2 = nil }, func(w *world) sign.Signer { return sign.ByKey(w.key) }, 2},
	} {
		w := newWorld(t)
		log := w.log(c.version) // while it was trusted
		s := all(w)
		c.without(&s)
		w.trusting(s)
		service, err := sign.New(sign.Options{Signer: c.signer(w), Log: log, Timestamps: []string{w.tsaURL}, Trust: w.trust})
		if err != nil {
			t.Fatal(err)
		}
		if out, err := service.Sign(context.Background(), artifact); out != nil || err == nil || !strings.Contains(err.Error(), "what was logged does not verify here") {
			t.Errorf("%s: %+v, %v", c.name, out, err)
		}
	}
}

// Property: nothing is logged with a time stamp of an authority that is not trusted, or
// over another signature, also where the log has a time of its own.
func TestStampThatProvesNothing(t *testing.T) {
	for _, version := range []int{1, 2} {
		for name, lie := range map[string]func(w *world) string{
			"authority": func(w *world) string {
				w.trusting(testlog.Sigstore{Rekor: []*testlog.Rekor{w.v1}, V2: []*testlog.RekorV2{w.v2}, TSA: []*testlog.TSA{testlog.NewTSA("other")}})
				return w.tsaURL
			},
			"signature": func(w *world) string {
				s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
					rw.WriteHeader(http.StatusCreated)
					rw.Write(w.tsa.Stamp([]byte("something else"), w.now))
				}))
				t.Cleanup(s.Close)
				return s.URL
			},
		} {
			w := newWorld(t)
			out, err := w.service(sign.ByKey(w.key), version, lie(w)).Sign(context.Background(), artifact)
			if out != nil || err == nil || !strings.Contains(err.Error(), "it does not verify for this signature by any authority that is trusted here") {
				t.Errorf("%s, v%d: %+v, %v", name, version, out, err)
			}
			if n := w.v1.Shard().Size() + w.v2.Size(); n != 1 { // what the log had before
				t.Errorf("%s, v%d: %d entries in the logs", name, version, n)
			}
		}
	}
}

// Property: a certificate that no trusted authority issued signs nothing.
func TestUntrustedAuthority(t *testing.T) {
	w := newWorld(t)
	log := w.log(1)
	w.trusting(testlog.Sigstore{Rekor: []*testlog.Rekor{w.v1}, Fulcio: []*testlog.CA{testlog.NewCA("other")}})
	s, err := sign.New(sign.Options{Signer: w.keyless(alice), Log: log, Trust: w.trust})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := s.Sign(context.Background(), artifact); out != nil || err == nil || !strings.Contains(err.Error(), "is of no authority that is trusted here") || w.v1.Shard().Size() != 1 {
		t.Errorf("%+v, %v; %d entries", out, err, w.v1.Shard().Size())
	}
}

// Property: a log that no trusted key signs is found out before it is told
// anything; which version a server is, it says itself.
func TestOpenLog(t *testing.T) {
	w := newWorld(t)
	open := func(url string, version int) (sign.Log, error) {
		return sign.OpenLog(context.Background(), sign.LogOptions{URL: url, Version: version, Fetch: w.fetch(), Trust: w.trust})
	}
	for _, c := range []struct {
		url     string
		version int
		v2      bool
	}{{w.v1URL, 0, false}, {w.v1URL + "/", 1, false}, {w.v2URL, 0, true}, {w.v2URL + "/", 2, true}} {
		if l, err := open(c.url, c.version); err != nil || l.V2() != c.v2 {
			t.Errorf("%s as %d: %v, %v", c.url, c.version, l, err)
		}
	}
	for url, version := range map[string]int{w.v1URL: 2, w.v2URL: 1, w.tsaURL: 0} {
		if _, err := open(url, version); err == nil {
			t.Errorf("%s is taken for a Rekor %d", url, version)
		}
	}
	w.trusting(testlog.Sigstore{Rekor: []*testlog.Rekor{testlog.NewRekor("other.example")}, V2: []*testlog.RekorV2{testlog.NewRekorV2("other.example")}})
	for _, url := range []string{w.v1URL, w.v2URL} {
		if _, err := open(url, 0); !errors.Is(err, trust.ErrUntrustedLog) {
			t.Errorf("untrusted: %v", err)
		}
	}
	if w.v2.Size() != 0 || w.v1.Shard().Size() != 1 {
		t.Error("something was logged")
	}
}

// Property: one certificate signs until little of its life is left; then there is
// another one, of the same identity.
func TestCertificateRunsOut(t *testing.T) {
	w := newWorld(t)
	s := w.service(w.keyless(alice), 1)
	first := w.sign(s, artifact)
	for _, c := range []struct {
		after  time.Duration
		issued int
	}{{0, 1}, {6 * time.Minute, 1}, {59 * time.Second, 1}, {time.Second, 2}, {time.Minute, 2}, {time.Hour, 3}} {
		w.now = w.now.Add(c.after)
		w.sign(s, sign.Content{SHA256: sha256.Sum256([]byte(w.now.String()))})
		if got := w.fulcio.Issued(); got != c.issued {
			t.Errorf("%s: %d certificates, want %d", w.now, got, c.issued)
		}
	}
	if again, err := s.Read(context.Background(), first.Sigstore, artifact); err != nil {
		t.Errorf("of an earlier certificate: %+v, %v", again, err)
	}
}

// Property: a Fulcio's refusal comes out, cut and quoted; a certificate for
// another key is refused.
func TestFulcioThatLies(t *testing.T) {
	w := newWorld(t)
	try := func(says string) {
		t.Helper()
		c, err := w.keyless(alice).Credential(context.Background())
		if c != nil || err == nil || !strings.Contains(err.Error(), says) || len(err.Error()) > 600 || strings.ContainsAny(err.Error(), "\x1b\n") {
			t.Errorf("%v, %v; want %q", c, err, says)
		}
	}
	w.fulcio.Edit.Set(func(_ *http.Request, a *testlog.Answer) {
		a.Status, a.Body = 401, []byte("token expired\x1b[31m\n"+strings.Repeat("x", 5000))
	})
	try("token expired")
	other := w.fulcio.CA.Issue(alice, issuer, w.now)
	w.fulcio.Edit.Set(func(_ *http.Request, a *testlog.Answer) {
		a.EditJSON(func(any) any {
			return map[string]any{"signedCertificateEmbeddedSct": map[string]any{"chain": map[string]any{"certificates": []string{string(other.PEM)}}}}
		})
	})
	try("it is for another key than was asked for")
	w.fulcio.Edit.Set(func(_ *http.Request, a *testlog.Answer) { a.Body = []byte("{}") })
	try("Fulcio returned no certificates")
	if c, err := (&sign.Keyless{Fulcio: w.fulcioURL, Token: sign.FixedToken(" \n"), Now: time.Now}).Credential(context.Background()); err == nil {
		t.Errorf("no token: %v", c)
	}
}

// stampOf is the time stamp in a Sigstore bundle, as it stands there.
func stampOf(t *testing.T, file []byte) []byte {
	_, rest, _ := bytes.Cut(file, []byte(`"signedTimestamp":"`))
	stamp, _, ok := bytes.Cut(rest, []byte(`"`))
	if !ok {
		t.Fatalf("no time stamp in %s", file)
	}
	return stamp
}

// Property: a bundle by another signer, over something else, or of another log is
// ErrOther; one that is damaged or that this trust does not verify is an error.
func TestRead(t *testing.T) {
	w := newWorld(t)
	byKey, byAlice := w.service(sign.ByKey(w.key), 1), w.service(w.keyless(alice), 1)
	own, stated, hers := w.sign(byKey, artifact).Sigstore, w.sign(byKey, statement).Sigstore, w.sign(byAlice, artifact).Sigstore
	another := sign.Content{SHA256: sha256.Sum256([]byte("another zip"))}
	stamping := w.service(sign.ByKey(w.key), 1, w.tsaURL)
	stamped := w.sign(stamping, artifact).Sigstore
	for _, good := range []sign.Content{artifact, statement} {
		if s, err := stamping.Read(context.Background(), w.sign(stamping, good).Sigstore, good); err != nil || !s.Existed {
			t.Errorf("%+v, %v", s, err)
		}
	}
	for _, c := range []struct {
		name string
		s    *sign.Service
		file []byte
		c    sign.Content
	}{
		{"identity's for key's", byKey, hers, artifact},
		{"key's for identity's", byAlice, own, artifact},
		{"another key", w.service(sign.ByKey(private(t, testlog.NewSigner("bob").PrivatePEM())), 1), own, artifact},
		{"another identity", w.service(w.keyless("bob@example.com"), 1), hers, artifact},
		{"another artifact", byKey, own, another},
		{"artifact for statement", byKey, own, statement},
		{"statement for artifact", byKey, stated, artifact},
		{"fewer timestamps", stamping, own, artifact},
		{"a timestamp of something else", stamping, bytes.Replace(stamped, stampOf(t, stamped), stampOf(t, w.sign(stamping, another).Sigstore), 1), artifact},
		{"Rekor v1 for v2", w.service(sign.ByKey(w.key), 2, w.tsaURL), own, artifact},
		{"Rekor v2 for v1", byKey, w.sign(w.service(sign.ByKey(w.key), 2, w.tsaURL), artifact).Sigstore, artifact},
	} {
		if s, err := c.s.Read(context.Background(), c.file, c.c); s != nil || !errors.Is(err, sign.ErrOther) {
			t.Errorf("%s: %+v, %v", c.name, s, err)
		}
	}
	for _, bad := range [][]byte{nil, []byte("{}"), own[:len(own)-10], bytes.Replace(own, []byte(`"integratedTime":"17`), []byte(`"integratedTime":"16`), 1)} {
		if s, err := byKey.Read(context.Background(), bad, artifact); s != nil || err == nil || errors.Is(err, sign.ErrOther) {
			t.Errorf("%.60q: %+v, %v", bad, s, err)
		}
	}
}

// Property: when the answer of a Rekor v2 is lost, the signature is made anew,
// since the log does not hand out the entry that it made.
func TestLostAnswer(t *testing.T) {
	w := newWorld(t)
	var lost atomic.Int64
	w.v2.Edit.Set(func(r *http.Request, a *testlog.Answer) {
		if r.Method == "POST" && lost.Add(1) == 1 {
			a.Status, a.Body = 503, nil
		}
	})
	out := w.sign(w.service(sign.ByKey(w.key), 2, w.tsaURL), artifact)
	if w.v2.Size() != 2 || out.LogIndex != 1 {
		t.Errorf("%d entries, ours is %d", w.v2.Size(), out.LogIndex)
	}
}

// Property: nothing that a Rekor v2 answers is taken unverified.
func TestRekorV2ThatLies(t *testing.T) {
	edit := func(do func(e, proof map[string]any)) func(w *world) {
		return func(w *world) {
			w.v2.Edit.Set(func(r *http.Request, a *testlog.Answer) {
				if r.Method == "POST" {
					a.EditJSON(func(v any) any {
						e := v.(map[string]any)
						proof, _ := e["inclusionProof"].(map[string]any)
						do(e, proof)
						return e
					})
				}
			})
		}
	}
	other := sha256.Sum256([]byte("another"))
	for name, do := range map[string]func(w *world){
		"no proof":      edit(func(e, _ map[string]any) { delete(e, "inclusionProof") }),
		"no checkpoint": edit(func(_, p map[string]any) { delete(p, "checkpoint") }),
		"another body":  edit(func(e, _ map[string]any) { e["canonicalizedBody"] = "e30=" }),
		"another log":   edit(func(e, _ map[string]any) { e["logId"] = map[string]any{"keyId": other[:]} }),
		"another root":  edit(func(_, p map[string]any) { p["rootHash"] = other[:] }),
		"another size":  edit(func(_, p map[string]any) { p["treeSize"] = "7" }),
		"nothing": func(w *world) {
			w.v2.Edit.Set(func(_ *http.Request, a *testlog.Answer) { a.Status, a.Body = 201, []byte("{}") })
		},
		"no JSON": func(w *world) {
			w.v2.Edit.Set(func(_ *http.Request, a *testlog.Answer) { a.Status, a.Body = 201, []byte("\x1b") })
		},
		"refused": func(w *world) {
			w.v2.Edit.Set(func(_ *http.Request, a *testlog.Answer) { a.Status, a.Body = 400, []byte("no") })
		},
		"conflict for ever": func(w *world) { w.v2.Edit.Set(func(_ *http.Request, a *testlog.Answer) { a.Status = 409 }) },
	} {
		w := newWorld(t)
		w.v2.Edit.Set(nil)
		s := w.service(sign.ByKey(w.key), 2, w.tsaURL)
		w.sign(s, sign.Content{SHA256: other})
		do(w)
		if out, err := s.Sign(context.Background(), artifact); out != nil || err == nil || strings.ContainsRune(err.Error(), '\x1b') {
			t.Errorf("%s: %+v, %v", name, out, err)
		}
	}
}

// Property: a timestamp of something else, or none, is an error before anything
// is logged or after it was, and nothing is handed out.
func TestTimestampAuthorityThatLies(t *testing.T) {
	w := newWorld(t)
	wrong := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		http.Error(rw, "no\x1b", http.StatusForbidden)
	}))
	t.Cleanup(wrong.Close)
	for _, url := range []string{wrong.URL, w.fulcioURL} {
		if out, err := w.service(sign.ByKey(w.key), 2, url).Sign(context.Background(), artifact); out != nil || err == nil || strings.ContainsRune(err.Error(), '\x1b') {
			t.Errorf("%+v, %v", out, err)
		}
	}
	if w.v2.Size() != 0 {
		t.Errorf("%d entries were logged", w.v2.Size())
	}
}

// Property: requests end with the context.
func TestCancelled(t *testing.T) {
	w := newWorld(t)
	began, end := make(chan struct{}), make(chan struct{})
	hang := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		<-end
	}))
	t.Cleanup(hang.Close)
	t.Cleanup(func() { close(end) })
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-began; cancel() }()
	out, err := w.service(sign.ByKey(w.key), 2, hang.URL).Sign(ctx, artifact)
	if out != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("%+v, %v", out, err)
	}
}

// Property: GitHub is asked for a token for Sigstore with the workflow's own
// authorization, anew each time.
func TestGitHubToken(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" || r.URL.Query().Get("audience") != "sigstore" || r.URL.Query().Get("api-version") != "2" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		fmt.Fprintf(w, `{"count":1,"value":"token %d"}`, asked.Add(1))
	}))
	defer server.Close()
	get := sign.GitHubToken(server.URL+"/x?api-version=2", "secret", nil)
	for _, want := range []string{"token 1", "token 2"} {
		if got, err := get(context.Background()); err != nil || got != want {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
	}
	if got, err := sign.GitHubToken(server.URL, "wrong", nil)(context.Background()); err == nil || strings.Contains(err.Error(), "wrong") {
		t.Errorf("%q, %v", got, err)
	}
}
