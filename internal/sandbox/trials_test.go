//go:build linux && (amd64 || arm64)

package sandbox

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A trial does what is forbidden inside. Outside it does no harm, and its error is
// none of EPERM and EACCES: else it would show nothing.
type trial struct {
	name string
	try  func() error
	root bool // outside, only root is let do it
}

func call(nr uintptr, args ...uintptr) func() error {
	var a [6]uintptr
	copy(a[:], args)
	return func() error {
		if _, _, errno := unix.RawSyscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5]); errno != 0 {
			return errno
		}
		return nil
	}
}

func str(s string) uintptr {
	p, err := unix.BytePtrFromString(s)
	if err != nil {
		panic(err)
	}
	kept = append(kept, p)
	return uintptr(unsafe.Pointer(p))
}

var kept []*byte // what system calls are given addresses of

const bad = ^uintptr(0) // a file descriptor that there is none of

var cwd = ^uintptr(99) // AT_FDCWD, -100

// calls need nothing but the kernel.
func calls() []trial {
	parent, none := uintptr(os.Getppid()), str("/nonexistent/x")
	page := uintptr(os.Getpagesize())
	list := []trial{
		{name: "socketpair", try: func() error {
			fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
			if err == nil {
				unix.Close(fds[0])
				unix.Close(fds[1])
			}
			return err
		}},
		{name: "connect", try: call(unix.SYS_CONNECT, bad)},
		{name: "bind", try: call(unix.SYS_BIND, bad)},
		{name: "listen", try: call(unix.SYS_LISTEN, bad)},
		{name: "accept4", try: call(unix.SYS_ACCEPT4, bad)},
		{name: "sendto", try: call(unix.SYS_SENDTO, bad)},
		{name: "sendmsg", try: call(unix.SYS_SENDMSG, bad)},
		{name: "recvmsg", try: call(unix.SYS_RECVMSG, bad)},
		{name: "io_uring_setup", try: call(unix.SYS_IO_URING_SETUP, 0, 0)},
		{name: "io_uring_enter", try: call(unix.SYS_IO_URING_ENTER, bad)},
		{name: "execve", try: call(unix.SYS_EXECVE, none)},
		{name: "execveat", try: call(unix.SYS_EXECVEAT, cwd, none)},
		{name: "fork", try: call(unix.SYS_CLONE, uintptr(unix.CLONE_SIGHAND|unix.SIGCHLD))}, // without CLONE_VM: invalid
		{name: "ptrace", try: call(unix.SYS_PTRACE, unix.PTRACE_CONT, parent)},
		{name: "process_vm_readv", try: call(unix.SYS_PROCESS_VM_READV, parent, 0, 0, 0, 0, 0)},
		{name: "process_vm_writev", try: call(unix.SYS_PROCESS_VM_WRITEV, parent, 0, 0, 0, 0, 0)},
		{name: "pidfd_open", try: call(unix.SYS_PIDFD_OPEN, bad)},
		{name: "pidfd_getfd", try: call(unix.SYS_PIDFD_GETFD, bad)},
		{name: "pidfd_send_signal", try: call(unix.SYS_PIDFD_SEND_SIGNAL, bad)},
		{name: "kill another", try: call(unix.SYS_KILL, parent, 0)},
		{name: "kill all", try: call(unix.SYS_KILL, bad, uintptr(1000))},
		{name: "tgkill another", try: call(unix.SYS_TGKILL, parent, parent, 0)},
		{name: "tkill", try: call(unix.SYS_TKILL, parent, 0)},
		{name: "rt_sigqueueinfo", try: call(unix.SYS_RT_SIGQUEUEINFO, parent, 0, 0)},
		{name: "fcntl F_SETOWN", try: call(unix.SYS_FCNTL, 0, unix.F_SETOWN, 0)},
		{name: "ioctl TIOCSTI", try: call(unix.SYS_IOCTL, bad, unix.TIOCSTI)},
		{name: "memfd_create", try: call(unix.SYS_MEMFD_CREATE, 0)},
		{name: "mmap of code", try: call(unix.SYS_MMAP, 0, page, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, bad)},
		{name: "mprotect to code", try: call(unix.SYS_MPROTECT, 0, 0, unix.PROT_EXEC)},
		{name: "personality", try: call(unix.SYS_PERSONALITY, 0xffffffff)},
		{name: "userfaultfd", try: call(unix.SYS_USERFAULTFD, 1), root: true},
		{name: "bpf", try: call(unix.SYS_BPF, bad), root: true},
		{name: "perf_event_open", try: call(unix.SYS_PERF_EVENT_OPEN, 0), root: true},
		{name: "keyctl", try: call(unix.SYS_KEYCTL, bad)},
		{name: "unshare", try: call(unix.SYS_UNSHARE, 0)},
		{name: "setns", try: call(unix.SYS_SETNS, bad)},
		{name: "mount", try: call(unix.SYS_MOUNT, 0, none, 0, 0, 0), root: true},
		{name: "chroot", try: call(unix.SYS_CHROOT, none)},
		{name: "open_by_handle_at", try: call(unix.SYS_OPEN_BY_HANDLE_AT, bad), root: true},
		{name: "kexec_load", try: call(unix.SYS_KEXEC_LOAD, 0, bad), root: true},
		{name: "ftruncate", try: call(unix.SYS_FTRUNCATE, bad)},
		{name: "prctl PR_SET_DUMPABLE", try: call(unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 7)},
	}
	for family, name := range map[int]string{
		unix.AF_UNIX: "unix", unix.AF_INET: "inet", unix.AF_INET6: "inet6", unix.AF_NETLINK: "netlink", unix.AF_PACKET: "packet",
		unix.AF_VSOCK: "vsock", unix.AF_ALG: "alg", unix.AF_MAX + 1: "unknown",
	} {
		list = append(list, trial{root: family == unix.AF_PACKET, name: "socket " + name, try: func() error {
			fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
			if err == nil {
				unix.Close(fd)
			}
			return err
		}})
	}
	return list
}

