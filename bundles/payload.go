package bundles

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/zstd"

	"github.com/modseal/modseal/internal/limit"
	"github.com/modseal/modseal/merkle"
)

// payloadReader reads the inner archive, whose bytes have been authenticated, or
// taken as they are in so many words.
type payloadReader struct {
	*canonicalReader
	lim   limits
	close func() // releases the decompressor
}

// openPayload opens the inner archive at its start.
func (b *Bundle) openPayload() (*payloadReader, error) {
	from := b.payload.reader()
	z, err := zstd.NewReader(from, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, damaged(err)
	}
	most := b.limits.expanded + maxRatio*b.payload.size
	all := limit.Reader(&decompressor{z, from}, PayloadName+", decompressed", most)
	return &payloadReader{newCanonicalReader(all), b.limits, z.Close}, nil
}

// openPayloadAfter opens the inner archive and goes past so many files, which were
// decoded when the bundle was opened.
func (b *Bundle) openPayloadAfter(files int) (*payloadReader, error) {
	p, err := b.openPayload()
	if err != nil {
		return nil, err
	}
	for range files {
		if _, _, err := p.next(); err != nil {
			p.close()
			return nil, damaged(err)
		}
	}
	return p, nil
}

// decompressor says what was wrong with its input, where zstd knows only that
// it did not come.
type decompressor struct {
	z    *zstd.Decoder
	from *sealedReader
}

func (d *decompressor) Read(p []byte) (int, error) {
	n, err := d.z.Read(p)
	if err != nil && d.from.err != nil && d.from.err != io.EOF {
		err = d.from.err
	}
	return n, err
}

// decode reads the payload's manifest, logs and trust, which it keeps, and perhaps the
// rest.
func (b *Bundle) decode(whole bool) error {
	p, err := b.openPayload()
	if err != nil {
		return err
	}
	defer p.close()
	size, err := p.open(ManifestName)
	if err == nil {
		err = over(ManifestName, size, p.lim.manifest, "bytes")
	}
	if err != nil {
		return err
	}
	m, err := decodeManifest(p, p.lim)
	if err != nil {
		return err
	}
	b.Manifest = *m
	ofLogs, ofTrust := m.Files, []File(nil)
	if i := slices.IndexFunc(m.Files, isTrust); i >= 0 { // sorted: the rest, or it is no file of a log either
		ofLogs, ofTrust = m.Files[:i], m.Files[i:]
	}
	if b.Logs, err = p.logs(m, ofLogs); err != nil {
		return err
	}
	if b.Trust, err = p.trust(ofTrust); err != nil || !whole {
		return err
	}
	return p.rest(m, b.Logs)
}

// rest checks what is handed out only when it is asked for, and that nothing follows.
func (p *payloadReader) rest(m *Manifest, logs []Log) error {
	if err := p.eachListing(m.listingDigests(), p.checkListing); err != nil {
		return err
	}
	if err := p.carried(m, func(CarriedFile, io.Reader) error { return nil }); err != nil {
		return err
	}
	if err := p.tiles(logs, func(CarriedTile, []byte) error { return nil }); err != nil {
		return err
	}
	return p.end()
}

// end demands that nothing is left.
func (p *payloadReader) end() error {
	name, _, err := p.next()
	if err == io.EOF {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("%w: unexpected file %.100q", ErrDamaged, name)
	}
	return err
}

// open goes to the next file of the archive, which must have this name.
func (p *payloadReader) open(name string) (size int64, err error) {
	got, size, err := p.next()
	if err == io.EOF {
		return 0, fmt.Errorf("%w: %s is missing", ErrDamaged, name)
	}
	if err != nil {
		return 0, err
	}
	if got != name {
		return 0, fmt.Errorf("%w: unexpected file %.100q (want %s)", ErrDamaged, got, name)
	}
	return size, nil
}

// file reads the next file of the archive, which must have this name.
func (p *payloadReader) file(name string, max int64) ([]byte, error) {
	size, err := p.open(name)
	if err != nil {
		return nil, err
	}
	if err := over(name, size, max, "bytes"); err != nil {
		return nil, err
	}
	return p.bytes(size)
}

// bytes reads the file that open went to, which has this size, or says so: what is
// not there costs little, and what is there is hardly ever copied.
func (p *payloadReader) bytes(size int64) ([]byte, error) {
	data := make([]byte, 0, min(size, maxRead))
	for int64(len(data)) < size {
		if len(data) == cap(data) {
			data = append(make([]byte, 0, min(size, 8*int64(cap(data)))), data...)
		}
		n, err := p.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if err == io.EOF && int64(len(data)) < size {
			err = io.ErrUnexpectedEOF
		}
		if err != nil && err != io.EOF {
			return nil, damaged(err)
		}
	}
	return data, nil
}

// logFileKind is one of the files that every log has, or may have.
type logFileKind struct {
	name     string
	max      int64 // bytes
	optional bool
	decode   func(l *Log, r io.Reader) error
}

