package snapshot_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/snapshot"
)

// everything is a world in which a snapshot asks for all that it can ask for:
// records and tiles of a checksum database of several rows of tiles, entries in two
// shards of a Rekor v1 at several heads, what a published bundle lacks, and tiles of a
// Rekor v2. The modules and the database's tiles are carried.
func everything(t *testing.T) *publisher {
	t.Helper()
	p := newPublisher(t)
	for i := range 600 {
		p.db.AddRecord(module.Version{Path: fmt.Sprintf("example.org/filler%d", i), Version: "v1.0.0"}, fmt.Appendf(nil, "filler %d\n", i))
	}
	late := p.require(t, "example.com/late")
	p.noise()
	p.rekor.Rotate()
	p.noise()
	p.attest(late, p.alice)
	p.attest(p.mod(plain), p.alice)
	p.noise()
	p.rekor.HeadSize = func(e testlog.Entry) uint64 { return e.Index + 1 }
	p.trustAll()

	p.publish("v2.sigstore.json", p.file(p.blobV2(p.mod(plain).h1())))
	stranger := testlog.NewSigner("stranger").BodyV2([32]byte{9})
	for range 300 {
		p.v2.Log.Add(stranger)
	}
	statement := p.statement(p.mod(upper).String(), "sha256", fmt.Sprintf("%x", p.mod(upper).zipDigest()))
	p.publish("unproven.sigstore.json", p.unproven(p.file(statement)))

	p.env["GOSUMDB"] = p.db.Key() + " http://" + p.db.Name
	p.request.RekorURL, p.request.RekorTiles = "http://rekor.example", []string{"http://" + hostV2 + "/x"}
	p.request.WithModules, p.request.SumDBTiles, p.request.AllowMissing = true, true, false
	p.request.Phase, p.request.CacheDir = nil, p.path("fetched")
	p.flags.Require = policy.RequireAll
	p.flags.Signers = append(p.flags.Signers, policy.KeySigner(private(t, p.alice).Public()))
	return p
}

// grown is a world in which a snapshot was taken before the logs grew by a row of
// tiles, a shard, and a module.
func grown(t *testing.T) *publisher {
	t.Helper()
	p := everything(t)
	p.run(t, p.request, nil).mustBe(t, nil) // into the cache that later runs have a copy of
	for i := range 300 {
		p.db.AddRecord(module.Version{Path: fmt.Sprintf("example.org/more%d", i), Version: "v1.0.0"}, fmt.Appendf(nil, "more %d\n", i))
	}
	m := p.require(t, "example.com/new")
	p.noise()
	p.rekor.Rotate()
	p.noise()
	p.attest(m, p.alice)
	p.noise()
	p.trustAll()
	return p
}

// A run is a snapshot that was tried.
type run struct {
	file    []byte // nil if there is none
	summary *snapshot.Summary
	err     error
	left    []string // names in the output's folder
	log     []exchange
	hit     int // answers that had the trouble
	took    time.Duration
}

// run takes a snapshot over a wire, in a folder of its own. These hosts are not there.
func (p *publisher) run(t *testing.T, r snapshot.Request, bad *trouble, gone ...string) (out run) {
	t.Helper()
	dir := t.TempDir()
	r.Output, r.Policy = filepath.Join(dir, "deps.modseal"), policy.FromFlags(p.flags)
	synctest.Test(t, func(t *testing.T) {
		n := &wire{trouble: bad, servers: map[string]http.Handler{p.db.Name: p.db, "rekor.example": p.rekor, hostV2: p.v2}}
		for _, host := range gone {
			delete(n.servers, host)
		}
		var end func()
		r.Fetch, end = n.client()
		defer end()
		start := time.Now()
		out.summary, out.err = snapshot.Take(context.Background(), r)
		out.took = time.Since(start)
		n.mu.Lock()
		defer n.mu.Unlock()
		if out.log = n.log; bad != nil {
			out.hit = bad.hit
		}
	})
	for _, name := range files(t, dir) {
		out.left = append(out.left, filepath.Base(name))
	}
	if out.err == nil {
		out.file = read(t, r.Output)
	}
	return out
}

