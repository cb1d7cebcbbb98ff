package snapshot_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/merkle"
	"github.com/modseal/modseal/verify"
)

// splits show different histories to different requests. What is at hand of a log of
// Rekor v2 when its tiles can't be had are publishers' proofs at several heads: nothing
// tells whether these are of one history, and all are sealed (TestLogsAsPublished).
func splits() []row {
	two := func(l *liar) { // to publishers
		e := l.blobV2(l.mod(plain).zipDigest())
		h, twin := l.honest(), l.twin(0, forked)
		e.Inclusion, e.Checkpoint = twin.Inclusion(e.Inclusion.Index, h.Size()), twin.checkpoint(h.Size())
		good := *e
		good.Inclusion, good.Checkpoint = h.Inclusion(e.Inclusion.Index, h.Size()), h.checkpoint(h.Size())
		l.publish("good.sigstore.json", l.file(&good))
		l.publish("twin.sigstore.json", l.file(e))
	}
	rows := kinds("two heads of one size", verify.Unchecked, "sorted", both(0), map[bundles.Kind]told{
		bundles.SumDB:   {func(l *liar) { serve(l.twin(0, forked), l, "/latest") }, forkedDB},
		bundles.RekorV1: {func(l *liar) { serve(l.twin(0, forked), l, retrieve) }, forkedRekor},
		bundles.RekorV2: {two, forkedRekor},
	})
	rows = append(rows, refused(verify.RefusedUnproven, kinds("two heads of two sizes, of which neither begins with the other", verify.Verified, "", both(1), map[bundles.Kind]told{
		bundles.SumDB:   {func(l *liar) { serve(l.twin(5, forked), l, "/latest", "/tile/") }, forkedDB},
		bundles.RekorV1: {func(l *liar) { serve(l.twin(5, forked), l, "/api/v1/log ", proof) }, forkedRekor},
		bundles.RekorV2: {func(l *liar) { serve(l.twin(5, forked), l, "checkpoint", "/tile/") }, "does not begin with the tree of"},
	}))...)
	rows = append(rows, refused(verify.RefusedFork, kinds("a larger history for one enclave, which proves it", verify.Verified, "", other, nil))...)
	rows = append(rows, splitsOfSumDB()...)
	rows = append(rows, splitsOfRekorV1()...)
	return append(rows, row{lie: "a head of another history, without its tiles", kind: bundles.RekorV2, collect: fine, // as published
		tell: func(l *liar) { serve(l.twin(5, forked), l, "checkpoint") }})
}

// splitsOfSumDB are in one of the places where a snapshot sees heads alone.
func splitsOfSumDB() []row {
	withGo := func(how func(l *liar, goPath, goCache string)) func(l *liar) {
		return func(l *liar) {
			l.env["GOPATH"] = l.path("gopath")
			how(l, filepath.Join(l.path("gopath"), "pkg", "sumdb", l.db.Name), filepath.Join(l.env["GOMODCACHE"], "cache", "download", "sumdb", l.db.Name))
		}
	}
	return []row{
		{lie: "another history in lookups", kind: bundles.SumDB, collect: forkedDB, tell: func(l *liar) {
			serve(l.twin(5, forked), l, "/lookup/", "/tile/")
		}},
		{lie: "another history in lookups, without its tiles", kind: bundles.SumDB, collect: "404", tell: func(l *liar) {
			serve(l.twin(5, forked), l, "/lookup/")
		}},
		{lie: "another history in lookups, if modules may be missing", kind: bundles.SumDB, collect: forkedDB, tell: func(l *liar) {
			l.request.AllowMissing = true
			serve(l.twin(0, forked), l, "/lookup/")
		}},
		{lie: "another history to the go command", kind: bundles.SumDB, collect: forkedDB, tell: withGo(func(l *liar, goPath, _ string) {
			write(l, filepath.Join(goPath, "latest"), string(l.twin(0, forked).checkpoint(10)))
		})},
		{lie: "another history in a record of the go command", kind: bundles.SumDB, collect: forkedDB, tell: withGo(func(l *liar, _, goCache string) {
			name := "/lookup/" + l.mod(plain).String()
			answer := httptest.NewRecorder()
			l.db.ServeHTTP(answer, httptest.NewRequest("GET", name, nil))
			write(l, filepath.Join(goCache, name), answer.Body.String())
			serve(l.twin(5, forked), l, "")
		})},
		{lie: "damaged head of the go command", kind: bundles.SumDB, collect: fine, tell: withGo(func(l *liar, goPath, _ string) {
			write(l, filepath.Join(goPath, "latest"), string(l.twin(0, forked).checkpoint(10)[1:]))
		})},
	}
}

