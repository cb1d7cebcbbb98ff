package tuffetch_test

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modseal/modseal/internal/fetch"
	"github.com/modseal/modseal/internal/testtuf"
	"github.com/modseal/modseal/internal/tufchain"
	"github.com/modseal/modseal/internal/tuffetch"
)

func now() time.Time { return time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC) }

func roles() testtuf.Roles {
	return testtuf.Roles{Root: []string{"a", "b"}, Threshold: 2, Timestamp: "online", Snapshot: "online", Targets: "t", Expires: now().AddDate(0, 6, 0)}
}

// server serves a repository's files below /tuf/, and lies when it is told to.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	repo     *testtuf.Repo
	requests []string
	lie      map[string]http.HandlerFunc // by name
}

func serve(t *testing.T, repo *testtuf.Repo) *server {
	s := &server{repo: repo, lie: map[string]http.HandlerFunc{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		name := strings.TrimPrefix(r.URL.Path, "/tuf/")
		s.requests = append(s.requests, name)
		if lie := s.lie[name]; lie != nil {
			lie(w, r)
			return
		}
		data, ok := s.repo.Files[name]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Write(data)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) fetch(dir string) (*tuffetch.Summary, error) {
	s.requests = nil
	noWait := func(context.Context, time.Duration) error { return nil }
	return tuffetch.Fetch(context.Background(), tuffetch.Request{
		Mirror: s.URL + "/tuf/", Root: s.repo.RootFile(1), Dir: dir, Now: now(),
		Client: fetch.New(fetch.Options{MaxTries: 2, Sleep: noWait}),
	})
}

func repository(consistent bool) *testtuf.Repo {
	r := testtuf.New(consistent, roles())
	r.Rotate(roles(), "a", "b")
	r.Publish(testtuf.State{Target: []byte("trusted root 1")})
	return r
}

func wantDir(t *testing.T, dir string, want map[string][]byte) {
	t.Helper()
	got, err := tufchain.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("the folder has %q, want %q", got.Names(), tufchain.Files(want).Names())
	}
	if beside, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), ".modseal*")); len(beside) > 0 {
		t.Errorf("left behind: %q", beside)
	}
}

// Property: a fetch writes the chain; a second one continues from it, asks for
// nothing that it has, and loses no root.
func TestFetch(t *testing.T) {
	for _, consistent := range []bool{true, false} {
		s := serve(t, repository(consistent))
		dir := filepath.Join(t.TempDir(), "trust")
		sum, err := s.fetch(dir)
		if err != nil {
			t.Fatal(err)
		}
		wantDir(t, dir, s.repo.Chain(1))
		if sum.Root.Version != 2 || sum.Files != 5 || sum.Fetched != 5 || string(sum.TrustedRoot) != "trusted root 1" {
			t.Errorf("%+v", sum)
		}
		if sum, err = s.fetch(dir); err != nil || sum.Fetched != 4 {
			t.Fatalf("%+v, %v", sum, err)
		}
		s.repo.Rotate(roles(), "a", "b")
		s.repo.Publish(testtuf.State{Target: []byte("trusted root 2")})
		if _, err = s.fetch(dir); err != nil {
			t.Fatal(err)
		}
		wantDir(t, dir, s.repo.Chain(1))
		if slices.Contains(s.requests, "2.root.json") || s.requests[0] != "3.root.json" {
			t.Errorf("asked for %q", s.requests)
		}
		link := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(dir, link); err != nil {
			t.Fatal(err)
		}
		s.repo.Publish(testtuf.State{Target: []byte("trusted root 3")})
		if _, err = s.fetch(link); err != nil {
			t.Fatal(err)
		}
		wantDir(t, dir, s.repo.Chain(1)) // where the link leads, which is still one
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(code) }
}

func body(b string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(b)) }
}

