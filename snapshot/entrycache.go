package snapshot

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/modseal/modseal/internal/atomicfile"
	"github.com/modseal/modseal/internal/limit"
	"github.com/modseal/modseal/internal/rekor"
	"github.com/modseal/modseal/merkle"
)

// entryCache keeps retrieved entries, so that an interrupted snapshot does not
// fetch them again. A leaf never changes; its proof is of some older tree head
// and is rebased like any other. What comes out is checked like what comes from
// a server.
type entryCache struct{ dir string }

const maxCachedEntry = 8 << 20 // bytes

func (c entryCache) file(u rekor.UUID) string {
	return filepath.Join(c.dir, "rekor", string(u[len(u)-64:][:2]), string(u))
}

func (c entryCache) get(u rekor.UUID) (rekor.Entry, bool) {
	var e rekor.Entry
	if c.dir == "" || u.TreeID() == "" {
		return e, false
	}
	b, err := limit.ReadFile(c.file(u), maxCachedEntry)
	if err != nil || gob.NewDecoder(bytes.NewReader(b)).Decode(&e) != nil || e.UUID != u {
		return rekor.Entry{}, false
	}
	if leaf := merkle.LeafHash(e.Body); leaf != e.Inclusion.Leaf || fmt.Sprintf("%x", leaf[:]) != string(u[len(u)-64:]) {
		return rekor.Entry{}, false
	}
	in := e.Inclusion
	return e, merkle.VerifyInclusion(in.Tree, in.Index, in.Leaf, in.Path) == nil
}

// put may fail: then the entry is fetched again another time.
func (c entryCache) put(e rekor.Entry) {
	if c.dir == "" {
		return
	}
	var b bytes.Buffer
	if gob.NewEncoder(&b).Encode(e) != nil {
		return
	}
	name := c.file(e.UUID)
	_ = errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), atomicfile.WriteBytes(name, b.Bytes()))
}
