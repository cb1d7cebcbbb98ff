package diff

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/internal/seal"
	"github.com/modseal/modseal/merkle"
)

// Evidence is a log entry that is in one of the bundles alone; or in both, and
// speaks of other modules, or has more or less beside it, such as a time stamp.
type Evidence struct {
	Change string `json:"change"`
	Kind   string `json:"kind"` // of the log
	Log    string `json:"log"`
	LogID  string `json:"logID,omitempty"`
	Index  uint64 `json:"index"` // in the log; of Rekor v1 over all shards
	What   string `json:"what"`  // record, signature, statement, or what can't be read
	Digest string `json:"digest,omitempty"`
	Signer string `json:"signer,omitempty"`
	// Of are the modules and artifacts for which the bundle lists it, the newer one
	// if both have it.
	Of []string `json:"of,omitempty"`
}

// entryKey tells entries apart: a log has one leaf at an index, and if two bundles
// have different ones there, each is an entry.
type entryKey struct {
	log   int // of logNumbers
	index uint64
	leaf  merkle.Hash
}

// logNumbers numbers the logs of both bundles, in their order.
func logNumbers(old, new *bundles.Bundle) map[bundles.LogKey]int {
	out := map[bundles.LogKey]int{}
	for _, b := range []*bundles.Bundle{old, new} {
		for i := range b.Logs {
			out[b.Logs[i].Key()] = 0
		}
	}
	for i, k := range slices.SortedFunc(maps.Keys(out), bundles.LogKey.Compare) {
		out[k] = i
	}
	return out
}

// entry is an entry of a bundle, without what the log signs anew each time.
type entry struct {
	Evidence
	Rest   bundles.Entry `json:"rest"`
	signed string
}

func (d *Diff) evidence(old, new *bundles.Bundle) {
	d.Evidence = []Evidence{}
	logs := logNumbers(old, new)
	before, after := entriesOf(old, logs), entriesOf(new, logs)
	signedBefore, signedAfter := map[string]string{}, map[string]string{}
	for i, j := 0, 0; i < len(before.all) || j < len(after.all); {
		order := 0
		switch {
		case i == len(before.all):
			order = 1
		case j == len(after.all):
			order = -1
		default:
			order = before.all[i].compare(after.all[j].entryKey)
		}
		var a, b *entry
		if order <= 0 {
			a = before.describe(i)
			i++
		}
		if order >= 0 {
			b = after.describe(j)
			j++
		}
		note(signedBefore, a)
		note(signedAfter, b)
		change := changeOf(a != nil, b != nil, sameJSON(a, b))
		shown := b
		switch {
		case change == "":
			if a.signed != b.signed {
				d.Resigned++
			}
			continue
		case b == nil:
			shown = a
		}
		shown.Change = change
		d.Evidence = append(d.Evidence, shown.Evidence)
	}
	d.Signers = items(signedBefore, signedAfter)
}

func note(signers map[string]string, e *entry) {
	if e != nil && e.Signer != "" {
		signers[e.Signer] = ""
	}
}

// entries are where the entries of a bundle are, sorted, each once. They are described
// one by one: a description takes more memory than what it is of.
type entries struct {
	b   *bundles.Bundle
	all []entryPlace
}

type entryPlace struct {
	entryKey
	at, entry int32   // log and entry of the bundle
	of        []int32 // what lists it: a module, or behind all of them an artifact; sorted, each once
}

func (k entryKey) compare(other entryKey) int {
	return cmp.Or(cmp.Compare(k.log, other.log), cmp.Compare(k.index, other.index), bytes.Compare(k.leaf[:], other.leaf[:]))
}

