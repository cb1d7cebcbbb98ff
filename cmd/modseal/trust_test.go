package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
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
//	tuf trusted-root FILE     writes a trusted_root.json with the key of the Rekor
func tuf(ts *testscript.TestScript, neg bool, args []string) {
	usage := func(n int) {
		if neg || len(args) != n {
			ts.Fatalf("usage: tuf root VERSION FILE | rotate EXPIRES | publish FILE EXPIRES | withhold NAME | trusted-root FILE")
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
	case "trusted-root":
		usage(3)
		ts.Check(os.WriteFile(ts.MkAbs(args[1]), trustedRootOf(ts, w.rekor), 0o644))
	default:
		usage(-1)
	}
}

// trustedRootOf is a trusted_root.json that names the active shard of a Rekor
// and nothing else.
func trustedRootOf(ts *testscript.TestScript, rekor *testlog.Rekor) []byte {
	block, _ := pem.Decode(rekor.Shard().PublicPEM())
	id := sha256.Sum256(block.Bytes)
	data, err := json.MarshalIndent(map[string]any{
		"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
		"tlogs": []any{map[string]any{
			"baseUrl": "https://" + rekor.Host, "hashAlgorithm": "SHA2_256",
			"publicKey": map[string]any{
				"rawBytes": base64.StdEncoding.EncodeToString(block.Bytes), "keyDetails": "PKIX_ECDSA_P256_SHA_256",
				"validFor": map[string]any{"start": "2020-01-01T00:00:00Z"},
			},
			"logId": map[string]any{"keyId": base64.StdEncoding.EncodeToString(id[:])},
		}},
	}, "", "  ")
	ts.Check(err)
	return data
}
