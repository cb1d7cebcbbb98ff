//go:build unix

package modhash

import (
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// openFlags keep the opening of a named pipe from waiting for a writer.
const openFlags = unix.O_NONBLOCK

// A unixFolder is a folder by means of openat, which takes four system calls for a small file.
type unixFolder struct {
	fd int
	lister
}

const folderFlags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC

func openFolder(dir string) (folder, error) {
	f, err := openFolderAt(unix.AT_FDCWD, dir)
	if _, ok := err.(unix.Errno); ok {
		err = &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	return f, err
}

func (f *unixFolder) child(name string) (folder, error) { return openFolderAt(f.fd, name) }

func openFolderAt(parent int, name string) (folder, error) {
	fd, err := openAt(parent, name, folderFlags)
	if err != nil {
		var st unix.Stat_t
		if unix.Fstatat(parent, name, &st, unix.AT_SYMLINK_NOFOLLOW) == nil {
			switch st.Mode & unix.S_IFMT {
			case unix.S_IFDIR:
			case unix.S_IFLNK:
				return nil, errSymlink
			default:
				return nil, errNotFolder
			}
		}
		return nil, err
	}
	return &unixFolder{fd, newLister(fd, name)}, nil
}

func openAt(parent int, name string, flags int) (fd int, err error) {
	for {
		if fd, err = unix.Openat(parent, name, flags, 0); err != unix.EINTR {
			return fd, err
		}
	}
}

func (f *unixFolder) open(name string) (io.ReadCloser, int64, error) {
	const flags = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC
	fd, err := openAt(f.fd, name, flags)
	if err != nil {
		var st unix.Stat_t
		if unix.Fstatat(f.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) == nil {
			if e := notRegularStat(&st); e != nil {
				err = e
			}
		}
		return nil, 0, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return nil, 0, err
	}
	if err := notRegularStat(&st); err != nil {
		unix.Close(fd)
		return nil, 0, err
	}
	return &unixFile{fd: fd, size: st.Size}, st.Size, nil
}

func notRegularStat(st *unix.Stat_t) error {
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return nil
	case unix.S_IFLNK:
		return errSymlink
	}
	return errNotRegular
}

// A unixFile reads a regular file.
type unixFile struct {
	fd       int
	at, size int64
}

// Read returns io.EOF together with the last bytes if it can, which saves most files a system call: who asks for more
// than the file had when it was opened, and gets just that, is at its end.
func (f *unixFile) Read(p []byte) (int, error) {
	for {
		n, err := unix.Read(f.fd, p)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return 0, err
		}
		f.at += int64(n)
		if n == 0 || n < len(p) && f.at == f.size {
			return n, io.EOF
		}
		return n, nil
	}
}

func (f *unixFile) Close() error { return unix.Close(f.fd) }

// changeTime returns when the system last saw a change of the file, in nanoseconds; unlike the modification time it
// can't be set.
func changeTime(f *os.File) int64 {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return 0
	}
	return int64(st.Ctim.Sec)*1e9 + int64(st.Ctim.Nsec)
}
