package snapshot_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/internal/seal"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/internal/trust"
	"github.com/modseal/modseal/snapshot"
	"github.com/modseal/modseal/verify"
)

// childEnv holds the orders of a process that takes one snapshot.
const childEnv = "MODSEAL_TEST_SNAPSHOT"

// orders are what a child is told. It trusts and names what a world does.
type orders struct {
	Project, Cache, Output string
	Env                    map[string]string
	RekorURL               string
	Shards                 int
	Report                 string // URL that is told of each phase, before it begins; "" is none
	User                   int    // to become, if it is root; 0 is to stay
	Full                   string // "": no disk is full; "always", or "at first": until the self-check begins
}

func TestMain(m *testing.M) {
	if text := os.Getenv(childEnv); text != "" {
		if err := obey(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		return
	}
	os.Exit(m.Run())
}

// obey takes the snapshot.
func obey(text string) error {
	var o orders
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	if err := become(o.User); err != nil {
		return err
	}
	refill := func() {}
	if o.Full != "" {
		var err error
		if refill, err = fillDisk(); err != nil {
			return err
		}
	}
	material, err := o.material()
	if err != nil {
		return err
	}
	alice, err := keys.ParsePublic(testlog.NewSigner("alice").PEM)
	if err != nil {
		return err
	}
	sealer, err := keys.ParsePrivate(testlog.NewSigner("sealer").PrivatePEM(), nil)
	if err != nil {
		return err
	}
	_, err = snapshot.Take(context.Background(), snapshot.Request{
		Dirs: []string{o.Project}, World: verify.World{Getenv: func(name string) string { return o.Env[name] }}, NoDownload: true,
		RekorURL: o.RekorURL, Trust: material, Listings: true, WithModules: true, SumDBTiles: true, Created: made(), Output: o.Output, CacheDir: o.Cache,
		Policy: policy.FromFlags(policy.Flags{Require: policy.RequireAll, Signers: []policy.Signer{policy.KeySigner(alice)}}),
		Seal: func(d bundles.Digests) ([]byte, error) {
			if err := o.report("seal"); err != nil {
				return nil, err
			}
			return seal.ByKey(sealer, d)
		},
		Fetch: client(nil), Parallel: 1,
		Phase: func(p snapshot.Phase) {
			if p.Done == "" && p.Name == "check and seal" {
				if o.Full == "at first" {
					refill()
				}
				_ = o.report("check")
			}
		},
	})
	return err
}

func (o *orders) report(phase string) error {
	if o.Report == "" {
		return nil
	}
	resp, err := http.Get(o.Report + "/" + phase)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// material is what world.material gives.
func (o *orders) material() (*trust.Material, error) {
	m := &trust.Material{}
	key, _, _ := strings.Cut(o.Env["GOSUMDB"], " ")
	db, err := trust.ParseGOSUMDB(key)
	if err != nil {
		return nil, err
	}
	m.SumDBs = append(m.SumDBs, *db)
	r := testlog.NewRekor("rekor.example")
	for range o.Shards - 1 {
		r.Rotate()
	}
	for _, s := range r.Shards() {
		k, err := keys.ParsePublic(s.PublicPEM())
		if err != nil {
			return nil, err
		}
		m.AddRekorKey(k)
	}
	return m, nil
}

// A watched is a world whose requests are counted over all of its servers, and
// the phases of children with them.
type watched struct {
	*world
	control string // URL

	mu   sync.Mutex
	n    int
	when int    // the request at which do is called, from 1; 0 is never
	do   func() // and which is not answered
}

func watch(t *testing.T, w *world) *watched {
	t.Helper()
	s := &watched{world: w}
	w.request.WithModules, w.request.SumDBTiles, w.request.CacheDir = true, true, w.path("fetched")
	control := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { s.tick() }))
	t.Cleanup(control.Close)
	s.control = control.URL
	w.hooked(func(*http.Request, *testlog.Answer) { s.tick() })
	// A request of this process, after which the servers have seen the hooks: the race
	// detector does not see those of others.
	_, db, _ := strings.Cut(w.env["GOSUMDB"], " ")
	for _, url := range []string{s.control, db, w.request.RekorURL} {
		resp, err := http.Get(url + "/")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	s.requests()
	return s
}

func (s *watched) tick() {
	s.mu.Lock()
	s.n++
	now, do := s.n == s.when, s.do
	s.mu.Unlock()
	if now {
		do()
		panic(http.ErrAbortHandler)
	}
}

// at lets a request, from now on, end with do.
func (s *watched) at(n int, do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n, s.when, s.do = 0, n, do
}

// requests is how many there were since the last call.
func (s *watched) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.n
	s.n = 0
	return n
}