// splitsOfRekorV1 are with what is not in the bundle alone.
func splitsOfRekorV1() []row {
	return []row{
		{lie: "another history in the first list", kind: bundles.RekorV1, collect: forkedRekor, tell: func(l *liar) {
			twin := l.twin(0, forked)
			l.signed(func(*history) merkle.Tree { return twin.Head(10) })
			lying := l.front
			var asked atomic.Int64
			l.front = func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == log && asked.Add(1) > 1 {
					lying = l.own().ServeHTTP
				}
				lying(w, r)
			}
		}},
		{lie: "another history with an entry that is not kept", kind: bundles.RekorV1, collect: forkedRekor, tell: func(l *liar) {
			uuid := l.named()
			twin := l.twin(0, forked)
			seen := twin.Size()
			twin.Handler.(*testlog.Rekor).HeadSize = func(testlog.Entry) uint64 { return seen }
			for range 3 {
				l.noise()
			}
			l.rekor.HeadSize = func(e testlog.Entry) uint64 { return e.Index + 1 } // of those that are kept, all older
			answer := httptest.NewRecorder()
			twin.ServeHTTP(answer, httptest.NewRequest("POST", "/api/v1/log"+retrieve, strings.NewReader(fmt.Sprintf(`{"entryUUIDs":[%q]}`, uuid))))
			var entries []map[string]map[string]any
			if err := json.Unmarshal(answer.Body.Bytes(), &entries); err != nil {
				l.Fatal(err)
			}
			l.rekor.Edit.Set(inOne(uuid, func(e map[string]any) {
				clear(e)
				maps.Copy(e, entries[0][uuid])
			}))
		}},
		{lie: "another history with an entry in the cache that is not kept", kind: bundles.RekorV1, collect: forkedRekor, tell: func(l *liar) {
			uuid := l.named()
			l.request.CacheDir = l.path("fetched")
			l.take()
			gone := 0
			err := filepath.WalkDir(l.path("fetched/rekor"), func(name string, d fs.DirEntry, err error) error {
				if err == nil && !d.IsDir() && d.Name() != uuid {
					gone++
					err = os.Remove(name)
				}
				return err
			})
			if err != nil || gone == 0 || os.Remove(l.request.Output) != nil {
				l.Fatal(gone, err)
			}
			twin := l.twin(5, forked)
			twin.Handler.(*testlog.Rekor).AddToIndex(l.mod(plain).h1(), uuid)
			serve(twin, l, "")
		}},
	}
}

// named logs a stranger's entry, which the index names for the module.
func (l *liar) named() string {
	l.Helper()
	for range 2 { // its tree is not of a power of two, of which a consistency proof leaves out the root
		l.noise()
	}
	uuid := fmt.Sprintf("%016x%x", treeID(l.world), merkle.LeafHash(l.honest().Leaf(l.honest().Size()-1)))
	l.rekor.AddToIndex(l.mod(plain).h1(), uuid)
	return uuid
}

// other seals all entries in another history, which is larger, with a proof that it
// begins as it does.
func other(l *liar, p *bundles.Payload, log *bundles.Log) {
	h, before := l.twin(5, forked), log.Proof.Size
	log.Proof, log.Checkpoint = h.Multiproof(h.Size(), log.Proof.Indexes...), h.checkpoint(h.Size())
	log.Earlier = []bundles.Consistency{bundles.NewConsistency(before, h.Consistency(before, h.Size()))}
}

// both seals the entries at two heads, of which the other is so much larger. Each
// head is signed, and each entry in it true. Heads are compared by those who have
// seen others: a snapshot what it was shown, an enclave what it has accepted.
func both(more int) func(l *liar, p *bundles.Payload, log *bundles.Log) {
	return func(l *liar, p *bundles.Payload, log *bundles.Log) {
		h := l.twin(more, forked)
		other := *log
		other.Proof, other.Checkpoint = h.Multiproof(h.Size(), log.Proof.Indexes...), h.checkpoint(h.Size())
		p.Logs = append(p.Logs, other)
		for i := range p.Manifest.Modules {
			m := &p.Manifest.Modules[i]
			for _, r := range slices.Clone(m.Entries) {
				m.Entries = append(m.Entries, bundles.Ref{Log: 1, Index: r.Index})
			}
		}
		p.Manifest.Sort()
	}
}
