package testlog

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A SumDB is a Go checksum database in memory. Make one with [NewSumDB], set its
// fields, and then serve it.
type SumDB struct {
	Tree
	Name string

	// Edit changes an answer before it is sent.
	Edit Hook[*http.Request]
	// HeadSize says which head is served with the record of an ID. Nil is the
	// newest one.
	HeadSize func(id uint64) uint64

	signer note.Signer
	key    string

	mu       sync.Mutex
	ids      map[module.Version]uint64
	requests []string
}

// NewSumDB makes an empty database whose name is host or host/path.
func NewSumDB(name string) *SumDB {
	seed := sha256.Sum256([]byte("testlog sumdb " + name))
	private := ed25519.NewKeyFromSeed(seed[:])
	key := must(note.NewEd25519VerifierKey(name, private.Public().(ed25519.PublicKey)))
	const ed25519Type = 1
	id := strings.SplitN(key, "+", 3)[1] // what follows may have a + too
	secret := base64.StdEncoding.EncodeToString(append([]byte{ed25519Type}, seed[:]...))
	signer := must(note.NewSigner("PRIVATE+KEY+" + name + "+" + id + "+" + secret))
	return &SumDB{Name: name, signer: signer, key: key, ids: map[module.Version]uint64{}}
}

// Key is the database's verifier key: what GOSUMDB is set to, followed by a
// space and a URL.
func (d *SumDB) Key() string { return d.key }

// Add records the h1 of a module and that of its go.mod, and gives the record's
// ID. A second record of a module is appended like the first, and lookups find
// it: no honest database has one.
func (d *SumDB) Add(m module.Version, h1, goModH1 string) uint64 {
	return d.AddRecord(m, fmt.Appendf(nil, "%s %s %s\n%s %s/go.mod %s\n", m.Path, m.Version, h1, m.Path, m.Version, goModH1))
}

// AddRecord appends any record, for lookups of m to find.
func (d *SumDB) AddRecord(m module.Version, record []byte) uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	id := d.append(record)
	d.ids[m] = id
	return id
}

// Checkpoint is the signed head of the first size records.
func (d *SumDB) Checkpoint(size uint64) []byte {
	head := d.Head(size)
	return d.SignNote(string(tlog.FormatTree(tlog.Tree{N: int64(size), Hash: tlog.Hash(head.Root)})))
}

// SignNote signs any text that ends in a newline with the database's key.
func (d *SumDB) SignNote(text string) []byte {
	return must(note.Sign(&note.Note{Text: text}, d.signer))
}

// Requests are the paths asked for since the last call, without what comes
// before them when a proxy is played.
func (d *SumDB) Requests() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := d.requests
	d.requests = nil
	return list
}

// ServeHTTP implements http.Handler.
func (d *SumDB) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	if _, rest, ok := strings.Cut(path, "/sumdb/"+d.Name+"/"); ok {
		path = "/" + rest
	}
	d.mu.Lock()
	d.requests = append(d.requests, path)
	a := d.answer(path)
	d.mu.Unlock()
	d.Edit.change(r, a)
	a.send(w)
}

func (d *SumDB) answer(path string) *Answer {
	name, isLookup := strings.CutPrefix(path, "/lookup/")
	switch {
	case path == "/supported":
		return textAnswer(200, nil)
	case path == "/latest":
		return textAnswer(200, d.Checkpoint(d.Size()))
	case isLookup:
		return d.lookup(name)
	case strings.HasPrefix(path, "/tile/"):
		return d.tile(path[1:])
	}
	return textAnswer(404, []byte("404 page not found\n"))
}

func (d *SumDB) lookup(name string) *Answer {
	path, version, _ := strings.Cut(name, "@")
	path, err := module.UnescapePath(path)
	if err == nil {
		version, err = module.UnescapeVersion(version)
	}
	if err != nil {
		return textAnswer(400, []byte(err.Error()))
	}
	id, ok := d.ids[module.Version{Path: path, Version: version}]
	if !ok {
		return textAnswer(404, fmt.Appendf(nil, "not found: %s@%s: unknown revision %s", path, version, version))
	}
	size := d.Size()
	if d.HeadSize != nil {
		size = d.HeadSize(id)
	}
	record, err := tlog.FormatRecord(int64(id), d.Leaf(id))
	if err != nil { // no honest database has such a record
		record = fmt.Appendf(nil, "%d\n%s\n", id, d.Leaf(id))
	}
	return textAnswer(200, append(record, d.Checkpoint(size)...))
}

// tileHeight is that of all checksum databases.
const tileHeight = 8

func (d *SumDB) tile(path string) *Answer {
	t, err := tlog.ParseTilePath(path)
	if err != nil || t.H != tileHeight {
		return textAnswer(400, []byte("invalid tile syntax\n"))
	}
	d.Tree.mu.RLock()
	defer d.Tree.mu.RUnlock()
	size := int64(len(d.leaves))
	if t.L > 3 || t.N > size || (t.N<<t.H+int64(t.W))<<(max(t.L, 0)*t.H) > size {
		return textAnswer(404, []byte("404 page not found\n"))
	}
	if t.L >= 0 {
		return &Answer{Status: 200, Header: http.Header{"Content-Type": {"application/octet-stream"}}, Body: must(tlog.ReadTileData(t, d.hashes))}
	}
	var data []byte // of the records themselves
	for i := range int64(t.W) {
		data = append(data, must(tlog.FormatRecord(t.N<<t.H+i, d.leaves[t.N<<t.H+i]))...)
	}
	return textAnswer(200, data)
}
