package testlog_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb"

	"github.com/modseal/modseal/internal/fetch"
	oursumdb "github.com/modseal/modseal/internal/sumdb"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/internal/trust"
	"github.com/modseal/modseal/merkle"
)

func modV(path, version string) module.Version { return module.Version{Path: path, Version: version} }

func h1(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "h1:" + base64.StdEncoding.EncodeToString(sum[:])
}

// database has n records of modules with capital letters in their paths, so that
// escaping matters, and more than a tile of 256.
func database(n int) *testlog.SumDB {
	db := testlog.NewSumDB("sum.example.org/test")
	for i := range n {
		m := modV(fmt.Sprintf("example.com/Mod%d", i), "v1.2.3")
		db.Add(m, h1(m.Path), h1(m.Path+" mod"))
	}
	return db
}

// clientOps is what golang.org/x/mod/sumdb.Client needs of the go command.
type clientOps struct {
	t      *testing.T
	db     *testlog.SumDB
	latest []byte
}

func (o *clientOps) ReadRemote(path string) ([]byte, error) {
	code, body := get(o.db, path)
	if code != 200 {
		return nil, errors.New(body)
	}
	return []byte(body), nil
}

func (o *clientOps) ReadConfig(file string) ([]byte, error) {
	if file == "key" {
		return []byte(o.db.Key()), nil
	}
	return o.latest, nil
}

func (o *clientOps) WriteConfig(_ string, _, new []byte) error { o.latest = new; return nil }
func (o *clientOps) ReadCache(string) ([]byte, error)          { return nil, errors.New("no cache") }
func (o *clientOps) WriteCache(string, []byte)                 {}
func (o *clientOps) Log(msg string)                            { o.t.Log(msg) }
func (o *clientOps) SecurityError(msg string)                  { o.t.Error(msg) }

// Property: the client that the go command uses verifies every record, at heads
// that grow, and refuses one that was changed on the way.
func TestSumDBSatisfiesTheGoCommandsClient(t *testing.T) {
	db := database(300)
	db.HeadSize = func(id uint64) uint64 { return max(id+1, 260) }
	client := sumdb.NewClient(&clientOps{t: t, db: db})
	for _, i := range []int{0, 255, 256, 259, 299} {
		path := fmt.Sprintf("example.com/Mod%d", i)
		lines, err := client.Lookup(path, "v1.2.3")
		if err != nil || len(lines) != 1 || lines[0] != path+" v1.2.3 "+h1(path) {
			t.Errorf("%s: %q, %v", path, lines, err)
		}
	}
	if _, err := client.Lookup("example.com/Unknown", "v1.2.3"); err == nil || !strings.Contains(err.Error(), "unknown revision") {
		t.Errorf("unknown module: %v", err)
	}
	db.Edit.Set(func(_ *http.Request, a *testlog.Answer) {
		a.Body = []byte(strings.Replace(string(a.Body), h1("example.com/Mod7"), h1("evil"), 1))
	})
	if _, err := client.Lookup("example.com/Mod7", "v1.2.3"); err == nil {
		t.Error("a changed record was accepted")
	}
}

// Property: modseal's client gets records, heads and nodes through a proxy, and
// they prove each other.
func TestSumDBSatisfiesOurClient(t *testing.T) {
	ctx := context.Background()
	db := database(600)
	server := httptest.NewServer(db)
	defer server.Close()
	parsed, err := trust.ParseGOSUMDB(db.Key())
	if err != nil {
		t.Fatal(err)
	}
	client := oursumdb.New(oursumdb.Options{DB: parsed, GOPROXY: server.URL + "/proxy", Fetch: fetch.New(fetch.Options{
		MaxTries: 1, Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})})
	var indexes []uint64
	var leaves []merkle.Hash
	for _, i := range []int{3, 255, 256, 599} {
		r, err := client.Lookup(ctx, modV(fmt.Sprintf("example.com/Mod%d", i), "v1.2.3"))
		if err != nil || r.ID != uint64(i) {
			t.Fatalf("record %d: %v", i, err)
		}
		indexes, leaves = append(indexes, r.ID), append(leaves, merkle.LeafHash(r.Text))
	}
	head, err := client.Latest(ctx)
	if err != nil || head.Tree != db.Head(600) {
		t.Fatalf("head %v: %v", head.Tree, err)
	}
	proof, err := merkle.BuildMultiproof(head.Tree, indexes, client.Nodes(ctx, head.Tree))
	if err != nil {
		t.Fatal(err)
	}
	if err := proof.Verify(head.Tree, leaves); err != nil {
		t.Error(err)
	}
	for _, path := range db.Requests() {
		if strings.Contains(path, "proxy") {
			t.Errorf("request %q is not without the proxy's part", path)
		}
	}
}

// Property: what does not exist is 404 or 400, and never a panic.
func TestSumDBHasNoMore(t *testing.T) {
	db := database(300)
	for path, want := range map[string]int{
		"/": 404, "/supported": 200, "/latest": 200, "/sumdb/sum.example.org/test/latest": 200,
		"/lookup/example.com/!mod1@v1.2.3": 200, "/lookup/example.com/Mod1@v1.2.3": 400, "/lookup/": 400,
		"/tile/8/0/000": 200, "/tile/8/0/001.p/44": 200, "/tile/8/0/001.p/45": 404, "/tile/8/0/001": 404, "/tile/8/1/000.p/1": 200, "/tile/8/1/000": 404,
		"/tile/8/data/001.p/2": 200, "/tile/8/data/001": 404, "/tile/8/63/000": 404, "/tile/30/7/000": 400, "/tile/x": 400, "/tile/8/0/x999/x999/x999/x999/x999/999": 404,
	} {
		if code, body := get(db, path); code != want {
			t.Errorf("%s: %d %.60q, want %d", path, code, body, want)
		}
	}
}
