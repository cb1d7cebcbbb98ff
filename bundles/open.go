package bundles

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/zstd"

	"github.com/modseal/modseal/internal/limit"
	"github.com/modseal/modseal/merkle"
)

// OpenOptions say whom to trust.
type OpenOptions struct {
	// Seals accepts or refuses each seal. A nil verifier accepts none.
	Seals SealVerifier
	// InsecureIgnoreSeals reads a bundle even when no seal is accepted. What
	// comes out is then nobody's word.
	InsecureIgnoreSeals bool
}

// Bundle is an opened bundle: authenticated by Seals, well formed, and not yet
// verified against any log.
type Bundle struct {
	Manifest Manifest
	Logs     []Log   // Logs[i] belongs to Manifest.Logs[i]
	Seals    []Seal  // the accepted seals; empty only with InsecureIgnoreSeals
	Refused  []error // why the other seals were refused
	Payload  Digests
	Size     int64 // bytes of payload.tar.zst

	payload *sealedPayload
}

// Open reads a bundle of size bytes. It reads all of it once to take the
// payload's digests, asks for a seal over them, and only then decompresses and
// checks everything: framing, canonical form, limits, digests, references.
func Open(r io.ReaderAt, size int64, o OpenOptions) (*Bundle, error) {
	seals, payload, err := readFrame(r, size)
	if err != nil {
		return nil, err
	}
	b := &Bundle{Payload: payload.digests, Size: payload.size, payload: payload}
	for i, s := range seals {
		if o.Seals == nil {
			b.Refused = append(b.Refused, fmt.Errorf("seal %d: no sealer is trusted", i))
			continue
		}
		by, err := o.Seals.VerifySeal(s, payload.digests)
		if err != nil {
			b.Refused = append(b.Refused, fmt.Errorf("seal %d: %w", i, err))
			continue
		}
		b.Seals = append(b.Seals, Seal{Index: i, By: by})
	}
	if len(b.Seals) == 0 && !o.InsecureIgnoreSeals {
		if len(seals) == 0 {
			return nil, fmt.Errorf("%w: it has no seal", ErrUnsealed)
		}
		return nil, fmt.Errorf("%w: %w", ErrUnsealed, errors.Join(b.Refused...))
	}
	if err := b.decode(); err != nil {
		return nil, err
	}
	return b, nil
}

// readFrame reads the outer archive: its tar headers, the seals as they are, and
// the digests of the payload.
func readFrame(r io.ReaderAt, size int64) ([][]byte, *sealedPayload, error) {
	section := io.NewSectionReader(r, 0, size)
	c := newCanonicalReader(section)
	var seals [][]byte
	for {
		name, n, err := c.next()
		if err != nil {
			return nil, nil, cmpErr(err, fmt.Errorf("%w: there is no %s in it", ErrDamaged, PayloadName))
		}
		if name == PayloadName && n <= MaxPayload {
			offset, err := section.Seek(0, io.SeekCurrent) // archive/tar reads no byte ahead
			if err != nil {
				return nil, nil, err
			}
			if err := checkFrameEnd(r, offset+n, size); err != nil {
				return nil, nil, err
			}
			payload, err := takeDigests(r, offset, n)
			return seals, payload, err
		}
		if len(seals) == MaxSeals || name != sealName(len(seals)) || n > MaxSeal {
			return nil, nil, fmt.Errorf("%w: unexpected file %.80q of %d bytes", ErrDamaged, name, n)
		}
		s, err := limit.ReadAll(c, name, MaxSeal)
		if err != nil {
			return nil, nil, damaged(err)
		}
		seals = append(seals, s)
	}
}

// checkFrameEnd demands that after the payload come zeros up to a whole block,
// two blocks of zeros, and nothing more.
func checkFrameEnd(r io.ReaderAt, end, size int64) error {
	const block = 512
	whole := (end + block - 1) / block * block
	if whole+2*block != size {
		return fmt.Errorf("%w: the archive does not end where the payload does", ErrDamaged)
	}
	tail := make([]byte, size-end)
	if err := readAt(r, tail, end); err != nil {
		return err
	}
	if !bytes.Equal(tail, make([]byte, len(tail))) {
		return errNotCanonical
	}
	return nil
}

// archive opens the payload's inner archive at its start. Close releases the
// decompressor.
func (s *sealedPayload) archive() (*canonicalReader, func(), error) {
	z, err := zstd.NewReader(s.reader(), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, nil, damaged(err)
	}
	return newCanonicalReader(z), z.Close, nil
}

// decode reads the whole payload: it keeps manifest and logs, and checks the
// digest of everything else.
func (b *Bundle) decode() error {
	a, done, err := b.payload.archive()
	if err != nil {
		return err
	}
	defer done()
	data, err := nextFile(a, ManifestName, MaxManifest)
	if err != nil {
		return err
	}
	m, err := decodeManifest(data)
	if err != nil {
		return err
	}
	b.Manifest = *m
	if err := b.decodeLogs(a); err != nil {
		return err
	}
	return readListings(a, m, nil)
}