// Property: whatever goes wrong, the folder is as it was, or not there; and the
// error tells a mirror that lies from one that does not answer.
func TestFetchFaults(t *testing.T) {
	cut := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.Write([]byte("{"))
	}
	for name, test := range map[string]struct {
		file string
		lie  http.HandlerFunc
		kind tufchain.Kind // "" is an error of the exchange
		says string
	}{
		"no timestamp":            {"timestamp.json", status(404), tufchain.Missing, "timestamp.json"},
		"no snapshot, as S3":      {"2.snapshot.json", status(403), tufchain.Missing, "2.snapshot.json"},
		"no target":               {"targets/", status(404), tufchain.Missing, "trusted_root.json"},
		"a server's error":        {"3.root.json", status(500), "", "status 500"},
		"an error on the way":     {"timestamp.json", status(503), "", "status 503"},
		"not allowed":             {"2.targets.json", status(401), "", "status 401"},
		"a connection cut":        {"2.targets.json", cut, "", "EOF"},
		"a truncated file":        {"2.targets.json", body(`{"signed":`), tufchain.Malformed, "2.targets.json"},
		"a page of a portal":      {"3.root.json", body("<html>"), tufchain.Malformed, "3.root.json"},
		"a huge timestamp":        {"timestamp.json", body(strings.Repeat(" ", tufchain.MaxTimestamp+1)), "", "over the limit"},
		"a swapped target":        {"targets/", body("trusted root 9"), tufchain.Swapped, "trusted_root.json"},
		"a root of another":       {"3.root.json", body(string(strangers().RootFile(2))), tufchain.Unsigned, "3.root.json"},
		"another redirect":        {"timestamp.json", http.RedirectHandler("/tuf/timestamp.json", http.StatusFound).ServeHTTP, "", "redirect"},
		"the timestamp of before": {"timestamp.json", nil, tufchain.Rollback, "older than what was fetched before"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, repository(true))
			dir := filepath.Join(t.TempDir(), "trust")
			before := s.repo.Files["timestamp.json"]
			s.repo.Publish(testtuf.State{Target: []byte("trusted root 2")})
			if test.lie == nil {
				test.lie = body(string(before))
			}
			file := test.file
			if file == "targets/" {
				for name := range s.repo.Chain(1) {
					if strings.HasPrefix(name, file) {
						file = name
					}
				}
			}
			check := func() {
				t.Helper()
				_, err := s.fetch(dir)
				var chain *tufchain.Error
				var answer *fetch.Error
				if err == nil || !strings.Contains(err.Error(), test.says) {
					t.Fatalf("error %v, want %q", err, test.says)
				}
				if errors.As(err, &chain) != (test.kind != "") || errors.As(err, &answer) != (test.kind == "") || chain != nil && chain.Kind != test.kind {
					t.Errorf("%v: %#v", err, err)
				}
			}
			if test.kind != tufchain.Rollback { // of which the first fetch knows nothing
				s.lie[file] = test.lie
				check()
				if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("something was written: %v", err)
				}
			}
			delete(s.lie, file)
			if _, err := s.fetch(dir); err != nil {
				t.Fatal(err)
			}
			want := s.repo.Chain(1)
			s.lie[file] = test.lie
			check()
			wantDir(t, dir, want)
		})
	}
}

func strangers() *testtuf.Repo {
	r := roles()
	r.Root = []string{"x", "y"}
	repo := testtuf.New(true, r)
	repo.Rotate(r, "x", "y")
	return repo
}

// Property: a mirror that can't be reached is an error of the exchange.
func TestFetchUnreachable(t *testing.T) {
	s := serve(t, repository(true))
	s.Close()
	_, err := s.fetch(filepath.Join(t.TempDir(), "trust"))
	var answer *fetch.Error
	if !errors.As(err, &answer) || answer.Status != 0 {
		t.Fatalf("%v", err)
	}
}

// Property: a folder with files of somebody's own is left alone.
func TestFetchForeignFolder(t *testing.T) {
	s := serve(t, repository(true))
	for name, prepare := range map[string]func(dir string) error{
		"a file":          func(dir string) error { return os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o644) },
		"a folder":        func(dir string) error { return os.Mkdir(filepath.Join(dir, "2.root.json"), 0o755) },
		"a link":          func(dir string) error { return os.Symlink("/dev/null", filepath.Join(dir, "2.root.json")) },
		"a target's link": func(dir string) error { return os.Symlink("/", filepath.Join(dir, "targets")) },
	} {
		dir := t.TempDir()
		if err := prepare(dir); err != nil {
			t.Fatal(err)
		}
		_, err := s.fetch(dir)
		var e *tufchain.Error
		if !errors.As(err, &e) || e.Kind != tufchain.Unexpected || len(s.requests) > 0 {
			t.Errorf("%s: %v after %q", name, err, s.requests)
		}
	}
}
