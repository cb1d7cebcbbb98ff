package export

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/evidence"
)

// writeSumDBs writes what the go command asks of a checksum database that it reaches
// through its proxy (https://go.dev/ref/mod#checksum-database), for each database of
// which the bundle carries the tiles:
//
//	sumdb/NAME/supported               empty
//	sumdb/NAME/latest                  the bundle's checkpoint
//	sumdb/NAME/lookup/PATH@VERSION     record and its number, with that checkpoint
//	sumdb/NAME/tile/8/...              tiles of that checkpoint's tree
//
// All answers name one tree, so that the go command finds every record in it with the
// tiles that are there.
func writeSumDBs(ctx context.Context, b *bundles.Bundle, dir *os.Root) ([]string, error) {
	var names []string
	for i := range b.Logs {
		l := &b.Logs[i]
		if !l.Tiles {
			continue
		}
		names = append(names, l.Name)
		if err := writeAnswers(l, dir); err != nil {
			return nil, fmt.Errorf("checksum database %q: %w", l.Name, err)
		}
	}
	err := b.Tiles(func(t bundles.CarriedTile, data []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return writeAt(dir, strings.TrimPrefix(t.Name, bundles.CarriedFolder), data)
	})
	return names, err
}

// writeAnswers writes all but the tiles.
func writeAnswers(l *bundles.Log, dir *os.Root) error {
	folder := strings.TrimPrefix(bundles.SumDBFolder(l.Name), bundles.CarriedFolder)
	if err := writeAt(dir, folder+"/supported", nil); err != nil {
		return err
	}
	if err := writeAt(dir, folder+"/latest", l.Checkpoint); err != nil {
		return err
	}
	for _, e := range l.Entries {
		record, err := evidence.ParseRecord(e.Leaf)
		if err != nil {
			return err
		}
		path, err := module.EscapePath(record.Module.Path)
		if err != nil {
			return err
		}
		version, err := module.EscapeVersion(record.Module.Version)
		if err != nil {
			return err
		}
		answer, err := tlog.FormatRecord(int64(e.Index), []byte(e.Leaf))
		if err != nil {
			return err
		}
		if err := writeAt(dir, folder+"/lookup/"+path+"@"+version, append(answer, l.Checkpoint...)); err != nil {
			return err
		}
	}
	return nil
}

// writeAt writes a file that must not be there yet, and the folders above it; the name
// has slashes.
func writeAt(dir *os.Root, name string, data []byte) error {
	name = filepath.FromSlash(name)
	if err := dir.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return writeNew(dir, name, bytes.NewReader(data))
}
