package testlog

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/modseal/modseal/merkle"
)

// Epoch is when time begins in these logs. Nothing reads a clock.
func Epoch() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// A Rekor is a Rekor v1 in memory. Make one with [NewRekor], set its fields, and
// then serve it.
type Rekor struct {
	Host string // the name that checkpoints are signed with

	// Edit changes an answer before it is sent.
	Edit Hook[*http.Request]
	// HeadSize says in the tree of which size an entry is proven when it is
	// served. Nil is the newest one.
	HeadSize func(e Entry) uint64
	// Now is the time at which entries are integrated. Nil counts seconds from
	// Epoch.
	Now func() time.Time

	mu       sync.Mutex
	shards   []*Shard
	entries  []Entry             // by log index
	byUUID   map[string][]int    // of whole UUIDs and of leaf hashes: places in entries
	index    map[string][]string // what is searched for: UUIDs
	requests []string
}

// NewRekor makes an empty log of one shard.
func NewRekor(host string) *Rekor {
	r := &Rekor{Host: host, byUUID: map[string][]int{}, index: map[string][]string{}}
	r.Rotate()
	return r
}

// A Shard is one tree of a Rekor, with a key of its own.
type Shard struct {
	Tree
	host   string
	treeID uint64
	key    *ecdsa.PrivateKey
}

// Rotate freezes the active shard and begins a new one.
func (r *Rekor) Rotate() *Shard {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := fmt.Sprintf("rekor %s %d", r.Host, len(r.shards))
	r.shards = append(r.shards, &Shard{host: r.Host, treeID: number(name), key: Key(name)})
	return r.shards[len(r.shards)-1]
}

// Shards are all shards, the active one last.
func (r *Rekor) Shards() []*Shard {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]*Shard{}, r.shards...)
}

// Shard is the active shard.
func (r *Rekor) Shard() *Shard {
	all := r.Shards()
	return all[len(all)-1]
}

// An Entry is a leaf of a shard as the log knows it.
type Entry struct {
	UUID           string
	TreeID         string
	LogID          [32]byte
	LogIndex       uint64 // over all shards
	Index          uint64 // in the shard
	IntegratedTime int64  // seconds since 1970
	SET            []byte
	Body           []byte
}

// Add logs a body in the active shard, whatever it is.
func (r *Rekor) Add(body []byte) Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.add(body)
}

func (r *Rekor) add(body []byte) Entry {
	s := r.shards[len(r.shards)-1]
	e := Entry{
		UUID: s.uuid(body), TreeID: s.TreeID(), LogID: s.LogID(), LogIndex: uint64(len(r.entries)),
		Index: s.append(body), IntegratedTime: Epoch().Unix() + int64(len(r.entries)), Body: append([]byte{}, body...),
	}
	if r.Now != nil {
		e.IntegratedTime = r.Now().Unix()
	}
	e.SET = s.SET(e)
	for _, name := range []string{e.UUID, e.UUID[16:]} {
		r.byUUID[name] = append(r.byUUID[name], len(r.entries))
	}
	for _, key := range indexKeys(body) {
		r.index[key] = append(r.index[key], e.UUID)
	}
	r.entries = append(r.entries, e)
	return e
}

// AddToIndex makes searches for a digest find a UUID, whatever the entry says.
func (r *Rekor) AddToIndex(digest [32]byte, uuid string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := "hash:" + hex.EncodeToString(digest[:])
	r.index[key] = append(r.index[key], uuid)
}

// Requests are the method and path of each request since the last call.
func (r *Rekor) Requests() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.requests
	r.requests = nil
	return list
}

// TreeID is the shard's ID in decimal.
func (s *Shard) TreeID() string { return strconv.FormatUint(s.treeID, 10) }

// Origin is the first line of the shard's checkpoints.
func (s *Shard) Origin() string { return s.host + " - " + s.TreeID() }

// LogID is the SHA-256 of the shard's public key.
func (s *Shard) LogID() [32]byte { return sha256.Sum256(spki(s.key)) }

// PublicPEM is the shard's public key.
func (s *Shard) PublicPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki(s.key)})
}

func (s *Shard) uuid(body []byte) string {
	return fmt.Sprintf("%016x%x", s.treeID, merkle.LeafHash(body))
}

// Checkpoint is the signed head of the first size leaves.
func (s *Shard) Checkpoint(size uint64) []byte { return s.SignNote(s.CheckpointText(s.Head(size))) }

// CheckpointText is the text of a checkpoint of this shard.
func (s *Shard) CheckpointText(t merkle.Tree) string {
	return fmt.Sprintf("%s\n%d\n%s\n", s.Origin(), t.Size, base64.StdEncoding.EncodeToString(t.Root[:]))
}

// SignNote signs any text that ends in a newline with the shard's key.
func (s *Shard) SignNote(text string) []byte { return noteOf(text, s.host, s.key) }

// SET is the signed entry timestamp of whatever an entry says: ECDSA over the
// SHA-256 of canonical JSON.
func (s *Shard) SET(e Entry) []byte {
	return signDigest(s.key, sha256.Sum256(must(json.Marshal(map[string]any{ // sorted by name
		"body":           base64.StdEncoding.EncodeToString(e.Body),
		"integratedTime": e.IntegratedTime,
		"logID":          hex.EncodeToString(e.LogID[:]),
		"logIndex":       e.LogIndex,
	}))))
}
