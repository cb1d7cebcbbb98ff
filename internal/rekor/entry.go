package rekor

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/modseal/modseal/merkle"
)

const (
	// maxProof is the most hashes that a proof has.
	maxProof = merkle.MaxConsistency

	// maxSET is the largest signed entry timestamp, in bytes: twice what an
	// RSA key of 16 kbit makes.
	maxSET = 4 << 10
)

// An Entry is one leaf of a Rekor log with what the server says of it.
//
// Checked: Body has the leaf hash in UUID and in Inclusion, whose Path leads to
// Inclusion.Tree, which Checkpoint has in its text, beside TreeID. Not checked:
// every signature, and with it Inclusion.Tree, LogID, LogIndex, IntegratedTime.
type Entry struct {
	UUID           UUID // always with the tree ID
	TreeID         string
	LogID          [32]byte // SHA-256 of the log's public key
	LogIndex       uint64   // over all shards; Inclusion.Index is the one in the tree
	IntegratedTime int64    // Unix seconds
	SET            []byte   // signature over Body, IntegratedTime, LogID, LogIndex
	Body           []byte   // the leaf, canonical JSON
	Inclusion      merkle.Inclusion
	Checkpoint     []byte // signed note of the tree head that Inclusion leads to

	// Attestation is what an intoto entry's envelope has as its payload, if
	// the server keeps it. It isn't part of the leaf: compare its digest with
	// the one in Body.
	Attestation []byte
}

// entryAnswer is LogEntryAnon of the API. Every member may be missing.
type entryAnswer struct {
	Attestation *struct {
		Data string `json:"data"`
	} `json:"attestation"`
	Body           *string       `json:"body"`
	IntegratedTime *int64        `json:"integratedTime"`
	LogID          *string       `json:"logID"`
	LogIndex       *uint64       `json:"logIndex"`
	Verification   *verification `json:"verification"`
}

type verification struct {
	InclusionProof       *inclusionProof `json:"inclusionProof"`
	SignedEntryTimestamp string          `json:"signedEntryTimestamp"`
}

type inclusionProof struct {
	Checkpoint *string  `json:"checkpoint"`
	Hashes     []string `json:"hashes"`
	LogIndex   *uint64  `json:"logIndex"`
	RootHash   *string  `json:"rootHash"`
	TreeSize   *uint64  `json:"treeSize"`
}

// checkedEntry is an element of an answer: an entry, or what is wrong with it.
type checkedEntry struct {
	Entry
	uuid UUID // of the entry, or the one that the wrong entry is given by
	err  error
}

// parseEntries reads the answer of entries/retrieve: a list of objects with one
// member each, an entry by its UUID. An entry that says which it is and fails a
// check is not the others' fault.
func parseEntries(data []byte) ([]checkedEntry, error) {
	var list []map[string]*entryAnswer
	if err := decode(data, &list); err != nil {
		return nil, err
	}
	if len(list) > batch {
		return nil, malformed("%d entries, the limit is %d", len(list), batch)
	}
	entries := make([]checkedEntry, 0, len(list))
	for _, object := range list {
		entry, err := checkEntry(object)
		var bad *AnswerError
		switch {
		case err == nil:
			entries = append(entries, checkedEntry{Entry: entry, uuid: entry.UUID})
		case errors.As(err, &bad) && bad.UUID != "":
			entries = append(entries, checkedEntry{uuid: bad.UUID, err: err})
		default:
			return nil, err
		}
	}
	return entries, nil
}

// parseEntry reads one such object.
func parseEntry(data []byte) (Entry, error) {
	var object map[string]*entryAnswer
	if err := decode(data, &object); err != nil {
		return Entry{}, err
	}
	return checkEntry(object)
}

func checkEntry(object map[string]*entryAnswer) (Entry, error) {
	if len(object) != 1 {
		return Entry{}, malformed("object of %d entries, want one", len(object))
	}
	var key string
	var answer *entryAnswer
	for key, answer = range object {
	}
	uuid, err := ParseUUID(key)
	if err != nil {
		return Entry{}, malformed("%w", err)
	}
	if answer == nil {
		return Entry{}, &AnswerError{Problem: Incomplete, UUID: uuid, Err: errors.New("entry is null")}
	}
	entry, err := answer.check(uuid)
	var bad *AnswerError
	if errors.As(err, &bad) {
		bad.UUID = uuid
	}
	return entry, err
}

