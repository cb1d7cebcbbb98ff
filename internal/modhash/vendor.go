package modhash

import (
	"bufio"
	"context"
	"io"
	"path"
	"slices"

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
// want gives the SHA-256 that a file should have, if it should be there; any number of
// goroutines call it at once. A file with another one is read again to see whether only
// its line endings differ. That changes what it is called, not that it differs.
//
// The limits are those of a tree, for the whole folder; breaking one is an error.
func (h *Hasher) Vendor(ctx context.Context, dir string, want func(name string) (sum [32]byte, ok bool)) (*VendorResult, error) {
	t, err := h.walk(ctx, dir, module.Version{}, noLimit, want)
	if err != nil {
		return nil, err
	}
	slices.Sort(t.endings)
	return &VendorResult{
		FolderResult: FolderResult{Files: t.files, Bytes: t.bytes.Load()},
		Endings:      t.endings, Wrong: t.wrong.list, More: t.wrong.more,
	}, nil
}

// compare notes a file whose line endings alone are not the wanted ones.
func (t *tree) compare(w *worker, f *sharedFolder, name string, sum [32]byte) {
	if t.want == nil {
		return
	}
	wanted, ok := t.want(name)
	if !ok || wanted == sum {
		return
	}
	for _, end := range []string{"\n", "\r\n"} {
		file, size, err := f.open(path.Base(name))
		if err != nil {
			return // it was read a moment ago, and differs: more can't be said
		}
		sum, _, err := w.sum(t.ctx, &endingReader{r: bufio.NewReader(io.LimitReader(file, size)), end: end}, nil)
		file.Close()
		if err == nil && sum == wanted {
			t.mu.Lock()
			t.endings = append(t.endings, name)
			t.mu.Unlock()
			return
		}
	}
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
