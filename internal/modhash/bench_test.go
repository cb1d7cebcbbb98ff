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

// hashCache hashes the modules as verify does, all trees and the bytes of all zips.
func hashCache(b *testing.B, mods []cached) time.Duration {
	h := modhash.New(modhash.Options{})
	return each(b, h, mods, func(ctx context.Context, m cached) error {
		if _, err := h.Tree(ctx, m.dir, m.Version); err != nil {
			return err
		}
		_, _, err := h.Digest(ctx, m.zip)
		return err
	})
}

// each returns the processor time that do takes for all modules.
func each(b *testing.B, h *modhash.Hasher, mods []cached, do func(context.Context, cached) error) time.Duration {
	start := processorTime()
	err := h.Each(b.Context(), len(mods), func(ctx context.Context, i int) error { return do(ctx, mods[i]) })
	if err != nil {
		b.Error(err)
	}
	return processorTime() - start
}

func cacheOrSkip(b *testing.B) []cached {
	mods := moduleCache()
	if len(mods) == 0 {
		b.Skip("no module cache")
	}
	return mods
}

// BenchmarkCache hashes the machine's module cache as verify does, and compares with SHA-256 of the same bytes in two
// goroutines: from memory, which nothing can beat, and from the files, opened one after the other by a list of their
// names. Ratios are what counts; times depend on the machine and on who else uses it.
func BenchmarkCache(b *testing.B) {
	const goroutines, block = 2, 128 << 10
	mods := cacheOrSkip(b)
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
	bufs := sync.Pool{New: func() any { return new([block]byte) }}
	var memory, plain, ours time.Duration
	for b.Loop() {
		memory += timed(goroutines, int(size/block), func(int) {
			buf := bufs.Get().(*[block]byte)
			sha256.Sum256(buf[:])
			bufs.Put(buf)
		})
		plain += timed(goroutines, len(files), func(i int) {
			f, err := os.Open(files[i])
			if err != nil {
				b.Error(err)
				return
			}
			defer f.Close()
			buf := bufs.Get().(*[block]byte)
			io.CopyBuffer(struct{ io.Writer }{sha256.New()}, struct{ io.Reader }{f}, buf[:])
			bufs.Put(buf)
		})
		ours += hashCache(b, mods)
	}
	b.ReportMetric(float64(len(files)), "files")
	b.ReportMetric(float64(size)/1e6, "MB")
	b.ReportMetric(ours.Seconds()/memory.Seconds(), "ours/memory")
	b.ReportMetric(ours.Seconds()/plain.Seconds(), "ours/plain")
	b.ReportMetric(plain.Seconds()/memory.Seconds(), "plain/memory")
	b.ReportMetric(float64(size)/1e6/(ours.Seconds()/float64(b.N)), "MB/cpu-s")
}

// BenchmarkZip hashes the content of all zips of the machine's module cache, and compares with HashZip; and it hashes
// all trees and the bytes of all zips, and compares with HashZip and HashDir, which is what "go mod verify" does.
func BenchmarkZip(b *testing.B) {
	mods := cacheOrSkip(b)
	var hashZip, hashDir, zips, cache time.Duration
	for b.Loop() {
		hashZip += timed(2, len(mods), func(i int) {
			if _, err := dirhash.HashZip(mods[i].zip, dirhash.Hash1); err != nil {
				b.Error(err)
			}
		})
		hashDir += timed(2, len(mods), func(i int) {
			if _, err := dirhash.HashDir(mods[i].dir, mods[i].String(), dirhash.Hash1); err != nil {
				b.Error(err)
			}
		})
		h := modhash.New(modhash.Options{})
		zips += each(b, h, mods, func(ctx context.Context, m cached) error {
			_, err := h.Zip(ctx, m.zip, m.Version)
			return err
		})
		cache += hashCache(b, mods)
	}
	b.ReportMetric(zips.Seconds()/hashZip.Seconds(), "Zip/HashZip")
	b.ReportMetric(cache.Seconds()/(hashZip+hashDir).Seconds(), "ours/go-mod-verify")
}
