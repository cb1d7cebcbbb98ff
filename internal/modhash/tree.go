package modhash

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/mod/module"
)

// A TreeResult is what an unpacked module hashes to.
type TreeResult struct {
	Listing *Listing
	GoMod   *[32]byte // SHA-256 of the file go.mod at its root; nil if there is none
	Files   int
	Bytes   int64 // of all files
}

// A FolderResult is what a folder that is not one module hashes to.
type FolderResult struct {
	Files []File // sorted by name
	Bytes int64  // of all files
}

// Tree hashes dir, which holds the unpacked module m, as the module cache has it in path@version.
//
// Every file counts that golang.org/x/mod/sumdb/dirhash.HashDir would count. What is not a regular file or a folder is
// refused, as are names that a module can't have and sizes above the limits: that is a [*RefusedError], which names
// them all up to a bound. An error that wraps fs.ErrNotExist means that dir does not exist, never that a file in it
// went away meanwhile. No symbolic link is followed: not dir, and none below.
//
// What the tree must not have besides is left to the comparison with the listing that it should have. (The go command
// itself adds go.mod files to the tree of a golang.org/toolchain module after it has unpacked it.)
func (h *Hasher) Tree(ctx context.Context, dir string, m module.Version) (*TreeResult, error) {
	if err := checkModule(m); err != nil {
		return nil, refuse(m, err)
	}
	t := &tree{maxBytes: MaxContent}
	err := h.walk(ctx, dir, m, t)
	if err == nil {
		err = t.wrong.refused(m)
	}
	if err != nil {
		return nil, err
	}
	l, err := newListing(m, t.files)
	if err != nil {
		return nil, refuse(m, err)
	}
	return &TreeResult{Listing: l, GoMod: l.goMod(), Files: len(t.files), Bytes: t.bytes.Load()}, nil
}

// Folder hashes all files below dir by the rules of [Hasher.Tree], but without a limit for their sizes.
func (h *Hasher) Folder(ctx context.Context, dir string) (*FolderResult, error) {
	t := &tree{maxBytes: noLimit}
	err := h.walk(ctx, dir, module.Version{}, t)
	if err == nil {
		err = t.wrong.refused(module.Version{})
	}
	if err != nil {
		return nil, err
	}
	return &FolderResult{Files: t.files, Bytes: t.bytes.Load()}, nil
}

const noLimit = 1 << 62 // bytes

const (
	listSize  = 512     // entries of a folder in memory at once
	chunkSize = 16      // files of a folder in one job
	wideNames = 1 << 20 // bytes of names above which one module at a time may be read
)

// A tree is a folder being hashed, or copied.
type tree struct {
	*crew
	wrong    problems
	isModule bool
	maxBytes int64
	bytes    atomic.Int64
	create   Create // makes the copies' files; nil: nothing is copied

	mu      sync.Mutex
	files   []File
	entries int
	names   int    // bytes
	leave   func() // once admitWide was called
}

// A folder is an open folder of a tree. There are two implementations: with the system calls of Unix, and with os.Root.
// Names are single elements of a path.
type folder interface {
	// list returns some of the entries with their types, and io.EOF after the last.
	list() ([]fs.DirEntry, error)
	// child opens a folder. It doesn't follow a symbolic link.
	child(name string) (folder, error)
	// open opens a regular file and nothing else, and returns its size. It doesn't follow a symbolic link and doesn't
	// wait for a writer of a pipe.
	open(name string) (f io.ReadCloser, size int64, err error)
	io.Closer
}

// What open and child return for what is not, or no longer, what the folder listed.
var (
	errSymlink    = errors.New("symbolic link")
	errNotRegular = errors.New("not a regular file")
	errNotFolder  = errors.New("not a folder")
)

// A sharedFolder is closed when the last job that needs it is done.
type sharedFolder struct {
	folder
	mu   sync.Mutex
	jobs int
}

func (f *sharedFolder) hold() {
	f.mu.Lock()
	f.jobs++
	f.mu.Unlock()
}

func (f *sharedFolder) drop() {
	f.mu.Lock()
	f.jobs--
	last := f.jobs == 0
	f.mu.Unlock()
	if last {
		f.Close()
	}
}

// walk hashes the files below dir, or copies them if t.create is set. The names in t.files are relative to dir, sorted
// and valid. What is wrong with single files is in t.wrong.
func (h *Hasher) walk(ctx context.Context, dir string, m module.Version, t *tree) error {
	w, err := h.acquire(ctx)
	if err != nil {
		return err
	}
	defer h.release(w)
	if dir == "" {
		return &fs.PathError{Op: "open", Path: dir, Err: fs.ErrNotExist}
	}
	// With a separator at its end, a symbolic link would be followed.
	root, err := h.open(filepath.Clean(dir))
	if err == errSymlink || err == errNotFolder {
		return refuse(m, &ContentError{Problem: "the tree itself: " + err.Error()})
	}
	if err != nil {
		return refuse(m, err)
	}
	t.crew, t.isModule = h.newCrew(ctx), m.Path != ""
	defer func() {
		if t.leave != nil {
			t.leave()
		}
	}()
	shared := &sharedFolder{folder: root, jobs: 1}
	t.add(func(w *worker) {
		defer shared.drop()
		t.readFolder(w, shared, "")
	})
	if err := t.run(w); err != nil {
		return refuse(m, err)
	}
	sortFiles(t.files)
	for i := range t.files[min(1, len(t.files)):] {
		if name := t.files[i].Name; name == t.files[i+1].Name {
			t.wrong.add(name, "listed twice, by a folder that is being changed", nil)
		}
	}
	return nil
}

