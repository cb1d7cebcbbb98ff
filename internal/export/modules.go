package export

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/gomod"
)

// Written is how much was written.
type Written struct {
	Modules int
	Bytes   int64
	SumDBs  []string // checksum databases whose tiles are there
}

// Modules writes the module files that a bundle carries into dir, laid out for
// GOPROXY=file://DIR (https://go.dev/ref/mod#goproxy-protocol):
//
//	PATH/@v/list            versions there, one a line, sorted as the go command sorts them
//	PATH/@v/VERSION.info    version and, if the snapshot knew it, time
//	PATH/@v/VERSION.mod
//	PATH/@v/VERSION.zip     unless only go.mod is read of the module
//	sumdb/NAME/...          of a checksum database with tiles: see writeSumDBs
//
// Names are made of the modules' paths and versions, escaped as in the module
// cache; those in the archive have no part in it. A pseudo-version is not in the
// list, as on any proxy. Files are on disk when Modules returns. Nothing is
// verified: that is for whoever uses them.
func Modules(ctx context.Context, b *bundles.Bundle, dir *os.Root) (Written, error) {
	var out Written
	err := b.Carried(func(f bundles.CarriedFile, r io.Reader) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		name, err := carriedPlace(f)
		if err != nil {
			return err
		}
		if err := dir.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if f.Kind == bundles.GoModFile { // which every module has
			out.Modules++
		}
		out.Bytes += f.Size
		return writeNew(dir, name, r)
	})
	if err != nil {
		return out, err
	}
	if err := writeLists(b, dir); err != nil {
		return out, err
	}
	out.SumDBs, err = writeSumDBs(ctx, b, dir)
	return out, err
}

// carriedPlace is where a module file belongs below the folder.
func carriedPlace(f bundles.CarriedFile) (string, error) {
	var proxy gomod.Proxy
	switch f.Kind {
	case bundles.InfoFile:
		return proxy.Info(f.Module)
	case bundles.GoModFile:
		return proxy.Mod(f.Module)
	}
	return proxy.Zip(f.Module)
}

// writeNew writes a file that must not be there yet, down to the disk.
func writeNew(dir *os.Root, name string, r io.Reader) error {
	w, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	if err == nil {
		err = w.Sync()
	}
	if closed := w.Close(); err == nil {
		err = closed
	}
	return err
}

// writeLists writes the list of each path's versions.
func writeLists(b *bundles.Bundle, dir *os.Root) error {
	for rest := b.Manifest.Modules; len(rest) > 0; { // sorted by path
		path, n := rest[0].Path, 0
		var versions []string
		for ; n < len(rest) && rest[n].Path == path; n++ {
			if v := rest[n].Version; !module.IsPseudoVersion(v) {
				versions = append(versions, v)
			}
		}
		rest = rest[n:]
		slices.SortFunc(versions, semver.Compare)
		var list bytes.Buffer
		for _, v := range versions {
			list.WriteString(v + "\n")
		}
		escaped, err := module.EscapePath(path)
		if err != nil {
			return err
		}
		if err := writeNew(dir, filepath.Join(filepath.FromSlash(escaped), "@v", "list"), &list); err != nil {
			return err
		}
	}
	return nil
}
