package snapshot

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/gomod"
	"github.com/modseal/modseal/internal/limit"
)

// carry finds out what of the modules is carried: metadata, go.mod and, unless
// only go.mod is read of a module, its zip. Zips and go.mod files stay where they are
// until the payload is written; by then they must be those that were hashed.
func (c *collector) carry(ctx context.Context) error {
	if !c.WithModules || len(c.projects) == 0 {
		return nil
	}
	cache, err := c.env.Cache()
	if err != nil {
		return err
	}
	c.carried = &carried{cache: cache, info: map[string][]byte{}}
	modules := c.modules()
	for i := range modules {
		if err := ctx.Err(); err != nil {
			return err
		}
		if modules[i].carried, err = c.carried.add(&modules[i]); err != nil {
			return ModuleError{Module: modules[i].v, Err: err}
		}
		c.summary.Carried += modules[i].carried.Info.Size + modules[i].carried.Mod.Size + modules[i].carried.Zip
	}
	return nil
}

// carried opens the files that are carried.
type carried struct {
	cache *gomod.Cache
	info  map[string][]byte // metadata as it is carried, by digest in hex
}

func (c *carried) add(m *collected) (*bundles.Carried, error) {
	out := &bundles.Carried{}
	data, err := c.read(m.v, gomod.Cache.Mod, bundles.MaxGoMod)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("its go.mod is not in the module cache %s, so it can't be carried: run go mod download", c.cache.Root)
	}
	if err != nil {
		return nil, err
	}
	out.Mod = contentOf(data)
	data, err = c.read(m.v, gomod.Cache.Info, maxInfo)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, limit.ErrExceeded) {
		return nil, err
	}
	if data, err = bundles.EncodeInfo(m.Version, commitTime(data)); err != nil {
		return nil, err
	}
	out.Info = contentOf(data)
	c.info[out.Info.SHA256] = data
	if m.GoModOnly {
		return out, nil
	}
	if m.zip == nil {
		return nil, fmt.Errorf("its zip is not in the module cache %s, so it can't be carried: run go mod download", c.cache.Root)
	}
	name, err := c.cache.Zip(m.v)
	if err != nil {
		return nil, err
	}
	info, err := gomod.RegularFile(name)
	if err != nil {
		return nil, err
	}
	out.Zip = info.Size()
	return out, nil
}

const maxInfo = 1 << 20 // bytes of metadata that are read for the time in them

// commitTime is the time in a module's metadata; the rest of it may be anything.
func commitTime(data []byte) time.Time {
	var info struct{ Time time.Time }
	if json.Unmarshal(data, &info) != nil {
		return time.Time{}
	}
	return info.Time
}

func (c *carried) read(v module.Version, of func(gomod.Cache, module.Version) (string, error), max int64) ([]byte, error) {
	name, err := of(*c.cache, v)
	if err != nil {
		return nil, err
	}
	return gomod.ReadRegular(name, max)
}

func contentOf(data []byte) bundles.Content {
	sum := sha256.Sum256(data)
	return bundles.Content{Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:])}
}

// open opens a file for the payload, which compares its digest.
func (c *carried) open(f bundles.CarriedFile) (io.ReadCloser, error) {
	name := c.cache.Mod
	switch f.Kind {
	case bundles.InfoFile:
		return io.NopCloser(bytes.NewReader(c.info[f.SHA256])), nil
	case bundles.ZipFile:
		name = c.cache.Zip
	}
	file, err := name(f.Module)
	if err != nil {
		return nil, err
	}
	return os.Open(file)
}
