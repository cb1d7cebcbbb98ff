package diff

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/modseal/modseal/bundles"
)

// Log is a log whose heads changed, or what the bundle has of it besides entries.
type Log struct {
	Change string `json:"change"`
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	LogID  string `json:"logID,omitempty"`
	Old    []Head `json:"old,omitempty"` // by size
	New    []Head `json:"new,omitempty"`
	// Fork tells that the bundles show trees of one size with different roots.
	// It is for modseal heads check to say whether the log signed both.
	Fork bool `json:"fork,omitempty"`
}

// Head is a log's head as a bundle shows it.
type Head struct {
	Size    uint64   `json:"size"`
	Root    string   `json:"root"`              // hex, or what stands in its place, quoted
	Cosigns int      `json:"cosigns,omitempty"` // signatures on it besides the first
	Since   []uint64 `json:"since,omitempty"`   // sizes from which the bundle has consistency proofs
	Tiles   bool     `json:"tiles,omitempty"`   // the bundle has the log's tiles
	note    []byte
}

func headOf(l *bundles.Log) Head {
	h := Head{Size: l.Size, Tiles: l.Tiles, note: l.Checkpoint}
	lines := strings.SplitN(string(l.Checkpoint), "\n", 4)
	if len(lines) == 4 {
		root, err := base64.StdEncoding.DecodeString(lines[2])
		h.Root = hex.EncodeToString(root)
		if err != nil || len(root) != 32 {
			h.Root = fmt.Sprintf("%.60q", lines[2])
		}
	}
	if i := strings.LastIndex(string(l.Checkpoint), "\n\n"); i >= 0 {
		h.Cosigns = max(strings.Count(string(l.Checkpoint[i+2:]), "\n")-1, 0)
	}
	for _, e := range l.Earlier {
		h.Since = append(h.Since, e.Size)
	}
	return h
}

func headsOf(b *bundles.Bundle) map[bundles.LogKey][]Head {
	out := map[bundles.LogKey][]Head{}
	for i := range b.Logs {
		l := &b.Logs[i]
		out[l.Key()] = append(out[l.Key()], headOf(l)) // sorted by size
	}
	return out
}

func (d *Diff) logs(old, new *bundles.Bundle) {
	d.Logs = []Log{}
	before, after := headsOf(old), headsOf(new)
	for _, k := range slices.SortedFunc(maps.Keys(union(before, after)), bundles.LogKey.Compare) {
		a, b := before[k], after[k]
		if change := changeOf(a != nil, b != nil, sameJSON(a, b)); change != "" {
			d.Logs = append(d.Logs, Log{Change: change, Kind: string(k.Kind), Name: k.Name, LogID: k.ID, Old: a, New: b, Fork: fork(a, b)})
		} else {
			for i := range a {
				if !bytes.Equal(a[i].note, b[i].note) {
					d.Resigned++
				}
			}
		}
	}
}

func fork(old, new []Head) bool {
	for _, a := range old {
		for _, b := range new {
			if a.Size == b.Size && a.Root != b.Root {
				return true
			}
		}
	}
	return false
}
