package snapshot_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/fetch"
	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/internal/seal"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/internal/trust"
	"github.com/modseal/modseal/snapshot"
	"github.com/modseal/modseal/verify"
)

// The modules of the world.
const (
	plain = "example.com/plain"
	upper = "example.com/Upper"
	corp  = "corp.example.com/secret"
)

// A world is a project whose modules are in the cache, and a checksum database
// and a Rekor that know all of them among others.
type world struct {
	testing.TB
	dir    string // holds project, cache and out
	mods   []mod
	env    map[string]string
	alice  *testlog.Signer
	db     *testlog.SumDB
	rekor  *testlog.Rekor
	phases []string // that ended

	request snapshot.Request
	flags   policy.Flags // of the request's policy
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{TB: t, dir: t.TempDir(), alice: testlog.NewSigner("alice"), mods: []mod{newMod(corp), newMod(upper), newMod(plain, "sub/sub.go")}}
	w.db, w.rekor = testlog.NewSumDB("sum.example.org"), testlog.NewRekor("rekor.example")
	db, rekor := httptest.NewServer(w.db), httptest.NewServer(w.rekor)
	t.Cleanup(db.Close)
	t.Cleanup(rekor.Close)
	w.env = map[string]string{"GOENV": "off", "GOMODCACHE": w.path("cache"), "GOSUMDB": w.db.Key() + " " + db.URL, "GOPROXY": "off"}
	var goMod, goSum strings.Builder
	fmt.Fprintf(&goMod, "module example.com/project\n\ngo 1.21\n\nrequire (\n")
	for _, m := range w.mods {
		m.install(t, w.path("cache"))
		fmt.Fprintf(&goMod, "\t%s v1.0.0\n", m.Path)
		goSum.WriteString(m.goSum())
		w.noise()
		w.db.Add(m.Version, sum(m.h1()), sum(m.goModH1()))
		w.attest(m, w.alice)
		w.noise()
	}
	write(t, w.path("project/go.mod"), goMod.String()+")\n")
	write(t, w.path("project/go.sum"), goSum.String())
	write(t, w.path("out/keep"), "")
	w.request = snapshot.Request{
		Dirs: []string{w.path("project")}, World: verify.World{Getenv: func(name string) string { return w.env[name] }}, NoDownload: true,
		RekorURL: rekor.URL, Trust: w.material(), Listings: true, Created: made(), Output: w.path("out/deps.modseal"),
		Seal:  func(d bundles.Digests) ([]byte, error) { return seal.ByKey(private(t, testlog.NewSigner("sealer")), d) },
		Fetch: client(nil),
		Phase: func(p snapshot.Phase) {
			if p.Done != "" {
				w.phases = append(w.phases, p.Name)
			}
		},
	}
	w.flags = policy.Flags{Require: policy.RequireAll, Signers: []policy.Signer{policy.KeySigner(private(t, w.alice).Public())}}
	return w
}

