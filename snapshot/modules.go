package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/gomod"
	"github.com/modseal/modseal/internal/modhash"
	"github.com/modseal/modseal/verify"
)

// collected is a module, or an artifact, with what is known of it so far.
type collected struct {
	gomod.Module
	v        module.Version
	artifact *verify.Artifact  // else it is a module
	zip      *modhash.Digest   // nil when there is no zip
	h1       *modhash.H1       // nil for a module of which only go.mod is read
	carried  *bundles.Carried  // nil if it is not
	inVendor bool              // a project that has it is built from its vendor folder
	vendored *bundles.Vendored // nil unless it is
	leftOut  int
}

func (c *collected) String() string {
	if c.artifact != nil {
		return c.artifact.String()
	}
	return c.v.String()
}

// failed is an error about it.
func (c *collected) failed(err error) ModuleError {
	if c.artifact != nil {
		return ModuleError{Module: module.Version{Path: c.artifact.String()}, Err: err}
	}
	return ModuleError{Module: c.v, Err: err}
}

// digests are what evidence about it is over.
func (c *collected) digests() []evidence.Digest {
	if c.artifact != nil {
		return c.artifact.Digests
	}
	var out []evidence.Digest
	if c.zip != nil {
		out = append(out, evidence.SHA256(*c.zip))
	}
	if c.h1 != nil {
		out = append(out, evidence.SHA256(*c.h1))
	}
	return out
}

// modules are the subjects that are modules.
func (c *collector) modules() []collected {
	return c.subjects[:len(c.subjects)-len(c.Artifacts)]
}

// hash takes the digests of what will be looked for in the logs: of each zip,
// or of the unpacked tree where there is no zip.
func (c *collector) hash(ctx context.Context) error {
	modules := c.modules()
	if len(modules) == 0 {
		return nil
	}
	cache, err := c.env.Cache()
	if err != nil {
		return err
	}
	c.phase(Phase{Name: "hash modules", Total: int64(len(modules)), Unit: "modules"})
	var bytes atomic.Int64
	h := modhash.New(modhash.Options{Progress: func(n int64) { bytes.Add(n) }})
	if c.Listings {
		c.listings = newSpool(c.Output, maxSpooled)
	}
	err = h.Each(ctx, len(modules), func(ctx context.Context, i int) error {
		m := &modules[i]
		defer c.count(1)
		if m.GoModOnly {
			return nil
		}
		l, err := c.hashModule(ctx, h, cache, m)
		if err != nil {
			return ModuleError{Module: m.v, Err: err}
		}
		h1 := l.H1()
		m.h1 = &h1
		if m.inVendor {
			if m.vendored, err = c.describeVendored(ctx, cache, m, l); err != nil {
				return ModuleError{Module: m.v, Err: err}
			}
		}
		if c.listings == nil {
			return nil
		}
		return c.listings.put(h1, l.Bytes())
	})
	if err != nil {
		return err
	}
	c.phase(Phase{Name: "hash modules", Done: fmt.Sprintf("%d modules, %d MB", len(modules), bytes.Load()/1e6)})
	return nil
}

func (c *collector) hashModule(ctx context.Context, h *modhash.Hasher, cache *gomod.Cache, m *collected) (*modhash.Listing, error) {
	name, err := cache.Zip(m.v)
	if err != nil {
		return nil, err
	}
	_, err = gomod.RegularFile(name)
	if err == nil {
		z, err := h.Zip(ctx, name, m.v)
		if err != nil {
			return nil, err
		}
		digest := z.Digest // by itself: a pointer into z would keep the listing
		m.zip = &digest
		return z.Listing, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	dir, err := cache.Tree(m.v)
	if err != nil {
		return nil, err
	}
	t, err := h.Tree(ctx, dir, m.v)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("not in the module cache %s: run go mod download", cache.Root)
	}
	if err != nil {
		return nil, err
	}
	return t.Listing, nil
}