// nextFile reads the next file of the archive, which must have this name.
func nextFile(a *canonicalReader, name string, max int64) ([]byte, error) {
	got, size, err := a.next()
	if err != nil {
		return nil, cmpErr(err, fmt.Errorf("%w: %s is missing", ErrDamaged, name))
	}
	if got != name {
		return nil, fmt.Errorf("%w: unexpected file %.100q (want %s)", ErrDamaged, got, name)
	}
	if size > max {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, &limit.Error{What: name, Max: max, Unit: "bytes"})
	}
	data, err := limit.ReadAll(a, name, max)
	if err != nil {
		return nil, damaged(err)
	}
	return data, nil
}

// decodeLogs reads the files that the manifest lists: in version 1, three for
// each log and no others.
func (b *Bundle) decodeLogs(a *canonicalReader) error {
	names := map[string]bool{}
	for i := range b.Manifest.Logs {
		for _, name := range []string{"checkpoint", "entries.jsonl", "multiproof"} {
			names[logFile(i, name)] = true
		}
	}
	if len(names) != len(b.Manifest.Files) {
		return fmt.Errorf("%w: manifest: %d files listed, %d logs need %d", ErrDamaged, len(b.Manifest.Files), len(b.Manifest.Logs), len(names))
	}
	b.Logs = make([]Log, len(b.Manifest.Logs))
	for i := range b.Logs {
		b.Logs[i].LogInfo = b.Manifest.Logs[i]
	}
	var total int64
	for _, f := range b.Manifest.Files {
		if total += f.Size; !names[f.Name] || f.Size < 0 || total > MaxLogBytes {
			return fmt.Errorf("%w: manifest: file %.80q of %d bytes", ErrDamaged, f.Name, f.Size)
		}
		if err := b.decodeLogFile(a, f); err != nil {
			return err
		}
	}
	for i := range b.Logs {
		if err := b.Logs[i].check(); err != nil {
			return err
		}
	}
	return b.Manifest.checkRefs(b.Logs)
}

func (b *Bundle) decodeLogFile(a *canonicalReader, f File) error {
	var i int
	var part string
	if _, err := fmt.Sscanf(f.Name, "logs/%d/%s", &i, &part); err != nil || i < 0 || i >= len(b.Logs) {
		return fmt.Errorf("%w: manifest: file %.80q", ErrDamaged, f.Name)
	}
	maxSize := map[string]int64{"checkpoint": MaxCheckpoint, "entries.jsonl": MaxEntries, "multiproof": MaxMultiproof}[part]
	data, err := nextFile(a, f.Name, maxSize)
	if err != nil {
		return err
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != f.SHA256 || int64(len(data)) != f.Size {
		return fmt.Errorf("%w: %s is not the file that the manifest lists", ErrDamaged, f.Name)
	}
	switch l := &b.Logs[i]; part {
	case "checkpoint":
		l.Checkpoint = data
	case "entries.jsonl":
		l.Entries, err = decodeEntries(data)
	case "multiproof":
		if l.Proof, err = merkle.ParseMultiproof(data); err != nil {
			err = fmt.Errorf("%w: %s: %w", ErrDamaged, f.Name, err)
		}
	}
	return err
}

// checkRefs demands that what modules refer to is there.
func (m *Manifest) checkRefs(logs []Log) error {
	for _, d := range m.Modules {
		for _, r := range d.Entries {
			if r.Log >= len(logs) {
				return fmt.Errorf("%w: manifest: %s@%s refers to log %d of %d", ErrDamaged, d.Path, d.Version, r.Log, len(logs))
			}
			if _, ok := logs[r.Log].Entry(r.Index); !ok {
				return fmt.Errorf("%w: manifest: %s@%s refers to entry %d of log %d, which is not there", ErrDamaged, d.Path, d.Version, r.Index, r.Log)
			}
		}
	}
	return nil
}

// Entry finds the entry with this index.
func (l *Log) Entry(index uint64) (*Entry, bool) {
	i, ok := slices.BinarySearchFunc(l.Entries, index, func(e Entry, index uint64) int { return cmp.Compare(e.Index, index) })
	if !ok {
		return nil, false
	}
	return &l.Entries[i], true
}

// readListings reads the rest of the archive: all listings that the manifest
// names, in order, and the end.
func readListings(a *canonicalReader, m *Manifest, yield func(digest string, listing []byte) error) error {
	for _, digest := range m.listingDigests() {
		data, err := nextFile(a, "listings/"+digest, MaxListing)
		if err != nil {
			return err
		}
		if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != digest {
			return fmt.Errorf("%w: listings/%s has another digest", ErrDamaged, digest)
		}
		if yield != nil {
			if err := yield(digest, data); err != nil {
				return err
			}
		}
	}
	name, _, err := a.next()
	if err == io.EOF {
		return nil
	}
	return cmpErr(err, fmt.Errorf("%w: unexpected file %.100q", ErrDamaged, name))
}

// Listings hands out every listing, in the order of their digests. A listing
// proves nothing until its digest is proven.
func (b *Bundle) Listings(yield func(digest string, listing []byte) error) error {
	a, done, err := b.payload.archive()
	if err != nil {
		return err
	}
	defer done()
	for range 1 + len(b.Manifest.Files) {
		if _, _, err := a.next(); err != nil {
			return cmpErr(err, errNotCanonical)
		}
	}
	return readListings(a, &b.Manifest, yield)
}

// PayloadReader gives the bytes of payload.tar.zst as they were sealed.
func (b *Bundle) PayloadReader() io.Reader { return b.payload.reader() }
