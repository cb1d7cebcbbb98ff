package snapshot_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/snapshot"
	"github.com/modseal/modseal/verify"
)

// tiled is a publisher in whose Rekor v2 a module's entry is followed by so many
// others.
func tiled(t *testing.T, more int) *publisher {
	p := newPublisher(t)
	p.publish("a.sigstore.json", p.file(p.blobV2(p.mod(plain).h1())))
	for range more {
		p.v2.Log.Add(testlog.NewSigner("stranger").BodyV2([32]byte{9}))
	}
	return p
}

// Property: entries of a Rekor v2 are proven in its newest tree, from its tiles:
// at --rekor-tiles or, unless --rekor-url is off, at its URL in the trusted root.
func TestTiles(t *testing.T) {
	for name, set := range map[string]func(p *publisher){
		"named": func(p *publisher) {
			p.request.RekorTiles, p.request.Fetch = []string{p.tilesURL + "/x/"}, client(nil)
		},
		"named, the second": func(p *publisher) {
			other := &testlog.RekorTiles{Log: testlog.NewRekorV2("other.example")}
			other.Log.Add(nil)
			p.request.RekorTiles, p.request.Fetch = []string{p.serve(other), p.tilesURL + "/x"}, client(nil)
		},
		"in the trusted root, and what was named is gone": func(p *publisher) {
			gone := httptest.NewServer(nil)
			gone.Close()
			p.request.RekorTiles, p.request.RekorURL = []string{gone.URL}, p.rekorURL
			p.request.Fetch, p.request.Parallel = client(&tap{host: hostV2, server: p.tilesURL}), 1
		},
		"in the trusted root": func(p *publisher) {
			p.request.RekorURL, p.request.Fetch = p.rekorURL, client(&tap{host: hostV2, server: p.tilesURL})
			p.request.Parallel = 1
		},
	} {
		for _, more := range []int{0, 1, 300} {
			p := tiled(t, more)
			set(p)
			s := p.take()
			p.verdicts(s, map[string]verify.Status{plain: verify.Verified})
			if len(s.Logs) != 1 || s.Logs[0].Size != uint64(6+more) || len(s.Unread) != 0 {
				t.Errorf("%s, %d after it: %+v, unread %v", name, more, s.Logs, s.Unread)
			}
			for _, r := range p.v2.Requests() {
				if base := map[bool]string{true: "/api/v2/", false: "/x/"}[strings.HasPrefix(name, "in the trusted root")]; !strings.HasPrefix(r, base+"checkpoint") && !strings.HasPrefix(r, base+"tile/") {
					t.Errorf("%s: asked for %s", name, r)
				}
			}
		}
	}
}

// serve serves tiles, and gives their URL.
func (p *publisher) serve(tiles *testlog.RekorTiles) string {
	s := httptest.NewServer(tiles)
	p.Cleanup(s.Close)
	return s.URL
}

// Property: two entries that publishers proved in different trees are one log, at
// the newest head.
func TestTilesOfSeveral(t *testing.T) {
	p := tiled(t, 260)
	p.publish("b.sigstore.json", p.file(p.blobV2(p.mod(upper).zipDigest())))
	want := map[string]verify.Status{plain: verify.Verified, upper: verify.Verified}
	s := p.take()
	p.verdicts(s, want)
	if len(s.Logs) != 2 {
		t.Errorf("offline: %+v", s.Logs)
	}
	p.request.RekorTiles, p.request.Fetch = []string{p.tilesURL}, client(nil)
	s = p.take()
	p.verdicts(s, want)
	if len(s.Logs) != 1 || s.Entries[0] != 2 || s.Logs[0].Size != 267 {
		t.Errorf("with tiles: %+v", s.Logs)
	}
}

// Property: where the tiles of a Rekor v2 can't be had, its entries are proven as
// they were published, and that is said. A lie is no such case.
func TestTilesUnread(t *testing.T) {
	for _, path := range []string{"checkpoint", "tile/0", "tile/1", "tile/"} {
		for _, status := range []int{404, 500, 0} {
			p := tiled(t, 300)
			p.request.RekorTiles, p.request.Fetch = []string{p.tilesURL}, client(nil)
			p.v2.Edit.Set(func(asked string, a *testlog.Answer) {
				if strings.HasPrefix(asked, path) {
					if status == 0 {
						panic(http.ErrAbortHandler)
					}
					a.Status, a.Body = status, nil
				}
			})
			s := p.take()
			p.verdicts(s, map[string]verify.Status{plain: verify.Verified})
			if len(s.Logs) != 1 || s.Logs[0].Size != 6 || len(s.Unread) != 1 || s.Unread[0].Log != hostV2 || s.Unread[0].Err == nil {
				t.Errorf("%s with %d: logs %+v, unread %v", path, status, s.Logs, s.Unread)
			}
		}
	}
}

