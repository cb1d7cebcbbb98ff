package modhash

import (
	"bufio"
	"compress/flate"
	"io"
	"sync"
)

const packedSize = 32 << 10 // bytes of compressed data in memory at once

// An inflater is a decompressor that is used again.
type inflater struct {
	packed *bufio.Reader
	flate  io.ReadCloser // a flate.Resetter
	home   *sync.Pool
}

func (h *Hasher) inflate(r io.Reader) io.ReadCloser {
	f, ok := h.inflaters.Get().(*inflater)
	if !ok {
		packed := bufio.NewReaderSize(r, packedSize)
		return &inflater{packed: packed, flate: flate.NewReader(packed), home: &h.inflaters}
	}
	f.packed.Reset(r)
	f.flate.(flate.Resetter).Reset(f.packed, nil)
	return f
}

func (f *inflater) Read(p []byte) (int, error) { return f.flate.Read(p) }

func (f *inflater) Close() error {
	f.packed.Reset(nil)
	f.home.Put(f)
	return nil
}
