package modhash

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"sync"

	"golang.org/x/sys/unix"
)

// A lister reads the entries of a folder, whose file descriptor it owns. Most folders of a module are small, and
// listing them costs as much as reading their files: os.File takes twice the system calls.
type lister struct{ fd int }

func newLister(fd int, _ string) lister { return lister{fd} }

func (l lister) Close() error { return unix.Close(l.fd) }

// direntBuffers have room for all entries of most folders.
var direntBuffers = sync.Pool{New: func() any { return new([16 << 10]byte) }}

// list reads entries until there are some, as getdents64 gives them; io.EOF is that there are no more.
func (l lister) list() ([]fs.DirEntry, error) {
	buf := direntBuffers.Get().(*[16 << 10]byte)
	defer direntBuffers.Put(buf)
	for {
		n, err := unix.Getdents(l.fd, buf[:])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return nil, err
		case n == 0:
			return nil, io.EOF
		}
		if entries, err := l.parse(buf[:n]); err != nil || len(entries) > 0 {
			return entries, err
		}
	}
}

// The parts of a struct linux_dirent64 (getdents64(2)): d_ino and d_off, 8 bytes each, d_reclen, the length of the
// whole, d_type, and the name, which ends in a zero byte.
const (
	direntLen  = 16
	direntType = 18
	direntName = 19
)

func (l lister) parse(b []byte) ([]fs.DirEntry, error) {
	entries := make([]fs.DirEntry, 0, len(b)/40) // many names have from 5 to 20 bytes
	for len(b) > 0 {
		if len(b) < direntName {
			return nil, errDirent
		}
		size := int(binary.NativeEndian.Uint16(b[direntLen:]))
		if size <= direntName || size > len(b) {
			return nil, errDirent
		}
		name, _, ended := bytes.Cut(b[direntName:size], []byte{0})
		if !ended || len(name) == 0 {
			return nil, errDirent
		}
		e := dirEntry{string(name), kindOf(b[direntType])}
		unknown := b[direntType] == unix.DT_UNKNOWN // this file system doesn't say
		b = b[size:]
		if e.name == "." || e.name == ".." {
			continue
		}
		if unknown {
			var st unix.Stat_t
			err := unix.Fstatat(l.fd, e.name, &st, unix.AT_SYMLINK_NOFOLLOW)
			if err == unix.ENOENT {
				continue // it went away, as it could have a moment before
			}
			if err != nil {
				return nil, err
			}
			e.kind = kindOf(uint8(st.Mode & unix.S_IFMT >> 12)) // as IFTODT of glibc has it
		}
		entries = append(entries, e)
	}
	return entries, nil
}

var errDirent = errors.New("the system's list of the folder can't be read")

func kindOf(direntType uint8) fs.FileMode {
	switch direntType {
	case unix.DT_REG:
		return 0
	case unix.DT_DIR:
		return fs.ModeDir
	case unix.DT_LNK:
		return fs.ModeSymlink
	case unix.DT_FIFO:
		return fs.ModeNamedPipe
	case unix.DT_SOCK:
		return fs.ModeSocket
	case unix.DT_BLK:
		return fs.ModeDevice
	case unix.DT_CHR:
		return fs.ModeDevice | fs.ModeCharDevice
	}
	return fs.ModeIrregular
}

// A dirEntry is an entry as far as it was listed.
type dirEntry struct {
	name string
	kind fs.FileMode
}

func (e dirEntry) Name() string      { return e.name }
func (e dirEntry) IsDir() bool       { return e.kind.IsDir() }
func (e dirEntry) Type() fs.FileMode { return e.kind }

// Info is not known.
func (e dirEntry) Info() (fs.FileInfo, error) { return nil, errors.ErrUnsupported }
