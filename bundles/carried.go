package bundles

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"time"

	"golang.org/x/mod/module"
)

// Carried says which files of a module are in the bundle. Their names are not
// stated: they follow from the module's path and version.
type Carried struct {
	Info Content `json:"info"`
	Mod  Content `json:"mod"`
	Zip  int64   `json:"zip,omitempty"` // bytes, 0 without one; its SHA-256 is Module.Zip
}

// Content is what a file holds.
type Content struct {
	Size   int64  `json:"size"`   // bytes
	SHA256 string `json:"sha256"` // hex
}

// The files of a module, by what their names end in.
const (
	InfoFile  = ".info" // metadata: version and, unproven, time
	GoModFile = ".mod"
	ZipFile   = ".zip"
)

// CarriedFile is a module file in the bundle.
type CarriedFile struct {
	Module  module.Version
	Kind    string // InfoFile, GoModFile or ZipFile
	Name    string // in the payload: cache/download/<escaped path>/@v/<escaped version><Kind>
	Content        // as the manifest has it
}

// CarriedFolder is where the module files are in the payload.
const CarriedFolder = "cache/download/"

// CarriesModules tells whether the bundle has the module files: of all modules
// or of none.
func (m *Manifest) CarriesModules() bool { return len(m.Modules) > 0 && m.Modules[0].Carried != nil }

// CarriedFiles are the module files in the order of the payload: of each module
// its metadata, its go.mod and, unless only go.mod is read of it, its zip.
func (m *Manifest) CarriedFiles() iter.Seq2[CarriedFile, error] {
	return func(yield func(CarriedFile, error) bool) {
		for i := range m.Modules {
			d := &m.Modules[i]
			if d.Carried == nil {
				continue
			}
			v := module.Version{Path: d.Path, Version: d.Version}
			for _, f := range []CarriedFile{
				{Kind: InfoFile, Content: d.Carried.Info},
				{Kind: GoModFile, Content: d.Carried.Mod},
				{Kind: ZipFile, Content: Content{d.Carried.Zip, d.Zip}},
			} {
				if f.Kind == ZipFile && f.Size == 0 {
					continue
				}
				var err error
				f.Module = v
				f.Name, err = carriedName(v, f.Kind)
				if !yield(f, err) || err != nil {
					return
				}
			}
		}
	}
}

func carriedName(v module.Version, kind string) (string, error) {
	path, err := module.EscapePath(v.Path)
	if err != nil {
		return "", fmt.Errorf("%w: %.200q is no module path", ErrDamaged, v.Path)
	}
	version, err := module.EscapeVersion(v.Version)
	if err != nil {
		return "", fmt.Errorf("%w: %.200q is no version", ErrDamaged, v.Version)
	}
	return CarriedFolder + path + "/@v/" + version + kind, nil
}

// checkCarried demands that all modules are carried or none, each whole, and
// sizes that a reader accepts.
func (m *Manifest) checkCarried(lim limits) error {
	left := lim.carried
	for i := range m.Modules {
		d := &m.Modules[i]
		name := d.Path + "@" + d.Version
		if (d.Carried != nil) != m.CarriesModules() {
			return fmt.Errorf("%w: manifest: some modules are carried and some are not: %.200q", ErrDamaged, name)
		}
		if d.Carried == nil {
			continue
		}
		if (d.Zip != "") != (d.Carried.Zip != 0) {
			return fmt.Errorf("%w: manifest: %.200q: a zip of %d bytes with the digest %q", ErrDamaged, name, d.Carried.Zip, d.Zip)
		}
		for _, f := range []struct {
			what string
			Content
			max int64
		}{{InfoFile, d.Carried.Info, lim.info}, {GoModFile, d.Carried.Mod, lim.goMod}, {ZipFile, Content{d.Carried.Zip, d.Zip}, lim.zip}} {
			what := fmt.Sprintf("%s of %.200q", f.what, name)
			if f.Size < 0 || f.Size > 0 && !isHex(f.SHA256) || f.what != ZipFile && !isHex(f.SHA256) {
				return fmt.Errorf("%w: manifest: %s: %d bytes with the digest %.80q", ErrDamaged, what, f.Size, f.SHA256)
			}
			if err := over(what, f.Size, f.max, "bytes"); err != nil {
				return err
			}
			if f.Size > left {
				return over("all module files", lim.carried+1, lim.carried, "bytes")
			}
			left -= f.Size
		}
	}
	return nil
}