// client asks once and never waits.
func client(transport http.RoundTripper) *fetch.Client {
	return fetch.New(fetch.Options{
		MaxTries: 1, HTTP: &http.Client{Transport: transport}, Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
}

func (w *world) path(name string) string { return filepath.Join(w.dir, filepath.FromSlash(name)) }

func (w *world) mod(path string) mod {
	return w.mods[slices.IndexFunc(w.mods, func(m mod) bool { return m.Path == path })]
}

// project is the folder of the first project, "" if there is none.
func (w *world) project() string {
	if len(w.request.Dirs) == 0 {
		return ""
	}
	return w.request.Dirs[0]
}

// noise adds an entry of strangers to each log.
func (w *world) noise() {
	m := newMod(fmt.Sprintf("example.org/stranger%d", w.db.Size()))
	w.db.Add(m.Version, sum(m.h1()), sum(m.goModH1()))
	w.rekor.Add(testlog.NewSigner("stranger").Body(m.h1()))
}

// attest logs a signer's entries over a module.
func (w *world) attest(m mod, by *testlog.Signer) {
	w.rekor.Add(by.Body(m.zipDigest()))
	w.rekor.Add(by.Body(m.h1()))
}

func private(t testing.TB, s *testlog.Signer) *keys.Private {
	t.Helper()
	k, err := keys.ParsePrivate(s.PrivatePEM(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// material trusts the database and these shards, or all there are now.
func (w *world) material(shards ...int) *trust.Material {
	m := &trust.Material{}
	db, err := trust.ParseGOSUMDB(w.db.Key())
	if err != nil {
		w.Fatal(err)
	}
	m.SumDBs = append(m.SumDBs, *db)
	for i, s := range w.rekor.Shards() {
		if len(shards) > 0 && !slices.Contains(shards, i) {
			continue
		}
		k, err := keys.ParsePublic(s.PublicPEM())
		if err != nil {
			w.Fatal(err)
		}
		m.AddRekorKey(k)
	}
	return m
}

// asked is the request, with the policy of the flags.
func (w *world) asked() snapshot.Request {
	w.request.Policy = policy.FromFlags(w.flags)
	return w.request
}

// take takes the snapshot, which must succeed.
func (w *world) take() *snapshot.Summary {
	w.Helper()
	s, err := snapshot.Take(context.Background(), w.asked())
	if err != nil {
		w.Fatal(err)
	}
	w.left("deps.modseal")
	return s
}

// fail takes the snapshot, which must fail and leave nothing behind.
func (w *world) fail() error {
	w.Helper()
	s, err := snapshot.Take(context.Background(), w.asked())
	if err == nil || s != nil {
		w.Fatalf("%+v, %v; want an error alone", s, err)
	}
	w.left()
	return err
}

// left demands that the output's folder holds these files and no others.
func (w *world) left(want ...string) {
	w.Helper()
	got := []string{}
	err := filepath.WalkDir(w.path("out"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != "keep" {
			got = append(got, d.Name())
		}
		return err
	})
	if err != nil || !slices.Equal(got, want) {
		w.Fatalf("the output's folder holds %q (%v), want %q", got, err, want)
	}
}

// enclave verifies the output as an enclave does that trusts the same.
func (w *world) enclave() *verify.Report { return w.enclaveWith(nil) }

// enclaveWith is that of an enclave that remembers.
func (w *world) enclaveWith(state *verify.State) *verify.Report {
	w.Helper()
	b := read(w, w.request.Output)
	r, err := verify.Check(context.Background(), verify.Request{
		Dir: w.project(), World: w.request.World, Bundle: bytes.NewReader(b), BundleSize: int64(len(b)), Trust: w.request.Trust, Policy: policy.FromFlags(w.flags), Artifacts: w.request.Artifacts,
		Seals: seal.By(private(w, testlog.NewSigner("sealer")).Public()), State: state,
	})
	if err != nil {
		w.Fatal(err)
	}
	return r
}

// bundle opens the output, whoever sealed it.
func (w *world) bundle() *bundles.Bundle {
	w.Helper()
	file := read(w, w.request.Output)
	b, err := bundles.Open(bytes.NewReader(file), int64(len(file)), bundles.OpenOptions{InsecureIgnoreSeals: true})
	if err != nil {
		w.Fatal(err)
	}
	return b
}

// counted counts requests by what is asked for: "POST /api/v1/index/retrieve",
// "/lookup/", "/tile/".
func counted(requests []string) map[string]int {
	n := map[string]int{}
	for _, r := range requests {
		for _, prefix := range []string{"/lookup/", "/tile/"} {
			if strings.HasPrefix(r, prefix) {
				r = prefix
			}
		}
		n[strings.TrimPrefix(strings.TrimPrefix(r, "GET "), "POST ")]++
	}
	return n
}

// made is when snapshots say that they were made.
func made() time.Time { return time.Date(2026, 2, 3, 4, 5, 6, 7, time.UTC) }
