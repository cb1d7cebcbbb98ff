package rekor

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/modseal/modseal/internal/fetch"
	"github.com/modseal/modseal/merkle"
)

func numberedUUID(i int) string { return fmt.Sprintf("230bdba0a7e97df2%064x", i) }

// A search finds each UUID once, in the server's order, of either form.
func TestSearch(t *testing.T) {
	l := newLog(t, 3)
	l.index = []string{numberedUUID(2), numberedUUID(1), strings.ToUpper(numberedUUID(2)), numberedUUID(3)[16:]}
	found, err := l.client().Search(context.Background(), sha256.Sum256(nil))
	want := []UUID{UUID(numberedUUID(2)), UUID(numberedUUID(1)), UUID(numberedUUID(3)[16:])}
	if err != nil || found.More || !slices.Equal(found.UUIDs, want) {
		t.Errorf("found %+v, %v", found, err)
	}
	l.index = []string{}
	found, err = l.client().Search(context.Background(), sha256.Sum256(nil))
	if err != nil || found.More || len(found.UUIDs) != 0 {
		t.Errorf("found %+v, %v", found, err)
	}
}

// The query is the digest in hex.
func TestSearchQuery(t *testing.T) {
	l := newLog(t, 1)
	var sent string
	l.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sent = r.URL.Path + " " + r.Header.Get("Content-Type") + " " + string(body)
		io.WriteString(w, "null")
	})
	if _, err := l.client().Search(context.Background(), sha256.Sum256(nil)); err != nil {
		t.Error(err)
	}
	want := `/api/v1/index/retrieve application/json {"hash":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}`
	if sent != want {
		t.Errorf("sent %s, want %s", sent, want)
	}
}

// A search for one signer's entries asks for both, and for one signer only.
func TestSearchSigned(t *testing.T) {
	l := newLog(t, 1)
	var sent string
	l.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sent = string(body)
		io.WriteString(w, `["`+numberedUUID(1)+`"]`)
	})
	const hash = `{"hash":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",`
	for want, by := range map[string]SearchBy{
		hash + `"publicKey":{"format":"x509","content":"a2V5"},"operator":"and"}`: {PublicKey: []byte("key")},
		hash + `"subject":"a@b.example","operator":"and"}`:                        {Subject: "a@b.example"},
	} {
		found, err := l.client().SearchSigned(context.Background(), sha256.Sum256(nil), by)
		if err != nil || len(found.UUIDs) != 1 || sent != want {
			t.Errorf("%+v: %+v, %v, sent %s", by, found, err, sent)
		}
	}
	sent = ""
	for _, by := range []SearchBy{{}, {PublicKey: []byte("key"), Subject: "a"}} {
		if _, err := l.client().SearchSigned(context.Background(), sha256.Sum256(nil), by); err == nil || sent != "" {
			t.Errorf("%+v: %v, sent %s", by, err, sent)
		}
	}
}

// A flood is cut at the limits, said to be cut, and hides nothing before them.
func TestSearchFlood(t *testing.T) {
	list := func(n int) string {
		uuids := make([]string, n)
		for i := range uuids {
			uuids[i] = numberedUUID(i)
		}
		return `["` + strings.Join(uuids, `","`) + `"]`
	}
	for _, test := range []struct {
		name, answer string
		n            int
		more         bool
	}{
		{"as many as allowed", list(maxSearchUUIDs), maxSearchUUIDs, false},
		{"one more", list(maxSearchUUIDs + 1), maxSearchUUIDs, true},
		{"more bytes than allowed", list(maxSearchAnswer / 82), maxSearchUUIDs, true},
		{"repetition over the bytes", "[" + strings.Repeat(`"`+numberedUUID(1)+`",`, maxSearchAnswer/83) + list(5)[1:], 1, true},
		{"space over the bytes", list(3)[:83*3] + strings.Repeat(" ", maxSearchAnswer) + "]", 2, true},
	} {
		data, cut := []byte(test.answer), false
		if len(data) > maxSearchAnswer {
			data, cut = data[:maxSearchAnswer], true
		}
		found, err := parseSearch(data, cut)
		if err != nil || len(found.UUIDs) != test.n || found.More != test.more {
			t.Errorf("%s: %d UUIDs, more %v, %v; want %d, %v", test.name, len(found.UUIDs), found.More, err, test.n, test.more)
		}
	}

	l := newLog(t, 1)
	l.say(list(3)[:83*3] + strings.Repeat(" ", maxSearchAnswer))
	found, err := l.client().Search(context.Background(), sha256.Sum256(nil))
	if err != nil || len(found.UUIDs) != 2 || !found.More {
		t.Errorf("flood over HTTP: %d UUIDs, more %v, %v", len(found.UUIDs), found.More, err)
	}
}

