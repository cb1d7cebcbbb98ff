//go:build unix

package modhash_test

import (
	"context"
	"crypto/sha256"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/sys/unix"

	"github.com/modseal/modseal/internal/modhash"
)

// timed calls f in n goroutines that share a counter, and returns the processor time that it took all of the process.
// Unlike the time on the clock it is about the same on a busy machine.
func timed(goroutines, n int, f func(i int)) time.Duration {
	start := processorTime()
	var next atomic.Int64
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	all.Wait()
	return processorTime() - start
}

func processorTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkCache hashes the machine's module cache as verify does, all trees and the bytes of all zips, and compares with SHA-256 of
// the same bytes in two goroutines: from memory, which nothing can beat, and from the files, opened one after the other by a
// list of their names. Ratios are what counts; times depend on the machine and on who else uses it.
func BenchmarkCache(b *testing.B) {
	mods := moduleCache()
	if len(mods) == 0 {
		b.Skip("no module cache")
	}
	const goroutines = 2
	var files []string
	var size int64
	for _, m := range mods {
		files = append(files, m.zip)
		size += m.zipSize
		filepath.WalkDir(m.dir, func(name string, d fs.DirEntry, err error) error {
			if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
				files = append(files, name)
				size += info.Size()
			}
			return nil
		})
	}
	bufs := sync.Pool{New: func() any { return new([128 << 10]byte) }}
	memory := func() time.Duration {
		blocks := int(size / (128 << 10))
		return timed(goroutines, blocks, func(int) { buf := bufs.Get().(*[128 << 10]byte); sha256.Sum256(buf[:]); bufs.Put(buf) })
	}
	plain := func() time.Duration {
		return timed(goroutines, len(files), func(i int) {
			f, err := os.Open(files[i])
			if err != nil {
				b.Error(err)
				return
			}
			defer f.Close()
			buf := bufs.Get().(*[128 << 10]byte)
			io.CopyBuffer(struct{ io.Writer }{sha256.New()}, struct{ io.Reader }{f}, buf[:])
			bufs.Put(buf)
		})
	}
	ours := func() time.Duration {
		h := modhash.New(modhash.Options{})
		start := processorTime()
		err := h.Each(b.Context(), len(mods), func(ctx context.Context, i int) error {
			if _, err := h.Tree(ctx, mods[i].dir, mods[i].Version); err != nil {
				return err
			}
			_, _, err := h.Digest(ctx, mods[i].zip)
			return err
		})
		if err != nil {
			b.Error(err)
		}
		return processorTime() - start
	}
	var m, p, o time.Duration
	for b.Loop() {
		m, p, o = m+memory(), p+plain(), o+ours()
	}
	b.SetBytes(size)
	b.ReportMetric(float64(len(files)), "files")
	b.ReportMetric(o.Seconds()/m.Seconds(), "ours/memory")
	b.ReportMetric(o.Seconds()/p.Seconds(), "ours/plain")
	b.ReportMetric(p.Seconds()/m.Seconds(), "plain/memory")
	b.ReportMetric(float64(size)/1e6/(o.Seconds()/float64(b.N)), "ours-MB/s")
}

// BenchmarkZip hashes the content of all zips of the machine's module cache, and compares with HashZip in two goroutines.
func BenchmarkZip(b *testing.B) {
	mods := moduleCache()
	if len(mods) == 0 {
		b.Skip("no module cache")
	}
	var std, o time.Duration
	for b.Loop() {
		std += timed(2, len(mods), func(i int) {
			if _, err := dirhash.HashZip(mods[i].zip, dirhash.Hash1); err != nil {
				b.Error(err)
			}
		})
		h := modhash.New(modhash.Options{})
		start := processorTime()
		err := h.Each(b.Context(), len(mods), func(ctx context.Context, i int) error {
			_, err := h.Zip(ctx, mods[i].zip, mods[i].Version)
			return err
		})
		if err != nil {
			b.Error(err)
		}
		o += processorTime() - start
	}
	b.ReportMetric(o.Seconds()/std.Seconds(), "ours/HashZip")
}
