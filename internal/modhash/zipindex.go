package modhash

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
)

const (
	wideIndex  = 1 << 20   // bytes of a central directory above which one zip at a time may be read
	indexSlack = 256 << 10 // bytes that archive/zip may read besides the central directory
	endSearch  = 65 << 10  // bytes at the end of a zip in which archive/zip looks for the end record
)

// open reads the central directory, after having looked that it is not too large: archive/zip would keep all of it in
// memory, and make room for as many entries as the zip says it has. Who called open calls leave when the entries
// are no longer needed.
func (a *archive) open(ctx context.Context) (leave func(), err error) {
	var src io.ReaderAt = a.file
	size := a.file.before.size
	if size <= smallZip {
		if a.data, err = readAll(a.file, size); err != nil {
			return nil, err
		}
		src = bytes.NewReader(a.data)
	}
	index, err := indexSize(src, size)
	if err != nil {
		return nil, err
	}
	leave = func() {}
	if index > wideIndex {
		if leave, err = a.hasher.admitWide(ctx); err != nil {
			return nil, err
		}
	}
	if err := a.readIndex(src, size, index); err != nil {
		leave()
		return nil, err
	}
	return leave, nil
}

func readAll(f io.ReaderAt, size int64) ([]byte, error) {
	// One byte more than there should be is enough to see that there are more.
	data := make([]byte, size+1)
	n, err := f.ReadAt(data, 0)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if int64(n) != size {
		return nil, errZipChanged()
	}
	return data[:n], nil
}

func (a *archive) readIndex(src io.ReaderAt, size, index int64) error {
	metered := &meteredReader{r: src, left: index + indexSlack, metered: true}
	z, err := zip.NewReader(metered, size)
	switch {
	case metered.left < 0:
		return &ContentError{Problem: "central directory is larger than the zip says"}
	case err != nil:
		return &ContentError{Problem: "not a zip", Err: err}
	case len(z.File) > MaxEntries:
		return errEntries(uint64(len(z.File)))
	}
	metered.metered = false
	z.RegisterDecompressor(zip.Deflate, a.hasher.inflate)
	a.entries = z.File
	for _, e := range a.entries {
		e.Comment, e.Extra = "", nil // they have served, and take memory
	}
	return nil
}

func errEntries(n uint64) error {
	return &ContentError{Problem: fmt.Sprintf("zip has %d entries; the limit is %d", n, MaxEntries)}
}

// A meteredReader fails when more than left bytes are read of it, as long as it is metered.
type meteredReader struct {
	r       io.ReaderAt
	left    int64
	metered bool
}

func (m *meteredReader) ReadAt(p []byte, off int64) (int, error) {
	if m.metered {
		if m.left -= int64(len(p)); m.left < 0 {
			return 0, io.ErrShortBuffer
		}
	}
	return m.r.ReadAt(p, off)
}

// indexSize returns how many bytes the zip's central directory has by the zip's own account, or an error if those or
// the entries are too many. It finds that account where archive/zip does:
//
//	… central directory │ [zip64 end record] [zip64 locator, 20] │ end record, 22 │ comment
//
// (PKWARE APPNOTE 6.3.10, sections 4.3.14 to 4.3.16.) What is not a zip is left to archive/zip to refuse.
func indexSize(r io.ReaderAt, size int64) (int64, error) {
	const endLen = 22
	tail := make([]byte, min(size, endSearch))
	if _, err := r.ReadAt(tail, size-int64(len(tail))); err != nil && err != io.EOF {
		return 0, err
	}
	at := len(tail) - endLen
	for at >= 0 && string(tail[at:at+4]) != "PK\x05\x06" {
		at--
	}
	if at < 0 {
		return 0, nil
	}
	end := tail[at:]
	entries := uint64(binary.LittleEndian.Uint16(end[10:]))
	index := uint64(binary.LittleEndian.Uint32(end[12:]))
	offset := binary.LittleEndian.Uint32(end[16:])
	if entries == 0xffff || index == 0xffff || offset == 0xffffffff { // 0xffff as in archive/zip
		if end64, ok := zip64End(r, tail[:at]); ok {
			entries = binary.LittleEndian.Uint64(end64[32:])
			index = binary.LittleEndian.Uint64(end64[40:])
		}
	}
	if entries > MaxEntries {
		return 0, errEntries(entries)
	}
	if index > MaxDirectory {
		problem := fmt.Sprintf("central directory has %d bytes; the limit is %d", index, MaxDirectory)
		return 0, &ContentError{Problem: problem}
	}
	return int64(index), nil
}

// zip64End returns the zip64 end record to which the locator at the end of tail leads, if there are both.
func zip64End(r io.ReaderAt, tail []byte) (end [56]byte, ok bool) {
	const locatorLen = 20
	at := len(tail) - locatorLen
	if at < 0 || string(tail[at:at+4]) != "PK\x06\x07" {
		return end, false
	}
	_, err := r.ReadAt(end[:], int64(binary.LittleEndian.Uint64(tail[at+8:])))
	return end, err == nil && string(end[:4]) == "PK\x06\x06"
}
