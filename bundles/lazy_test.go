package bundles_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/modseal/modseal/bundles"
)

// Property: what is wrong behind the logs of a bundle that somebody trusted sealed is
// found by who reads that, or reads all; of one that nobody sealed, at once.
func TestRestIsCheckedWhenRead(t *testing.T) {
	listings := func(b *bundles.Bundle) error { return b.Listings(nil, func(string, []byte) error { return nil }) }
	carried := func(b *bundles.Bundle) error {
		return b.Carried(func(_ bundles.CarriedFile, r io.Reader) error {
			_, err := io.Copy(io.Discard, r)
			return err
		})
	}
	tiles := func(b *bundles.Bundle) error {
		return b.Tiles(func(bundles.CarriedTile, []byte) error { return nil })
	}
	changed := func(prefix string) func([]file) []file {
		return func(files []file) []file {
			for i := range files {
				if strings.HasPrefix(files[i].name, prefix) {
					files[i].data = bytes.Repeat([]byte{'x'}, len(files[i].data)+1)
					return files
				}
			}
			t.Fatalf("no file %s…", prefix)
			return nil
		}
	}
	for name, c := range map[string]struct {
		lie  func([]file) []file
		read func(*bundles.Bundle) error // nil: nobody reads that
	}{
		"a listing":     {changed("listings/"), listings},
		"a module file": {changed("cache/download/example.com/"), carried},
		"a tile":        {changed("cache/download/sumdb/"), tiles},
		"what follows":  {func(files []file) []file { return append(files, file{"zzz", nil}) }, nil},
	} {
		files := c.lie(unpack(t, write(t, tiled(t))))
		frame := framed(t, compress(t, archive(t, files)), []byte("seal"))
		open := func(o bundles.OpenOptions) (*bundles.Bundle, error) {
			return bundles.Open(bytes.NewReader(frame), int64(len(frame)), o)
		}
		sealed := bundles.OpenOptions{Seals: &recorder{accept: true}}
		b, err := open(sealed)
		if err != nil {
			t.Errorf("%s, not read: %v", name, err)
			continue
		}
		if c.read != nil {
			if err := c.read(b); !errors.Is(err, bundles.ErrDamaged) {
				t.Errorf("%s, read: %v", name, err)
			}
		}
		sealed.Whole = true
		if _, err := open(sealed); !errors.Is(err, bundles.ErrDamaged) {
			t.Errorf("%s, read with the whole: %v", name, err)
		}
		if _, err := open(bundles.OpenOptions{Seals: &recorder{}, InsecureIgnoreSeals: true}); !errors.Is(err, bundles.ErrDamaged) {
			t.Errorf("%s, of nobody's bundle: %v", name, err)
		}
	}
}
