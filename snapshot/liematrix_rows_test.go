package snapshot_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/merkle"
	"github.com/modseal/modseal/verify"
)

// republish replaces what was published for the module.
func (l *liar) republish(edit func(e *evidence.Entry)) {
	h, i := l.honest(), l.index(plain)
	e := &evidence.Entry{
		V2: true, Body: h.Leaf(i), LogID: l.v2.Log.LogID(), Inclusion: h.Inclusion(i, h.Size()), Checkpoint: h.checkpoint(h.Size()),
		Timestamps: [][]byte{l.tsa.Stamp(l.bob.Sign(l.mod(plain).h1()), testlog.Epoch())},
	}
	edit(e)
	write(l, l.path("published/"+plain+".sigstore.json"), l.file(e))
}

// leaves are swapped, or of another module.
func leaves() []row {
	evilRecord := func(l *liar) func(r *http.Request, a *testlog.Answer) {
		good, bad := sum(l.mod(plain).h1()), sum([32]byte{1})
		return func(r *http.Request, a *testlog.Answer) { a.Body = bytes.ReplaceAll(a.Body, []byte(good), []byte(bad)) }
	}
	swapped := kinds("a swapped leaf", verify.Invalid, unproven, func(l *liar, _ *bundles.Payload, log *bundles.Log) {
		i := slices.IndexFunc(log.Entries, func(e bundles.Entry) bool { return e.Index == l.index(plain) })
		other := map[bundles.Kind]string{bundles.SumDB: strings.Replace(log.Entries[i].Leaf, sum(l.mod(plain).h1()), sum([32]byte{1}), 1),
			bundles.RekorV1: string(l.alice.Body([32]byte{1})), bundles.RekorV2: string(l.bob.BodyV2([32]byte{1}))}
		if log.Entries[i].Leaf = other[l.kind]; l.kind == bundles.RekorV1 {
			log.Entries[i].SET = l.resigned(log.Entries[i])
		}
	}, map[bundles.Kind]told{
		bundles.SumDB: {func(l *liar) { l.db.Edit.Set(evilRecord(l)) }, "a record is not in the tree"},
		bundles.RekorV1: {func(l *liar) {
			l.rekor.Edit.Set(inOne(l.uuid(l.mod(plain).h1()), func(e map[string]any) {
				body := l.alice.Body([32]byte{1})
				e["body"] = base64.StdEncoding.EncodeToString(body)
			}))
		}, "differs from its UUID"},
		bundles.RekorV2: {func(l *liar) {
			l.republish(func(e *evidence.Entry) {
				e.Body = testlog.HashedRekordV2(l.mod(plain).h1(), l.bob.Sign([32]byte{1}), l.bob.PEM)
			})
		}, "root"},
	})
	replayed := kinds("a replayed entry of another module", verify.Mismatch, "content differs from what was signed", (*liar).replayed, map[bundles.Kind]told{
		bundles.SumDB: {func(l *liar) {
			upperPath := "/lookup/example.com/!upper@v1.0.0"
			l.front = func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/lookup/"+plain) {
					r.URL.Path = upperPath
				}
				l.db.ServeHTTP(w, r)
			}
		}, "is of example.com/Upper@v1.0.0"},
		bundles.RekorV1: {func(l *liar) {
			zip, h1, other := l.mod(plain).zipDigest(), l.mod(plain).h1(), l.uuid(l.mod(upper).h1())
			l.rekor.Edit.Set(func(r *http.Request, a *testlog.Answer) {
				if strings.Contains(r.URL.Path, search) && (bytes.Contains(a.Body, []byte(l.uuid(zip))) || bytes.Contains(a.Body, []byte(l.uuid(h1)))) {
					a.Body = fmt.Appendf(nil, "[%q]", other)
				}
			})
		}, "over another digest"},
		bundles.RekorV2: {func(l *liar) {
			write(l, l.path("published/"+plain+".sigstore.json"), string(read(l, l.path("published/"+upper+".sigstore.json"))))
		}, "modules lack evidence"},
	})
	replayed[0].status, replayed[0].says = verify.NotLogged, "no evidence" // a record names its module
	return append(swapped, replayed...)
}

// replayed leaves what speaks of the module out of a bundle, and lists another
// module's entries for it.
func (l *liar) replayed(p *bundles.Payload, log *bundles.Log) {
	at := func(path string) *bundles.Module {
		return &p.Manifest.Modules[slices.IndexFunc(p.Manifest.Modules, func(m bundles.Module) bool { return m.Path == path })]
	}
	gone := at(plain).Entries
	at(plain).Entries = slices.Clone(at(upper).Entries)
	log.Entries = slices.DeleteFunc(log.Entries, func(e bundles.Entry) bool {
		return slices.ContainsFunc(gone, func(r bundles.Ref) bool { return r.Index == e.Index })
	})
	var indexes []uint64
	for _, e := range log.Entries {
		indexes = append(indexes, e.Index)
	}
	log.Proof = l.honest().Multiproof(log.Proof.Size, indexes...)
}

