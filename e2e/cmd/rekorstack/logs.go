//go:build rekorstack

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// output is where the process's own standard streams went.
type output struct {
	stdout, stderr *os.File
}

// logTo sends file descriptors 1 and 2 to the end of a file and returns the streams that they were before. The servers
// write through several logging packages, some of which take hold of standard error before main runs, and so does the
// runtime when it crashes; below all of them there are only these two descriptors.
func logTo(path string) (*output, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	stdout, err := divert(int(os.Stdout.Fd()), file, "stdout")
	if err != nil {
		return nil, err
	}
	stderr, err := divert(int(os.Stderr.Fd()), file, "stderr")
	if err != nil {
		return nil, err
	}
	return &output{stdout: stdout, stderr: stderr}, nil
}

// divert makes fd another descriptor of to, and returns what it was.
func divert(fd int, to *os.File, name string) (*os.File, error) {
	was, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	if err := unix.Dup2(int(to.Fd()), fd); err != nil {
		return nil, os.NewSyscallError("dup2", err)
	}
	return os.NewFile(uintptr(was), name), nil
}