// Anything but a list of UUIDs is malformed.
func TestLyingSearch(t *testing.T) {
	l := newLog(t, 1)
	for _, answer := range []string{"", "{}", `"x"`, "1", "[1]", "[null]", "[[]]", "[{}]", `["x"]`, `["` + numberedUUID(1) + `"`,
		`["` + numberedUUID(1) + `",]`, "[] 1", "[]]", "null null", "<html>", `["` + strings.Repeat("g", 64) + `"]`, strings.Repeat("1", maxSearchAnswer+1)} {
		l.say(answer)
		_, err := l.client().Search(context.Background(), sha256.Sum256(nil))
		wantProblem(t, err, Malformed)
	}
}

func shardObject(treeID string, tree merkle.Tree) object {
	return object{
		"treeID": treeID, "treeSize": tree.Size, "rootHash": fmt.Sprintf("%x", tree.Root),
		"signedTreeHead": checkpoint("rekor.example - "+treeID, tree),
	}
}

// All shards are listed, the active one last.
func TestShards(t *testing.T) {
	l := newLog(t, 9)
	old := merkle.Tree{Size: 3803, Root: merkle.Hash{1, 2, 3}}
	empty := merkle.Tree{Size: 0, Root: merkle.EmptyRoot()}
	l.lie = func(_ string, answer any) any {
		answer.(object)["inactiveShards"] = []any{shardObject(otherTreeID, old), shardObject("7", empty)}
		return answer
	}
	shards, err := l.client().Shards(context.Background())
	if err != nil || len(shards) != 3 {
		t.Fatalf("%+v, %v", shards, err)
	}
	for i, want := range []Shard{
		{TreeID: otherTreeID, Size: old.Size, Root: old.Root},
		{TreeID: "7", Root: empty.Root},
		{TreeID: testTreeID, Size: 9, Root: l.tree(9).Root, Active: true},
	} {
		want.Checkpoint = []byte(checkpoint("rekor.example - "+want.TreeID, merkle.Tree{Size: want.Size, Root: want.Root}))
		if got := shards[i]; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("shard %d: %+v, want %+v", i, got, want)
		}
	}
}

// Each single lie about shards is found.
func TestLyingShards(t *testing.T) {
	l := newLog(t, 9)
	tree := l.tree(9)
	for _, test := range []struct {
		name string
		want Problem
		lie  func(log object) any
	}{
		{"null", Incomplete, func(object) any { return nil }},
		{"list", Malformed, func(object) any { return []any{} }},
		{"no tree ID", Incomplete, func(o object) any { delete(o, "treeID"); return o }},
		{"no size", Incomplete, func(o object) any { o["treeSize"] = nil; return o }},
		{"negative size", Malformed, func(o object) any { o["treeSize"] = -1; return o }},
		{"no root", Incomplete, func(o object) any { delete(o, "rootHash"); return o }},
		{"no checkpoint", Incomplete, func(o object) any { delete(o, "signedTreeHead"); return o }},
		{"short root", Malformed, func(o object) any { o["rootHash"] = "00"; return o }},
		{"other size", HeadMismatch, func(o object) any { o["treeSize"] = 10; return o }},
		{"other root", HeadMismatch, func(o object) any { o["rootHash"] = strings.Repeat("00", 32); return o }},
		{"other tree ID", HeadMismatch, func(o object) any { o["treeID"] = otherTreeID; return o }},
		{"null shard", Incomplete, func(o object) any { o["inactiveShards"] = []any{nil}; return o }},
		{"shard twice", Malformed, func(o object) any { o["inactiveShards"] = []any{shardObject(testTreeID, tree)}; return o }},
		{"shards over the limit", Malformed, func(o object) any {
			var list []any
			for i := range maxShards {
				list = append(list, shardObject(fmt.Sprint(i+1), tree))
			}
			o["inactiveShards"] = list
			return o
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l.lie = func(_ string, answer any) any { return test.lie(answer.(object)) }
			_, err := l.client().Shards(context.Background())
			wantProblem(t, err, test.want)
		})
	}
}