// Carried hands out every module file, in the order of CarriedFiles. It has the
// bytes that the manifest has a digest of: the reader ends with an error else.
// Nothing is known of what they are until they are verified.
func (b *Bundle) Carried(yield func(f CarriedFile, r io.Reader) error) error {
	if !b.Manifest.CarriesModules() {
		return nil
	}
	p, err := b.openPayloadAfter(1 + len(b.Manifest.Files) + len(b.Manifest.listingDigests()))
	if err != nil {
		return err
	}
	defer p.close()
	return p.carried(&b.Manifest, yield)
}

// carried reads the module files, which follow the listings.
func (p *payloadReader) carried(m *Manifest, yield func(CarriedFile, io.Reader) error) error {
	for f, err := range m.CarriedFiles() {
		if err != nil {
			return err
		}
		size, err := p.open(f.Name)
		if err != nil {
			return err
		}
		if size != f.Size {
			return fmt.Errorf("%w: %s has %d bytes, the manifest says %d", ErrDamaged, f.Name, size, f.Size)
		}
		r := &contentReader{r: p, h: sha256.New(), f: f}
		if f.Kind == InfoFile {
			if r.r, err = checkedInfo(r.r, f); err != nil {
				return err
			}
		}
		if err := yield(f, r); err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			return err
		}
	}
	return nil
}

// contentReader hashes what is read of a file, and ends with an error if that is
// not what the manifest says.
type contentReader struct {
	r io.Reader
	h hash.Hash
	f CarriedFile
	n int64 // bytes read
}

func (c *contentReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.h.Write(p[:n])
	c.n += int64(n)
	if err == io.EOF {
		if sum := hex.EncodeToString(c.h.Sum(nil)); sum != c.f.SHA256 || c.n != c.f.Size {
			return n, fmt.Errorf("%w: %s is not the file that the manifest lists: %d bytes with the digest %s", ErrDamaged, c.f.Name, c.n, sum)
		}
	}
	return n, err
}

// info is the metadata of a module (https://go.dev/ref/mod#goproxy-protocol),
// as far as it is carried.
type info struct {
	Version string `json:"Version"`
	Time    string `json:"Time,omitempty"` // of the commit: RFC 3339, UTC, whole seconds
}

// EncodeInfo is the one encoding of a module's metadata; a zero time is left out.
func EncodeInfo(version string, commit time.Time) ([]byte, error) {
	i := info{Version: version}
	if y := commit.UTC().Year(); !commit.IsZero() && y > 0 && y < 10000 {
		i.Time = commit.UTC().Format(time.RFC3339)
	}
	return encodeJSON(i, "")
}

// checkedInfo reads metadata, which must be of this version and in its one
// encoding: the go command reads other members too, and they are nobody's word.
func checkedInfo(r io.Reader, f CarriedFile) (io.Reader, error) {
	data, err := io.ReadAll(r) // of f.Size, which has been checked
	if err != nil {
		return nil, err
	}
	var i info
	var commit time.Time
	err = json.Unmarshal(data, &i)
	if err == nil && i.Time != "" {
		commit, err = time.Parse(time.RFC3339, i.Time)
	}
	var want []byte
	if err == nil {
		want, err = EncodeInfo(f.Module.Version, commit)
	}
	if err != nil || !bytes.Equal(data, want) {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, f.Name, errors.Join(err, errEncoding))
	}
	return bytes.NewReader(data), nil
}

func (p *Payload) writeCarried(t *tar.Writer) error {
	for f, err := range p.Manifest.CarriedFiles() {
		if err != nil {
			return err
		}
		if p.Carry == nil {
			return errors.New("the manifest has module files, and nothing gives them")
		}
		r, err := p.Carry(f)
		if err != nil {
			return err
		}
		if err := errors.Join(writeContent(t, f, r), r.Close()); err != nil {
			return fmt.Errorf("%s: %w", f.Module, err)
		}
	}
	return nil
}

// writeContent copies a file that must be the one that the manifest lists.
func writeContent(t *tar.Writer, f CarriedFile, r io.Reader) error {
	if f.Kind == InfoFile {
		var err error
		if r, err = checkedInfo(io.LimitReader(r, f.Size+1), f); err != nil {
			return err
		}
	}
	if err := t.WriteHeader(header(f.Name, f.Size)); err != nil {
		return err
	}
	_, err := io.Copy(t, &contentReader{r: io.LimitReader(r, f.Size+1), h: sha256.New(), f: f})
	return err
}
