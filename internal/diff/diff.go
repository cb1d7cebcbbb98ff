// Package diff tells what changed from one bundle to another: modules and
// artifacts, evidence, those who signed it, heads of logs, trust material, seals.
//
// It compares what bundles hold, and verifies nothing: who signed what, and which
// tree a log has, is what the bundles claim. Signatures of logs on the same thing
// are not compared (Rekor makes them anew for each request), but told of.
package diff

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/modseal/modseal/bundles"
)

// How something changed.
const (
	Added   = "added"
	Removed = "removed"
	Changed = "changed"
)

// Diff is what changed. All lists are sorted, and empty if nothing of their kind
// did.
type Diff struct {
	Same      bool `json:"same"`      // all lists are empty
	Identical bool `json:"identical"` // the payloads are the same bytes
	Old       Side `json:"old"`
	New       Side `json:"new"`

	Projects  []Project  `json:"projects"`
	Modules   []Module   `json:"modules"`
	Artifacts []Artifact `json:"artifacts"`
	Evidence  []Evidence `json:"evidence"`
	Signers   []Item     `json:"signers"` // as entries name them
	Logs      []Log      `json:"logs"`
	Trust     []Item     `json:"trust"` // files of the trust chain
	Seals     []Item     `json:"seals"` // who sealed, as the seals claim
	Settings  []Setting  `json:"settings"`

	Resigned int `json:"resigned"` // heads and entries with another signature of their log on the same
}

// Side is one of the bundles.
type Side struct {
	File    string `json:"file"`
	SHA256  string `json:"sha256"`  // of payload.tar.zst
	Created string `json:"created"` // as its sealer states it
}

// Item is something that has nothing but a name.
type Item struct {
	Change string `json:"change"`
	Name   string `json:"name"`
}

// Setting is something that the manifest states of the whole bundle.
type Setting struct {
	Name string `json:"name"`
	Old  string `json:"old"`
	New  string `json:"new"`
}

// Project is a project that one of the bundles was made of and the other was not. One
// whose go line alone differs changed.
type Project struct {
	Change string           `json:"change"`
	Old    *bundles.Project `json:"old,omitempty"`
	New    *bundles.Project `json:"new,omitempty"`
}

// Module is a module that changed. Of one at another version both sides are
// there; where a path has several versions, each is added or removed by itself.
type Module struct {
	Change string       `json:"change"`
	Path   string       `json:"path"`
	Old    *ModuleState `json:"old,omitempty"`
	New    *ModuleState `json:"new,omitempty"`
}

// ModuleState is what a bundle states of a module, but for its entries.
type ModuleState struct {
	Version string            `json:"version"`
	Zip     string            `json:"zip,omitempty"`     // SHA-256
	Listing string            `json:"listing,omitempty"` // the h1 in hex
	LeftOut int               `json:"leftOut,omitempty"`
	Carried *bundles.Carried  `json:"carried,omitempty"`
	Vendor  *bundles.Vendored `json:"vendor,omitempty"`
}

// Artifact is an artifact that is in one of the bundles alone, or of which the
// number of entries that were left out differs.
type Artifact struct {
	Change string            `json:"change"`
	Old    *bundles.Artifact `json:"old,omitempty"` // without its entries
	New    *bundles.Artifact `json:"new,omitempty"`
}

// Of compares two bundles.
func Of(old, new *bundles.Bundle) *Diff {
	d := &Diff{
		Identical: old.Payload == new.Payload, Old: side(old), New: side(new),
		Projects: projects(&old.Manifest, &new.Manifest),
		Modules:  modules(&old.Manifest, &new.Manifest), Artifacts: artifacts(&old.Manifest, &new.Manifest),
		Trust: items(trust(old), trust(new)), Seals: items(seals(old), seals(new)), Settings: settings(&old.Manifest, &new.Manifest),
	}
	d.logs(old, new)
	d.evidence(old, new)
	d.Same = len(d.Projects)+len(d.Modules)+len(d.Artifacts)+len(d.Evidence)+len(d.Signers)+len(d.Logs)+len(d.Trust)+len(d.Seals)+len(d.Settings) == 0
	return d
}

func side(b *bundles.Bundle) Side {
	return Side{SHA256: hex.EncodeToString(b.Payload.SHA256[:]), Created: b.Manifest.Created}
}

