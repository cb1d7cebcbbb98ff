package testlog

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/modseal/modseal/merkle"
)

const (
	maxRequest = 10      // entries asked for in one call
	maxBody    = 8 << 20 // bytes of a request
)

type object = map[string]any

// ServeHTTP implements http.Handler.
func (r *Rekor) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(io.LimitReader(request.Body, maxBody))
	if err != nil {
		return
	}
	r.mu.Lock()
	r.requests = append(r.requests, request.Method+" "+request.URL.Path)
	a := r.answer(request, body)
	r.mu.Unlock()
	r.Edit.change(request, a)
	a.send(w)
}

// refusal is an error as Rekor reports it: 422 comes from the API's schema, and
// has codes of its own.
func refusal(status, code int, format string, args ...any) *Answer {
	return jsonAnswer(status, object{"code": code, "message": fmt.Sprintf(format, args...)})
}

func (r *Rekor) answer(request *http.Request, body []byte) *Answer {
	path, ok := strings.CutPrefix(request.URL.Path, "/api/v1/")
	if !ok {
		return refusal(404, 404, "path %s was not found", request.URL.Path)
	}
	uuid, byUUID := strings.CutPrefix(path, "log/entries/")
	switch route := request.Method + " " + path; {
	case route == "GET log":
		return r.logInfo()
	case route == "GET log/proof":
		return r.proof(request)
	case route == "GET log/publicKey":
		return r.publicKey(request.FormValue("treeID"))
	case route == "GET log/entries":
		return r.entryByIndex(request.FormValue("logIndex"))
	case route == "POST log/entries":
		return r.create(body)
	case route == "POST log/entries/retrieve":
		return r.retrieve(body)
	case route == "POST index/retrieve":
		return r.search(body)
	case request.Method == "GET" && byUUID:
		if found := r.byUUID[uuid]; len(found) > 0 {
			return jsonAnswer(200, r.served(found[0]))
		}
		return &Answer{Status: 404}
	}
	return refusal(404, 404, "path %s was not found", request.URL.Path)
}

func hexHashes(hashes []merkle.Hash) []string {
	list := []string{}
	for _, h := range hashes {
		list = append(list, hex.EncodeToString(h[:]))
	}
	return list
}

func (s *Shard) info() object {
	head := s.Head(s.Size())
	return object{
		"rootHash": hex.EncodeToString(head.Root[:]), "signedTreeHead": string(s.Checkpoint(head.Size)),
		"treeID": s.TreeID(), "treeSize": head.Size,
	}
}

func (r *Rekor) logInfo() *Answer {
	var inactive []object
	for _, s := range r.shards[:len(r.shards)-1] {
		inactive = append(inactive, s.info())
	}
	info := r.shards[len(r.shards)-1].info()
	info["inactiveShards"] = inactive
	return jsonAnswer(200, info)
}

// shard finds a shard by its ID; "" is the active one.
func (r *Rekor) shard(treeID string) *Shard {
	if treeID == "" {
		return r.shards[len(r.shards)-1]
	}
	for _, s := range r.shards {
		if s.TreeID() == treeID {
			return s
		}
	}
	return nil
}

func (r *Rekor) proof(request *http.Request) *Answer {
	first, last := request.FormValue("firstSize"), request.FormValue("lastSize")
	if first == "" {
		first = "1"
	}
	from, err := strconv.ParseUint(first, 10, 63)
	if err != nil || from == 0 {
		return refusal(422, 609, "firstSize in query should be greater than or equal to 1")
	}
	to, err := strconv.ParseUint(last, 10, 63)
	if err != nil || to == 0 {
		return refusal(422, 602, "lastSize in query is required")
	}
	s := r.shard(request.FormValue("treeID"))
	switch {
	case s == nil:
		return refusal(400, 400, "no log range found for tree ID %s", request.FormValue("treeID"))
	case from > to:
		return refusal(400, 400, "firstSize(%d) must be less than lastSize(%d)", from, to)
	case to > s.Size():
		return refusal(400, 400, "the tree size requested(%d) was greater than what is currently observable(%d)", to, s.Size())
	}
	newest := s.Head(s.Size()) // whatever was asked for
	return jsonAnswer(200, object{"hashes": hexHashes(s.Consistency(from, to)), "rootHash": hex.EncodeToString(newest.Root[:])})
}

func (r *Rekor) publicKey(treeID string) *Answer {
	if s := r.shard(treeID); s != nil {
		return &Answer{Status: 200, Header: http.Header{"Content-Type": {"application/x-pem-file"}}, Body: s.PublicPEM()}
	}
	return refusal(400, 400, "Bad Request")
}