// Property: tiles and checkpoints that lie are an error, and nothing is written.
func TestTilesLie(t *testing.T) {
	forked := func(leaves int) *testlog.RekorTiles { // has the same key
		f := &testlog.RekorTiles{Log: testlog.NewRekorV2(hostV2)}
		for range leaves {
			f.Log.Add(testlog.NewSigner("mallory").BodyV2([32]byte{9}))
		}
		return f
	}
	for name, c := range map[string]struct {
		lie  func(p *publisher) *testlog.RekorTiles
		says string
	}{
		"rolled back": {func(p *publisher) *testlog.RekorTiles { p.v2.Head = 5; return p.v2 }, "of now has 5 leaves, and one that it signed before had 6: it was rolled back"},
		"a fork of the same size": {func(p *publisher) *testlog.RekorTiles {
			return forked(6)
		}, "does not begin with the tree of 6 leaves that it signed before"},
		"a fork that is larger": {func(p *publisher) *testlog.RekorTiles { return forked(300) }, "does not begin with the tree of 6 leaves that it signed before"},
		"a fork that has the entry": {func(p *publisher) *testlog.RekorTiles {
			f := forked(5)
			for i := uint64(5); i < p.v2.Log.Size(); i++ {
				f.Log.Add(p.v2.Log.Leaf(i))
			}
			return f
		}, "does not begin with the tree of 6 leaves that it signed before"},
		"a lying tile": {func(p *publisher) *testlog.RekorTiles {
			p.v2.Edit.Set(func(path string, a *testlog.Answer) {
				if strings.HasPrefix(path, "tile/0/") && a.Status == 200 {
					a.Body[0] ^= 1
				}
			})
			return p.v2
		}, "rekor: tiles: "},
		"a checkpoint that the log did not sign": {func(p *publisher) *testlog.RekorTiles {
			p.v2.Edit.Set(func(path string, a *testlog.Answer) {
				if path == "checkpoint" {
					a.Body[len(a.Body)-10] ^= 1
				}
			})
			return p.v2
		}, "checkpoint: "},
		"a checkpoint of a larger tree than there is": {func(p *publisher) *testlog.RekorTiles {
			p.v2.Edit.Set(func(path string, a *testlog.Answer) {
				if path == "checkpoint" {
					a.Body = []byte(strings.Replace(string(a.Body), "\n306\n", "\n307\n", 1))
				}
			})
			return p.v2
		}, "checkpoint: "},
	} {
		t.Run(name, func(t *testing.T) {
			p := tiled(t, 300)
			p.request.RekorTiles, p.request.Fetch = []string{p.serve(c.lie(p))}, client(nil)
			if err := p.fail(); !strings.HasPrefix(err.Error(), `rekor: shard "`+hostV2+`": `) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v; want %q", err, c.says)
			}
		})
	}
}

// Property: tiles of another log, at the URL that the trusted root has, are an
// error; at a URL that was named they are those of another shard, and of no use.
func TestTilesOfAnotherOrigin(t *testing.T) {
	p := tiled(t, 10)
	other := &testlog.RekorTiles{Log: testlog.NewRekorV2("other.example")}
	other.Log.Add(nil)
	url := p.serve(other)
	p.request.RekorTiles, p.request.Fetch = []string{url}, client(nil)
	s := p.take()
	p.verdicts(s, map[string]verify.Status{plain: verify.Verified})
	if s.Logs[0].Size != 6 || len(s.Unread) != 0 {
		t.Errorf("logs %+v, unread %v", s.Logs, s.Unread)
	}
	p = tiled(t, 10)
	p.request.RekorURL, p.request.Fetch, p.request.Parallel = p.rekorURL, client(&tap{host: hostV2, server: url}), 1
	if err := p.fail(); !strings.Contains(err.Error(), `rekor: shard "`+hostV2+`": checkpoint`) {
		t.Error(err)
	}
}

// Property: with --rekor-url=off and no --rekor-tiles nothing is asked for at all,
// whatever URLs are in trusted roots and bundles.
func TestOffIsOff(t *testing.T) {
	p := tiled(t, 10) // whose network fails the test
	p.publish("b.sigstore.json", p.file(p.blob(p.mod(upper).h1())))
	s := p.take()
	p.verdicts(s, map[string]verify.Status{plain: verify.Verified, upper: verify.Verified})
	if len(s.Counts) != 0 || len(p.v2.Requests())+len(p.rekor.Requests()) != 0 {
		t.Errorf("requests: %v", s.Counts)
	}
	if err := os.Remove(p.request.Output); err != nil {
		t.Fatal(err)
	}
	p.publish("c.sigstore.json", p.unproven(p.file(p.statement(corp, "sha256", fmt.Sprintf("%x", p.mod(corp).zipDigest())))))
	if _, ok := p.fail().(*snapshot.PublishedError); !ok {
		t.Error("what would have to be asked for was not refused")
	}
}