// Only the one reading of a checkpoint is accepted.
func TestCheckpoint(t *testing.T) {
	tree := merkle.Tree{Size: 7, Root: merkle.Hash{1, 2, 3}}
	good := checkpoint(testOrigin, tree)
	for _, ok := range []string{good, strings.Replace(good, "\n\n", "\nextension\n\n", 1), good + "— witness AAAA\n"} {
		if h, err := parseUnverifiedCheckpoint(ok); err != nil || h.tree != tree || h.treeID != testTreeID {
			t.Errorf("%q: %+v, %v", ok, h, err)
		}
	}
	lines := strings.SplitAfter(good, "\n")
	replace := func(i int, line string) string {
		return strings.Join(slices.Concat(lines[:i], []string{line}, lines[i+1:]), "")
	}
	for _, bad := range []string{
		"", "\n\n", good[:len(good)-1], strings.Join(lines[:3], ""), strings.Join(lines[:4], ""), replace(3, ""),
		replace(0, "rekor.example\n"), replace(0, "rekor.example - x\n"), replace(0, "rekor.example - 0\n"),
		replace(0, "rekor.example - 07\n"), replace(0, "rekor.example - 9223372036854775808\n"),
		replace(1, "07\n"), replace(1, "+7\n"), replace(1, "-7\n"), replace(1, "7 \n"), replace(1, "4611686018427387905\n"), replace(1, "\n"),
		replace(2, "AAAA\n"), replace(2, strings.TrimRight(lines[2], "=\n")+"\n"), replace(2, "\n"),
		good + strings.Repeat("— w AAAA\n", maxCheckpoint/10),
	} {
		if h, err := parseUnverifiedCheckpoint(bad); err == nil {
			t.Errorf("accepted %q as %+v", bad, h)
		}
	}
}

// A consistency proof is what was asked for; equal sizes make no request, and
// sizes that nothing can be proven of make none either.
func TestConsistency(t *testing.T) {
	l := newLog(t, 20)
	for _, sizes := range [][2]uint64{{1, 20}, {2, 5}, {7, 8}, {8, 16}, {19, 20}} {
		proof, err := l.client().Consistency(context.Background(), testTreeID, sizes[0], sizes[1])
		if err != nil {
			t.Fatal(err)
		}
		if err := merkle.VerifyConsistency(l.tree(int64(sizes[0])), l.tree(int64(sizes[1])), proof); err != nil {
			t.Errorf("%v: %v", sizes, err)
		}
	}
	l.requests = nil
	if proof, err := l.client().Consistency(context.Background(), testTreeID, 7, 7); err != nil || proof != nil {
		t.Errorf("equal sizes: %v, %v", proof, err)
	}
	for _, sizes := range [][2]uint64{{0, 5}, {0, 0}, {5, 2}, {1, merkle.MaxSize + 1}} {
		if _, err := l.client().Consistency(context.Background(), testTreeID, sizes[0], sizes[1]); err == nil {
			t.Errorf("%v: no error", sizes)
		}
	}
	for _, treeID := range []string{"", "0", "-1", "x", "07", "1&treeID=2"} {
		if _, err := l.client().Consistency(context.Background(), treeID, 1, 2); err == nil {
			t.Errorf("tree ID %q: no error", treeID)
		}
		if _, err := l.client().PublicKey(context.Background(), treeID); err == nil {
			t.Errorf("key of tree ID %q: no error", treeID)
		}
	}
	if len(l.requests) != 0 {
		t.Errorf("requests %v", l.requests)
	}
	_, err := l.client().Consistency(context.Background(), testTreeID, 2, 500)
	var failed *fetch.Error
	if !errors.As(err, &failed) || failed.Status != 400 {
		t.Errorf("beyond the tree: %v", err)
	}
	for answer, want := range map[string]Problem{
		"{}": Incomplete, "null": Incomplete, `{"hashes":null}`: Incomplete, `{"hashes":[1]}`: Malformed, `{"hashes":["00"]}`: Malformed,
		`{"hashes":[],"hashes":[]}`: Malformed, `{"hashes":["` + strings.Repeat(strings.Repeat("0", 64)+`","`, maxProof) + strings.Repeat("0", 64) + `"]}`: Malformed,
	} {
		l.say(answer)
		_, err := l.client().Consistency(context.Background(), testTreeID, 2, 5)
		wantProblem(t, err, want)
	}
}

