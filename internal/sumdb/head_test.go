package sumdb

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/modseal/modseal/internal/fetch"
	"github.com/modseal/modseal/merkle"
)

// lieLatest is a hook that answers /latest with a note.
func lieLatest(data []byte) func(string, *reply) {
	return func(path string, a *reply) {
		if path == "latest" {
			*a = reply{200, data}
		}
	}
}

func headFile(dir string) string { return filepath.Join(dir, "sum.example.org", "latest") }

func writeHead(t *testing.T, dir string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(headFile(dir)), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(headFile(dir), data, 0o666); err != nil {
		t.Fatal(err)
	}
}

// The head is the database's, for one request in a client's life.
func TestLatest(t *testing.T) {
	db := newDB(t, "")
	db.grow(300)
	c := db.client(Options{})
	for range 3 {
		head, err := c.Latest(background())
		if err != nil || head.Tree != db.head().Tree || string(head.Note) != string(db.head().Note) {
			t.Fatalf("%v, %v", head.Tree, err)
		}
	}
	if took := db.took(); len(took) != 1 {
		t.Errorf("requests %q", took)
	}
}

// After lookups, the head covers their records, whatever /latest said before.
func TestLatestCoversLookups(t *testing.T) {
	db := newDB(t, "")
	db.grow(260)
	c := db.client(Options{})
	if head, err := c.Latest(background()); err != nil || head.Tree.Size != 260 {
		t.Fatalf("%v, %v", head.Tree, err)
	}
	r, err := c.Lookup(background(), testModule(1000)) // the database makes the record
	if err != nil || r.ID != 260 {
		t.Fatalf("%+v, %v", r, err)
	}
	head, err := c.Latest(background())
	if err != nil || head.Tree != db.head().Tree || head.Tree.Size != 261 {
		t.Errorf("%v, %v", head.Tree, err)
	}
	if took := db.took(); count(took, "/latest") != 1 {
		t.Errorf("requests %q", took)
	}
}

// Each single lie in a head is found.
func TestLyingLatest(t *testing.T) {
	db := newDB(t, "")
	db.grow(5)
	good := string(db.head().Note)
	for name, data := range map[string]string{
		"unsigned":        good[:strings.Index(good, "—")],
		"other key":       string(sign(t, "other", good[:strings.Index(good, "\n—")])),
		"text changed":    strings.Replace(good, "\n5\n", "\n4\n", 1),
		"something else":  string(sign(t, "", "rekor.example\n5\nAAAA\n")),
		"over the limit":  string(sign(t, "", "go.sum database tree\n4611686018427387905\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")),
		"HTML":            "<html></html>\n",
		"nothing":         "",
		"not a signature": good + "— sum.example.org AAAA\n",
	} {
		t.Run(name, func(t *testing.T) {
			db.setLie(lieLatest([]byte(data)))
			_, err := db.client(Options{}).Latest(background())
			wantAs[*HeadError](t, err)
		})
	}
	db.setLie(lieLatest(make([]byte, maxNote+1)))
	_, err := db.client(Options{}).Latest(background())
	wantAs[*fetch.Error](t, err)
}

// The newest head is kept for the next run, and a server that is behind
// doesn't lead back, as long as it has the same history.
func TestLatestStale(t *testing.T) {
	db := newDB(t, "")
	db.grow(257)
	old := db.head()
	db.grow(700)
	dir := t.TempDir()
	c := db.client(Options{CacheDir: dir})
	if head, err := c.Latest(background()); err != nil || head.Tree.Size != 700 {
		t.Fatalf("%v, %v", head.Tree, err)
	}
	if data, err := os.ReadFile(headFile(dir)); err != nil || string(data) != string(db.head().Note) {
		t.Fatalf("cached %q, %v", data, err)
	}
	db.setLie(lieLatest(old.Note))
	c = db.client(Options{CacheDir: dir})
	for range 2 {
		if head, err := c.Latest(background()); err != nil || head.Tree.Size != 700 {
			t.Errorf("server behind: %v, %v", head.Tree, err)
		}
	}
	// And forward again.
	db.setLie(nil)
	db.grow(900)
	if head, err := db.client(Options{CacheDir: dir}).Latest(background()); err != nil || head.Tree.Size != 900 {
		t.Errorf("server ahead: %v, %v", head.Tree, err)
	}
	if data, err := os.ReadFile(headFile(dir)); err != nil || string(data) != string(db.head().Note) {
		t.Errorf("cached %q, %v", data, err)
	}
}

