package bundles

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/zstd"
)

// Payload is what goes into payload.tar.zst.
type Payload struct {
	Manifest Manifest // MediaType, Logs, Listings and Files are filled in by WritePayload
	Logs     []Log    // in the order of Manifest.Logs

	// Listing gives the listing whose SHA-256 is digest, in hex. When it is nil
	// the bundle goes without listings.
	Listing func(digest string) ([]byte, error)
}

// WritePayload writes payload.tar.zst. Equal payloads give equal bytes.
func WritePayload(w io.Writer, p *Payload) error {
	files, err := p.files()
	if err != nil {
		return err
	}
	manifest, err := p.Manifest.encode()
	if err != nil {
		return err
	}
	z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(maxWindow))
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	if err := writeFile(t, ManifestName, manifest); err != nil {
		return err
	}
	for i, f := range p.Manifest.Files {
		if err := writeFile(t, f.Name, files[i]); err != nil {
			return err
		}
	}
	if err := p.writeListings(t); err != nil {
		return err
	}
	if err := t.Close(); err != nil {
		return err
	}
	return z.Close()
}

// files encodes the logs and completes the manifest; the contents come in the
// order of Manifest.Files.
func (p *Payload) files() ([][]byte, error) {
	p.Manifest.MediaType = MediaType
	p.Manifest.Listings = p.Listing != nil
	p.Manifest.Logs = make([]LogInfo, len(p.Logs))
	p.Manifest.Files = []File{}
	if p.Manifest.Modules == nil {
		p.Manifest.Modules = []Module{}
	}
	byName := map[string][]byte{}
	for i := range p.Logs {
		l := &p.Logs[i]
		if err := l.check(); err != nil {
			return nil, err
		}
		entries, err := l.encodeEntries()
		if err != nil {
			return nil, err
		}
		proof, err := l.Proof.MarshalBinary()
		if err != nil {
			return nil, err
		}
		p.Manifest.Logs[i] = l.LogInfo
		byName[logFile(i, "checkpoint")] = l.Checkpoint
		byName[logFile(i, "entries.jsonl")] = entries
		byName[logFile(i, "multiproof")] = proof
	}
	for name, data := range byName {
		sum := sha256.Sum256(data)
		p.Manifest.Files = append(p.Manifest.Files, File{Name: name, Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:])})
	}
	slices.SortFunc(p.Manifest.Files, compareFiles)
	out := make([][]byte, len(p.Manifest.Files))
	for i, f := range p.Manifest.Files {
		out[i] = byName[f.Name]
	}
	return out, p.Manifest.checkRefs(p.Logs)
}

func logFile(i int, name string) string { return fmt.Sprintf("logs/%d/%s", i, name) }

func (p *Payload) writeListings(t *tar.Writer) error {
	if p.Listing == nil {
		return nil
	}
	for _, digest := range p.Manifest.listingDigests() {
		data, err := p.Listing(digest)
		if err != nil {
			return err
		}
		if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != digest || len(data) > MaxListing {
			return fmt.Errorf("listing %s: %d bytes with another digest, or more than %d bytes", digest, len(data), MaxListing)
		}
		if err := writeFile(t, "listings/"+digest, data); err != nil {
			return err
		}
	}
	return nil
}

// listingDigests are the names of the files in listings/: sorted, each once.
func (m *Manifest) listingDigests() []string {
	var d []string
	if !m.Listings {
		return nil
	}
	for _, mod := range m.Modules {
		if mod.Listing != "" {
			d = append(d, mod.Listing)
		}
	}
	slices.Sort(d)
	return slices.Compact(d)
}

// WriteFile writes a bundle file: the seals, then size bytes of payload.
func WriteFile(w io.Writer, seals [][]byte, payload io.Reader, size int64) error {
	if len(seals) > MaxSeals {
		return fmt.Errorf("%d seals (at most %d)", len(seals), MaxSeals)
	}
	t := tar.NewWriter(w)
	for i, s := range seals {
		if len(s) > MaxSeal {
			return fmt.Errorf("seal of %d bytes (at most %d)", len(s), MaxSeal)
		}
		if err := writeFile(t, sealName(i), s); err != nil {
			return err
		}
	}
	if size > MaxPayload {
		return fmt.Errorf("payload of %d bytes (at most %d)", size, int64(MaxPayload))
	}
	if err := t.WriteHeader(header(PayloadName, size)); err != nil {
		return err
	}
	if _, err := io.CopyN(t, payload, size); err != nil {
		return err
	}
	return t.Close()
}

func sealName(i int) string { return fmt.Sprintf("signatures/%d.sigstore.json", i) }

// DigestsOf takes the digests that a seal signs.
func DigestsOf(payload io.ReaderAt, size int64) (Digests, error) {
	s, err := takeDigests(payload, 0, size)
	if err != nil {
		return Digests{}, err
	}
	return s.digests, nil
}

// UnsealedFrame gives a bundle file without seals around a payload, without
// copying it: what a self-check reads before there is a seal. Open refuses it
// unless it is told to ignore seals.
func UnsealedFrame(payload io.ReaderAt, size int64) (io.ReaderAt, int64, error) {
	var head bytes.Buffer
	t := tar.NewWriter(&head)
	if err := t.WriteHeader(header(PayloadName, size)); err != nil {
		return nil, 0, err
	}
	tail := make([]byte, (512-size%512)%512+2*512)
	return &frame{head: head.Bytes(), payload: payload, size: size, tail: tail}, int64(head.Len()) + size + int64(len(tail)), nil
}

// frame is a payload with a tar header before it and zeros after it.
type frame struct {
	head    []byte
	payload io.ReaderAt
	size    int64
	tail    []byte
}

// ReadAt implements io.ReaderAt.
func (f *frame) ReadAt(p []byte, off int64) (n int, err error) {
	parts := []struct {
		r    io.ReaderAt
		size int64
	}{{bytes.NewReader(f.head), int64(len(f.head))}, {f.payload, f.size}, {bytes.NewReader(f.tail), int64(len(f.tail))}}
	for _, part := range parts {
		if off >= part.size {
			off -= part.size
			continue
		}
		want := min(int64(len(p)-n), part.size-off)
		got, err := part.r.ReadAt(p[n:n+int(want)], off)
		n += got
		if int64(got) < want {
			return n, err
		}
		if n == len(p) {
			return n, nil
		}
		off = 0
	}
	return n, io.EOF
}