// entriesOf are the entries of all logs. One that is proven in several trees is
// one.
func entriesOf(b *bundles.Bundle, logs map[bundles.LogKey]int) entries {
	key := func(l *bundles.Log, e *bundles.Entry) entryKey { return entryKey{logs[l.Key()], e.Index, e.LeafHash()} }
	n := 0
	for i := range b.Logs {
		n += len(b.Logs[i].Entries)
	}
	all := make([]entryPlace, 0, n)
	for i := range b.Logs {
		for j := range b.Logs[i].Entries {
			all = append(all, entryPlace{entryKey: key(&b.Logs[i], &b.Logs[i].Entries[j]), at: int32(i), entry: int32(j)})
		}
	}
	slices.SortStableFunc(all, func(a, b entryPlace) int { return a.compare(b.entryKey) })
	all = slices.CompactFunc(all, func(a, b entryPlace) bool { return a.entryKey == b.entryKey })
	list := func(by int, refs []bundles.Ref) {
		for _, r := range refs {
			l := &b.Logs[r.Log]
			e, _ := l.Entry(r.Index) // it is there: the bundle was opened
			at, _ := slices.BinarySearchFunc(all, key(l, e), func(p entryPlace, k entryKey) int { return p.compare(k) })
			p := &all[at]
			if n := len(p.of); n == 0 || p.of[n-1] != int32(by) {
				p.of = append(p.of, int32(by))
			}
		}
	}
	m := &b.Manifest
	for i := range m.Modules {
		list(i, m.Modules[i].Entries)
	}
	for i := range m.Artifacts {
		list(len(m.Modules)+i, m.Artifacts[i].Entries)
	}
	return entries{b, all}
}

// describe describes entry i.
func (e entries) describe(i int) *entry {
	p := &e.all[i]
	l := &e.b.Logs[p.at]
	out := describe(l, &l.Entries[p.entry])
	for _, by := range p.of {
		out.Of = append(out.Of, listedAs(&e.b.Manifest, int(by)))
	}
	slices.Sort(out.Of)
	out.Of = slices.Compact(out.Of)
	return out
}

// listedAs names what lists an entry.
func listedAs(m *bundles.Manifest, by int) string {
	if by < len(m.Modules) {
		return m.Modules[by].Path + "@" + m.Modules[by].Version
	}
	a := &m.Artifacts[by-len(m.Modules)]
	return "artifact " + cmp.Or(a.Name, a.SHA256, a.SHA384, a.SHA512)
}

func describe(l *bundles.Log, e *bundles.Entry) *entry {
	out := &entry{Evidence: Evidence{Kind: string(l.Kind), Log: l.Name, LogID: l.LogID, Index: e.Index}, Rest: *e, signed: string(e.SET)}
	out.Rest.SET = nil
	if l.Kind == bundles.SumDB {
		out.What = "what is no record"
		if r, err := evidence.ParseRecord(e.Leaf); err == nil {
			out.What, out.Digest = "record of "+r.Module.String(), r.H1.String()
		}
		return out
	}
	if l.Kind == bundles.RekorV1 {
		out.Index = e.LogIndex
	}
	out.What = "what this version does not read"
	of, err := evidence.OfBundle(l, e, merkle.Inclusion{})
	if err != nil {
		return out
	}
	c, err := of.Claim()
	if err != nil {
		return out
	}
	out.What, out.Digest, out.Signer = "signature", c.Digest.String(), Signer(c)
	if c.Statement != nil {
		out.What, out.Digest = "statement "+c.Statement.PredicateType, ""
	}
	return out
}

// Signer is who signed an entry, as the entry claims.
func Signer(c *evidence.Claim) string {
	if c.Certificate == nil {
		return policy.Principal{Key: c.Key}.String()
	}
	s, err := certificate.SummarizeCertificate(c.Certificate)
	if err != nil {
		return "a certificate that can't be read"
	}
	return policy.Principal{Certificate: &s}.String()
}

// seals are who sealed a bundle, as the seals claim, with how many seals each has.
func seals(b *bundles.Bundle) map[string]string {
	out := map[string]string{}
	for _, file := range b.SealFiles() {
		out[sealer(file)] += "+"
	}
	return out
}

func sealer(file []byte) string {
	hint, err := seal.Hint(file)
	if err != nil {
		return "a seal that can't be read"
	}
	if hint == "" {
		if all, err := evidence.ReadBundle(file); err == nil && len(all) > 0 {
			return Signer(all[0].Claim)
		}
		return "a certificate that can't be read"
	}
	if sum, err := base64.StdEncoding.DecodeString(hint); err == nil && len(sum) == 32 {
		return "key sha256:" + hex.EncodeToString(sum)
	}
	return fmt.Sprintf("key of hint %.60q", hint)
}