// readFolder adds jobs for what is in the folder, and does the first itself. dir is its name in the tree: "", or it
// ends in "/".
func (t *tree) readFolder(w *worker, f *sharedFolder, dir string) {
	for t.ctx.Err() == nil {
		entries, err := f.list()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.addProblem(path.Clean(dir), err)
			return
		}
		if err := t.admit(dir, entries); err != nil {
			t.fail(err)
			return
		}
		t.readEntries(w, f, dir, entries)
	}
}

// admit counts entries, and returns an error when the tree has too many.
func (t *tree) admit(dir string, entries []fs.DirEntry) error {
	n := 0
	for _, e := range entries {
		n += len(dir) + len(e.Name())
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.entries += len(entries)
	t.names += n
	switch {
	case t.entries > MaxEntries:
		return &ContentError{Problem: fmt.Sprintf("tree has more than %d files and folders", MaxEntries)}
	case t.names > MaxDirectory:
		return &ContentError{Problem: fmt.Sprintf("names of the tree's files have more than %d bytes", MaxDirectory)}
	case t.names > wideNames && t.leave == nil:
		leave, err := t.hasher.admitWide(t.ctx)
		if err != nil {
			return err
		}
		t.leave = leave
	}
	return nil
}

func (t *tree) readEntries(w *worker, f *sharedFolder, dir string, entries []fs.DirEntry) {
	var jobs []job
	var files []string
	var names nameChecker
	for _, e := range entries {
		name := dir + e.Name()
		switch kind := e.Type(); {
		case kind.IsDir():
			f.hold()
			jobs = append(jobs, func(w *worker) {
				defer f.drop()
				t.readChild(w, f, name)
			})
		case kind.IsRegular():
			if problem := names.check(name); problem != "" {
				t.wrong.add(name, problem, nil)
				continue
			}
			files = append(files, name)
		default:
			t.wrong.add(name, describe(kind), nil)
		}
	}
	var first []string
	for len(files) > 0 {
		chunk := files[:min(chunkSize, len(files))]
		files = files[len(chunk):]
		if len(files) == 0 {
			first = chunk
			break
		}
		f.hold()
		jobs = append(jobs, func(w *worker) {
			defer f.drop()
			t.readFiles(w, f, chunk)
		})
	}
	t.add(jobs...)
	t.readFiles(w, f, first)
}

// readChild reads the folder with that name in the tree, whose parent is f.
func (t *tree) readChild(w *worker, f *sharedFolder, name string) {
	if t.ctx.Err() != nil {
		return
	}
	if strings.Count(name, "/") >= MaxDepth { // each takes a file descriptor
		t.wrong.add(name, fmt.Sprintf("folder nested more than %d deep", MaxDepth), nil)
		return
	}
	child, err := f.child(path.Base(name))
	if err != nil {
		t.addProblem(name, err)
		return
	}
	shared := &sharedFolder{folder: child, jobs: 1}
	defer shared.drop()
	t.readFolder(w, shared, name+"/")
}

// readFiles hashes the files with those names in the tree, which are all in f.
func (t *tree) readFiles(w *worker, f *sharedFolder, names []string) {
	var done [chunkSize]File
	n := 0
	for _, name := range names {
		if t.ctx.Err() != nil {
			return
		}
		sum, err := t.readFile(w, f, name)
		if err != nil {
			t.addProblem(name, err)
			continue
		}
		done[n] = File{Name: name, SHA256: sum}
		n++
	}
	t.mu.Lock()
	t.files = append(t.files, done[:n]...)
	t.mu.Unlock()
}

func (t *tree) readFile(w *worker, f *sharedFolder, name string) (sum [32]byte, err error) {
	file, size, err := f.open(path.Base(name))
	if err != nil {
		return sum, err
	}
	defer file.Close()
	if t.bytes.Add(size) > t.maxBytes {
		err := &ContentError{Problem: fmt.Sprintf("files of the tree have more than %d bytes", t.maxBytes)}
		t.fail(err)
		return sum, err
	}
	if problem := checkSize(name, size); t.isModule && problem != "" {
		return sum, &ContentError{Problem: problem}
	}
	// One byte more than there should be is enough to see that there are more.
	var n int64
	if t.create != nil {
		n, err = t.copyFile(w, t.create, name, file, size+1)
	} else {
		sum, n, err = w.sum(t.ctx, io.LimitReader(file, size+1), t.hasher.progress)
	}
	if err == nil && n != size {
		err = &ContentError{Problem: "changed while it was read"}
	}
	return sum, err
}

// addProblem remembers that a file or folder could not be read.
func (t *tree) addProblem(name string, err error) {
	var content *ContentError
	switch {
	case errors.As(err, &content):
		t.wrong.add(name, content.Problem, nil)
	case err == errSymlink || err == errNotRegular || err == errNotFolder:
		t.wrong.add(name, err.Error(), nil)
	case errors.Is(err, fs.ErrNotExist):
		// Not wrapped: to who asks, it would be the tree that doesn't exist.
		t.wrong.add(name, "went away while the tree was read", nil)
	default:
		t.wrong.add(name, "can't be read", err)
	}
}

// describe says what is there instead of a regular file.
func describe(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeSymlink != 0:
		return errSymlink.Error()
	case mode.IsDir():
		return "folder"
	case mode&fs.ModeNamedPipe != 0:
		return "named pipe"
	case mode&fs.ModeSocket != 0:
		return "socket"
	case mode&fs.ModeDevice != 0:
		return "device"
	}
	return errNotRegular.Error()
}
