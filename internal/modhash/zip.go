package modhash

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"strings"

	"golang.org/x/mod/module"
)

// A ZipResult is what a module zip hashes to.
type ZipResult struct {
	Digest  Digest
	Size    int64     // bytes of the zip
	Listing *Listing  // its H1 is the zip's
	GoMod   *[32]byte // SHA-256 of the go.mod in it; nil if there is none
}

// Zip checks that the zip at path is one that the go command would accept for the module m, and hashes its bytes and
// all of its content. Every entry is inflated to its end, its size and checksum verified.
//
// What is wrong with the zip is a [*RefusedError], which names all of it up to a bound. An error that wraps
// fs.ErrNotExist means that there is no such file.
//
// Digest and content are those of the same bytes: the file is opened once, and a small one is read once. That a large
// one is not changed between the reading of the one and the other is seen by its size and times.
func (h *Hasher) Zip(ctx context.Context, path string, m module.Version) (*ZipResult, error) {
	if err := checkModule(m); err != nil {
		return nil, refuse(m, err)
	}
	w, err := h.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer h.release(w)
	for range maxTries {
		result, err := h.zip(ctx, w, path, m, nil)
		if err == nil {
			return result, nil
		}
		if err != errTouched {
			return nil, refuse(m, err)
		}
	}
	return nil, refuse(m, errZipChanged())
}

// zip is Zip or, with create, Unzip, which has no result. A *ContentError that it returns is yet to be wrapped.
func (h *Hasher) zip(ctx context.Context, w *worker, path string, m module.Version, create Create) (*ZipResult, error) {
	f, err := openZipFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	a := &archive{crew: h.newCrew(ctx), file: f, create: create}
	defer a.fail(nil)
	leave, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if a.check(m); a.wrong.any() {
		return nil, a.wrong.refused(m)
	}
	a.addJobs()
	if err := a.run(w); err != nil {
		return nil, err
	}
	if a.data == nil && create == nil {
		if err := f.unchanged(); err != nil {
			return nil, err
		}
	}
	if err := a.wrong.refused(m); err != nil || create != nil {
		return nil, err
	}
	sortFiles(a.files)
	l, err := newListing(m, a.files)
	if err != nil {
		return nil, err
	}
	return &ZipResult{Digest: a.digest, Size: a.size, Listing: l, GoMod: l.goMod()}, nil
}

const (
	smallZip = 1 << 20   // bytes of a zip that is read into memory
	jobFiles = 64        // files of a zip in one job, fewer
	jobSize  = 512 << 10 // if they have this many bytes
)

// An archive is a zip being hashed, or unpacked.
type archive struct {
	*crew
	file    *zipFile
	create  Create // makes the files to unpack to; nil: the zip is hashed
	data    []byte // the whole file, if it is small
	entries []*zip.File
	files   []File // those of the entries, in their order
	digest  Digest
	size    int64 // bytes, as read for the digest
	wrong   problems
}

// check applies the rules for the entries of a module zip, and sets the names of the files.
func (a *archive) check(m module.Version) {
	prefix := namePrefix(m)
	names := make(zipNames, len(a.entries))
	a.files = make([]File, len(a.entries))
	left, packed := uint64(MaxContent), uint64(a.file.before.size)
	for i, e := range a.entries {
		name, ok := strings.CutPrefix(e.Name, prefix)
		if !ok {
			a.wrong.add(e.Name, "name does not begin with "+quote(prefix), nil)
			continue
		}
		a.files[i].Name = name
		if problem := checkEntry(name, e, names); problem != "" {
			a.wrong.add(name, problem, nil)
		}
		if e.UncompressedSize64 > left {
			a.wrong.add("", fmt.Sprintf("files in the zip have more than %d bytes", MaxContent), nil)
			return
		}
		left -= e.UncompressedSize64
		// Many entries with the same compressed bytes would take time without end, and be empty.
		if e.CompressedSize64 > packed {
			a.wrong.add("", "entries of the zip overlap", nil)
			return
		}
		packed -= e.CompressedSize64
	}
}

func checkEntry(name string, e *zip.File, names zipNames) (problem string) {
	switch kind := e.Mode().Type(); {
	case name == "" || strings.HasSuffix(name, "/"):
		return "entry for a directory: it would count for the h1 of the zip, and not for that of its unpacked tree"
	case kind != 0:
		return "entry says that it is a " + describe(kind)
	}
	if problem := names.add(name); problem != "" {
		return problem
	}
	return checkSize(name, int64(min(e.UncompressedSize64, math.MaxInt64)))
}

// addJobs adds jobs for the entries and, to hash, for the digest.
func (a *archive) addJobs() {
	first, size := 0, uint64(0)
	for i, e := range a.entries {
		size += e.UncompressedSize64
		if last := i + 1; last-first == jobFiles || size >= jobSize || last == len(a.entries) {
			from := first
			a.add(func(w *worker) { a.readEntries(w, from, last) })
			first, size = last, 0
		}
	}
	if a.create == nil {
		a.add(a.readDigest) // last, so that it is done first: it can't be divided
	}
}

func (a *archive) readDigest(w *worker) {
	if a.data != nil {
		a.digest, a.size = sha256.Sum256(a.data), int64(len(a.data))
		if a.hasher.progress != nil {
			a.hasher.progress(int64(len(a.data)))
		}
		return
	}
	var err error
	if a.digest, a.size, err = a.file.digest(a.ctx, w, a.hasher.progress); err != nil {
		a.fail(err)
	}
}

// readEntries hashes the entries first to last-1.
func (a *archive) readEntries(w *worker, first, last int) {
	for i := first; i < last && a.ctx.Err() == nil; i++ {
		sum, err := a.readEntry(w, a.files[i].Name, a.entries[i])
		if err != nil {
			a.wrong.add(a.files[i].Name, "content can't be read", err)
		}
		a.files[i].SHA256 = sum
	}
}

func (a *archive) readEntry(w *worker, name string, e *zip.File) (sum [sha256.Size]byte, err error) {
	// The reader verifies that there are as many bytes as the entry says, and their checksum.
	r, err := e.Open()
	if err != nil {
		return sum, err
	}
	defer r.Close()
	if a.create != nil {
		_, err = a.copyFile(w, a.create, name, r, MaxContent)
		return sum, err
	}
	sum, _, err = w.sum(a.ctx, r, a.hasher.progress)
	return sum, err
}
