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
	for _, k := range keysOf(before, after) {
		a, b := before.describe(k), after.describe(k)
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

// entries are where the entries of a bundle are. They are described one by one: a
// description takes more memory than what it is of.
type entries struct {
	b  *bundles.Bundle
	at map[entryKey]entryPlace
}

type entryPlace struct {
	log, entry int32   // of the bundle
	of         []int32 // what lists it: a module, or behind all of them an artifact; sorted, each once
}

// entriesOf are the entries of all logs. One that is proven in several trees is
// one.
func entriesOf(b *bundles.Bundle, logs map[bundles.LogKey]int) entries {
	out := entries{b, map[entryKey]entryPlace{}}
	key := func(l *bundles.Log, e *bundles.Entry) entryKey { return entryKey{logs[l.Key()], e.Index, e.LeafHash()} }
	for i := range b.Logs {
		for j := range b.Logs[i].Entries {
			k := key(&b.Logs[i], &b.Logs[i].Entries[j])
			if _, ok := out.at[k]; !ok {
				out.at[k] = entryPlace{log: int32(i), entry: int32(j)}
			}
		}
	}
	list := func(by int, refs []bundles.Ref) {
		for _, r := range refs {
			l := &b.Logs[r.Log]
			e, _ := l.Entry(r.Index) // it is there: the bundle was opened
			k := key(l, e)
			p := out.at[k]
			if n := len(p.of); n == 0 || p.of[n-1] != int32(by) {
				p.of = append(p.of, int32(by))
				out.at[k] = p
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
	return out
}

// keysOf are the entries of both, in the order of logs and indexes.
func keysOf(a, b entries) []entryKey {
	keys := slices.Collect(maps.Keys(a.at))
	for k := range b.at {
		if _, ok := a.at[k]; !ok {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b entryKey) int {
		return cmp.Or(cmp.Compare(a.log, b.log), cmp.Compare(a.index, b.index), bytes.Compare(a.leaf[:], b.leaf[:]))
	})
	return keys
}

// describe describes an entry, or is nil if it is not there.
func (e entries) describe(k entryKey) *entry {
	p, ok := e.at[k]
	if !ok {
		return nil
	}
	l := &e.b.Logs[p.log]
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
