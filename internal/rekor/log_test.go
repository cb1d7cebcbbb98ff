package rekor

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/modseal/modseal/internal/fetch"
	"github.com/modseal/modseal/merkle"
)

const (
	testTreeID  = "2525353499129642482" // 230bdba0a7e97df2
	otherTreeID = "5478497019447152826" // 4c0788034b2f10ba
	testOrigin  = "rekor.example - " + testTreeID
)

// object is a JSON object that a test can tell lies with.
type object = map[string]any

// fakeLog is a Rekor server in memory: one shard, whose proofs come from
// x/mod's tlog, not from the package that checks them. Answers have the shape
// of those recorded from rekor-server 1.5.4.
type fakeLog struct {
	t      testing.TB
	server *httptest.Server

	mu       sync.Mutex
	bodies   [][]byte
	hashes   hashList
	requests []string // method and path of each

	size     func(index int) int64 // the head that an entry is proven in; nil means the newest
	index    []string              // what every search finds
	location string                // if set, Create answers 409

	// Hooks. lieEntry changes one entry's answer, lie any whole answer (of the
	// path's end) before it is sent, raw replaces one.
	lieEntry func(uuid string, entry object)
	lie      func(path string, answer any) any
	raw      func(path string, w http.ResponseWriter) bool
}

type hashList []tlog.Hash

func (l hashList) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var list []tlog.Hash
	for _, i := range indexes {
		list = append(list, l[i])
	}
	return list, nil
}

// newLog starts a log of n entries.
func newLog(t *testing.T, n int) *fakeLog {
	t.Helper()
	l := &fakeLog{t: t}
	for i := range n {
		l.add(fmt.Appendf(nil, `{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{"n":%d}}`, i))
	}
	l.server = httptest.NewServer(l)
	t.Cleanup(l.server.Close)
	return l
}

func (l *fakeLog) add(body []byte) {
	hashes, err := tlog.StoredHashes(int64(len(l.bodies)), body, l.hashes)
	if err != nil {
		l.t.Error(err)
	}
	l.bodies = append(l.bodies, body)
	l.hashes = append(l.hashes, hashes...)
}

// client speaks to the log and doesn't wait between tries.
func (l *fakeLog) client() *Client {
	return New(Options{URL: l.server.URL + "/", Fetch: fetch.New(fetch.Options{
		Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})})
}

// say makes the log answer everything with that text.
func (l *fakeLog) say(text string) {
	l.raw = func(_ string, w http.ResponseWriter) bool { io.WriteString(w, text); return true }
}

func (l *fakeLog) uuid(i int) UUID {
	uuid, err := makeUUID(testTreeID, merkle.LeafHash(l.bodies[i]))
	if err != nil {
		l.t.Fatal(err)
	}
	return uuid
}

func (l *fakeLog) uuids(indexes ...int) []UUID {
	var list []UUID
	for _, i := range indexes {
		list = append(list, l.uuid(i))
	}
	return list
}

func (l *fakeLog) tree(size int64) merkle.Tree {
	root, err := tlog.TreeHash(size, l.hashes)
	if err != nil {
		l.t.Error(err)
	}
	return merkle.Tree{Size: uint64(size), Root: merkle.Hash(root)}
}

// checkpoint is a signed note whose signature nobody looks at here.
func checkpoint(origin string, tree merkle.Tree) string {
	return fmt.Sprintf("%s\n%d\n%s\n\n— rekor.example %s\n", origin, tree.Size,
		base64.StdEncoding.EncodeToString(tree.Root[:]), base64.StdEncoding.EncodeToString(make([]byte, 74)))
}