// logFiles are the files of a log, sorted by name.
func logFiles(lim limits) []logFileKind {
	return []logFileKind{
		{"checkpoint", lim.checkpoint, false, func(l *Log, r io.Reader) (err error) {
			l.Checkpoint, err = limit.ReadAll(r, "checkpoint", lim.checkpoint)
			return err
		}},
		{"consistency.jsonl", lim.earlierAll, true, func(l *Log, r io.Reader) (err error) {
			l.Earlier, err = decodeEarlier(r, lim)
			return err
		}},
		{"entries.jsonl", lim.entries, false, func(l *Log, r io.Reader) (err error) {
			l.Entries, err = decodeEntries(r, lim)
			return err
		}},
		{"multiproof", lim.multiproof, false, func(l *Log, r io.Reader) (err error) {
			l.Proof, err = merkle.ReadMultiproof(r)
			return err
		}},
	}
}

func logFileName(log int, name string) string { return fmt.Sprintf("logs/%d/%s", log, name) }

// logs reads the logs' files that the manifest lists: in version 1, three for
// each log, perhaps with a fourth, and no others.
func (p *payloadReader) logs(m *Manifest, files []File) ([]Log, error) {
	type place struct {
		log  int
		kind logFileKind
	}
	places, needed := map[string]place{}, 0
	logs := make([]Log, len(m.Logs))
	for i := range logs {
		logs[i].LogInfo = m.Logs[i]
		for _, k := range logFiles(p.lim) {
			places[logFileName(i, k.name)] = place{i, k}
			if !k.optional {
				needed++
			}
		}
	}
	listed := 0
	for _, f := range files {
		if !places[f.Name].kind.optional {
			listed++
		}
	}
	if listed != needed {
		return nil, fmt.Errorf("%w: manifest: %d files listed, %d logs need %d", ErrDamaged, listed, len(m.Logs), needed)
	}
	left, entries, signed, stamps := p.lim.logBytes, 0, 0, 0
	for _, f := range files { // each once
		at, ok := places[f.Name]
		if !ok || f.Size < 0 {
			return nil, fmt.Errorf("%w: manifest: file %.80q of %d bytes", ErrDamaged, f.Name, f.Size)
		}
		if f.Size > left {
			return nil, over("all files of logs", p.lim.logBytes+1, p.lim.logBytes, "bytes")
		}
		left -= f.Size
		l := &logs[at.log]
		if err := p.listedFile(f, at.kind.max, func(r io.Reader) error { return at.kind.decode(l, r) }); err != nil {
			return nil, err
		}
		if at.kind.name == "entries.jsonl" {
			entries += len(l.Entries)
			s, t := l.costly()
			signed, stamps = signed+s, stamps+t
		}
		for _, err := range []error{
			over("entries of all logs", int64(entries), int64(p.lim.allEntries), "entries"),
			over("entries of Rekor", int64(signed), int64(p.lim.signed), "entries"),
			over("time stamps", int64(stamps), int64(p.lim.signed), "time stamps"),
		} {
			if err != nil {
				return nil, err
			}
		}
	}
	for i := range logs {
		if err := logs[i].check(); err != nil {
			return nil, err
		}
	}
	return logs, m.checkRefs(logs)
}

// listedFile reads a file that must be the one that the manifest lists.
func (p *payloadReader) listedFile(f File, max int64, read func(io.Reader) error) error {
	size, err := p.open(f.Name)
	if err != nil {
		return err
	}
	if err := over(f.Name, size, min(max, f.Size), "bytes"); err != nil {
		return err
	}
	h := sha256.New()
	all := io.TeeReader(p, h)
	if err := read(all); err != nil {
		return damaged(fmt.Errorf("%s: %w", f.Name, err))
	}
	if _, err := io.Copy(io.Discard, all); err != nil {
		return err
	}
	if hex.EncodeToString(h.Sum(nil)) != f.SHA256 || size != f.Size {
		return fmt.Errorf("%w: %s is not the file that the manifest lists", ErrDamaged, f.Name)
	}
	return nil
}

// eachListing goes to these listings, which come next and in this order.
func (p *payloadReader) eachListing(digests []string, read func(digest string, size int64) error) error {
	left := p.lim.listings
	for _, digest := range digests {
		size, err := p.open("listings/" + digest)
		if err != nil {
			return err
		}
		if err := over("listings/"+digest, size, min(p.lim.listing, left), "bytes"); err != nil {
			return err
		}
		left -= size
		if err := read(digest, size); err != nil {
			return err
		}
	}
	return nil
}

// checkListing reads a listing for its digest alone.
func (p *payloadReader) checkListing(digest string, _ int64) error {
	h := sha256.New()
	if _, err := io.Copy(h, p); err != nil {
		return err
	}
	if hex.EncodeToString(h.Sum(nil)) != digest {
		return fmt.Errorf("%w: listings/%s has another digest", ErrDamaged, digest)
	}
	return nil
}

func allListings(string) bool { return true }

// listings goes to these listings, and reads those that are wanted.
func (p *payloadReader) listings(digests []string, want func(digest string) bool, yield func(digest string, listing []byte) error) error {
	return p.eachListing(digests, func(digest string, size int64) error {
		if !want(digest) {
			return nil // next goes past it
		}
		data, err := p.bytes(size)
		if err != nil {
			return err
		}
		if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != digest {
			return fmt.Errorf("%w: listings/%s has another digest", ErrDamaged, digest)
		}
		return yield(digest, data)
	})
}
