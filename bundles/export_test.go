package bundles

import (
	"bytes"
	"fmt"
	"io"
)

// What tests of the package reach beyond its API: limits that are not too large
// to come close to, and the decoders alone.

const (
	Chunk     = chunk
	MaxWindow = maxWindow

	MaxExpanded = maxExpanded
	MaxRatio    = maxRatio
)

// Unsealed are the limits that are lower for what nobody sealed.
type Unsealed struct{ Manifest, Modules, LogBytes, Entries, Signed, Listing int64 }

func UnsealedLimits(among int) Unsealed {
	l := formatLimits().unsealed(among)
	return Unsealed{l.manifest, int64(l.modules), l.logBytes, int64(l.allEntries), int64(l.signed), l.listing}
}

func withLimit(name string, n int64) limits {
	lim := formatLimits()
	ints := map[string]*int{"seals": &lim.seals, "logs": &lim.logs, "modules": &lim.modules, "artifacts": &lim.artifacts, "projects": &lim.projects, "leaves": &lim.leaves, "allEntries": &lim.allEntries, "signed": &lim.signed, "earlier": &lim.earlier, "trustFiles": &lim.trustFiles, "tiles": &lim.tiles}
	sizes := map[string]*int64{
		"seal": &lim.seal, "payload": &lim.payload, "manifest": &lim.manifest, "project": &lim.project, "expanded": &lim.expanded, "module": &lim.module, "checkpoint": &lim.checkpoint,
		"multiproof": &lim.multiproof, "earlierAll": &lim.earlierAll, "entry": &lim.entry, "entries": &lim.entries, "logBytes": &lim.logBytes, "listing": &lim.listing, "listings": &lim.listings,
		"trustFile": &lim.trustFile, "trustBytes": &lim.trustBytes, "info": &lim.info, "goMod": &lim.goMod, "zip": &lim.zip, "carried": &lim.carried,
	}
	switch {
	case ints[name] != nil:
		*ints[name] = int(n)
	case sizes[name] != nil:
		*sizes[name] = n
	default:
		panic(fmt.Sprintf("no limit %q", name))
	}
	return lim
}

func OpenWithLimit(r io.ReaderAt, size int64, o OpenOptions, name string, n int64) (*Bundle, error) {
	return open(r, size, o, withLimit(name, n))
}

func WriteWithLimit(w io.Writer, p *Payload, name string, n int64) error {
	return p.write(w, withLimit(name, n))
}

func WriteFileWithLimit(w io.Writer, seals [][]byte, payload io.Reader, size int64, name string, n int64) error {
	return writeFrame(w, seals, payload, size, withLimit(name, n))
}

func DecodeManifest(b []byte) (*Manifest, error) {
	return decodeManifest(bytes.NewReader(b), formatLimits())
}

func DecodeEntries(b []byte) ([]Entry, error) {
	return decodeEntries(bytes.NewReader(b), formatLimits())
}

func EncodeManifest(m *Manifest) ([]byte, error) { return encodeJSON(m, " ") } // unchecked

func DecodeEarlier(b []byte) ([]Consistency, error) {
	return decodeEarlier(bytes.NewReader(b), formatLimits())
}

func EncodeEarlier(c []Consistency) ([]byte, error) {
	return (&Log{Earlier: c}).encodeEarlier(formatLimits())
}

func EncodeEntries(e []Entry) ([]byte, error) {
	return (&Log{Entries: e}).encodeEntries(formatLimits())
}
