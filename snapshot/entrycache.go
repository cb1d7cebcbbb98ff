package snapshot

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/modseal/modseal/internal/atomicfile"
	"github.com/modseal/modseal/internal/limit"
	"github.com/modseal/modseal/internal/rekor"
	"github.com/modseal/modseal/merkle"
)

// entryCache keeps retrieved entries, so that an interrupted snapshot does not
// fetch them again. A leaf never changes; its proof is of some older tree head
// and is rebased like any other. What comes out is checked like what comes from
// a server.
//
//	DIR/rekor/XX/UUID             an entry; XX begins its leaf hash
//	DIR/rekor/.modseal-*.tmp      one that is being written
type entryCache struct {
	dir   string
	sweep *sync.Once // of what processes that were killed left; nil is never
}

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
	_ = c.write(c.file(e.UUID), b.Bytes())
}

func (c entryCache) write(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	top := filepath.Join(c.dir, "rekor")
	p, err := atomicfile.BeginIn(top, name)
	if err != nil {
		return err
	}
	defer p.Discard()
	err = p.Write(func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
	if err != nil || c.sweep == nil {
		return err
	}
	c.sweep.Do(func() { sweepCache(top, name) })
	return nil
}

// sweepCache removes old temporary files from a folder of the cache. What time it is
// there, the file that was just written tells.
func sweepCache(dir, written string) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return
	}
	defer root.Close()
	if info, err := os.Stat(written); err == nil {
		atomicfile.Sweep(root, atomicfile.Pattern, info.ModTime())
	}
}
