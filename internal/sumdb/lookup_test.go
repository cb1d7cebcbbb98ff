package sumdb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/modseal/modseal/internal/fetch"
	"github.com/modseal/modseal/merkle"

	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/trust"
)

var background = context.Background

// A record comes back as the leaf that the database has, with a head that
// covers it, for one request each and one for the head.
func TestLookup(t *testing.T) {
	db := newDB(t, "")
	db.grow(20)
	c := db.client(Options{})
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			m := testModule(i)
			r, err := c.Lookup(background(), m)
			if err != nil {
				t.Error(err)
				return
			}
			if r.ID != uint64(i) || string(r.Text) != string(testRecord("", m.Path, m.Version)) || r.Head.Tree != db.head().Tree {
				t.Errorf("record %d: %+v", i, r)
			}
		})
	}
	group.Wait()
	took := db.took()
	if count(took, "/latest") != 1 || count(took, "/lookup/") != 20 || len(took) != 21 {
		t.Errorf("requests %q", took)
	}
	if want := (Stats{Lookups: 20, Bytes: c.Stats().Bytes}); c.Stats() != want || want.Bytes == 0 {
		t.Errorf("stats %+v", c.Stats())
	}
	if count(took, "/lookup/example.com/!mod7@v1.2.3") != 1 {
		t.Errorf("upper case isn't escaped: %q", took)
	}
}

// A module that the database doesn't have is told from all other trouble.
func TestLookupNotFound(t *testing.T) {
	db := newDB(t, "")
	missing := module.Version{Path: "example.com/missing", Version: "v1.0.0"}
	for _, status := range []int{404, 410} {
		db.setLie(func(path string, a *reply) {
			if strings.HasPrefix(path, "lookup") {
				a.status = status
			}
		})
		_, err := db.client(Options{}).Lookup(background(), missing)
		if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "no such module") {
			t.Errorf("%d: %v", status, err)
		}
	}
	// If it is the database that isn't found, nothing is known of modules.
	db.setLie(func(_ string, a *reply) { a.status = 404 })
	_, err := db.client(Options{}).Lookup(background(), missing)
	if errors.Is(err, ErrNotFound) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no database: %v", err)
	}
	db.setLie(func(_ string, a *reply) { a.status = 403 })
	_, err = db.client(Options{}).Lookup(background(), missing)
	if errors.Is(err, ErrNotFound) || wantAs[*fetch.Error](t, err).Status != 403 {
		t.Errorf("forbidden: %v", err)
	}
}

// Modules that can't be are not asked for.
func TestLookupBadModule(t *testing.T) {
	db := newDB(t, "")
	c := db.client(Options{})
	for _, m := range []module.Version{{}, {Path: "example.com/m"}, {Path: "example.com/m", Version: "latest"}, {Path: "example.com/m", Version: "v1.2"}, {Path: "example.com/m", Version: "v1.0.0/go.mod"},
		{Path: "../m", Version: "v1.0.0"}, {Path: "example.com/m v1", Version: "v1.0.0"}, {Path: "m", Version: "v1.0.0@v2"}} {
		if _, err := c.Lookup(background(), m); err == nil {
			t.Errorf("%v was looked up", m)
		}
	}
	if took := db.took(); len(took) > 0 {
		t.Errorf("requests %q", took)
	}
	if _, err := c.Lookup(background(), module.Version{Path: "golang.org/toolchain", Version: "v0.0.1-go1.26.0.linux-amd64"}); err != nil {
		t.Errorf("a toolchain is a module: %v", err)
	}
}

