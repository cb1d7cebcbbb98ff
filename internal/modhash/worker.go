package modhash

import (
	"context"
	"crypto/sha256"
	"hash"
	"io"
)

const (
	readSize = 128 << 10 // bytes of a file in memory at once
	maxIdle  = 100       // reads that return nothing before it is an error
)

// A worker has the buffers that it takes to hash or copy one file at a time. They are made when they are first needed.
type worker struct {
	buf []byte
	sha hash.Hash
}

// sum reads r to its end and returns the SHA-256 and the number of the bytes.
func (w *worker) sum(ctx context.Context, r io.Reader, progress func(int64)) (sum [32]byte, n int64, err error) {
	if w.sha == nil {
		w.buf, w.sha = make([]byte, readSize), sha256.New()
	}
	fill, idle := 0, 0
	for streamed := false; ; {
		k, err := r.Read(w.buf[fill:])
		fill += k
		switch {
		case err == nil && k == 0:
			if idle++; idle > maxIdle {
				return sum, n, io.ErrNoProgress
			}
		case err == nil && fill < len(w.buf):
		case err == nil || err == io.EOF:
			n += int64(fill)
			if progress != nil && fill > 0 {
				progress(int64(fill))
			}
			if err == io.EOF && !streamed {
				return sha256.Sum256(w.buf[:fill]), n, nil
			}
			if !streamed {
				w.sha.Reset()
				streamed = true
			}
			w.sha.Write(w.buf[:fill])
			if err == io.EOF {
				w.sha.Sum(sum[:0])
				return sum, n, nil
			}
			if ctx.Err() != nil {
				return sum, n, context.Cause(ctx)
			}
			fill, idle = 0, 0
		default:
			return sum, n, err
		}
	}
}
