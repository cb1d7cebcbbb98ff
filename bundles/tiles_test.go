package bundles_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/merkle"
)

// tiled is carrying with the tiles of the checksum database: one, of its ten leaves.
// What is in it is for others to judge.
func tiled(t testing.TB) *bundles.Payload {
	p, _ := carrying(t)
	p.Logs[1].Tiles = true
	p.Tiles = func(l *bundles.Log, tiles []merkle.Tile) ([][]byte, error) {
		var out [][]byte
		for _, tile := range tiles {
			out = append(out, bytes.Repeat([]byte{byte(tile.Index)}, 32*tile.Width))
		}
		return out, nil
	}
	return p
}

const onlyTile = "cache/download/sumdb/sum.example.org/tile/8/0/000.p/10"

// Property: tiles come out as they went in, after the module files, under the names that
// the go command asks for.
func TestTilesRoundTrip(t *testing.T) {
	p := tiled(t)
	payload := write(t, p)
	files := unpack(t, payload)
	if last := files[len(files)-1]; last.name != onlyTile || len(last.data) != 320 {
		t.Fatalf("%s of %d bytes", last.name, len(last.data))
	}
	b, err := open(framed(t, payload))
	if err != nil || !b.Manifest.CarriesTiles() {
		t.Fatal(err)
	}
	var got []bundles.CarriedTile
	err = b.Tiles(func(tile bundles.CarriedTile, data []byte) error {
		if len(data) != 32*tile.Tile.Width {
			t.Errorf("%+v: %d bytes", tile, len(data))
		}
		got = append(got, tile)
		return nil
	})
	want := []bundles.CarriedTile{{Log: 1, Tile: merkle.Tile{Width: 10}, Name: onlyTile}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	enough := errors.New("enough")
	if err := b.Tiles(func(bundles.CarriedTile, []byte) error { return enough }); err != enough {
		t.Errorf("%v, want the caller's own error", err)
	}
	p, _ = carrying(t)
	if b, err = open(framed(t, write(t, p))); err != nil || b.Manifest.CarriesTiles() {
		t.Error(err)
	}
	if err := b.Tiles(func(bundles.CarriedTile, []byte) error { return enough }); err != nil {
		t.Errorf("no tiles: %v", err)
	}
}

// Property: tiles other than those that the records need are refused, and so are tiles
// of what is no checksum database, or is named like no folder.
func TestTilesLies(t *testing.T) {
	files := unpack(t, write(t, tiled(t)))
	last := len(files) - 1
	manifest := func(edit func(m *bundles.Manifest)) func(f []file) []file {
		return func(f []file) []file { return edited(t, f, edit) }
	}
	rename := func(name string) func(f []file) []file {
		return func(f []file) []file { f[last].name = name; return f }
	}
	named := func(name string) func(f []file) []file {
		return func(f []file) []file {
			f[last].name = strings.Replace(f[last].name, "sum.example.org", name, 1)
			return edited(t, f, func(m *bundles.Manifest) { m.Logs[1].Name = name })
		}
	}
	for name, lie := range map[string]func(f []file) []file{
		"nothing":        func(f []file) []file { return f }, // the control
		"another name":   named("sum.example.com/x"),         // and another
		"a shorter tile": func(f []file) []file { f[last].data = f[last].data[32:]; return f },
		"a longer tile":  func(f []file) []file { f[last].data = slices.Concat(f[last].data, make([]byte, 32)); return f },
		"no tile":        func(f []file) []file { return f[:last] },
		"a tile more": func(f []file) []file {
			return append(f, file{"cache/download/sumdb/sum.example.org/tile/8/1/000.p/1", make([]byte, 32)})
		},
		"twice":                func(f []file) []file { return append(f, f[last]) },
		"of another width":     rename("cache/download/sumdb/sum.example.org/tile/8/0/000.p/9"),
		"of another database":  rename("cache/download/sumdb/sum.example.com/tile/8/0/000.p/10"),
		"upwards":              rename("cache/download/sumdb/../../x"),
		"not said":             manifest(func(m *bundles.Manifest) { m.Logs[1].Tiles = false }),
		"of a Rekor":           manifest(func(m *bundles.Manifest) { m.Logs[0].Tiles = true }),
		"of a name upwards":    named("../../../etc"),
		"of an absolute name":  named("/etc"),
		"of a name with a dot": named("a/./b"),
		"without modules": func(f []file) []file {
			kept := slices.DeleteFunc(f, func(f file) bool {
				return strings.HasPrefix(f.name, "cache/download/") && !strings.Contains(f.name, "/sumdb/")
			})
			return edited(t, kept, func(m *bundles.Manifest) {
				for i := range m.Modules {
					m.Modules[i].Carried = nil
				}
			})
		},
	} {
		b, err := open(repacked(t, lie(slices.Clone(files))))
		if name == "nothing" || name == "another name" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		wantDamaged(t, name, b, err)
	}
}

// Property: the writer refuses tiles that no reader would accept.
func TestTilesWrites(t *testing.T) {
	gone := errors.New("gone")
	for name, edit := range map[string]func(p *bundles.Payload){
		"nothing gives them": func(p *bundles.Payload) { p.Tiles = nil },
		"too short": func(p *bundles.Payload) {
			p.Tiles = func(*bundles.Log, []merkle.Tile) ([][]byte, error) { return [][]byte{make([]byte, 319)}, nil }
		},
		"an error": func(p *bundles.Payload) {
			p.Tiles = func(*bundles.Log, []merkle.Tile) ([][]byte, error) { return nil, gone }
		},
		"of a Rekor": func(p *bundles.Payload) { p.Logs[0].Tiles = true },
	} {
		p := tiled(t)
		edit(p)
		if err := bundles.WritePayload(&bytes.Buffer{}, p); err == nil {
			t.Errorf("%s: written", name)
		}
	}
}

// Property: the number of tiles is limited, for reader and writer alike.
func TestTilesLimit(t *testing.T) {
	atLimits(t, tiled(t), map[string]int64{"tiles": 1})
	if bundles.MaxTiles != 131_072 {
		t.Error("docs/format.md, Section 8, says 131,072")
	}
}
