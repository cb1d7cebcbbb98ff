//go:build unix

package snapshot_test

import (
	"errors"
	"os"
	"syscall"
)

// become gives up root's rights, with which everything can be written.
func become(user int) error {
	if user == 0 || os.Getuid() != 0 {
		return nil
	}
	return errors.Join(syscall.Setgroups(nil), syscall.Setgid(user), syscall.Setuid(user))
}

// fillDisk lets no file grow until the function that it gives is called. Go
// programs do not end by SIGXFSZ.
func fillDisk() (func(), error) {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &l); err != nil {
		return nil, err
	}
	full := l
	full.Cur = 0
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full); err != nil {
		return nil, err
	}
	return func() { _ = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &l) }, nil
}
