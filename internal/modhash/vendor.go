package modhash

import (
	"bufio"
	"context"
	"io"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/mod/module"
)

// A VendorResult is what a vendor folder hashes to.
type VendorResult struct {
	FolderResult
	// Endings are the files, sorted, whose content is not the wanted one, and would be
	// with other line endings.
	Endings []string
	// Wrong is what is not a regular file with a name that a module's file can have, or
	// could not be read, sorted by path: at most 50, and the number of those that there
	// was no room for. The files in it are not in Files.
	Wrong []*ContentError
	More  int
}

// Vendor hashes all files below dir as [Hasher.Folder] does, but goes on where something
// is no regular file: every such name belongs to one of many modules.
//
// want gives the SHA-256 that a file should have, if it should be there. It is called when all files have been hashed, so
// it may wait for something that takes as long. A file with another one is read again to see whether only its line
// endings differ. That changes what it is called, not that it differs.
//
// The limits are those of a tree, for the whole folder; breaking one is an error.
func (h *Hasher) Vendor(ctx context.Context, dir string, want func(name string) (sum [32]byte, ok bool)) (*VendorResult, error) {
	t := &tree{maxBytes: noLimit}
	if err := h.walk(ctx, dir, module.Version{}, t); err != nil {
		return nil, err
	}
	var changed []File // with the wanted hashes
	for _, f := range t.files {
		if wanted, ok := want(f.Name); ok && wanted != f.SHA256 {
			changed = append(changed, File{Name: f.Name, SHA256: wanted})
		}
	}
	endings, err := h.endings(ctx, dir, changed)
	if err != nil {
		return nil, err
	}
	return &VendorResult{
		FolderResult: FolderResult{Files: t.files, Bytes: t.bytes.Load()},
		Endings:      endings, Wrong: t.wrong.list, More: t.wrong.more,
	}, nil
}

// endings gives the names of those files that have the wanted content but for line endings. One that can't be read was
// read a moment ago, and differs: more can't be said.
func (h *Hasher) endings(ctx context.Context, dir string, wanted []File) (names []string, err error) {
	is := make([]bool, len(wanted))
	err = h.Each(ctx, len(wanted), func(ctx context.Context, i int) error {
		w, err := h.acquire(ctx)
		if err != nil {
			return err
		}
		defer h.release(w)
		for _, end := range []string{"\n", "\r\n"} {
			is[i] = is[i] || h.hasEndings(ctx, w, dir, wanted[i], end)
		}
		return ctx.Err()
	})
	for i, f := range wanted {
		if is[i] {
			names = append(names, f.Name)
		}
	}
	return names, err
}

// hasEndings tells whether the file has the wanted content once every line ends in end.
func (h *Hasher) hasEndings(ctx context.Context, w *worker, dir string, wanted File, end string) bool {
	f, err := h.open(filepath.Clean(dir))
	if err != nil {
		return false
	}
	defer func() { f.Close() }()
	parents, base := path.Split(wanted.Name)
	for name := range strings.SplitSeq(strings.TrimSuffix(parents, "/"), "/") {
		if name == "" { // at the top
			break
		}
		child, err := f.child(name)
		if err != nil {
			return false
		}
		f.Close()
		f = child
	}
	file, size, err := f.open(base)
	if err != nil {
		return false
	}
	defer file.Close()
	sum, _, err := w.sum(ctx, &endingReader{r: bufio.NewReader(io.LimitReader(file, size)), end: end}, nil)
	return err == nil && sum == wanted.SHA256
}

// An endingReader reads text with every line end, LF or CR LF, turned into end.
type endingReader struct {
	r    *bufio.Reader
	end  string
	left string // of a line end that there was no room for
}

func (e *endingReader) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if e.left != "" {
			k := copy(p[n:], e.left)
			n, e.left = n+k, e.left[k:]
			continue
		}
		b, err := e.r.ReadByte()
		if err != nil {
			return n, err
		}
		if b == '\r' {
			if next, err := e.r.Peek(1); err == nil && next[0] == '\n' {
				continue
			}
		}
		if b == '\n' {
			e.left = e.end
			continue
		}
		p[n] = b
		n++
	}
	return n, nil
}
