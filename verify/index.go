package verify

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"slices"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/evidence"
)

// index finds the entries that speak of a module or an artifact: by what the
// entries say, not by what the manifest claims of them. Of each it has read no more
// than that: a bundle may be of many projects, and what is not asked for is neither
// parsed nor verified.
type index struct {
	bundle  *bundles.Bundle
	logs    []provenLog
	records map[string][]entryRef // of checksum databases, by evidence.RecordKey
	digests []digestRef           // of Rekor logs, sorted
	signers *signerCheck
}

// digestRef is an entry that may be about a digest with this beginning.
type digestRef struct {
	begin      uint64 // its first 8 bytes
	log, entry uint32 // places in index.logs, and among its entries
}

func compareDigestRefs(a, b digestRef) int {
	return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.log, b.log), cmp.Compare(a.entry, b.entry))
}

// beginOf is the beginning of a digest.
func beginOf(d evidence.Digest) uint64 {
	sum, err := hex.DecodeString(d.Hex)
	if err != nil || len(sum) < 8 {
		return 0 // no digest: nothing is about it
	}
	return binary.BigEndian.Uint64(sum)
}

// indexEntries finds out of what the entries of all logs may speak.
func indexEntries(b *bundles.Bundle, logs []provenLog, signers *signerCheck) *index {
	x := &index{bundle: b, logs: logs, records: map[string][]entryRef{}, signers: signers}
	for i := range logs {
		l := &logs[i]
		for j := range l.Entries {
			e := &l.Entries[j]
			if l.Kind == bundles.SumDB {
				if key := evidence.RecordKeyOf(e.Leaf); key != "" {
					x.records[key] = append(x.records[key], entryRef{l, e})
				}
				continue
			}
			for _, d := range evidence.MayBeAbout(l.Log, e) {
				x.digests = append(x.digests, digestRef{beginOf(d), uint32(i), uint32(j)})
			}
		}
	}
	slices.SortFunc(x.digests, compareDigestRefs)
	x.digests = slices.Compact(x.digests)
	return x
}

// recordsOf are the leaves that begin as a record of the module does.
func (x *index) recordsOf(m module.Version) []entryRef {
	return x.records[evidence.RecordKey(m.Path, m.Version)]
}

// over judges the entries that are over a digest. What says what has it.
func (x *index) over(d evidence.Digest, what string) []*signedPiece {
	var out []*signedPiece
	at, _ := slices.BinarySearchFunc(x.digests, digestRef{begin: beginOf(d)}, compareDigestRefs)
	for _, r := range x.digests[at:] {
		if r.begin != beginOf(d) {
			break
		}
		l := &x.logs[r.log]
		e := &l.Entries[r.entry]
		if p := x.signers.check(entryRef{l, e}, what, d); p != nil { // else it is about one that begins in the same way
			out = append(out, p)
		}
	}
	return out
}

// claimed is what the manifest says of a module; nil if nothing.
func (x *index) claimed(m module.Version) *bundles.Module {
	all := x.bundle.Manifest.Modules // sorted, as bundles.Open demands
	i, ok := slices.BinarySearchFunc(all, bundles.Module{Path: m.Path, Version: m.Version}, bundles.CompareModules)
	if !ok {
		return nil
	}
	return &all[i]
}

// ref is the entry that the manifest refers to, of which bundles.Open demands that it
// is there.
func (x *index) ref(r bundles.Ref) entryRef {
	e, _ := x.logs[r.Log].Entry(r.Index)
	return entryRef{&x.logs[r.Log], e}
}
