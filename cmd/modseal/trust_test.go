package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/internal/testtuf"
)

// tufMirror serves a TUF repository with one root, to which the command tuf adds.
type tufMirror struct {
	mu       sync.Mutex
	repo     *testtuf.Repo
	withheld map[string]bool
}

func tufRoles(expires time.Time, root ...string) testtuf.Roles {
	return testtuf.Roles{Root: root, Threshold: 2, Timestamp: "online", Snapshot: "online", Targets: "targets", Expires: expires}
}

func newTUFMirror() *tufMirror {
	return &tufMirror{withheld: map[string]bool{}, repo: testtuf.New(true, tufRoles(time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), "a", "b"))}
}

func (m *tufMirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := strings.TrimPrefix(r.URL.Path, "/")
	data, ok := m.repo.Files[name]
	if !ok || m.withheld[name] {
		http.NotFound(w, r)
		return
	}
	_, _ = w.Write(data)
}

// tuf changes the repository behind TUF_URL:
//
//	tuf root VERSION FILE     writes a root to a file
//	tuf rotate EXPIRES        publishes the next root, which expires that day
//	tuf publish FILE EXPIRES  publishes a trusted_root.json; the timestamp expires that day
//	tuf withhold NAME         serves this file no more
//	tuf chain VERSION DIR     writes the chain after a root to a folder, unchecked
//	tuf trusted-root FILE     writes a trusted_root.json with the key of the Rekor
func tuf(ts *testscript.TestScript, neg bool, args []string) {
	usage := func(n int) {
		if neg || len(args) != n {
			ts.Fatalf("usage: tuf root VERSION FILE | rotate EXPIRES | publish FILE EXPIRES | withhold NAME | chain VERSION DIR | trusted-root FILE")
		}
	}
	day := func(s string) time.Time {
		t, err := time.Parse(time.DateOnly, s)
		ts.Check(err)
		return t
	}
	w := ts.Value("world").(*world)
	m := w.tuf
	m.mu.Lock()
	defer m.mu.Unlock()
	switch args = append(args, ""); args[0] {
	case "root":
		usage(4)
		v, err := strconv.ParseInt(args[1], 10, 64)
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(args[2]), m.repo.RootFile(v), 0o644))
	case "rotate":
		usage(3)
		keys := []string{"a", "b", fmt.Sprint("c", m.repo.Version())}
		m.repo.Rotate(tufRoles(day(args[1]), keys...), keys...)
	case "publish":
		usage(4)
		m.repo.Publish(testtuf.State{Target: []byte(ts.ReadFile(args[1])), Timestamp: day(args[2])})
	case "withhold":
		usage(3)
		m.withheld[args[1]] = true
	case "chain":
		usage(4)
		v, err := strconv.ParseInt(args[1], 10, 64)
		ts.Check(err)
		for name, data := range m.repo.Chain(v) {
			name = filepath.Join(ts.MkAbs(args[2]), filepath.FromSlash(name))
			ts.Check(os.MkdirAll(filepath.Dir(name), 0o755))
			ts.Check(os.WriteFile(name, data, 0o644))
		}
	case "trusted-root":
		usage(3)
		ts.Check(os.WriteFile(ts.MkAbs(args[1]), testlog.TrustedRoot(testlog.TrustedLog{Shard: w.rekor.Shard(), From: day("2020-01-01")}), 0o644))
	default:
		usage(-1)
	}
}
