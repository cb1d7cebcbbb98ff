//go:build unix

package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// floorCommand is the argument that makes this program the process to compare with.
const floorCommand = "floor"

const floorBuffer = 1 << 20 // bytes

// floorResult is what that process prints.
type floorResult struct {
	Find         time.Duration // until the names of all files were known
	Elapsed, CPU time.Duration // of hashing them
	Workers      int
	Files        int
	Bytes        int64
}

// runFloor takes the SHA-256 of every file that list names, one a line, and of every file below a folder that it names.
// It is as little as anybody could do who reads the same bytes on as many processors: what the files are called is
// known before the clock starts, a file takes three system calls, and nothing is made of the sums.
func runFloor(list string) error {
	start := time.Now()
	files, err := findFiles(list)
	if err != nil {
		return err
	}
	r := floorResult{Find: time.Since(start), Files: len(files)}
	var next, read atomic.Int64
	errs := make([]error, runtime.GOMAXPROCS(0))
	cpu, err := ownCPU()
	if err != nil {
		return err
	}
	start = time.Now()
	var workers sync.WaitGroup
	for w := range errs {
		workers.Go(func() {
			buf := make([]byte, floorBuffer)
			for {
				i := int(next.Add(1)) - 1
				if i >= len(files) {
					return
				}
				n, err := hashFile(files[i], buf)
				if err != nil {
					errs[w] = fmt.Errorf("%s: %w", files[i], err)
					return
				}
				read.Add(n)
			}
		})
	}
	workers.Wait()
	r.Elapsed, r.Workers, r.Bytes = time.Since(start), len(errs), read.Load()
	after, err := ownCPU()
	if err := errors.Join(append(errs, err)...); err != nil {
		return err
	}
	r.CPU = after - cpu
	return json.NewEncoder(os.Stdout).Encode(r)
}

func findFiles(list string) (files []string, err error) {
	f, err := os.Open(list)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Scan() {
		err := filepath.WalkDir(s.Text(), func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				files = append(files, name)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return files, s.Err()
}

// hashFile reads a regular file whole or in parts of the buffer; a part that isn't full is its end.
func hashFile(name string, buf []byte) (size int64, err error) {
	fd, err := syscall.Open(name, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer syscall.Close(fd)
	h := sha256.New()
	for {
		n, err := syscall.Read(fd, buf)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return size, err
		}
		size += int64(n)
		if n < len(buf) {
			if size == int64(n) { // all of it
				sha256.Sum256(buf[:n])
				return size, nil
			}
			h.Write(buf[:n])
			h.Sum(nil)
			return size, nil
		}
		h.Write(buf[:n])
	}
}

// ownCPU is the CPU time that this process has taken so far.
func ownCPU() (time.Duration, error) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0, err
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()), nil
}
