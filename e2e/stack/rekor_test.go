package stack_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modseal/modseal/e2e/stack"
)

func start(t *testing.T, opts stack.Options) client {
	t.Helper()
	rekor, err := stack.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rekor.Close(); err != nil {
			t.Error(err)
		}
	})
	return client{t, rekor}
}

// A Rekor that is started takes entries, finds them, proves them, refuses what it has, and signs with the key it reports.
func TestRekor(t *testing.T) {
	c := start(t, stack.Options{Dir: t.TempDir()})
	alice := newSigner(t)
	first := alice.hashedrekord([]byte("first"))

	empty := c.log()
	if empty.TreeSize != 0 || empty.TreeID != c.rekor.TreeID {
		t.Fatalf("new log is %+v, want an empty one with tree ID %s", empty, c.rekor.TreeID)
	}
	var created map[string]entry
	c.ask("POST", "/api/v1/log/entries", first, 201, &created)
	uuid, e := only(t, created)
	if err := e.check(); err != nil {
		t.Error(err)
	}
	c.find(digestOf([]byte("first")), uuid)
	c.retrieve([]string{uuid})
	c.refuseAgain(first, uuid)

	one := c.log()
	if one.TreeSize != 1 {
		t.Fatalf("tree size is %d after one entry and its repetition, want 1", one.TreeSize)
	}
	c.addInParallel(alice, 20)
	many := c.log()
	if many.TreeSize != 21 {
		t.Fatalf("tree size is %d, want 21", many.TreeSize)
	}
	for _, from := range []logInfo{one, c.headAt(8), c.headAt(13)} {
		c.consistent(from, many)
	}
	checkCheckpoint(t, many.SignedTreeHead, c.rekor.PublicKeyPath, stack.DefaultHostname)
}

