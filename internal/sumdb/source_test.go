package sumdb

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/modseal/modseal/internal/fetch"

	"github.com/modseal/modseal/internal/trust"
)

// proxyOf starts a proxy that answers everything with one status.
func proxyOf(t *testing.T, status int) (url string, asked *int) {
	t.Helper()
	asked = new(int)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		*asked++
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	return server.URL, asked
}

// named is the database of a test, to be reached through GOPROXY or under its
// URL.
func (db *testDB) named() *trust.SumDB {
	parsed, err := trust.ParseGOSUMDB(db.key)
	if err != nil {
		db.t.Fatal(err)
	}
	parsed.URL = db.server.URL
	return parsed
}

// GOPROXY is followed as the go command does, once in a client's life.
func TestSource(t *testing.T) {
	notFound, _ := proxyOf(t, 404)
	gone, _ := proxyOf(t, 410)
	broken, _ := proxyOf(t, 500)
	forbidden, _ := proxyOf(t, 403)
	empty, _ := proxyOf(t, 200) // says yes, but it isn't a head
	db := newDB(t, "")
	db.grow(3)
	good := db.server.URL + "/proxy"

	const viaProxy, itself = "/proxy/sumdb/sum.example.org/latest", "/latest"
	status := func(status int) func(*testing.T, error) {
		return func(t *testing.T, err error) {
			if got := wantAs[*fetch.Error](t, err).Status; got != status {
				t.Errorf("status %d, want %d", got, status)
			}
		}
	}
	off := func(t *testing.T, err error) {
		if !errors.Is(err, ErrOff) {
			t.Errorf("error %v, want ErrOff", err)
		}
	}
	anyError := func(*testing.T, error) {}
	for _, test := range []struct {
		goproxy string
		want    string // first path asked of the database
		err     func(*testing.T, error)
	}{
		{good, viaProxy, nil},
		{good + "/", viaProxy, nil},
		{good + ",direct", viaProxy, nil},
		{" " + good + " , direct", viaProxy, nil},
		{"direct", itself, nil},
		{"direct," + good, itself, nil},
		{"", itself, nil},
		{"noproxy," + good, viaProxy, nil},
		{notFound + "," + good, viaProxy, nil},
		{gone + "," + good, viaProxy, nil},
		{notFound + "," + gone + ",direct", itself, nil},
		{notFound + "," + gone, itself, nil},
		{broken + "|" + good, viaProxy, nil},
		{broken + "|direct", itself, nil},
		{forbidden + "|" + good, viaProxy, nil},
		{empty + "|" + good, viaProxy, nil},
		{notFound + "|" + broken + "|" + good, viaProxy, nil},
		{broken + "," + good, "", status(500)},
		{forbidden + "," + good, "", status(403)},
		{broken + "|" + notFound, "", status(500)},
		{broken + "|", "", status(500)},
		{empty + "," + good, "", func(t *testing.T, err error) { wantAs[*HeadError](t, err) }},
		{"off", "", off},
		{notFound + ",off", "", off},
		{broken + "|off", "", off},
		{broken + "|off", "", status(500)},
		{",", "", anyError},
		{"noproxy", "", anyError},
		{"name", "", anyError},
		{"ftp://host/", "", anyError},
		{"file://host/", "", anyError},
		{"http://[broken", "", anyError},
	} {
		t.Run(test.goproxy, func(t *testing.T) {
			c := db.client(Options{DB: db.named(), GOPROXY: test.goproxy})
			_, err := c.Latest(background())
			took := db.took()
			if test.err != nil {
				if err == nil {
					t.Fatal("no error")
				}
				test.err(t, err)
				if len(took) != 0 {
					t.Errorf("requests %q", took)
				}
				_, again := c.Lookup(background(), testModule(1))
				if again == nil || again.Error() != err.Error() {
					t.Errorf("afterwards: %v", again)
				}
				return
			}
			if err != nil || !slices.Equal(took, []string{test.want}) {
				t.Fatalf("requests %q, %v", took, err)
			}
			prefix := strings.TrimSuffix(test.want, "latest")
			if _, err := c.Lookup(background(), testModule(1)); err != nil {
				t.Error(err)
			}
			if took := db.took(); len(took) != 1 || !strings.HasPrefix(took[0], prefix+"lookup/") {
				t.Errorf("requests %q", took)
			}
		})
	}
}

// A choice isn't made again: a proxy that fails isn't asked for each module.
func TestSourceOnce(t *testing.T) {
	broken, asked := proxyOf(t, 403)
	db := newDB(t, "")
	c := db.client(Options{DB: db.named(), GOPROXY: broken})
	for i := range 5 {
		if _, err := c.Lookup(background(), testModule(i)); err == nil {
			t.Error("no error")
		}
	}
	if *asked != 1 {
		t.Errorf("asked %d times", *asked)
	}
	// But one that was given up is.
	ctx, cancel := context.WithCancel(background())
	cancel()
	c = db.client(Options{})
	if _, err := c.Lookup(ctx, testModule(0)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := c.Lookup(background(), testModule(0)); err != nil {
		t.Error(err)
	}
}

// A URL in GOSUMDB goes before GOPROXY, "off" included.
func TestSourceGiven(t *testing.T) {
	db := newDB(t, "")
	db.grow(1)
	if _, err := db.client(Options{GOPROXY: "off"}).Latest(background()); err != nil {
		t.Error(err)
	}
	if took := db.took(); !slices.Equal(took, []string{"/latest"}) {
		t.Errorf("requests %q", took)
	}
}

// A file:// GOPROXY can carry the database.
func TestSourceFile(t *testing.T) {
	db := newDB(t, "")
	db.grow(3)
	dir := t.TempDir()
	base := filepath.Join(dir, "sumdb", "sum.example.org")
	write := func(name string, data []byte) {
		name = filepath.Join(base, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("latest", db.head().Note)
	write("lookup/example.com/!mod1@v1.2.3", append([]byte("1\n"+string(testRecord("", "example.com/Mod1", "v1.2.3"))+"\n"), db.head().Note...))
	goproxy := (&url.URL{Scheme: "file", Path: filepath.ToSlash(dir)}).String()
	c := db.client(Options{DB: db.named(), GOPROXY: goproxy + ",off"})
	if r, err := c.Lookup(background(), testModule(1)); err != nil || r.ID != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := c.Lookup(background(), testModule(2)); !errors.Is(err, ErrNotFound) {
		t.Errorf("record that isn't there: %v", err)
	}
	if took := db.took(); len(took) != 0 {
		t.Errorf("requests %q", took)
	}
}
