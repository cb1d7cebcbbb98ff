package verify

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/internal/gomod"
	"github.com/modseal/modseal/internal/modhash"
)

// reader finds and hashes what a build would read of modules, which does not depend on
// what it is compared with.
type reader struct {
	places places
	hasher *modhash.Hasher
	ahead  *ahead // nil if nothing is hashed before it is asked for
}

// newReader tells how many modules there are, and reads those of the enclave.
func (r *Request) newReader(e *enclave) *reader {
	r.progress(Progress{Total: len(e.project.Modules) + len(e.toolchains)})
	return &reader{
		places: e.places,
		hasher: modhash.New(modhash.Options{Workers: r.Workers, Progress: func(n int64) { r.progress(Progress{Bytes: n}) }}),
	}
}

// content is what a build would read of a module.
type content struct {
	at         place
	listing    *modhash.Listing // of what the compiler would read: the tree, else the zip
	zip        *modhash.Digest  // of the zip, when there is one
	zipListing *modhash.Listing // of the zip's content, once that was read
	hashed     []Content        // for the report
}

func (k *content) add(what, file, digest string) {
	k.hashed = append(k.hashed, Content{What: what, File: file, Digest: digest})
}

// hash finds the module's files and hashes the tree if the go command would use it,
// else the zip. An error leaves what was hashed until then.
func (r *reader) hash(ctx context.Context, m gomod.Module) (k content, err error) {
	v := module.Version{Path: m.Path, Version: m.Version}
	if m.GOROOT != "" {
		k.at.tree = m.GOROOT
	} else if k.at, err = r.places.find(v); err != nil || m.GoModOnly {
		return k, err
	}
	switch {
	case k.at.tree != "":
		err = r.hashTree(ctx, m, v, &k)
	case k.at.zip != "":
		if err = r.readZip(ctx, v, &k); err == nil {
			k.listing = k.zipListing
			k.add("zip", k.at.zip, "sha256:"+k.zip.String())
		}
	}
	return k, err
}

// hashTree hashes the tree, and at the same time the bytes of the zip if that is there
// too: a large zip takes one processor, and may be the last thing to be hashed.
func (r *reader) hashTree(ctx context.Context, m gomod.Module, v module.Version, k *content) error {
	var zip modhash.Digest
	var zipErr error
	var zipped sync.WaitGroup
	if k.at.zip != "" {
		zipCtx, cancel := context.WithCancel(ctx)
		zipped.Go(func() { zip, _, zipErr = r.hasher.Digest(zipCtx, k.at.zip) })
		defer zipped.Wait() // also if the tree can't be hashed
		defer cancel()
	}
	t, err := r.hasher.Tree(ctx, k.at.tree, v)
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(k.at.tree), err)
	}
	if k.listing, err = asModule(m, t.Listing); err != nil {
		return err
	}
	k.add("tree", k.at.tree, k.listing.H1().String())
	if k.at.zip == "" {
		return nil
	}
	if zipped.Wait(); zipErr != nil {
		return zipErr
	}
	k.zip = &zip
	k.add("zip", k.at.zip, "sha256:"+zip.String())
	return nil
}

// readZip hashes the zip's bytes and its content, in one reading.
func (r *reader) readZip(ctx context.Context, v module.Version, k *content) error {
	z, err := r.hasher.Zip(ctx, k.at.zip, v)
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(k.at.zip), err)
	}
	if k.zip != nil && *k.zip != z.Digest {
		return fmt.Errorf("%s: %w", filepath.Base(k.at.zip), errChanged)
	}
	k.zip, k.zipListing = &z.Digest, z.Listing
	return nil
}

// errChanged says that a file has other bytes than those for which evidence was
// found a moment ago.
var errChanged = errors.New("changed while it was read")

// early is the content of one module, hashed by whoever comes first.
type early struct {
	once sync.Once
	content
	err error
}

// take hands the content over, and is called once.
func (e *early) take(ctx context.Context, r *reader, m gomod.Module) (content, error) {
	e.once.Do(func() { e.content, e.err = r.hash(ctx, m) })
	k := e.content
	e.content = content{}
	return k, e.err
}

// A large bundle takes longer to open than many modules to hash, and memory must not grow
// with that.
const (
	maxAhead        = 8 << 20 // bytes of listings, after which no module is begun any more
	maxAheadModules = 4096
)

// ahead hashes modules while the bundle is opened, which keeps one processor busy
// alone.
type ahead struct {
	of     []early      // the first of the dependency set
	left   atomic.Int64 // bytes of listings
	enough atomic.Bool  // no further module is begun
	cancel context.CancelFunc
	done   chan struct{}
}

// hashAhead begins with the first modules of a set. Once their listings take most bytes it
// begins with no more; those under way, one for each worker, are finished. Who calls it calls
// close.
func (r *reader) hashAhead(ctx context.Context, set []gomod.Module, most int64) *ahead {
	ctx, cancel := context.WithCancel(ctx)
	a := &ahead{of: make([]early, min(len(set), maxAheadModules)), cancel: cancel, done: make(chan struct{})}
	a.left.Store(most)
	go func() {
		defer close(a.done)
		_ = r.hasher.Each(ctx, len(a.of), func(ctx context.Context, i int) error {
			if a.enough.Load() || set[i].LocalDir != "" {
				return nil
			}
			e := &a.of[i]
			e.once.Do(func() {
				e.content, e.err = r.hash(ctx, set[i])
				if e.listing != nil && a.left.Add(-e.listing.Size()) <= 0 {
					a.stop()
				}
			})
			return nil // the error is of the module
		})
	}()
	return a
}

// at is the content of one module, which is hashed then if it was not.
func (a *ahead) at(i int) *early {
	if a == nil || i >= len(a.of) {
		return new(early)
	}
	return &a.of[i]
}

// stop lets no further module be begun. Those under way are finished.
func (a *ahead) stop() {
	if a != nil {
		a.enough.Store(true)
	}
}

// close ends what is under way.
func (a *ahead) close() {
	a.cancel()
	<-a.done
}
