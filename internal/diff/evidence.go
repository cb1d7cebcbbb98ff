package diff

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

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
	log   bundles.LogKey
	index uint64
	leaf  merkle.Hash
}

// entry is an entry of a bundle, without what the log signs anew each time.
type entry struct {
	Evidence
	Rest   bundles.Entry `json:"rest"`
	signed string
}

func (d *Diff) evidence(old, new *bundles.Bundle) {
	d.Evidence = []Evidence{}
	before, after := entriesOf(old), entriesOf(new)
	for _, k := range slices.SortedFunc(maps.Keys(union(before, after)), func(a, b entryKey) int {
		return cmp.Or(a.log.Compare(b.log), cmp.Compare(a.index, b.index), strings.Compare(string(a.leaf[:]), string(b.leaf[:])))
	}) {
		a, b := before[k], after[k]
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
	d.Signers = items(signersOf(before), signersOf(after))
}

func signersOf(entries map[entryKey]*entry) map[string]string {
	out := map[string]string{}
	for _, e := range entries {
		if e.Signer != "" {
			out[e.Signer] = ""
		}
	}
	return out
}

// entriesOf are the entries of all logs. One that is proven in several trees is
// one.
func entriesOf(b *bundles.Bundle) map[entryKey]*entry {
	out := map[entryKey]*entry{}
	keys := make([]map[uint64]entryKey, len(b.Logs))
	for i := range b.Logs {
		l := &b.Logs[i]
		keys[i] = map[uint64]entryKey{}
		for j := range l.Entries {
			e := &l.Entries[j]
			k := entryKey{l.Key(), e.Index, e.LeafHash()}
			keys[i][e.Index] = k
			if out[k] == nil {
				out[k] = describe(l, e)
			}
		}
	}
	note := func(name string, refs []bundles.Ref) {
		for _, r := range refs { // of entries that are there: the bundle was opened
			if e := out[keys[r.Log][r.Index]]; !slices.Contains(e.Of, name) {
				e.Of = append(e.Of, name)
			}
		}
	}
	for _, m := range b.Manifest.Modules {
		note(m.Path+"@"+m.Version, m.Entries)
	}
	for _, a := range b.Manifest.Artifacts {
		note("artifact "+cmp.Or(a.Name, a.SHA256, a.SHA384, a.SHA512), a.Entries)
	}
	for _, e := range out {
		slices.Sort(e.Of)
	}
	return out
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
