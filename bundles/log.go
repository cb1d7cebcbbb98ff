package bundles

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
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
	// Earlier are proofs that the checkpoint's tree begins with earlier ones, as
	// far as anybody asked for them; sorted by size, each once.
	Earlier []Consistency
}

// Entry is a leaf of a log, with what the log said about it beside its tree.
type Entry struct {
	Index uint64 `json:"index"` // in this log (Rekor: in this shard)
	Leaf  string `json:"leaf"`  // the leaf's bytes: a checksum-database record, or a Rekor entry's canonical body

	// Of Rekor v1 alone:
	LogIndex       uint64 `json:"logIndex,omitempty"`       // index over all shards
	IntegratedTime int64  `json:"integratedTime,omitempty"` // seconds since 1970
	SET            []byte `json:"set,omitempty"`            // signed entry timestamp

	// Of Rekor alone: what the log does not hold, from the publisher's Sigstore bundle.
	Envelope   *Envelope `json:"envelope,omitempty"`   // with the statement that was signed
	Timestamps [][]byte  `json:"timestamps,omitempty"` // RFC 3161 time-stamp responses over the signature
}

// Envelope is a DSSE envelope with its one signature.
type Envelope struct {
	PayloadType string `json:"payloadType"`
	Payload     []byte `json:"payload"`
	Signature   []byte `json:"signature"`
	KeyID       string `json:"keyID,omitempty"` // as the signer wrote it; selects nothing
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

// Entry finds the entry with this index.
func (l *Log) Entry(index uint64) (*Entry, bool) {
	i, ok := slices.BinarySearchFunc(l.Entries, index, func(e Entry, index uint64) int { return cmp.Compare(e.Index, index) })
	if !ok {
		return nil, false
	}
	return &l.Entries[i], true
}

// costly is how many entries have signatures to verify, and how many time stamps there are.
func (l *Log) costly() (signed, stamps int) {
	if l.Kind == SumDB {
		return 0, 0
	}
	for i := range l.Entries {
		stamps += len(l.Entries[i].Timestamps)
	}
	return len(l.Entries), stamps
}

// check demands that entries and multiproof speak of the same indexes.
func (l *Log) check() error {
	if len(l.Checkpoint) == 0 {
		return fmt.Errorf("%w: log %.60q: empty checkpoint", ErrDamaged, l.Name)
	}
	if l.Proof == nil || len(l.Entries) == 0 || len(l.Entries) != len(l.Proof.Indexes) {
		return fmt.Errorf("%w: log %.60q: entries and multiproof differ in number", ErrDamaged, l.Name)
	}
	if l.Size != l.Proof.Size {
		return fmt.Errorf("%w: log %.60q: a multiproof in a tree of %d, where the manifest says %d", ErrDamaged, l.Name, l.Proof.Size, l.Size)
	}
	for i := range l.Entries {
		e := &l.Entries[i]
		if e.Index != l.Proof.Indexes[i] {
			return fmt.Errorf("%w: log %.60q: entry %d has index %d, the multiproof %d", ErrDamaged, l.Name, i, e.Index, l.Proof.Indexes[i])
		}
		if l.Kind != RekorV1 && (e.LogIndex != 0 || e.IntegratedTime != 0 || e.SET != nil) {
			return fmt.Errorf("%w: log %.60q: entry %d has what only Rekor v1 gives", ErrDamaged, l.Name, e.Index)
		}
		if l.Kind == SumDB && (e.Envelope != nil || e.Timestamps != nil) {
			return fmt.Errorf("%w: log %.60q: entry %d has what only entries of Rekor have", ErrDamaged, l.Name, e.Index)
		}
		if e.IntegratedTime < 0 {
			return fmt.Errorf("%w: log %.60q: entry %d has a negative time", ErrDamaged, l.Name, e.Index)
		}
		if !e.complete() {
			return fmt.Errorf("%w: log %.60q: entry %d has more than 32 time stamps, an envelope without payload or signature, or an empty time stamp", ErrDamaged, l.Name, e.Index)
		}
	}
	return l.checkEarlier()
}

// complete tells whether nothing is empty that proves nothing then. JSON has two
// ways to write it, too.
func (e *Entry) complete() bool {
	if e.Envelope != nil && (len(e.Envelope.Payload) == 0 || len(e.Envelope.Signature) == 0) {
		return false
	}
	return len(e.Timestamps) <= MaxTimestamps && !slices.ContainsFunc(e.Timestamps, func(t []byte) bool { return len(t) == 0 })
}

func (e *Entry) isUTF8() bool {
	return utf8.ValidString(e.Leaf) && (e.Envelope == nil || utf8.ValidString(e.Envelope.PayloadType) && utf8.ValidString(e.Envelope.KeyID))
}

func (l *Log) encodeEntries(lim limits) ([]byte, error) {
	var b bytes.Buffer
	for i := range l.Entries {
		e := &l.Entries[i]
		if !e.isUTF8() {
			return nil, fmt.Errorf("log %q: entry %d is not UTF-8", l.Name, e.Index)
		}
		line, err := encodeJSON(e, "")
		if err != nil {
			return nil, err
		}
		if err := over(fmt.Sprintf("log %q: entry %d", l.Name, e.Index), int64(len(line)), lim.entry, "bytes"); err != nil {
			return nil, err
		}
		b.Write(line)
	}
	return b.Bytes(), nil
}

// decodeEntries reads entries.jsonl.
func decodeEntries(r io.Reader, lim limits) ([]Entry, error) {
	entries := []Entry{}
	lines := newLineReader(r, "entry", lim.entry)
	for {
		line, err := lines.next()
		if err == io.EOF {
			return entries, nil
		}
		if err == nil {
			err = over("entries.jsonl", int64(len(entries)+1), int64(min(lim.leaves, lim.allEntries)), "lines")
		}
		var e Entry
		if err == nil {
			e, err = decodeEntry(line, lim)
		}
		if err != nil {
			return nil, damaged(fmt.Errorf("entries.jsonl: line %d: %w", len(entries)+1, err))
		}
		entries = append(entries, e)
	}
}

// entryValues is how many values an entry has besides its time stamps: members, and
// those of its envelope.
const entryValues = 7 + 4

func decodeEntry(line []byte, lim limits) (e Entry, err error) {
	if err := over("entry", int64(values(line)), int64(entryValues+lim.timestamps), "values"); err != nil {
		return e, err
	}
	if err := json.Unmarshal(line, &e); err != nil {
		return e, err
	}
	return e, checkEncoding(e, "", line)
}
