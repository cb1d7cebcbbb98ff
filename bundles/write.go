package bundles

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/modseal/modseal/merkle"
)

// Payload is what goes into payload.tar.zst.
type Payload struct {
	Manifest Manifest // MediaType, Logs, Listings and Files are filled in by WritePayload
	Logs     []Log    // sorted by kind, name, log ID, size; the size is filled in

	// Trust is a TUF chain to carry, by name as the repository serves it.
	Trust map[string][]byte

	// Listing gives the listing whose SHA-256 is digest, in hex. When it is nil
	// the bundle goes without listings.
	Listing func(digest string) ([]byte, error)

	// Carry opens a module file that the manifest says is carried.
	Carry func(f CarriedFile) (io.ReadCloser, error)

	// Tiles gives tiles of a log of which LogInfo.Tiles says that they are carried.
	Tiles func(l *Log, tiles []merkle.Tile) ([][]byte, error)
}

// WritePayload writes payload.tar.zst. Equal payloads give equal bytes. What
// Open would refuse is an error.
func WritePayload(w io.Writer, p *Payload) error { return p.write(w, formatLimits()) }

func (p *Payload) write(w io.Writer, lim limits) error {
	files, err := p.files(lim)
	if err != nil {
		return err
	}
	manifest, err := p.Manifest.encode(lim)
	if err != nil {
		return err
	}
	packed := &counter{w: w}
	z, err := zstd.NewWriter(packed, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(maxWindow))
	if err != nil {
		return err
	}
	expanded := &counter{w: z}
	t := tar.NewWriter(expanded)
	// A block of zstd has one table for its literals, so what can be compressed
	// does not share one with the hashes of a multiproof, which can't.
	endBlock := func() error { return errors.Join(t.Flush(), z.Flush()) }
	if err := errors.Join(writeFile(t, ManifestName, manifest), endBlock()); err != nil {
		return err
	}
	for i, f := range p.Manifest.Files {
		if err := errors.Join(writeFile(t, f.Name, files[i]), endBlock()); err != nil {
			return err
		}
	}
	if err := p.writeListings(t, lim); err != nil {
		return err
	}
	if p.Manifest.CarriesModules() {
		if err := errors.Join(endBlock(), p.writeCarried(t), p.writeTiles(t, lim)); err != nil {
			return err
		}
	}
	if err := t.Close(); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return over(PayloadName+", decompressed", expanded.n, lim.expanded+maxRatio*packed.n, "bytes")
}

// counter counts the bytes that are written.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// files encodes the logs and completes the manifest; the contents come in the
// order of Manifest.Files.
func (p *Payload) files(lim limits) ([][]byte, error) {
	m := &p.Manifest
	m.MediaType = MediaType
	m.Listings = p.Listing != nil
	m.Logs = make([]LogInfo, len(p.Logs))
	m.Files = []File{}
	if m.Projects == nil {
		m.Projects = []Project{}
	}
	if m.Modules == nil {
		m.Modules = []Module{}
	}
	contents := map[string][]byte{}
	left, entries := lim.logBytes, 0
	if m.Artifacts == nil {
		m.Artifacts = []Artifact{}
	}
	for i := range p.Logs {
		if proof := p.Logs[i].Proof; proof != nil {
			p.Logs[i].Size = proof.Size
		}
		m.Logs[i] = p.Logs[i].LogInfo
		entries += len(p.Logs[i].Entries)
		if err := over("entries of all logs", int64(entries), int64(lim.allEntries), "entries"); err != nil {
			return nil, err
		}
		files, err := p.Logs[i].files(lim)
		if err != nil {
			return nil, err
		}
		for k, kind := range logFiles(lim) {
			name, data := logFileName(i, kind.name), files[k]
			if kind.optional && len(data) == 0 {
				continue
			}
			if err := over(name, int64(len(data)), min(kind.max, left), "bytes"); err != nil {
				return nil, err
			}
			left -= int64(len(data))
			sum := sha256.Sum256(data)
			m.Files = append(m.Files, File{Name: name, Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:])})
			contents[name] = data
		}
	}
	if err := p.addTrust(contents, lim); err != nil {
		return nil, err
	}
	m.sortFiles()
	out := make([][]byte, len(m.Files))
	for i, f := range m.Files {
		out[i] = contents[f.Name]
	}
	return out, m.checkRefs(p.Logs)
}

// files are the contents of logFiles.
func (l *Log) files(lim limits) ([][]byte, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	entries, err := l.encodeEntries(lim)
	if err != nil {
		return nil, err
	}
	earlier, err := l.encodeEarlier(lim)
	if err != nil {
		return nil, err
	}
	proof, err := l.Proof.MarshalBinary()
	return [][]byte{l.Checkpoint, earlier, entries, proof}, err
}

func (p *Payload) writeListings(t *tar.Writer, lim limits) error {
	left := lim.listings
	for _, digest := range p.Manifest.listingDigests() { // none without Listing
		data, err := p.Listing(digest)
		if err != nil {
			return err
		}
		name := "listings/" + digest
		if err := over(name, int64(len(data)), min(lim.listing, left), "bytes"); err != nil {
			return err
		}
		left -= int64(len(data))
		if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != digest {
			return fmt.Errorf("%s: what was given has the digest %x", name, sum)
		}
		if err := writeFile(t, name, data); err != nil {
			return err
		}
	}
	return nil
}
