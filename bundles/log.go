package bundles

import (
	"bufio"
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/modseal/modseal/merkle"
)

// Log is what a bundle carries of one log: one checkpoint, and entries with one
// multiproof that ties all of them to that checkpoint's root.
type Log struct {
	LogInfo
	Checkpoint []byte             // the signed note as the log served it
	Proof      *merkle.Multiproof // Proof.Indexes[i] is Entries[i].Index
	Entries    []Entry            // sorted by index, each once
}

// Entry is a leaf of a log, with what the log said about it beside its tree.
type Entry struct {
	Index uint64 `json:"index"` // in this log (Rekor: in this shard)
	Leaf  string `json:"leaf"`  // the leaf's bytes: a checksum-database record, or a Rekor entry's canonical body

	// Of Rekor v1 alone:
	LogIndex       uint64 `json:"logIndex,omitempty"`       // index over all shards
	IntegratedTime int64  `json:"integratedTime,omitempty"` // seconds since 1970
	SET            []byte `json:"set,omitempty"`            // signed entry timestamp
}

// LeafHash is the entry's hash in the tree.
func (e *Entry) LeafHash() merkle.Hash { return merkle.LeafHash([]byte(e.Leaf)) }

// LeafHashes are the hashes of all entries, in the order of Proof.Indexes.
func (l *Log) LeafHashes() []merkle.Hash {
	h := make([]merkle.Hash, len(l.Entries))
	for i := range l.Entries {
		h[i] = l.Entries[i].LeafHash()
	}
	return h
}

// check demands that entries and multiproof speak of the same indexes.
func (l *Log) check() error {
	if len(l.Checkpoint) == 0 || len(l.Checkpoint) > MaxCheckpoint {
		return fmt.Errorf("%w: log %.60q: checkpoint of %d bytes", ErrDamaged, l.Name, len(l.Checkpoint))
	}
	if l.Proof == nil || len(l.Entries) == 0 || len(l.Entries) != len(l.Proof.Indexes) {
		return fmt.Errorf("%w: log %.60q: entries and multiproof differ in number", ErrDamaged, l.Name)
	}
	for i := range l.Entries {
		e := &l.Entries[i]
		if e.Index != l.Proof.Indexes[i] {
			return fmt.Errorf("%w: log %.60q: entry %d has index %d, the multiproof %d", ErrDamaged, l.Name, i, e.Index, l.Proof.Indexes[i])
		}
		if l.Kind == SumDB && (e.LogIndex != 0 || e.IntegratedTime != 0 || e.SET != nil) {
			return fmt.Errorf("%w: log %.60q: entry %d has what only Rekor gives", ErrDamaged, l.Name, e.Index)
		}
		if e.IntegratedTime < 0 {
			return fmt.Errorf("%w: log %.60q: entry %d has a negative time", ErrDamaged, l.Name, e.Index)
		}
	}
	return nil
}

func (l *Log) encodeEntries() ([]byte, error) {
	var b bytes.Buffer
	for i := range l.Entries {
		e := &l.Entries[i]
		if !utf8.ValidString(e.Leaf) {
			return nil, fmt.Errorf("log %q: entry %d is not UTF-8", l.Name, e.Index)
		}
		line, err := encodeJSON(e, "")
		if err != nil {
			return nil, err
		}
		if len(line) > MaxEntry {
			return nil, fmt.Errorf("log %q: entry %d has %d bytes (at most %d)", l.Name, e.Index, len(line), MaxEntry)
		}
		b.Write(line)
	}
	return b.Bytes(), nil
}

func decodeEntries(b []byte) ([]Entry, error) {
	entries := make([]Entry, 0, bytes.Count(b, []byte("\n")))
	s := bufio.NewScanner(bytes.NewReader(b))
	s.Buffer(nil, MaxEntry)
	s.Split(scanWholeLines)
	for s.Scan() {
		var e Entry
		if err := decodeJSON(s.Bytes(), &e, ""); err != nil {
			return nil, fmt.Errorf("%w: entries.jsonl: line %d: %w", ErrDamaged, len(entries)+1, err)
		}
		entries = append(entries, e)
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("%w: entries.jsonl: line %d: %w", ErrDamaged, len(entries)+1, err)
	}
	return entries, nil
}

// scanWholeLines is a bufio.SplitFunc whose tokens end in their newline; the
// last line may lack one, and then fails to compare with its encoding.
func scanWholeLines(data []byte, atEOF bool) (int, []byte, error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i+1], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}
