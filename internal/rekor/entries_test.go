package rekor

import (
	"context"
	"encoding/base64"
	"encoding/json"
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

// wantProblem checks that err is an AnswerError of that kind.
func wantProblem(t *testing.T, err error, want Problem) {
	t.Helper()
	var bad *AnswerError
	if !errors.As(err, &bad) {
		t.Fatalf("error is %T (%v), want *AnswerError", err, err)
	}
	if bad.Problem != want {
		t.Fatalf("problem %q (%v), want %q", bad.Problem, err, want)
	}
}

// Entries come back complete, in the order asked for, each once, ten a call,
// and proven in the head that each of them has.
func TestEntries(t *testing.T) {
	l := newLog(t, 37)
	l.size = func(i int) int64 { return int64(i) + 1 + int64(i)%3*int64(36-i)/3 }
	var order []int
	for i := range 37 {
		order = append(order, (i*11+5)%37)
	}
	uuids := l.uuids(order...)
	entries, err := l.client().Entries(context.Background(), append(uuids, uuids[3], uuids[30]))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 37 {
		t.Fatalf("%d entries", len(entries))
	}
	for i, e := range entries {
		n := order[i]
		tree := l.tree(l.size(n))
		switch {
		case e.UUID != uuids[i], e.TreeID != testTreeID, string(e.Body) != string(l.bodies[n]),
			e.LogIndex != 1000+uint64(n), e.IntegratedTime != 1795346023+int64(n), len(e.SET) != 71,
			fmt.Sprintf("%x", e.LogID) != "da642504dd4171bbb58658a9b6d217c9f76a9d1b97ab18c4f42242fcc2a66cbe",
			e.Inclusion.Index != uint64(n), e.Inclusion.Tree != tree, e.Inclusion.Leaf != merkle.LeafHash(e.Body),
			string(e.Checkpoint) != checkpoint(testOrigin, tree), e.Attestation != nil:
			t.Errorf("entry %d: %+v", n, e)
		}
	}
	if len(l.requests) != 4 {
		t.Errorf("requests %v", l.requests)
	}
}

// No UUIDs, no request.
func TestEntriesOfNothing(t *testing.T) {
	l := newLog(t, 1)
	entries, err := l.client().Entries(context.Background(), nil)
	if err != nil || len(entries) != 0 || len(l.requests) != 0 {
		t.Errorf("%d entries, %v, requests %v", len(entries), err, l.requests)
	}
}

// UUIDs of the older form, without tree ID, are asked for and answered.
func TestShortUUID(t *testing.T) {
	l := newLog(t, 3)
	short := UUID(l.uuid(1).leaf())
	entries, err := l.client().Entries(context.Background(), []UUID{short})
	if err != nil || len(entries) != 1 || entries[0].UUID != l.uuid(1) {
		t.Errorf("asked by the short UUID: %+v, %v", entries, err)
	}
	entries, err = l.client().Entries(context.Background(), []UUID{short, l.uuid(1)})
	if err != nil || len(entries) != 1 {
		t.Errorf("asked by both: %d entries, %v", len(entries), err)
	}
	l.lie = func(_ string, answer any) any {
		return []any{object{string(short): answer.([]any)[0].(object)[string(l.uuid(1))]}}
	}
	entries, err = l.client().Entries(context.Background(), l.uuids(1))
	if err != nil || len(entries) != 1 || entries[0].UUID != l.uuid(1) {
		t.Errorf("answered by the short UUID: %+v, %v", entries, err)
	}
}

// An attestation that the server keeps is handed on.
func TestAttestation(t *testing.T) {
	l := newLog(t, 3)
	l.lieEntry = func(_ string, e object) { e["attestation"] = object{"data": "e30="} }
	entries, err := l.client().Entries(context.Background(), l.uuids(1))
	if err != nil || string(entries[0].Attestation) != "{}" {
		t.Errorf("%+v, %v", entries, err)
	}
}

func proofOf(e object) object {
	return e["verification"].(object)["inclusionProof"].(object)
}

// Each single lie about an entry is found, and told from the others.
func TestLyingEntry(t *testing.T) {
	flip := func(hash string) string {
		if hash[0] == '0' {
			return "1" + hash[1:]
		}
		return "0" + hash[1:]
	}
	otherTree := merkle.Tree{Size: 7, Root: merkle.Hash{1}}
	for _, test := range []struct {
		name string
		want Problem
		lie  func(e object)
	}{
		{"other body", WrongLeaf, func(e object) { e["body"] = "e30=" }},
		{"empty body", Malformed, func(e object) { e["body"] = "" }},
		{"no body", Incomplete, func(e object) { delete(e, "body") }},
		{"null body", Incomplete, func(e object) { e["body"] = nil }},
		{"body is a number", Malformed, func(e object) { e["body"] = 1 }},
		{"body is an object", Malformed, func(e object) { e["body"] = object{} }},
		{"body isn't base64", Malformed, func(e object) { e["body"] = "%" }},
		{"body with a line end", Malformed, func(e object) { e["body"] = e["body"].(string) + "\n" }},
		{"body with loose bits", Malformed, func(e object) { e["body"] = "e31=" }},
		{"no time", Incomplete, func(e object) { delete(e, "integratedTime") }},
		{"time 0", Malformed, func(e object) { e["integratedTime"] = 0 }},
		{"negative time", Malformed, func(e object) { e["integratedTime"] = -1 }},
		{"time is a string", Malformed, func(e object) { e["integratedTime"] = "1" }},
		{"no log ID", Incomplete, func(e object) { delete(e, "logID") }},
		{"short log ID", Malformed, func(e object) { e["logID"] = "00" }},
		{"log ID isn't hex", Malformed, func(e object) { e["logID"] = strings.Repeat("g", 64) }},
		{"no index", Incomplete, func(e object) { delete(e, "logIndex") }},
		{"negative index", Malformed, func(e object) { e["logIndex"] = -1 }},
		{"index over int64", Malformed, func(e object) { e["logIndex"] = uint64(1 << 63) }},
		{"fractional index", Malformed, func(e object) { e["logIndex"] = 1000.5 }},
		{"index below the one in the tree", Malformed, func(e object) { e["logIndex"] = 1 }},
		{"attestation isn't base64", Malformed, func(e object) { e["attestation"] = object{"data": "%"} }},
		{"no verification", Incomplete, func(e object) { delete(e, "verification") }},
		{"null verification", Incomplete, func(e object) { e["verification"] = nil }},
		{"empty verification", Incomplete, func(e object) { e["verification"] = object{} }},
		{"no SET", Incomplete, func(e object) { delete(e["verification"].(object), "signedEntryTimestamp") }},
		{"SET over the limit", Malformed, func(e object) {
			e["verification"].(object)["signedEntryTimestamp"] = base64.StdEncoding.EncodeToString(make([]byte, maxSET+1))
		}},
		{"no proof", Incomplete, func(e object) { delete(e["verification"].(object), "inclusionProof") }},
		{"null proof", Incomplete, func(e object) { e["verification"].(object)["inclusionProof"] = nil }},
		{"empty proof", Incomplete, func(e object) { e["verification"].(object)["inclusionProof"] = object{} }},
		{"no checkpoint", Incomplete, func(e object) { delete(proofOf(e), "checkpoint") }},
		{"empty checkpoint", Incomplete, func(e object) { proofOf(e)["checkpoint"] = "" }},
		{"no proof index", Incomplete, func(e object) { delete(proofOf(e), "logIndex") }},
		{"no root", Incomplete, func(e object) { delete(proofOf(e), "rootHash") }},
		{"no size", Incomplete, func(e object) { delete(proofOf(e), "treeSize") }},
		{"null path", WrongProof, func(e object) { proofOf(e)["hashes"] = nil }},
		{"null hash", Malformed, func(e object) { proofOf(e)["hashes"].([]any)[0] = nil }},
		{"short hash", Malformed, func(e object) { proofOf(e)["hashes"].([]any)[0] = "00" }},
		{"flipped hash", WrongProof, func(e object) { h := proofOf(e)["hashes"].([]any); h[1] = flip(h[1].(string)) }},
		{"swapped hashes", WrongProof, func(e object) { h := proofOf(e)["hashes"].([]any); h[0], h[1] = h[1], h[0] }},
		{"hash dropped", WrongProof, func(e object) { proofOf(e)["hashes"] = proofOf(e)["hashes"].([]any)[1:] }},
		{"hash added", WrongProof, func(e object) {
			proofOf(e)["hashes"] = append(proofOf(e)["hashes"].([]any), strings.Repeat("00", 32))
		}},
		{"hashes over the limit", Malformed, func(e object) {
			proofOf(e)["hashes"] = slices.Repeat([]any{strings.Repeat("00", 32)}, maxProof+1)
		}},
		{"other index", WrongProof, func(e object) { proofOf(e)["logIndex"] = 4 }},
		{"index out of the tree", Malformed, func(e object) { proofOf(e)["logIndex"] = 7 }},
		{"size 0", Malformed, func(e object) { proofOf(e)["treeSize"] = 0 }},
		{"size over the limit", Malformed, func(e object) { proofOf(e)["treeSize"] = uint64(merkle.MaxSize + 1) }},
		{"other root", HeadMismatch, func(e object) { proofOf(e)["rootHash"] = flip(proofOf(e)["rootHash"].(string)) }},
		{"other size", HeadMismatch, func(e object) { proofOf(e)["treeSize"] = 8 }},
		{"checkpoint of another root", HeadMismatch, func(e object) { proofOf(e)["checkpoint"] = checkpoint(testOrigin, otherTree) }},
		{"other root in both", WrongProof, func(e object) {
			proofOf(e)["checkpoint"] = checkpoint(testOrigin, otherTree)
			proofOf(e)["rootHash"] = fmt.Sprintf("%x", otherTree.Root)
		}},
		{"checkpoint of another shard", HeadMismatch, func(e object) {
			proofOf(e)["checkpoint"] = strings.Replace(proofOf(e)["checkpoint"].(string), testTreeID, otherTreeID, 1)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLog(t, 7)
			l.lieEntry = func(uuid string, e object) {
				if uuid == string(l.uuid(5)) {
					test.lie(e)
				}
			}
			entries, err := l.client().Entries(context.Background(), l.uuids(2, 5))
			wantProblem(t, err, test.want)
			if entries != nil {
				t.Errorf("%d entries beside the error", len(entries))
			}
			if text := err.Error(); !strings.HasPrefix(text, "rekor: bad answer: "+string(test.want)) {
				t.Errorf("message %q", text)
			}
			if bad := new(AnswerError); test.want != Malformed && errors.As(err, &bad) && bad.UUID != l.uuid(5) {
				t.Errorf("error is about %q", bad.UUID)
			}
		})
	}
}

// Each single lie about which entries there are is found.
func TestLyingList(t *testing.T) {
	l := newLog(t, 12)
	one := func(list any) object { return list.([]any)[0].(object) }
	for _, test := range []struct {
		name string
		want Problem
		lie  func(list any) any
	}{
		{"entry not asked for", NotAsked, func(list any) any { return append(list.([]any), object{string(l.uuid(0)): l.entry(0)}) }},
		{"entry instead of another", NotAsked, func(any) any { return []any{object{string(l.uuid(0)): l.entry(0)}} }},
		{"entry twice", NotAsked, func(list any) any { return append(list.([]any), one(list)) }},
		{"entry under another's UUID", WrongLeaf, func(any) any { return []any{object{string(l.uuid(5)): l.entry(0)}} }},
		{"UUID of another tree", HeadMismatch, func(list any) any {
			uuid, _ := makeUUID(otherTreeID, merkle.LeafHash(l.bodies[5]))
			return []any{object{string(uuid): one(list)[string(l.uuid(5))]}}
		}},
		{"UUID isn't one", Malformed, func(list any) any { return []any{object{"x": one(list)[string(l.uuid(5))]}} }},
		{"two in one object", Malformed, func(list any) any { one(list)[string(l.uuid(0))] = l.entry(0); return list }},
		{"empty object", Malformed, func(any) any { return []any{object{}} }},
		{"null object", Malformed, func(any) any { return []any{nil} }},
		{"null entry", Incomplete, func(any) any { return []any{object{string(l.uuid(5)): nil}} }},
		{"entry is a list", Malformed, func(any) any { return []any{object{string(l.uuid(5)): []any{}}} }},
		{"object, not a list", Malformed, func(list any) any { return one(list) }},
		{"string", Malformed, func(any) any { return "[]" }},
		{"eleven entries", Malformed, func(list any) any { return slices.Repeat(list.([]any), 11) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			l.lie = func(_ string, list any) any { return test.lie(list) }
			_, err := l.client().Entries(context.Background(), l.uuids(5))
			wantProblem(t, err, test.want)
		})
	}
}

// An answer that could be read in two ways isn't read at all, even if one of
// them is right.
func TestAmbiguousJSON(t *testing.T) {
	l := newLog(t, 1)
	list, err := json.Marshal([]any{object{string(l.uuid(0)): l.entry(0)}})
	if err != nil {
		t.Fatal(err)
	}
	good := string(list)
	nested := func(n int) string {
		return strings.Replace(good, `{"body"`, `{"new":`+strings.Repeat("[", n)+strings.Repeat("]", n)+`,"body"`, 1)
	}
	for name, text := range map[string]string{
		"unchanged":           good,
		"key of the future":   strings.Replace(good, `"body"`, `"new":{"a":1},"body"`, 1),
		"nested to the limit": nested(maxDepth - 3),
	} {
		l.say(text)
		if _, err := l.client().Entries(context.Background(), l.uuids(0)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"not JSON":                  "<html>",
		"nothing":                   "",
		"half of the JSON":          good[:len(good)/2],
		"data after the JSON":       good + " []",
		"bracket after the JSON":    good + "]",
		"key twice":                 strings.Replace(good, `"body"`, `"body":"e30=","body"`, 1),
		"key twice but for case":    strings.Replace(good, `"body"`, `"BODY":"e30=","body"`, 1),
		"key twice but for folding": strings.Replace(good, `"hashes"`, `"haſhes":[],"hashes"`, 1),
		"key of a proof twice":      strings.Replace(good, `"treeSize"`, `"treeSize":7,"treeSize"`, 1),
		"entry twice":               strings.Replace(good, `[{`, `[{"`+string(l.uuid(0))+`":null,`, 1),
		"nested over the limit":     nested(maxDepth - 2),
	} {
		t.Run(name, func(t *testing.T) {
			l.say(text)
			_, err := l.client().Entries(context.Background(), l.uuids(0))
			wantProblem(t, err, Malformed)
		})
	}
}

// What the server leaves out, refuses or bloats is named, and hides nothing
// else: a batch with one such entry is asked for in halves.
func TestMissing(t *testing.T) {
	l := newLog(t, 30)
	foreign := UUID("7fffffffffffffff" + strings.Repeat("0", 64))
	huge := l.uuid(13)
	l.lieEntry = func(uuid string, e object) {
		if uuid == string(huge) {
			e["attestation"] = object{"data": strings.Repeat("A", maxEntryAnswer)}
		}
	}
	absent, err := makeUUID(testTreeID, merkle.Hash{7})
	if err != nil {
		t.Fatal(err)
	}
	var all []int
	for i := range 30 {
		all = append(all, i)
	}
	asked := append(l.uuids(all...), absent, foreign)
	entries, err := l.client().Entries(context.Background(), asked)
	var missing *MissingError
	if !errors.As(err, &missing) {
		t.Fatalf("error %v, want *MissingError", err)
	}
	if !slices.Equal(missing.UUIDs, []UUID{absent}) || !slices.Equal(missing.Refused, []UUID{foreign}) || !slices.Equal(missing.TooLarge, []UUID{huge}) {
		t.Errorf("missing %+v", missing)
	}
	if text := err.Error(); !strings.Contains(text, "1 left out (first: "+string(absent)) || !strings.Contains(text, "1 over the size limit (first: "+string(huge)) {
		t.Errorf("message %q", text)
	}
	if len(entries) != 29 {
		t.Errorf("%d entries beside the error, want 29", len(entries))
	}
	for _, e := range entries {
		if e.UUID == huge {
			t.Error("the huge entry is there")
		}
	}
}

// UUIDs that can't be one aren't sent.
func TestBadUUIDs(t *testing.T) {
	l := newLog(t, 1)
	good := string(l.uuid(0))
	for _, bad := range []string{"", "x", good[1:], good + "0", strings.ToUpper(good), good[:79] + "g", good[:79] + "\n",
		strings.Repeat("0", 16) + good[16:], "8" + strings.Repeat("0", 15) + good[16:]} {
		if _, err := l.client().Entries(context.Background(), []UUID{UUID(bad)}); err == nil {
			t.Errorf("UUID %q was sent", bad)
		}
	}
	if len(l.requests) != 0 {
		t.Errorf("requests %v", l.requests)
	}
	if u, err := ParseUUID(strings.ToUpper(good)); err != nil || string(u) != good {
		t.Errorf("upper case: %q, %v", u, err)
	}
	if id := UUID("x").TreeID(); id != "" {
		t.Errorf("tree ID %q of what isn't a UUID", id)
	}
}

// Trouble that passes is waited out; trouble that stays is the exchange's
// error, not a missing entry.
func TestTrouble(t *testing.T) {
	for _, status := range []int{429, 503} {
		l := newLog(t, 3)
		failures := 2
		l.raw = func(_ string, w http.ResponseWriter) bool {
			failures--
			if failures >= 0 {
				w.WriteHeader(status)
			}
			return failures >= 0
		}
		if entries, err := l.client().Entries(context.Background(), l.uuids(1)); err != nil || len(entries) != 1 {
			t.Errorf("%d twice: %v", status, err)
		}
		failures = 1000
		_, err := l.client().Entries(context.Background(), l.uuids(1))
		var failed *fetch.Error
		if !errors.As(err, &failed) || failed.Status != status || failed.Tries != 6 {
			t.Errorf("%d forever: %v", status, err)
		}
	}
	l := newLog(t, 3)
	l.raw = func(_ string, w http.ResponseWriter) bool {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "[")
		return true
	}
	_, err := l.client().Entries(context.Background(), l.uuids(1))
	var failed *fetch.Error
	if !errors.As(err, &failed) || !errors.Is(err, io.ErrUnexpectedEOF) || failed.Tries != 6 {
		t.Errorf("body always cut short: %v", err)
	}
}