// Each single lie in the answer to a lookup is found.
func TestLyingLookup(t *testing.T) {
	m := testModule(3)
	text := string(testRecord("", m.Path, m.Version))
	db := newDB(t, "")
	db.grow(5)
	note5 := string(db.head().Note)
	answer := func(id any, text, note string) []byte { return fmt.Appendf(nil, "%v\n%s\n%s", id, text, note) }
	other := testModule(4)
	root64 := tlog.Hash(db.head().Tree.Root).String()
	head := func(format string, args ...any) string { return string(sign(t, "", fmt.Sprintf(format, args...))) }
	otherKey := string(sign(t, "other", fmt.Sprintf("go.sum database tree\n5\n%s\n", root64)))

	record := func(t *testing.T, err error) { wantAs[*RecordError](t, err) }
	badHead := func(t *testing.T, err error) { wantAs[*HeadError](t, err) }
	for _, test := range []struct {
		name   string
		answer []byte
		want   func(*testing.T, error)
	}{
		{"record of another module", answer(4, string(testRecord("", other.Path, other.Version)), note5), record},
		{"record of another version", answer(3, string(testRecord("", m.Path, "v1.2.4")), note5), record},
		{"go.mod line of another module", answer(3, strings.SplitAfter(text, "\n")[0]+strings.SplitAfter(string(testRecord("", other.Path, other.Version)), "\n")[1], note5), record},
		{"first line only", answer(3, strings.SplitAfter(text, "\n")[0], note5), record},
		{"three lines", answer(3, text+text[:strings.Index(text, "\n")+1], note5), record},
		{"ID out of the tree", answer(5, text, note5), record},
		{"negative ID", answer(-1, text, note5), record},
		{"ID with a plus", answer("+3", text, note5), record},
		{"ID with zeros", answer("003", text, note5), record},
		{"ID over int64", answer("9223372036854775808", text, note5), record},
		{"ID isn't a number", answer("x", text, note5), record},
		{"ID at the size limit", answer(uint64(1<<62-1), text, head("go.sum database tree\n%d\n%s\n", uint64(1<<62-1), root64)), record},
		{"empty answer", nil, record},
		{"HTML", []byte("<html>\n\n\n"), record},
		{"no text", answer(3, "", note5), badHead},
		{"no note", answer(3, text, ""), badHead},
		{"unsigned note", answer(3, text, note5[:strings.Index(note5, "—")]), badHead},
		{"other key of the same name", answer(3, text, otherKey), badHead},
		{"signed text changed", answer(3, text, strings.Replace(note5, "\n5\n", "\n6\n", 1)), badHead},
		{"note of something else", answer(3, text, head("something else\n5\n%s\n", root64)), badHead},
		{"size with zeros", answer(3, text, head("go.sum database tree\n05\n%s\n", root64)), badHead},
		{"negative size", answer(3, text, head("go.sum database tree\n-5\n%s\n", root64)), badHead},
		{"size over the limit", answer(3, text, head("go.sum database tree\n%d\n%s\n", uint64(1<<62), root64)), badHead},
		{"root with loose bits", answer(3, text, head("go.sum database tree\n5\n%s9=\n", strings.Repeat("A", 42))), badHead},
		{"note over the limit", answer(3, text, head("go.sum database tree\n5\n%s\n%s\n", root64, strings.Repeat("x", maxNote))), badHead},
		{"too many signatures", answer(3, text, note5+strings.Repeat("— x AAAAAAAA\n", 101)), badHead},
		{"another tree of the same size", answer(3, text, string(signTree(t, merkle.Tree{Size: 5, Root: merkle.Hash{1}}))), func(t *testing.T, err error) { wantAs[*ForkError](t, err) }},
		{"answer over the limit", make([]byte, maxLookup+1), func(t *testing.T, err error) {
			if !errors.Is(err, fetch.ErrTooLarge) {
				t.Error(err)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			db.setLie(func(path string, a *reply) {
				if strings.HasPrefix(path, "lookup") {
					a.body = test.answer
				}
			})
			dir := t.TempDir()
			_, err := db.client(Options{CacheDir: dir}).Lookup(background(), m)
			if err == nil {
				t.Fatal("no error")
			}
			test.want(t, err)
			db.setLie(nil)
			c := db.client(Options{CacheDir: dir})
			if r, err := c.Lookup(background(), m); err != nil || r.ID != 3 || c.Stats().CachedLookups != 0 {
				t.Errorf("the lie was cached: %+v, %v", c.Stats(), err)
			}
		})
	}
}

// Passing trouble is waited out, trouble that stays is the exchange's error.
func TestLookupTrouble(t *testing.T) {
	db := newDB(t, "")
	failures := 2
	db.setLie(func(path string, a *reply) {
		if failures--; failures >= 0 && strings.HasPrefix(path, "lookup") {
			a.status = 429
		}
	})
	failures++ // for the head
	if _, err := db.client(Options{}).Lookup(background(), testModule(0)); err != nil {
		t.Errorf("429, then fine: %v", err)
	}
	failures = 1000
	_, err := db.client(Options{}).Lookup(background(), testModule(0))
	if failed := wantAs[*fetch.Error](t, err); failed.Status != 429 || failed.Tries != 3 {
		t.Errorf("429 forever: %v", err)
	}
}

// The record of golang.org/x/mod v0.42.0, as the public checksum database
// sum.golang.org answered in November 2026: record 67638482.
const realLookup = `67638482
golang.org/x/mod v0.42.0 h1:ICeL3t2L30ljSPHHxDnR4fqVcBt/zR2zJAb9juavmQg=
golang.org/x/mod v0.42.0/go.mod h1:u5fzIrRInkL8MaO1cbRkUHT64v303YIT5KEqpNr7jRs=

go.sum database tree
69959272
L6xGIG9BJ5WLe0paJgb2RVNCdNi6wVyMUVOfn9Oo/8s=

— sum.golang.org Az3grvPr9qFNGfBH993UqYhBVEqwL36wMKDSKjE/3PtBZWUkfXu1W9Ou9SCCy+ElsdGVH6ak2rZo9lsDhZhlD8TK6AE=
`

// A real answer of the public database verifies with the built-in key.
func TestRealLookup(t *testing.T) {
	db, err := trust.ParseGOSUMDB("sum.golang.org")
	if err != nil {
		t.Fatal(err)
	}
	c := New(Options{DB: db})
	m := module.Version{Path: "golang.org/x/mod", Version: "v0.42.0"}
	r, err := c.openRecord(m, []byte(realLookup))
	if err != nil {
		t.Fatal(err)
	}
	if r.ID != 67638482 || r.Head.Tree.Size != 69959272 || fmt.Sprintf("%x", r.Head.Tree.Root) != "2fac46206f4127958b7b4a5a2606f645534274d8bac15c8c51539f9fd3a8ffcb" {
		t.Errorf("record %d in %v", r.ID, r.Head.Tree)
	}
	if said, err := evidence.ParseRecord(string(r.Text)); err != nil || said.Module != m ||
		said.H1.String() != "h1:ICeL3t2L30ljSPHHxDnR4fqVcBt/zR2zJAb9juavmQg=" || said.GoMod.String() != "h1:u5fzIrRInkL8MaO1cbRkUHT64v303YIT5KEqpNr7jRs=" {
		t.Errorf("%v, %v", said, err)
	}
	_, err = c.openRecord(m, []byte(strings.Replace(realLookup, "69959272", "69959273", 1)))
	wantAs[*HeadError](t, err)
	if want := "checksum database sum.golang.org: bad tree head: invalid signature for key sum.golang.org+033de0ae"; err.Error() != want {
		t.Errorf("message %q, want %q", err, want)
	}
	_, err = c.openRecord(module.Version{Path: "golang.org/x/net", Version: "v0.42.0"}, []byte(realLookup))
	wantAs[*RecordError](t, err)
	if want := "checksum database: bad record of golang.org/x/net@v0.42.0: record 67638482 is of golang.org/x/mod@v0.42.0"; err.Error() != want {
		t.Errorf("message %q, want %q", err, want)
	}
}