// heads are of a wrong size, or old.
func heads() []row {
	resized := func(by int) func(h *history) merkle.Tree {
		return func(h *history) merkle.Tree {
			return merkle.Tree{Size: h.Size() + uint64(by), Root: h.Head(h.Size()).Root}
		}
	}
	sealed := func(head func(h *history) merkle.Tree) func(l *liar, _ *bundles.Payload, log *bundles.Log) {
		return func(l *liar, _ *bundles.Payload, log *bundles.Log) {
			log.Checkpoint = l.honest().sign(head(l.honest()))
		}
	}
	tell := func(head func(h *history) merkle.Tree) func(l *liar) { return func(l *liar) { l.signed(head) } }
	withOld := func(l *liar) { // it is the newest that there is
		l.rekor.HeadSize = func(e testlog.Entry) uint64 { return e.Index + 1 }
		l.signed(resized(-1))
	}
	old := func(h *history) merkle.Tree { return h.Head(4) }
	return slices.Concat(
		refused(verify.RefusedUnproven, kinds("the root at a size that is too large", verify.Invalid, unproven, sealed(resized(1)), map[bundles.Kind]told{
			bundles.SumDB: {tell(resized(1)), "404"}, bundles.RekorV1: {tell(resized(1)), "status 400"},
			bundles.RekorV2: {tell(resized(1)), fine}, // its tiles are not there: as published
		})),
		refused(verify.RefusedRollback, kinds("the root at a size that is too small", verify.Invalid, unproven, sealed(resized(-1)), map[bundles.Kind]told{
			bundles.SumDB:   {tell(resized(-1)), forkedDB}, // a record came with a larger one
			bundles.RekorV1: {withOld, "does not lead to the head"}, bundles.RekorV2: {tell(resized(-1)), "tiles"},
		})),
		// what is older than what came with the entries is not the newest
		refused(verify.RefusedRollback, kinds("a stale head", verify.Invalid, unproven, sealed(old), map[bundles.Kind]told{
			bundles.SumDB: {tell(old), fine}, bundles.RekorV1: {tell(old), fine}, bundles.RekorV2: {tell(old), "it was rolled back"},
		})),
		[]row{{lie: "a stale head, and no other", kind: bundles.SumDB, tell: func(l *liar) {
			l.db.HeadSize = func(uint64) uint64 { return 2 }
			l.signed(func(h *history) merkle.Tree { return h.Head(2) })
		}, collect: "in a tree of size 2"}},
	)
}

// places are those of other entries.
func places() []row {
	moved := kinds("the index of another entry", verify.Invalid, unproven, func(l *liar, p *bundles.Payload, log *bundles.Log) {
		from := l.index(plain)
		to := from + 1 // of a stranger
		i := slices.Index(log.Proof.Indexes, from)
		log.Entries[i].Index, log.Proof.Indexes[i] = to, to
		log.Proof = l.honest().Multiproof(log.Proof.Size, log.Proof.Indexes...)
		for m := range p.Manifest.Modules {
			for r := range p.Manifest.Modules[m].Entries {
				if ref := &p.Manifest.Modules[m].Entries[r]; ref.Index == from {
					ref.Index = to
				}
			}
		}
	}, map[bundles.Kind]told{
		bundles.SumDB: {func(l *liar) {
			id := l.index(plain)
			l.db.Edit.Set(func(r *http.Request, a *testlog.Answer) {
				if strings.HasPrefix(r.URL.Path, "/lookup/"+plain) {
					a.Body = bytes.Replace(a.Body, fmt.Appendf(nil, "%d\n", id), fmt.Appendf(nil, "%d\n", id+1), 1)
				}
			})
		}, "a record is not in the tree"},
		bundles.RekorV1: {func(l *liar) {
			l.rekor.Edit.Set(inOne(l.uuid(l.mod(plain).h1()), func(e map[string]any) {
				e["verification"].(map[string]any)["inclusionProof"].(map[string]any)["logIndex"] = l.index(plain) - 1
			}))
		}, "inclusion proof fails"},
		bundles.RekorV2: {func(l *liar) {
			l.republish(func(e *evidence.Entry) { e.Inclusion.Index++ })
		}, "root"},
	})
	// The index over all shards is the log's word alone: no tree has it, and nothing
	// hangs on it but how people name the entry.
	return append(moved, row{lie: "the index over all shards of another entry, signed", kind: bundles.RekorV1, status: verify.Verified, tell: func(l *liar) {
		l.rekor.Edit.Set(inOne(l.uuid(l.mod(plain).h1()), func(e map[string]any) {
			i := l.index(plain)
			entry := bundles.Entry{Leaf: string(l.honest().Leaf(i)), LogIndex: i + 1, IntegratedTime: testlog.Epoch().Unix() + int64(i)}
			e["logIndex"] = entry.LogIndex
			e["verification"].(map[string]any)["signedEntryTimestamp"] = base64.StdEncoding.EncodeToString(l.resigned(entry))
		}))
	}, collect: fine, seal: func(l *liar, _ *bundles.Payload, log *bundles.Log) {
		e := &log.Entries[slices.Index(log.Proof.Indexes, l.index(plain))]
		e.LogIndex++
		e.SET = l.resigned(*e)
	}})
}