func (l *fakeLog) entry(i int) object {
	size := int64(len(l.bodies))
	if l.size != nil {
		size = l.size(i)
	}
	proof, err := tlog.ProveRecord(size, int64(i), l.hashes)
	if err != nil {
		l.t.Error(err)
	}
	hashes := []any{}
	for _, h := range proof {
		hashes = append(hashes, fmt.Sprintf("%x", h[:]))
	}
	tree := l.tree(size)
	entry := object{
		"body":           base64.StdEncoding.EncodeToString(l.bodies[i]),
		"integratedTime": 1795346023 + i,
		"logID":          "da642504dd4171bbb58658a9b6d217c9f76a9d1b97ab18c4f42242fcc2a66cbe",
		"logIndex":       1000 + i,
		"verification": object{
			"inclusionProof": object{
				"checkpoint": checkpoint(testOrigin, tree),
				"hashes":     hashes,
				"logIndex":   i,
				"rootHash":   fmt.Sprintf("%x", tree.Root),
				"treeSize":   tree.Size,
			},
			"signedEntryTimestamp": base64.StdEncoding.EncodeToString(make([]byte, 71)),
		},
	}
	if l.lieEntry != nil {
		l.lieEntry(string(l.uuid(i)), entry)
	}
	return entry
}

func (l *fakeLog) find(uuid string) (index int, ok bool) {
	for i := range l.bodies {
		if strings.HasSuffix(string(l.uuid(i)), uuid) {
			return i, true
		}
	}
	return 0, false
}

func (l *fakeLog) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/api/v1/")
	l.requests = append(l.requests, r.Method+" "+path)
	if l.raw != nil && l.raw(path, w) {
		return
	}
	body, _ := io.ReadAll(r.Body)
	status, answer := l.answer(r, path, body)
	if l.lie != nil {
		answer = l.lie(path, answer)
	}
	if status == http.StatusConflict {
		w.Header().Set("Location", l.location)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(answer)
}

func (l *fakeLog) answer(r *http.Request, path string, body []byte) (status int, answer any) {
	bad := func(message string) (int, any) { return 400, object{"code": 400, "message": message} }
	switch r.Method + " " + path {
	case "GET log":
		tree := l.tree(int64(len(l.bodies)))
		return 200, object{
			"inactiveShards": []any{}, "treeID": testTreeID, "treeSize": tree.Size,
			"rootHash": fmt.Sprintf("%x", tree.Root), "signedTreeHead": checkpoint(testOrigin, tree),
		}
	case "POST index/retrieve":
		return 200, l.index
	case "POST log/entries/retrieve":
		var request struct{ EntryUUIDs []string }
		if err := json.Unmarshal(body, &request); err != nil || len(request.EntryUUIDs) > 10 {
			return bad("too many")
		}
		list := []any{}
		for _, uuid := range request.EntryUUIDs {
			if len(uuid) == 80 && UUID(uuid).TreeID() != testTreeID {
				return bad("invalid entryID " + uuid)
			}
			if i, ok := l.find(uuid); ok {
				list = append(list, object{string(l.uuid(i)): l.entry(i)})
			}
		}
		return 200, list
	case "GET log/proof":
		first, _ := strconv.ParseInt(r.FormValue("firstSize"), 10, 64)
		last, _ := strconv.ParseInt(r.FormValue("lastSize"), 10, 64)
		if first < 1 || first > last || last > int64(len(l.bodies)) || r.FormValue("treeID") != testTreeID {
			return bad("no such proof")
		}
		proof, err := tlog.ProveTree(last, first, l.hashes)
		if err != nil {
			l.t.Error(err)
		}
		hashes := []any{}
		for _, h := range proof {
			hashes = append(hashes, fmt.Sprintf("%x", h[:]))
		}
		return 200, object{"hashes": hashes, "rootHash": fmt.Sprintf("%x", l.tree(int64(len(l.bodies))).Root)}
	case "POST log/entries":
		if l.location != "" {
			return 409, object{"code": 409, "message": "an equivalent entry already exists"}
		}
		i := slices.IndexFunc(l.bodies, func(b []byte) bool { return bytes.Equal(b, body) })
		if i < 0 {
			i = len(l.bodies)
			l.add(body)
		}
		return 201, object{string(l.uuid(i)): l.entry(i)}
	}
	return 404, object{"code": 404}
}