// mustBe demands a snapshot with this content, or with any if it is nil.
func (r run) mustBe(t *testing.T, want []byte) {
	t.Helper()
	if r.err != nil || r.summary == nil || !slices.Equal(r.left, []string{"deps.modseal"}) {
		t.Fatalf("%v; the folder holds %q", r.err, r.left)
	}
	if want != nil && !bytes.Equal(r.file, want) {
		t.Fatalf("the bundle is %d bytes and another than the %d of an undisturbed run", len(r.file), len(want))
	}
}

// withCache is the request with a copy of its cache.
func (p *publisher) withCache(t *testing.T) snapshot.Request {
	t.Helper()
	r := p.request
	r.CacheDir = filepath.Join(t.TempDir(), "fetched")
	if err := os.CopyFS(r.CacheDir, os.DirFS(p.request.CacheDir)); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return r
}

// A play is a world with its undisturbed run.
type play struct {
	*publisher
	want    run
	noTiles []byte // the bundle where the tiles of Rekor v2 can't be had
}

func rehearse(t *testing.T, p *publisher) *play {
	t.Helper()
	s := &play{publisher: p, want: p.run(t, p.withCache(t), nil)}
	s.want.mustBe(t, nil)
	if s.want.took != 0 || len(s.want.summary.Unread) != 0 {
		t.Fatalf("undisturbed: %v, %v", s.want.took, s.want.summary.Unread)
	}
	without := p.run(t, p.withCache(t), nil, hostV2)
	without.mustBe(t, nil)
	s.noTiles = without.file
	asked := map[string]int{}
	for _, e := range s.want.log {
		asked[e.kind]++
	}
	for _, kind := range []string{
		"sum.example.org/latest", "sum.example.org/lookup", "sum.example.org/tile",
		"rekor.example" + log[len("/api/v1"):], "rekor.example" + search, "rekor.example/log" + retrieve, "rekor.example" + proof,
		hostV2 + "/x/checkpoint", hostV2 + "/x/tile",
	} {
		if asked[kind] == 0 {
			t.Errorf("nothing was asked of the kind %s", kind)
		}
		delete(asked, kind)
	}
	if len(asked) > 0 {
		t.Fatalf("asked for more: %v", asked)
	}
	t.Logf("%d requests, %d bytes", len(s.want.log), len(s.want.file))
	return s
}

// other is an honest answer of the same kind that differs, or else one of
// another kind.
func (s *play) other(e exchange) []byte {
	for _, same := range []bool{true, false} {
		at := slices.IndexFunc(s.want.log, func(x exchange) bool { return x.key == e.key })
		for i := range s.want.log {
			x := s.want.log[(at+i)%len(s.want.log)]
			if (x.kind == e.kind) == same && !bytes.Equal(x.body, e.body) {
				return x.body
			}
		}
	}
	return nil
}

// each tells each fault of each request of these kinds; a sample of them in short
// tests. What the server gets over is nothing to recover from.
func (s *play) each(t *testing.T, faults []fault, of func(kind string) bool, judge func(t *testing.T, bad *trouble, r run)) {
	n := 0
	for _, e := range s.want.log {
		for _, f := range faults {
			if n++; !of(e.kind) || testing.Short() && n%9 != 0 {
				continue
			}
			t.Run(f.name+"/"+e.key[:min(len(e.key), 90)], func(t *testing.T) {
				t.Parallel()
				bad := &trouble{fault: f, of: e, other: s.other(e)}
				request := s.withCache(t)
				r := s.run(t, request, bad)
				if r.hit == 0 {
					t.Fatal("the fault did not happen")
				}
				if r.err != nil && (r.summary != nil || len(r.left) != 0) {
					t.Errorf("%v, and yet %+v; the folder holds %q", r.err, r.summary, r.left)
				}
				judge(t, bad, r)
				if left := parts(t, filepath.Dir(request.CacheDir)); len(left) > 0 {
					t.Errorf("left behind: %q", left)
				}
				if !f.once {
					s.run(t, request, nil).mustBe(t, s.want.file)
				}
			})
		}
	}
}

// require adds a module to the project, the module cache and the checksum database.
func (p *publisher) require(t *testing.T, path string) mod {
	t.Helper()
	m := newMod(path)
	p.mods = append(p.mods, m)
	m.install(t, p.path("cache"))
	write(t, p.path("project/go.mod"), string(read(t, p.path("project/go.mod")))+"require "+m.Path+" v1.0.0\n")
	p.db.Add(m.Version, sum(m.h1()), sum(m.goModH1()))
	return m
}
