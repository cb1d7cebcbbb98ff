package modhash

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// cloneFile makes out share the blocks of in (ioctl_ficlone(2)): all of them, as they are at one moment, or none. never
// says that it will fail for other files as well.
func cloneFile(out *os.File, in io.Reader) (ok, never bool) {
	var fd int
	switch in := in.(type) {
	case *unixFile:
		fd = in.fd
	case *os.File:
		fd = int(in.Fd())
	default:
		return false, false
	}
	switch err := unix.IoctlFileClone(int(out.Fd()), fd); err {
	case nil:
		return true, false
	case unix.EOPNOTSUPP, unix.ENOTTY, unix.ENOSYS, unix.EPERM, unix.EXDEV:
		return false, true
	}
	return false, false
}