// opened opens a file and closes it again.
func opened(name string, flags int) func() error {
	return func() error {
		fd, err := unix.Open(name, flags|unix.O_CLOEXEC|unix.O_NONBLOCK, 0o644)
		if err == nil {
			unix.Close(fd)
		}
		return err
	}
}

// files are trials on what is in dir, which is no output: a file, a second file,
// an empty folder. They leave it as it is, also outside.
func files(dir string) []trial {
	file, second, folder, fresh := filepath.Join(dir, "file"), filepath.Join(dir, "second"), filepath.Join(dir, "folder"), filepath.Join(dir, "fresh")
	undo := func(do, undo func() error) func() error {
		return func() error {
			if err := do(); err != nil {
				return err
			}
			return undo()
		}
	}
	return []trial{
		{name: "write", try: opened(file, unix.O_WRONLY)},
		{name: "read and write", try: opened(file, unix.O_RDWR)},
		{name: "append", try: opened(file, unix.O_WRONLY|unix.O_APPEND)},
		{name: "empty by reading", try: opened(second, unix.O_RDONLY|unix.O_TRUNC)}, // which is empty
		{name: "empty by writing", try: opened(second, unix.O_WRONLY|unix.O_TRUNC)},
		{name: "create", try: undo(opened(fresh, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL), func() error { return unix.Unlink(fresh) })},
		{name: "create for reading", try: undo(opened(fresh, unix.O_RDONLY|unix.O_CREAT), func() error { return unix.Unlink(fresh) })},
		{name: "create without a name", try: opened(dir, unix.O_RDWR|unix.O_TMPFILE)},
		{name: "mkdir", try: undo(func() error { return unix.Mkdir(fresh, 0o755) }, func() error { return unix.Rmdir(fresh) })},
		{name: "rmdir", try: undo(func() error { return unix.Rmdir(folder) }, func() error { return unix.Mkdir(folder, 0o755) })},
		{name: "unlink", try: undo(func() error { return unix.Unlink(second) }, func() error { return os.WriteFile(second, nil, 0o644) })},
		{name: "rename", try: undo(func() error { return unix.Rename(second, fresh) }, func() error { return unix.Rename(fresh, second) })},
		{name: "exchange", try: undo(func() error { return unix.Renameat2(-100, second, -100, file, unix.RENAME_EXCHANGE) }, func() error { return unix.Renameat2(-100, second, -100, file, unix.RENAME_EXCHANGE) })},
		{name: "link", try: undo(func() error { return unix.Link(file, fresh) }, func() error { return unix.Unlink(fresh) })},
		{name: "symlink", try: undo(func() error { return unix.Symlink(file, fresh) }, func() error { return unix.Unlink(fresh) })},
		{name: "mkfifo", try: undo(func() error { return unix.Mkfifo(fresh, 0o644) }, func() error { return unix.Unlink(fresh) })},
		{name: "chmod", try: func() error { return unix.Chmod(file, 0o644) }},
		{name: "chmod of an open file", try: func() error {
			fd, err := unix.Open(file, unix.O_RDONLY, 0)
			if err != nil {
				return syscall.EBADF
			}
			defer unix.Close(fd)
			return unix.Fchmod(fd, 0o644)
		}},
		{name: "chown", try: func() error { return unix.Chown(file, os.Getuid(), os.Getgid()) }},
		{name: "set times", try: func() error {
			return unix.UtimesNanoAt(-100, file, []unix.Timespec{{Nsec: unix.UTIME_OMIT}, {Nsec: unix.UTIME_OMIT}}, 0)
		}},
		{name: "set an attribute", try: func() error { return unix.Removexattr(file, "user.none") }},
		{name: "truncate", try: func() error { return unix.Truncate(second, 0) }},
		{name: "write to a device", try: opened("/dev/null", unix.O_WRONLY)},
		{name: "write to memory by its file", try: opened("/proc/self/mem", unix.O_RDWR)},
		{name: "write to a kernel setting", try: opened("/proc/self/oom_score_adj", unix.O_WRONLY)},
	}
}

// tried are the errors by name of trial.
func tried(list []trial) map[string]syscall.Errno {
	out := map[string]syscall.Errno{}
	for _, t := range list {
		var errno syscall.Errno
		if err := t.try(); err != nil && !errors.As(err, &errno) {
			panic(err)
		}
		out[t.name] = errno
	}
	return out
}

// onThread runs f on a thread of its own once start is closed.
func onThread(start <-chan struct{}, f func()) (done <-chan struct{}) {
	c, ready := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(c)
		runtime.LockOSThread() // never unlocked: the thread ends
		close(ready)
		<-start
		f()
	}()
	<-ready
	return c
}
