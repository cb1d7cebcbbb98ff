package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/internal/seal"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/merkle"
)

// forge BUNDLE NEW [MODULE.KIND FILE]... is a dishonest sealer: NEW is the bundle
// with the file in place of the module's .info, .mod or .zip, and with a manifest
// and a seal to match. FILE "-" leaves a zip out. In place of MODULE.KIND a tile can
// be named as in the payload.
func forge(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args)%2 != 0 || len(args) < 2 {
		ts.Fatalf("usage: forge BUNDLE NEW [MODULE.KIND FILE]...")
	}
	instead := map[string]string{}
	for i := 2; i < len(args); i += 2 {
		instead[args[i]] = args[i+1]
	}
	p := takeApart(ts, []byte(ts.ReadFile(args[0])))
	honestTiles := p.Tiles
	tiles := map[string]string{}
	for name, file := range instead {
		if strings.Contains(name, "/tile/") {
			tiles[name] = ts.ReadFile(file)
			delete(instead, name)
		}
	}
	p.Tiles = func(l *bundles.Log, wanted []merkle.Tile) ([][]byte, error) {
		out, err := honestTiles(l, wanted)
		for i, t := range wanted {
			if data, ok := tiles[bundles.TileName(l, t)]; ok {
				out[i] = []byte(data)
			}
		}
		return out, err
	}
	content := map[string][]byte{}
	for i := range p.Manifest.Modules {
		m := &p.Manifest.Modules[i]
		for _, kind := range []string{bundles.InfoFile, bundles.GoModFile, bundles.ZipFile} {
			file, ok := instead[m.Path+kind]
			if !ok {
				continue
			}
			delete(instead, m.Path+kind)
			data := []byte{}
			digest := ""
			if file != "-" {
				data = []byte(ts.ReadFile(file))
				sum := sha256.Sum256(data)
				digest = hex.EncodeToString(sum[:])
			}
			content[digest] = data
			c := bundles.Content{Size: int64(len(data)), SHA256: digest}
			switch kind {
			case bundles.InfoFile:
				m.Carried.Info = c
			case bundles.GoModFile:
				m.Carried.Mod = c
			default:
				m.Zip, m.Carried.Zip = c.SHA256, c.Size
			}
		}
	}
	if len(instead) > 0 {
		ts.Fatalf("no such modules: %v", instead)
	}
	honest := p.Carry
	p.Carry = func(f bundles.CarriedFile) (io.ReadCloser, error) {
		if data, ok := content[f.SHA256]; ok {
			return io.NopCloser(bytes.NewReader(data)), nil
		}
		return honest(f)
	}
	var payload, file bytes.Buffer
	ts.Check(bundles.WritePayload(&payload, p))
	digests, err := bundles.DigestsOf(bytes.NewReader(payload.Bytes()), int64(payload.Len()))
	ts.Check(err)
	k, err := keys.ParsePrivate(testlog.NewSigner("seal").PrivatePEM(), nil)
	ts.Check(err)
	by, err := seal.ByKey(k, digests)
	ts.Check(err)
	ts.Check(bundles.WriteFile(&file, [][]byte{by}, &payload, int64(payload.Len())))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), file.Bytes(), 0o644))
}

// takeApart gives the payload of a bundle, to be written again.
func takeApart(ts *testscript.TestScript, file []byte) *bundles.Payload {
	b, err := bundles.Open(bytes.NewReader(file), int64(len(file)), bundles.OpenOptions{InsecureIgnoreSeals: true})
	ts.Check(err)
	content := map[string][]byte{}
	ts.Check(b.Listings(nil, func(digest string, listing []byte) error {
		content[digest] = listing
		return nil
	}))
	ts.Check(b.Carried(func(f bundles.CarriedFile, r io.Reader) (err error) {
		content[f.SHA256], err = io.ReadAll(r)
		return err
	}))
	tiles := map[string][]byte{}
	ts.Check(b.Tiles(func(t bundles.CarriedTile, data []byte) error {
		tiles[t.Name] = data
		return nil
	}))
	return &bundles.Payload{
		Manifest: b.Manifest, Logs: b.Logs, Trust: b.Trust,
		Tiles: func(l *bundles.Log, wanted []merkle.Tile) ([][]byte, error) {
			var out [][]byte
			for _, t := range wanted {
				out = append(out, tiles[bundles.TileName(l, t)])
			}
			return out, nil
		},
		Listing: func(digest string) ([]byte, error) { return content[digest], nil },
		Carry: func(f bundles.CarriedFile) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(string(content[f.SHA256]))), nil
		},
	}
}