// find polls the index, which is written after the answer to a POST, until it has uuid for a digest.
func (c client) find(digest, uuid string) {
	c.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		var found []string
		c.ask("POST", "/api/v1/index/retrieve", map[string]string{"hash": "sha256:" + digest}, 200, &found)
		if slices.Equal(found, []string{uuid}) {
			return
		}
		if len(found) > 0 || time.Now().After(deadline) {
			c.Fatalf("search for %s found %q, want %s", digest, found, uuid)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// retrieve gets entries by UUID and follows their proofs.
func (c client) retrieve(uuids []string) {
	c.Helper()
	var got []map[string]entry
	c.ask("POST", "/api/v1/log/entries/retrieve", map[string]any{"entryUUIDs": uuids}, 200, &got)
	if len(got) != len(uuids) {
		c.Fatalf("%d entries for %d UUIDs", len(got), len(uuids))
	}
	for i := range got {
		uuid, e := only(c.T, got[i])
		if uuid != uuids[i] {
			c.Errorf("entry %d has UUID %s, want %s", i, uuid, uuids[i])
		}
		if err := e.check(); err != nil {
			c.Error(err)
		}
	}
}

// refuseAgain posts what is in the log.
func (c client) refuseAgain(proposed any, uuid string) {
	c.Helper()
	got, err := c.do("POST", "/api/v1/log/entries", proposed)
	if err != nil {
		c.Fatal(err)
	}
	if got.status != 409 || !strings.HasSuffix(got.location, "/api/v1/log/entries/"+uuid) {
		c.Fatalf("status %d, Location %q for a known entry, want 409 and …/%s: %s", got.status, got.location, uuid, got.body)
	}
}

// addInParallel posts n artifacts at once, checks the answers' proofs and gets them all again.
func (c client) addInParallel(s signer, n int) {
	c.Helper()
	uuids := make([]string, n)
	indexes := make([]uint64, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			got, err := c.do("POST", "/api/v1/log/entries", s.hashedrekord(fmt.Appendf(nil, "artifact %d", i)))
			if err != nil {
				c.Error(err)
				return
			}
			var created map[string]entry
			if err := json.Unmarshal(got.body, &created); err != nil || got.status != 201 || len(created) != 1 {
				c.Errorf("status %d, error %v: %s", got.status, err, got.body)
				return
			}
			for uuid, e := range created {
				uuids[i], indexes[i] = uuid, e.LogIndex
				if err := e.check(); err != nil {
					c.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if c.Failed() {
		c.FailNow()
	}
	slices.Sort(indexes)
	for i, index := range indexes {
		if index != uint64(i)+1 {
			c.Fatalf("log indexes are %d, want 1 to %d", indexes, n)
		}
	}
	for batch := range slices.Chunk(uuids, 10) { // Rekor's limit for one request
		c.retrieve(batch)
	}
}

// headAt computes the log's head at an earlier size from the bodies of its entries, as no request asks for one.
func (c client) headAt(size uint64) logInfo {
	c.Helper()
	leaves := make([][]byte, size)
	for i := range leaves {
		var got map[string]entry
		c.ask("GET", fmt.Sprintf("/api/v1/log/entries?logIndex=%d", i), nil, 200, &got)
		_, e := only(c.T, got)
		leaves[i] = leafHash(e.Body)
	}
	return logInfo{TreeSize: size, RootHash: fmt.Sprintf("%x", treeHash(leaves))}
}

// consistent asks for the proof between two heads and checks it.
func (c client) consistent(old, now logInfo) {
	c.Helper()
	var proof struct {
		Hashes   []string
		RootHash string
	}
	path := fmt.Sprintf("/api/v1/log/proof?firstSize=%d&lastSize=%d&treeID=%s", old.TreeSize, now.TreeSize, now.TreeID)
	c.ask("GET", path, nil, 200, &proof)
	if proof.RootHash != now.RootHash {
		c.Errorf("proof names root %s, the log %s", proof.RootHash, now.RootHash)
	}
	hashes, err := unhex(append(proof.Hashes, old.RootHash, now.RootHash))
	if err != nil {
		c.Fatal(err)
	}
	n := len(proof.Hashes)
	if err := checkConsistency(old.TreeSize, now.TreeSize, hashes[n], hashes[n+1], hashes[:n]); err != nil {
		c.Errorf("from size %d to %d: %v", old.TreeSize, now.TreeSize, err)
	}
}

// Of the same entry posted many times at once, one is logged and the others are told where.
func TestDuplicatesAtOnce(t *testing.T) {
	c := start(t, stack.Options{Dir: t.TempDir()})
	proposed := newSigner(t).hashedrekord([]byte("once"))
	statuses := make([]int, 16)
	var wg sync.WaitGroup
	for i := range statuses {
		wg.Go(func() {
			got, err := c.do("POST", "/api/v1/log/entries", proposed)
			if err != nil {
				t.Error(err)
			}
			statuses[i] = got.status
		})
	}
	wg.Wait()
	slices.Sort(statuses)
	want := append([]int{201}, slices.Repeat([]int{409}, len(statuses)-1)...)
	if !slices.Equal(statuses, want) {
		t.Errorf("statuses %d, want one 201 and the others 409", statuses)
	}
	if size := c.log().TreeSize; size != 1 {
		t.Errorf("tree size is %d, want 1", size)
	}
}

// Attestations of intoto entries are served with the entry when that is asked for, and not otherwise.
func TestAttestations(t *testing.T) {
	statement := []byte(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"a","digest":{"sha256":"` +
		digestOf([]byte("a")) + `"}}],"predicateType":"https://modseal.test/predicate","predicate":{}}`)
	for _, stored := range []bool{true, false} {
		t.Run(fmt.Sprint(stored), func(t *testing.T) {
			c := start(t, stack.Options{Dir: t.TempDir(), Attestations: stored, Hostname: "other.modseal.test"})
			var got map[string]entry
			c.ask("POST", "/api/v1/log/entries", newSigner(t).intoto(statement), 201, &got)
			uuid, e := only(t, got)
			checkCheckpoint(t, e.Verification.InclusionProof.Checkpoint, c.rekor.PublicKeyPath, "other.modseal.test")
			c.find(digestOf([]byte("a")), uuid)

			want := ""
			if stored {
				want = string(statement)
			}
			// Like the index, the attestation is written after the answer.
			deadline := time.Now().Add(10 * time.Second)
			for {
				c.ask("GET", "/api/v1/log/entries/"+uuid, nil, 200, &got)
				_, e = only(t, got)
				if string(e.Attestation.Data) == want {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("attestation is %q, want %q", e.Attestation.Data, want)
				}
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
}

// A state folder keeps its key; the log in it starts anew.
func TestStateFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "by", "start")
	c := start(t, stack.Options{Dir: dir})
	var created map[string]entry
	c.ask("POST", "/api/v1/log/entries", newSigner(t).hashedrekord([]byte("x")), 201, &created)
	if err := c.rekor.Close(); err != nil {
		t.Fatal(err)
	}
	again := start(t, stack.Options{Dir: dir})
	if size := again.log().TreeSize; size != 0 || again.rekor.TreeID == c.rekor.TreeID {
		t.Errorf("tree %s has size %d, want an empty new one", again.rekor.TreeID, size)
	}
	_, first := only(t, created)
	checkCheckpoint(t, first.Verification.InclusionProof.Checkpoint, again.rekor.PublicKeyPath, stack.DefaultHostname)
	if info, err := os.Stat(again.rekor.LogPath); err != nil || info.Size() == 0 {
		t.Errorf("log file: %v, %v", info, err)
	}
}
