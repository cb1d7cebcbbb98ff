//go:build linux && (amd64 || arm64)

package sandbox

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// seccompOffered tells why there is no seccomp filter to be had; nil if there is.
func seccompOffered() error {
	action := uint32(unix.SECCOMP_RET_ERRNO)
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL, 0, uintptr(unsafe.Pointer(&action)))
	if errno != 0 {
		return fmt.Errorf("the kernel has none: %w", errno)
	}
	return nil
}

// restrictCalls puts the filter on all threads of the process at once
// (SECCOMP_FILTER_FLAG_TSYNC, seccomp(2)), which sets no_new_privs on all of them
// too, whoever started them. Those that are started later inherit both.
func restrictCalls(a access) error { return install(filter(a, uint32(os.Getpid()))) }

func install(program []unix.SockFilter) error {
	runtime.LockOSThread() // no_new_privs must be set on the thread that makes the call
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	thread, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	switch {
	case errno != 0:
		return errno
	case thread != 0:
		return errors.New("a thread has a filter of its own")
	}
	return nil
}