// check turns the answer for uuid into an entry.
func (a *entryAnswer) check(uuid UUID) (Entry, error) {
	if err := a.complete(); err != nil {
		return Entry{}, &AnswerError{Problem: Incomplete, Err: err}
	}
	entry, err := a.decode()
	if err != nil {
		return Entry{}, malformed("%w", err)
	}
	if got := fmt.Sprintf("%x", entry.Inclusion.Leaf); got != uuid.leaf() {
		return Entry{}, &AnswerError{Problem: WrongLeaf, Err: fmt.Errorf("leaf hash of the body is %s", got)}
	}

	said, err := parseUnverifiedCheckpoint(string(entry.Checkpoint))
	if err != nil {
		return Entry{}, malformed("%w", err)
	}
	entry.TreeID = said.treeID
	entry.UUID, err = makeUUID(said.treeID, entry.Inclusion.Leaf)
	if err != nil {
		return Entry{}, malformed("%w", err)
	}
	if uuid.TreeID() != "" && entry.UUID != uuid {
		return Entry{}, &AnswerError{Problem: HeadMismatch, Err: fmt.Errorf("checkpoint of tree ID %s, UUID of %s", said.treeID, uuid.TreeID())}
	}
	if err := said.matches(entry.Inclusion.Tree); err != nil {
		return Entry{}, &AnswerError{Problem: HeadMismatch, Err: err}
	}

	in := &entry.Inclusion
	if err := merkle.VerifyInclusion(in.Tree, in.Index, in.Leaf, in.Path); err != nil {
		return Entry{}, &AnswerError{Problem: WrongProof, Err: err}
	}
	return entry, nil
}

// complete says which part is missing. After it no member is nil.
func (a *entryAnswer) complete() error {
	missing := func(what string) error { return fmt.Errorf("%s is missing", what) }
	switch {
	case a.Body == nil:
		return missing("body")
	case a.IntegratedTime == nil:
		return missing("integratedTime")
	case a.LogID == nil:
		return missing("logID")
	case a.LogIndex == nil:
		return missing("logIndex")
	case a.Verification == nil:
		return missing("verification")
	case a.Verification.SignedEntryTimestamp == "":
		return missing("signedEntryTimestamp")
	}
	proof := a.Verification.InclusionProof
	switch {
	case proof == nil:
		return missing("inclusionProof")
	case proof.Checkpoint == nil || *proof.Checkpoint == "":
		return missing("checkpoint")
	case proof.LogIndex == nil:
		return missing("logIndex of the inclusion proof")
	case proof.RootHash == nil:
		return missing("rootHash")
	case proof.TreeSize == nil:
		return missing("treeSize")
	}
	return nil
}

// decode reads the values of a complete answer, without their relations.
func (a *entryAnswer) decode() (entry Entry, err error) {
	if entry.Body, err = parseBase64(*a.Body); err != nil || len(entry.Body) == 0 {
		return entry, fmt.Errorf("body of %d bytes isn't base64 of a leaf", len(*a.Body))
	}
	if entry.SET, err = parseBase64(a.Verification.SignedEntryTimestamp); err != nil || len(entry.SET) > maxSET {
		return entry, fmt.Errorf("signedEntryTimestamp %s", quote(a.Verification.SignedEntryTimestamp))
	}
	if a.Attestation != nil {
		if entry.Attestation, err = parseBase64(a.Attestation.Data); err != nil {
			return entry, errors.New("attestation isn't base64")
		}
	}
	logID, err := parseHash(*a.LogID)
	if err != nil {
		return entry, fmt.Errorf("logID: %w", err)
	}
	entry.LogID = logID
	if *a.IntegratedTime <= 0 {
		return entry, fmt.Errorf("integratedTime %d", *a.IntegratedTime)
	}
	entry.IntegratedTime = *a.IntegratedTime
	if *a.LogIndex > math.MaxInt64 {
		return entry, fmt.Errorf("logIndex %d", *a.LogIndex)
	}
	entry.LogIndex = *a.LogIndex
	entry.Checkpoint = []byte(*a.Verification.InclusionProof.Checkpoint)
	entry.Inclusion, err = a.Verification.InclusionProof.decode()
	entry.Inclusion.Leaf = merkle.LeafHash(entry.Body)
	if entry.Inclusion.Index > entry.LogIndex {
		return entry, fmt.Errorf("index %d in the tree is above the one over all shards, %d", entry.Inclusion.Index, entry.LogIndex)
	}
	return entry, err
}

func (p *inclusionProof) decode() (in merkle.Inclusion, err error) {
	in.Index = *p.LogIndex
	in.Tree.Size = *p.TreeSize
	if in.Tree.Size > merkle.MaxSize || in.Index >= in.Tree.Size {
		return in, fmt.Errorf("leaf %d in a tree of size %d", in.Index, in.Tree.Size)
	}
	if in.Tree.Root, err = parseHash(*p.RootHash); err != nil {
		return in, fmt.Errorf("rootHash: %w", err)
	}
	path, err := parseHashes(p.Hashes)
	if err != nil {
		return in, fmt.Errorf("inclusion proof: %w", err)
	}
	in.Path = slices.Clip(path)
	return in, nil
}