func settings(old, new *bundles.Manifest) []Setting {
	out := []Setting{}
	word := map[bool]string{true: "yes", false: "no"}
	for _, s := range []Setting{
		{"listings", word[old.Listings], word[new.Listings]}, {"carries modules", word[old.CarriesModules()], word[new.CarriesModules()]},
	} {
		if s.Old != s.New {
			out = append(out, s)
		}
	}
	return out
}

// items compares things by name, and by what is behind the name.
func items(old, new map[string]string) []Item {
	out := []Item{}
	for _, name := range slices.Sorted(maps.Keys(union(old, new))) {
		a, inOld := old[name]
		b, inNew := new[name]
		if change := changeOf(inOld, inNew, a == b); change != "" {
			out = append(out, Item{change, name})
		}
	}
	return out
}

func union[K comparable, V any](a, b map[K]V) map[K]V {
	all := maps.Clone(a)
	if all == nil {
		all = map[K]V{}
	}
	maps.Copy(all, b)
	return all
}

func changeOf(inOld, inNew, same bool) string {
	switch {
	case !inOld:
		return Added
	case !inNew:
		return Removed
	case !same:
		return Changed
	}
	return ""
}

func trust(b *bundles.Bundle) map[string]string {
	out := map[string]string{}
	for name, data := range b.Trust {
		sum := sha256.Sum256(data)
		out[name] = hex.EncodeToString(sum[:])
	}
	return out
}

func modules(old, new *bundles.Manifest) []Module {
	out := []Module{}
	for a, b := old.Modules, new.Modules; len(a)+len(b) > 0; { // both sorted by path
		var before, after []bundles.Module
		if len(b) == 0 || len(a) > 0 && a[0].Path <= b[0].Path {
			before, a = cutPath(a, a[0].Path)
			after, b = cutPath(b, before[0].Path)
		} else {
			after, b = cutPath(b, b[0].Path)
		}
		out = append(out, versions(before, after)...)
	}
	return out
}

// cutPath cuts off the versions of one module.
func cutPath(m []bundles.Module, path string) (versions, rest []bundles.Module) {
	n := 0
	for n < len(m) && m[n].Path == path {
		n++
	}
	return m[:n], m[n:]
}

// versions compares the versions of one module, which are sorted.
func versions(before, after []bundles.Module) []Module {
	var out []Module
	var gone, come []*bundles.Module
	for len(before)+len(after) > 0 {
		order := -1
		if len(before) == 0 {
			order = 1
		} else if len(after) > 0 {
			order = strings.Compare(before[0].Version, after[0].Version)
		}
		switch {
		case order < 0:
			gone, before = append(gone, &before[0]), before[1:]
		case order > 0:
			come, after = append(come, &after[0]), after[1:]
		default:
			if a, b := stateOf(&before[0]), stateOf(&after[0]); !reflect.DeepEqual(a, b) {
				out = append(out, Module{Changed, before[0].Path, a, b})
			}
			before, after = before[1:], after[1:]
		}
	}
	if len(gone) == 1 && len(come) == 1 {
		return append(out, Module{Changed, gone[0].Path, stateOf(gone[0]), stateOf(come[0])})
	}
	for _, a := range gone {
		out = append(out, Module{Removed, a.Path, stateOf(a), nil})
	}
	for _, b := range come {
		out = append(out, Module{Added, b.Path, nil, stateOf(b)})
	}
	return out
}

func stateOf(d *bundles.Module) *ModuleState {
	return &ModuleState{d.Version, d.Zip, d.Listing, d.LeftOut, d.Carried, d.Vendor}
}

func artifacts(old, new *bundles.Manifest) []Artifact {
	type key struct{ name, sha256, sha384, sha512 string }
	byKey := func(m *bundles.Manifest) map[key]*bundles.Artifact {
		out := map[key]*bundles.Artifact{}
		for _, a := range m.Artifacts {
			a.Entries = nil
			out[key{a.Name, a.SHA256, a.SHA384, a.SHA512}] = &a
		}
		return out
	}
	before, after := byKey(old), byKey(new)
	out := []Artifact{}
	for _, k := range slices.SortedFunc(maps.Keys(union(before, after)), func(a, b key) int {
		return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.sha256, b.sha256), strings.Compare(a.sha384, b.sha384), strings.Compare(a.sha512, b.sha512))
	}) {
		a, b := before[k], after[k]
		if change := changeOf(a != nil, b != nil, reflect.DeepEqual(a, b)); change != "" {
			out = append(out, Artifact{change, a, b})
		}
	}
	return out
}

// sameJSON compares two things as they stand in a bundle.
func sameJSON(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}