// The public key of a test log: rekor-server's, with an ECDSA P-256 signer in
// memory.
const testKey = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEDQ8AqoD510IroMNYVS1yi2kz/E2i
fVNC/bB+bBmE1Hg3zL7ykkyWhINSghkRS/DeWApKtPDtcD5PS6ELQQSYEw==
-----END PUBLIC KEY-----
`

// A key is one PEM block that holds a public key.
func TestPublicKey(t *testing.T) {
	l := newLog(t, 1)
	l.say(testKey)
	key, err := l.client().PublicKey(context.Background(), testTreeID)
	if err != nil || string(key) != testKey {
		t.Errorf("%q, %v", key, err)
	}
	for _, bad := range []string{"", "x", testKey + testKey, testKey + "x", strings.ReplaceAll(testKey, "PUBLIC", "PRIVATE"), strings.Replace(testKey, "MFkw", "MFkx", 1)} {
		l.say(bad)
		_, err := l.client().PublicKey(context.Background(), testTreeID)
		wantProblem(t, err, Malformed)
	}
}

// A new entry is made, checked and returned.
func TestCreate(t *testing.T) {
	l := newLog(t, 5)
	entry, existed, err := l.client().Create(context.Background(), []byte(`{"new":1}`))
	if err != nil || existed || string(entry.Body) != `{"new":1}` || entry.Inclusion.Index != 5 || entry.Inclusion.Tree != l.tree(6) {
		t.Errorf("%+v, %v, %v", entry, existed, err)
	}
	l.lieEntry = func(_ string, e object) { delete(e, "verification") }
	_, _, err = l.client().Create(context.Background(), []byte(`{"new":2}`))
	wantProblem(t, err, Incomplete)
	for _, answer := range []string{"null", "{}", "[]"} {
		l.raw = func(_ string, w http.ResponseWriter) bool { w.WriteHeader(201); io.WriteString(w, answer); return true }
		_, _, err = l.client().Create(context.Background(), []byte(`{"new":3}`))
		wantProblem(t, err, Malformed)
	}
	l.raw = func(_ string, w http.ResponseWriter) bool { w.WriteHeader(400); return true }
	_, _, err = l.client().Create(context.Background(), []byte(`{}`))
	var failed *fetch.Error
	if !errors.As(err, &failed) || failed.Status != 400 || failed.Tries != 1 {
		t.Errorf("refused: %v", err)
	}
}

// An entry that the log has already is found by the UUID in Location, and
// nothing else in there matters.
func TestCreateExisting(t *testing.T) {
	l := newLog(t, 5)
	for _, prefix := range []string{"/api/v1/log/entries/", "https://elsewhere.invalid/", "../../", ""} {
		l.location = prefix + string(l.uuid(2))
		l.requests = nil
		entry, existed, err := l.client().Create(context.Background(), []byte(`{}`))
		if err != nil || !existed || entry.UUID != l.uuid(2) || entry.Inclusion.Index != 2 {
			t.Errorf("%s: %+v, %v, %v", l.location, entry, existed, err)
		}
		if want := []string{"POST log/entries", "POST log/entries/retrieve"}; !slices.Equal(l.requests, want) {
			t.Errorf("%s: requests %v", l.location, l.requests)
		}
	}
	for _, bad := range []string{"/", "/api/v1/log/entries/", "/x", "/" + string(l.uuid(2)) + "/..", "/" + string(l.uuid(2)) + "?x"} {
		l.location = bad
		_, _, err := l.client().Create(context.Background(), []byte(`{}`))
		wantProblem(t, err, Malformed)
	}
}

// An entry that is queued but not yet in the tree is waited for, not for ever.
func TestCreateQueued(t *testing.T) {
	l := newLog(t, 5)
	l.location = "/api/v1/log/entries/" + string(l.uuid(2))
	queries := 0
	l.lie = func(path string, answer any) any {
		if path != "log/entries/retrieve" {
			return answer
		}
		queries++
		if queries < 4 {
			return []any{}
		}
		return answer
	}
	entry, existed, err := l.client().Create(context.Background(), []byte(`{}`))
	if err != nil || !existed || entry.UUID != l.uuid(2) {
		t.Errorf("%+v, %v, %v", entry, existed, err)
	}
	queries = -1000
	_, _, err = l.client().Create(context.Background(), []byte(`{}`))
	var missing *MissingError
	if !errors.As(err, &missing) || queries != -1000+createPolls {
		t.Errorf("never there: %v after %d queries", err, queries+1000)
	}
}