// Two signed heads that can't both be true are a fork, whichever is newer.
func TestFork(t *testing.T) {
	for _, sizes := range [][2]int{{300, 300}, {257, 300}, {300, 257}, {256, 300}, {1, 2}} {
		t.Run(fmt.Sprint(sizes), func(t *testing.T) {
			db, other := newDB(t, ""), newDB(t, "other history")
			db.grow(sizes[0])
			other.grow(sizes[1])
			dir := t.TempDir()
			if _, err := db.client(Options{CacheDir: dir}).Latest(background()); err != nil {
				t.Fatal(err)
			}
			// The newer of the trees must be there to be compared with.
			server := other
			if sizes[0] > sizes[1] {
				server = db
				db.setLie(lieLatest(other.head().Note))
			}
			_, err := server.client(Options{CacheDir: dir}).Latest(background())
			fork := wantAs[*ForkError](t, err)
			older, newer := db.head(), other.head()
			if sizes[0] > sizes[1] {
				older, newer = newer, older
			}
			if string(fork.Old.Note) != string(older.Note) || string(fork.New.Note) != string(newer.Note) || fork.RootAtSize == older.Tree.Root {
				t.Errorf("%v", fork)
			}
			if text := err.Error(); !strings.Contains(text, string(older.Note)) || !strings.Contains(text, string(newer.Note)) {
				t.Errorf("message %s", text)
			}
			if data, _ := os.ReadFile(headFile(dir)); string(data) != string(db.head().Note) {
				t.Errorf("the fork was cached: %q", data)
			}
		})
	}
}

// A database that lost its newest records can't say that it never had them.
func TestRollback(t *testing.T) {
	db := newDB(t, "")
	db.grow(300)
	dir := t.TempDir()
	writeHead(t, dir, signTree(t, merkle.Tree{Size: 1000, Root: merkle.Hash{1}}))
	_, err := db.client(Options{CacheDir: dir}).Latest(background())
	if err == nil {
		t.Fatal("no error")
	}
	if failed := wantAs[*fetch.Error](t, err); !strings.Contains(failed.URL, "/tile/") {
		t.Errorf("%v", err)
	}
}

// A cached head counts only with a good signature, and is replaced otherwise.
func TestCachedHeadDamaged(t *testing.T) {
	db := newDB(t, "")
	db.grow(10)
	good := db.head().Note
	for name, data := range map[string][]byte{
		"cut short": good[:len(good)/2],
		"empty":     {},
		"other key": sign(t, "other", string(good[:strings.Index(string(good), "\n—")])),
		"too long":  make([]byte, maxCached+1),
	} {
		dir := t.TempDir()
		writeHead(t, dir, data)
		head, err := db.client(Options{CacheDir: dir}).Latest(background())
		if err != nil || head.Tree.Size != 10 {
			t.Errorf("%s: %v, %v", name, head.Tree, err)
		}
		if again, err := os.ReadFile(headFile(dir)); err != nil || string(again) != string(good) {
			t.Errorf("%s: cached %q, %v", name, again, err)
		}
	}
}

// A database without records has a head, and no nodes.
func TestEmptyDatabase(t *testing.T) {
	db := newDB(t, "")
	dir := t.TempDir()
	c := db.client(Options{CacheDir: dir})
	head, err := c.Latest(background())
	if err != nil || head.Tree.Size != 0 || head.Tree.Root != merkle.EmptyRoot() {
		t.Fatalf("%v, %v", head.Tree, err)
	}
	if _, err := c.Nodes(background(), head.Tree).ReadNodes([]merkle.NodeID{{}}); err == nil {
		t.Error("a node of the empty tree")
	}
	db.grow(3)
	if head, err := db.client(Options{CacheDir: dir}).Latest(background()); err != nil || head.Tree.Size != 3 {
		t.Errorf("%v, %v", head.Tree, err)
	}
}

