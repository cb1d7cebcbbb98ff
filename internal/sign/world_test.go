package sign_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/modseal/modseal/internal/fetch"
	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/internal/sign"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/internal/trust"
)

const (
	alice  = "alice@example.com"
	issuer = "https://issuer.example"
)

// world is all of a Sigstore, with a clock of its own, and who trusts it.
type world struct {
	testing.TB
	now    time.Time
	v1     *testlog.Rekor
	v2     *testlog.RekorV2
	fulcio *testlog.Fulcio
	tsa    *testlog.TSA
	trust  *trust.Material
	key    *keys.Private

	v1URL, v2URL, fulcioURL, tsaURL string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{TB: t, now: testlog.Epoch().Add(time.Hour), v1: testlog.NewRekor("rekor.example"), v2: testlog.NewRekorV2("log.example"), tsa: testlog.NewTSA("tsa")}
	clock := func() time.Time { return w.now }
	w.fulcio = &testlog.Fulcio{CA: testlog.NewCA("fulcio"), Now: clock}
	w.v1.Now, w.tsa.Now = clock, clock
	w.v1.Add(testlog.NewSigner("stranger").Body([32]byte{1}))
	serve := func(h http.Handler) string {
		s := httptest.NewServer(h)
		t.Cleanup(s.Close)
		return s.URL
	}
	w.v1URL, w.v2URL, w.fulcioURL, w.tsaURL = serve(w.v1), serve(w.v2), serve(w.fulcio), serve(w.tsa)
	w.trusting(testlog.Sigstore{Rekor: []*testlog.Rekor{w.v1}, V2: []*testlog.RekorV2{w.v2}, Fulcio: []*testlog.CA{w.fulcio.CA}, TSA: []*testlog.TSA{w.tsa}})
	w.key = private(t, testlog.NewSigner("alice").PrivatePEM())
	return w
}

func private(t testing.TB, file []byte) *keys.Private {
	t.Helper()
	k, err := keys.ParsePrivate(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (w *world) trusting(s testlog.Sigstore) {
	w.Helper()
	w.trust = &trust.Material{}
	if err := w.trust.AddTrustedRoot(s.TrustedRoot()); err != nil {
		w.Fatal(err)
	}
}

func (w *world) fetch() *fetch.Client {
	return fetch.New(fetch.Options{MaxTries: 2, Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }})
}

func (w *world) keyless(email string) *sign.Keyless {
	return &sign.Keyless{Fulcio: w.fulcioURL, Token: sign.FixedToken(testlog.Token(email, issuer)), Now: func() time.Time { return w.now }}
}

func (w *world) log(version int) sign.Log {
	w.Helper()
	url := w.v1URL
	if version == 2 {
		url = w.v2URL
	}
	l, err := sign.OpenLog(context.Background(), sign.LogOptions{URL: url, Fetch: w.fetch(), Trust: w.trust})
	if err != nil {
		w.Fatal(err)
	}
	return l
}

func (w *world) service(s sign.Signer, version int, stamps ...string) *sign.Service {
	w.Helper()
	out, err := sign.New(sign.Options{Signer: s, Log: w.log(version), Timestamps: stamps, Trust: w.trust})
	if err != nil {
		w.Fatal(err)
	}
	return out
}

func (w *world) sign(s *sign.Service, c sign.Content) *sign.Signed {
	w.Helper()
	out, err := s.Sign(context.Background(), c)
	if err != nil {
		w.Fatal(err)
	}
	return out
}