// served is an entry as it is sent: an object whose one member is the entry, by
// its UUID.
func (r *Rekor) served(i int) object {
	e := r.entries[i]
	s := r.shard(e.TreeID)
	size := s.Size()
	if r.HeadSize != nil {
		size = r.HeadSize(e)
	}
	in := s.Inclusion(e.Index, size)
	return object{e.UUID: object{
		"body": base64.StdEncoding.EncodeToString(e.Body), "integratedTime": e.IntegratedTime,
		"logID": hex.EncodeToString(e.LogID[:]), "logIndex": e.LogIndex,
		"verification": object{
			"inclusionProof": object{
				"checkpoint": string(s.Checkpoint(size)), "hashes": hexHashes(in.Path), "logIndex": e.Index,
				"rootHash": hex.EncodeToString(in.Tree.Root[:]), "treeSize": in.Tree.Size,
			},
			"signedEntryTimestamp": base64.StdEncoding.EncodeToString(e.SET),
		},
	}}
}

func (r *Rekor) entryByIndex(s string) *Answer {
	if i, err := strconv.Atoi(s); err == nil && i >= 0 && i < len(r.entries) {
		return jsonAnswer(200, r.served(i))
	}
	return &Answer{Status: 404}
}

func (r *Rekor) create(body []byte) *Answer {
	canonical, err := canonicalBody(body)
	if err != nil {
		return refusal(400, 400, "error processing entry: %v", err)
	}
	uuid := r.shards[len(r.shards)-1].uuid(canonical) // a shard before it may have the same
	location := http.Header{"Location": {"/api/v1/log/entries/" + uuid}}
	a := refusal(409, 409, "an equivalent entry already exists in the transparency log with UUID %s", uuid)
	if len(r.byUUID[uuid]) == 0 {
		a = jsonAnswer(201, r.served(int(r.add(canonical).LogIndex)))
	}
	a.Header.Set("Location", location.Get("Location"))
	return a
}

func (r *Rekor) retrieve(body []byte) *Answer {
	var q struct {
		EntryUUIDs []string `json:"entryUUIDs"`
		LogIndexes []int    `json:"logIndexes"`
		Entries    []any    `json:"entries"`
	}
	if err := json.Unmarshal(body, &q); err != nil {
		return refusal(400, 400, "parsing body: %v", err)
	}
	if len(q.EntryUUIDs)+len(q.LogIndexes)+len(q.Entries) > maxRequest {
		return refusal(422, 611, "entryUUIDs in body should have at most %d items", maxRequest)
	}
	list := []object{} // what is missing is left out
	for _, i := range q.LogIndexes {
		if i >= 0 && i < len(r.entries) {
			list = append(list, r.served(i))
		}
	}
	for _, uuid := range q.EntryUUIDs {
		if len(uuid) == 80 && !slices.ContainsFunc(r.shards, func(s *Shard) bool { return strings.HasPrefix(uuid, fmt.Sprintf("%016x", s.treeID)) }) {
			return refusal(400, 400, "invalid entryID %s", uuid)
		}
		if found := r.byUUID[uuid]; len(found) > 0 {
			list = append(list, r.served(found[0]))
		}
	}
	return jsonAnswer(200, list)
}

// search finds UUIDs by any of the criteria, or by all with the operator "and".
func (r *Rekor) search(body []byte) *Answer {
	var q struct {
		Hash      string `json:"hash"`
		Email     string `json:"email"`
		Subject   string `json:"subject"`
		Operator  string `json:"operator"`
		PublicKey *struct {
			Format  string `json:"format"`
			Content []byte `json:"content"`
		} `json:"publicKey"`
	}
	if err := json.Unmarshal(body, &q); err != nil {
		return refusal(400, 400, "parsing body: %v", err)
	}
	var found [][]string
	if q.Hash != "" {
		digest := strings.TrimPrefix(q.Hash, "sha256:")
		if b, err := hex.DecodeString(digest); err != nil || len(b) != 32 {
			return refusal(422, 605, "hash in body should match '^(sha256:)?[0-9a-fA-F]{64}$'")
		}
		found = append(found, r.index["hash:"+strings.ToLower(digest)])
	}
	for _, name := range []string{q.Email, q.Subject} {
		if name != "" {
			found = append(found, r.index["subject:"+name])
		}
	}
	if q.PublicKey != nil {
		if q.PublicKey.Format != "x509" {
			return refusal(400, 400, "key format %q", q.PublicKey.Format)
		}
		found = append(found, r.index[keyIndex(q.PublicKey.Content)])
	}
	list := []string{}
	for _, uuid := range slices.Concat(found...) {
		inAll := !slices.ContainsFunc(found, func(f []string) bool { return !slices.Contains(f, uuid) })
		if (q.Operator != "and" || inAll) && !slices.Contains(list, uuid) {
			list = append(list, uuid)
		}
	}
	return jsonAnswer(200, list)
}
