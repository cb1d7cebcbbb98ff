package sumdb

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/modseal/modseal/internal/fetch"
	"github.com/modseal/modseal/merkle"

	"github.com/modseal/modseal/internal/trust"
)

const testName = "sum.example.org"

// testKey makes a signer and a verifier key, the same ones for the same seed.
func testKey(t testing.TB, seed string) (signer, verifier string) {
	t.Helper()
	secret := sha256.Sum256([]byte(seed))
	public := ed25519.NewKeyFromSeed(secret[:]).Public().(ed25519.PublicKey)
	verifier, err := note.NewEd25519VerifierKey(testName, public)
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.SplitN(verifier, "+", 3)
	prefix := fields[0] + "+" + fields[1]
	const ed25519Type = 1
	return "PRIVATE+KEY+" + prefix + "+" + base64.StdEncoding.EncodeToString(append([]byte{ed25519Type}, secret[:]...)), verifier
}

// testDB is a checksum database on loopback: x/mod's own server and records,
// with a hook before each answer is sent. It answers under "/", as itself, and
// under "/proxy/sumdb/sum.example.org/", as a module proxy does.
type testDB struct {
	t      testing.TB
	ops    *sumdb.TestServer
	real   *sumdb.Server
	server *httptest.Server
	key    string // verifier key

	mu       sync.Mutex
	requests []string // paths
	lie      func(path string, a *reply)
}

type reply struct {
	status int
	body   []byte
}

// newDB starts a database whose records are made from the salt.
func newDB(t testing.TB, salt string) *testDB {
	t.Helper()
	db := &testDB{t: t}
	signer, verifier := testKey(t, "")
	db.key = verifier
	db.ops = sumdb.NewTestServer(signer, func(path, version string) ([]byte, error) {
		if strings.Contains(path, "missing") {
			return nil, fmt.Errorf("no such module: %w", os.ErrNotExist)
		}
		return testRecord(salt, path, version), nil
	})
	db.real = sumdb.NewServer(db.ops)
	db.server = httptest.NewServer(db)
	t.Cleanup(db.server.Close)
	return db
}

func testRecord(salt, path, version string) []byte {
	h := func(what string) string {
		sum := sha256.Sum256([]byte(salt + what + path + version))
		return "h1:" + base64.StdEncoding.EncodeToString(sum[:])
	}
	return fmt.Appendf(nil, "%s %s %s\n%s %s/go.mod %s\n", path, version, h("zip"), path, version, h("mod"))
}

func testModule(i int) module.Version {
	return module.Version{Path: fmt.Sprintf("example.com/Mod%d", i), Version: "v1.2.3"}
}

// grow adds records until there are n.
func (db *testDB) grow(n int) {
	db.t.Helper()
	for i := range n {
		if _, err := db.ops.Lookup(context.Background(), testModule(i)); err != nil {
			db.t.Fatal(err)
		}
	}
}

func (db *testDB) head() Head {
	db.t.Helper()
	data, err := db.ops.Signed(context.Background())
	if err != nil {
		db.t.Fatal(err)
	}
	head, err := db.client(Options{}).openHead(data)
	if err != nil {
		db.t.Fatal(err)
	}
	return head
}

func (db *testDB) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/proxy/sumdb/"+testName)
	recorder := httptest.NewRecorder()
	clone := *r
	u := *r.URL
	clone.URL, u.Path = &u, path
	func() {
		defer func() {
			if recover() != nil { // at a tile that isn't there yet
				recorder.Code = 404
			}
		}()
		db.real.ServeHTTP(recorder, &clone)
	}()
	a := &reply{recorder.Code, recorder.Body.Bytes()}

	db.mu.Lock()
	defer db.mu.Unlock()
	db.requests = append(db.requests, r.URL.Path)
	if db.lie != nil {
		db.lie(strings.TrimPrefix(path, "/"), a)
	}
	w.WriteHeader(a.status)
	w.Write(a.body)
}

// took returns the paths asked for since the last call.
func (db *testDB) took() []string {
	db.mu.Lock()
	defer db.mu.Unlock()
	list := db.requests
	db.requests = nil
	return list
}

// setLie changes the hook. Requests that were given up may still be on their
// way, so that it takes the lock.
func (db *testDB) setLie(lie func(path string, a *reply)) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.lie = lie
}

func count(paths []string, part string) int {
	n := 0
	for _, p := range paths {
		if strings.Contains(p, part) {
			n++
		}
	}
	return n
}

// client returns a client that asks the database itself, unless o says
// otherwise, and that doesn't wait between tries.
func (db *testDB) client(o Options) *Client {
	db.t.Helper()
	if o.DB == nil {
		parsed, err := trust.ParseGOSUMDB(db.key + " " + db.server.URL)
		if err != nil {
			db.t.Fatal(err)
		}
		o.DB = parsed
	}
	o.Fetch = fetch.New(fetch.Options{MaxTries: 3, Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }})
	return New(o)
}

// sign makes a note of any text. The database's key is that of the seed "".
func sign(t testing.TB, seed, text string) []byte {
	t.Helper()
	key, _ := testKey(t, seed)
	signer, err := note.NewSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	data, err := note.Sign(&note.Note{Text: text}, signer)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func signTree(t testing.TB, tree merkle.Tree) []byte {
	t.Helper()
	return sign(t, "", string(tlog.FormatTree(tlog.Tree{N: int64(tree.Size), Hash: tlog.Hash(tree.Root)})))
}

// wantAs checks that err is of the type E.
func wantAs[E error](t *testing.T, err error) E {
	t.Helper()
	var want E
	if !errors.As(err, &want) {
		t.Fatalf("error is %T (%v), want %T", err, err, want)
	}
	return want
}
