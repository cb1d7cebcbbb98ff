package sign_test

import (
	"bytes"
	"context"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/modseal/modseal/internal/sign"
	"github.com/modseal/modseal/internal/testlog"
)

// answers is a server that says one thing to everybody.
type answers struct {
	status int
	body   []byte
}

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
	}
	return &http.Response{StatusCode: a.status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(a.body)), Request: r}, nil
}

// refused demands an error that is fit to be shown.
func refused(t *testing.T, got any, isNil bool, err error) {
	t.Helper()
	if err == nil || !isNil {
		t.Fatalf("accepted: %.200v", got)
	}
	if strings.ContainsFunc(err.Error(), unicode.IsControl) || len(err.Error()) > 4000 {
		t.Fatalf("%.4000q", err.Error())
	}
}

// Property: nothing that a Fulcio answers makes asking it panic, and no certificate is
// taken that is not for the key that was just made, as none in a file can be.
func FuzzFulcio(f *testing.F) {
	issued := testlog.NewCA("fulcio").Issue(alice, issuer, time.Now())
	answer := func(member string, certificates ...string) []byte {
		b, err := json.Marshal(map[string]any{member: map[string]any{"chain": map[string]any{"certificates": certificates}}})
		if err != nil {
			f.Fatal(err)
		}
		return b
	}
	good := answer("signedCertificateEmbeddedSct", string(issued.PEM))
	for _, body := range [][]byte{
		good, good[:len(good)/2], answer("signedCertificateDetachedSct", string(issued.PEM)), answer("signedCertificateEmbeddedSct", ""), answer("signedCertificateEmbeddedSct"),
		answer("signedCertificateEmbeddedSct", strings.ReplaceAll(string(issued.PEM), "CERTIFICATE", "PUBLIC KEY")), answer("signedCertificateEmbeddedSct", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"),
		[]byte("{}"), []byte("null"), []byte(`{"signedCertificateEmbeddedSct":null}`), bytes.Repeat([]byte("["), 100_000), bytes.Repeat([]byte(`{"a":`), 10_000), []byte("\x1b[31m"), {},
		[]byte(`{"signedCertificateEmbeddedSct":{"chain":{"certificates":["a"],"certificates":[]}}}`),
	} {
		f.Add(200, body)
		f.Add(403, body)
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 100 || status >= 500 || status == 429 || status/100 == 3 { // asked again after a wait, or elsewhere
			t.Skip()
		}
		k := &sign.Keyless{Fulcio: "http://fulcio.test", Token: sign.FixedToken(testlog.Token(alice, issuer)), Now: time.Now, Transport: answers{status, body}}
		c, err := k.Credential(context.Background())
		refused(t, c, c == nil, err)
	})
}

// Property: no token makes it panic to ask a Fulcio with it, and an error about one is fit
// to be shown.
func FuzzToken(f *testing.F) {
	good := testlog.Token(alice, issuer)
	part := func(s string) string { return "e30." + base64.RawURLEncoding.EncodeToString([]byte(s)) + ".x" }
	for n := range len(good) {
		if n%20 == 0 {
			f.Add(good[:n])
		}
	}
	for _, token := range []string{good, "", ".", "..", "a.b.c", strings.Repeat(".", 10_000), part("null"), part("{}"), part(`{"sub":1}`), part(`{"email":"a","email_verified":"\u001b"}`), part(`{"sub":"a","sub":"b"}`),
		part(strings.Repeat("[", 10_000)), part(`{"email":"a\u0000","email_verified":true}`), "\x1b.\r\n.", good + "\n" + good} {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		k := &sign.Keyless{Fulcio: "http://fulcio.test", Token: sign.FixedToken(token), Now: time.Now, Transport: answers{200, []byte("{}")}}
		c, err := k.Credential(context.Background())
		refused(t, c, c == nil, err)
	})
}

// Property: no answer of GitHub makes it panic, and what is taken for a token is one string
// that is not empty.
func FuzzGitHubToken(f *testing.F) {
	for _, body := range []string{`{"count":1,"value":"a.b.c"}`, `{"value":""}`, `{"value":1}`, `{"value":null}`, `null`, `[]`, `{"VALUE":"a","value":"b"}`, `{"value":"a"`, `{"value":"a"}x`, strings.Repeat("[", 60_000), "", "\x1b"} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		token, err := sign.GitHubToken("http://github.test/x", "secret", answers{200, body})(context.Background())
		if err != nil {
			refused(t, token, token == "", err)
			return
		}
		var value struct{ Value string }
		if json.Unmarshal(body, &value) != nil || token == "" || token != value.Value {
			t.Fatalf("%q of %q", token, body)
		}
	})
}

// Property: no answer of a timestamp authority makes it panic, and none that was not made
// for the new signature is handed out.
func FuzzTimestamp(f *testing.F) {
	w := newWorld(f)
	stamp := w.tsa.Stamp([]byte("something else"), w.now)
	for n := range len(stamp) {
		if n%50 == 0 {
			f.Add(stamp[:n])
		}
	}
	long := append([]byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff}, stamp...)
	null := []byte{5, 0}
	rejected, err := asn1.Marshal(struct{ Status struct{ Status int } }{struct{ Status int }{2}})
	if err != nil {
		f.Fatal(err)
	}
	for _, body := range [][]byte{stamp, append(bytes.Clone(stamp), 0), long, null, rejected, bytes.Repeat([]byte{0x30, 0x80}, 10_000), bytes.Repeat(stamp, 3), []byte("\x1b"), {}} {
		f.Add(body)
	}
	logs := []sign.Log{w.log(1), w.log(2)}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, log := range logs {
			s, err := sign.New(sign.Options{Signer: sign.ByKey(w.key), Log: log, Timestamps: []string{"http://tsa.test"}, Trust: w.trust, Transport: answers{201, body}})
			if err != nil {
				t.Fatal(err)
			}
			out, err := s.Sign(context.Background(), artifact)
			refused(t, out, out == nil, err)
		}
	})
}