// answerOf is a lookup's answer with another head.
func answerOf(db *testDB, i int, note []byte) []byte {
	db.t.Helper()
	r, err := db.client(Options{}).Lookup(background(), testModule(i))
	if err != nil {
		db.t.Fatal(err)
	}
	text, err := tlog.FormatRecord(int64(r.ID), r.Text)
	if err != nil {
		db.t.Fatal(err)
	}
	return append(text, note...)
}

// Property: the newest head of each place where heads come from must be of one
// history with the newest of all; an honest older one costs a few tiles, once.
func TestOneHistory(t *testing.T) {
	name, err := lookupPath(testModule(5))
	if err != nil {
		t.Fatal(err)
	}
	file := func(dir, name string, data []byte) {
		path := filepath.Join(dir, testName, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for where, shown := range map[string]func(db *testDB, o *Options, note []byte){
		"lookup": func(db *testDB, _ *Options, note []byte) {
			answer := answerOf(db, 5, note)
			db.setLie(func(path string, a *reply) {
				if path == name {
					*a = reply{200, answer}
				}
			})
		},
		"own cache": func(db *testDB, o *Options, note []byte) { file(o.CacheDir, name, answerOf(db, 5, note)) },
		"own head":  func(_ *testDB, o *Options, note []byte) { file(o.CacheDir, "latest", note) },
		"go cache":  func(db *testDB, o *Options, note []byte) { file(o.GoCacheDir, name, answerOf(db, 5, note)) },
		"go head":   func(_ *testDB, o *Options, note []byte) { file(o.GoHeadDir, "latest", note) },
	} {
		for _, size := range []int{256, 300, 700} { // the newest has 700
			t.Run(fmt.Sprint(where, " ", size), func(t *testing.T) {
				db, other := newDB(t, ""), newDB(t, "other history")
				db.grow(size)
				other.grow(size)
				honest := db.head()
				db.grow(700)
				for _, note := range [][]byte{honest.Note, other.head().Note} {
					o := Options{CacheDir: t.TempDir(), GoCacheDir: t.TempDir(), GoHeadDir: t.TempDir()}
					shown(db, &o, note)
					db.took()
					c := db.client(o)
					_, err := c.Lookup(background(), testModule(5))
					if err == nil && where != "lookup" { // with the head of now, from the network
						_, err = c.Lookup(background(), testModule(6))
					}
					if err == nil {
						_, err = c.Latest(background())
					}
					if &note[0] != &honest.Note[0] {
						fork := wantAs[*ForkError](t, err)
						if notes := string(fork.Old.Note) + string(fork.New.Note); !strings.Contains(notes, string(note)) || !strings.Contains(notes, string(db.head().Note)) {
							t.Errorf("%v", fork)
						}
						continue
					}
					if err != nil {
						t.Error(err)
					}
					if n := count(db.took(), "/tile/"); n > 5 || size == 700 && n > 0 {
						t.Errorf("%d tiles to compare %d with 700", n, size)
					}
				}
			})
		}
	}
}

// A head of the go command that is damaged, or by another key, is as none.
func TestGoHeadDamaged(t *testing.T) {
	db := newDB(t, "")
	db.grow(10)
	good := string(db.head().Note)
	for name, data := range map[string][]byte{
		"cut short": []byte(good[:len(good)/2]),
		"other key": sign(t, "other", good[:strings.Index(good, "\n—")]),
		"too long":  make([]byte, maxCached+1),
	} {
		dir := t.TempDir()
		writeHead(t, dir, data)
		if head, err := db.client(Options{GoHeadDir: dir}).Latest(background()); err != nil || head.Tree.Size != 10 {
			t.Errorf("%s: %v, %v", name, head.Tree, err)
		}
		if again, err := os.ReadFile(headFile(dir)); err != nil || string(again) != string(data) {
			t.Errorf("%s: it was written to: %q, %v", name, again, err)
		}
	}
}