func (s *watched) orders() orders {
	return orders{
		Project: s.project(), Cache: s.request.CacheDir, Output: s.request.Output, Env: s.env, RekorURL: s.request.RekorURL,
		Shards: len(s.rekor.Shards()), Report: s.control,
	}
}

// child is a process with these orders, that is not started.
func (s *watched) child(o orders) *exec.Cmd {
	s.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		s.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		s.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	return cmd
}

// obeyed runs a child, and gives what it says of its error, "" without one.
func (s *watched) obeyed(o orders) string {
	s.Helper()
	out, err := s.child(o).CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil && len(out) == 0:
		return ""
	case errors.As(err, &exit) && exit.ExitCode() == 3:
		return string(out)
	}
	s.Fatalf("%v: %s", err, out)
	return ""
}

// parts are the temporary files below a folder.
func parts(t testing.TB, dir string) (out []string) {
	t.Helper()
	for _, name := range files(t, dir) {
		if base := filepath.Base(name); strings.HasSuffix(base, ".tmp") || strings.HasPrefix(base, ".new-") {
			out = append(out, name)
		}
	}
	return out
}

// Property: a snapshot that is killed at any request, before its self-check or
// before its seal leaves no bundle, and the next one makes the same that it would
// have made, asks for less the later that was, and takes nothing half-written for
// whole.
func TestKilledAnywhere(t *testing.T) {
	s := watch(t, sharded(t))
	s.rekor.HeadSize = func(e testlog.Entry) uint64 { return e.Index + 1 }
	if said := s.obeyed(s.orders()); said != "" {
		t.Fatal(said)
	}
	want, all := read(t, s.request.Output), s.requests()
	if said := s.obeyed(s.orders()); said != "" {
		t.Fatal(said)
	}
	again := s.requests() // of a run after one that was not killed
	var then []int        // of a run after one that was, by when
	for k := 1; k <= all; k++ {
		if testing.Short() && k%8 != 1 && k != all {
			continue
		}
		if err := errors.Join(os.RemoveAll(s.request.CacheDir), os.Remove(s.request.Output)); err != nil {
			t.Fatal(err)
		}
		cmd := s.child(s.orders())
		started, killed := make(chan *os.Process, 1), make(chan error, 1)
		s.at(k, func() { killed <- (<-started).Kill() })
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		started <- cmd.Process
		if err := <-killed; err != nil {
			t.Fatal(err)
		}
		var exit *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != -1 {
			t.Fatalf("killed at request %d: %v", k, err)
		}
		if left := parts(t, s.path("out")); len(left) > 0 && runtime.GOOS != "windows" { // the payload that is to be sealed has no name
			t.Errorf("killed at request %d of %d: left %q", k, all, left)
		}
		if _, err := os.Stat(s.request.Output); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("killed at request %d: there is a bundle", k)
		}
		s.at(0, nil)
		if said := s.obeyed(s.orders()); said != "" {
			t.Fatalf("after it was killed at request %d: %s", k, said)
		}
		if !bytes.Equal(read(t, s.request.Output), want) {
			t.Errorf("after it was killed at request %d: the bundle differs", k)
		}
		then = append(then, s.requests())
		for _, name := range parts(t, s.dir) {
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d requests undisturbed; the next run's: %v", all, then)
	if then[0] != all || !slices.IsSortedFunc(then, func(a, b int) int { return b - a }) || then[len(then)-1] != again || again >= all {
		t.Errorf("of %d requests, %d with all in the cache, the next runs made %v", all, again, then)
	}
}

// Property: runs that share a cache don't disturb each other, neither in one
// process nor in several, whatever they write.
func TestTwoOnOneCache(t *testing.T) {
	s := watch(t, sharded(t))
	s.take()
	want := read(t, s.request.Output)
	s.requests()
	s.take()
	again := s.requests()
	if err := os.RemoveAll(s.request.CacheDir); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 6 {
		o := s.orders()
		r := s.asked()
		o.Report, r.Phase = "", nil
		if i < 4 { // the last two have one output
			o.Output = s.path(fmt.Sprintf("out%d/deps.modseal", i))
			write(t, filepath.Join(filepath.Dir(o.Output), "keep"), "")
		}
		r.Output = o.Output
		wg.Go(func() {
			if i%2 == 0 {
				if out, err := s.child(o).CombinedOutput(); err != nil || len(out) > 0 {
					t.Errorf("%v: %s", err, out)
				}
			} else if _, err := snapshot.Take(context.Background(), r); err != nil {
				t.Error(err)
			}
			got, err := os.ReadFile(o.Output)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: the bundle differs (%v)", o.Output, err)
			}
		})
	}
	wg.Wait()
	if left := parts(t, s.dir); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	s.requests()
	if _, err := snapshot.Take(context.Background(), s.asked()); err != nil {
		t.Fatal(err)
	}
	if n := s.requests(); n != again {
		t.Errorf("then %d requests, want %d", n, again)
	}
}
