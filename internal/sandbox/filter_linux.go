//go:build linux && (amd64 || arm64)

package sandbox

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// A rule allows one system call, if one of its arguments is as it must be.
//
// The arguments that are looked at are ints in the kernel, or flags in the lower
// half of a long: their lower 32 bits are all that counts.
type rule struct {
	call uint32
	arg  int      // index of the argument
	mask uint32   // its bits that count; 0: the call is allowed whatever its arguments are
	want []uint32 // what they may be
}

// namespaces are the flags of clone(2) that leave a namespace.
const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET

const allBits = ^uint32(0)

// foreignModes are the bits of a mode by which others can write, or run a program with
// its owner's rights.
const foreignModes = 0o7022

// rules are what is allowed. Pid is the process itself.
func rules(a access, pid uint32) []rule {
	// Files are opened for reading or, if there are some to be made, in any way but
	// one that empties a file, for which opening it for reading is enough.
	openFlags := uint32(unix.O_ACCMODE | unix.O_CREAT | unix.O_TRUNC)
	if a.create {
		openFlags = unix.O_TRUNC
	}
	ioctls := []uint32{unix.TCGETS, unix.TIOCGWINSZ}
	if a.create {
		ioctls = append(ioctls, unix.FICLONE) // into a file that is open for writing
	}
	out := []rule{
		{call: unix.SYS_OPENAT, arg: 2, mask: openFlags, want: []uint32{0}},
		// Threads, and no processes. What clone3 is given a filter can't see.
		{call: unix.SYS_CLONE, arg: 0, mask: unix.CLONE_THREAD | namespaces, want: []uint32{unix.CLONE_THREAD}},
		// The Go runtime signals its own threads.
		{call: unix.SYS_TGKILL, arg: 0, mask: allBits, want: []uint32{pid}},
		{call: unix.SYS_KILL, arg: 0, mask: allBits, want: []uint32{pid}},
		// Memory that is no code.
		{call: unix.SYS_MMAP, arg: 2, mask: unix.PROT_EXEC, want: []uint32{0}},
		{call: unix.SYS_MPROTECT, arg: 2, mask: unix.PROT_EXEC, want: []uint32{0}},
		// Whether this is a terminal and how wide, and copies that share blocks; not what
		// types into a terminal (TIOCSTI).
		{call: unix.SYS_IOCTL, arg: 1, mask: allBits, want: ioctls},
		{call: unix.SYS_FCNTL, arg: 1, mask: allBits, want: []uint32{unix.F_GETFD, unix.F_SETFD, unix.F_GETFL, unix.F_SETFL, unix.F_DUPFD_CLOEXEC}},
		{call: unix.SYS_PRCTL, arg: 0, mask: allBits, want: []uint32{unix.PR_SET_VMA, unix.PR_SET_NAME, unix.PR_GET_NAME}},
	}
	for _, call := range common {
		out = append(out, rule{call: call})
	}
	for _, call := range renaming {
		if a.rename {
			out = append(out, rule{call: call})
		}
	}
	if a.create {
		out = append(out, rule{call: unix.SYS_MKDIRAT})
	}
	if a.modes {
		out = append(out, rule{call: unix.SYS_FCHMODAT, arg: 2, mask: foreignModes, want: []uint32{0}})
	}
	return append(out, ofArch(a, openFlags)...)
}

// common are the calls of the Go runtime, of the C library if it is linked in,
// and of reading files, that have nothing to hide in their arguments.
var common = []uint32{
	unix.SYS_READ, unix.SYS_WRITE, unix.SYS_CLOSE, unix.SYS_FSTAT, unix.SYS_NEWFSTATAT, unix.SYS_STATX, unix.SYS_GETDENTS64, unix.SYS_FUTEX,
	unix.SYS_PREAD64, unix.SYS_PWRITE64, unix.SYS_READV, unix.SYS_WRITEV, unix.SYS_LSEEK, unix.SYS_READLINKAT, unix.SYS_FACCESSAT, unix.SYS_FACCESSAT2,
	unix.SYS_GETCWD, unix.SYS_FSYNC, unix.SYS_FDATASYNC, unix.SYS_FADVISE64,
	unix.SYS_MUNMAP, unix.SYS_MREMAP, unix.SYS_BRK, unix.SYS_MADVISE, unix.SYS_MINCORE,
	unix.SYS_SCHED_YIELD, unix.SYS_SCHED_GETAFFINITY, unix.SYS_NANOSLEEP, unix.SYS_CLOCK_NANOSLEEP, unix.SYS_CLOCK_GETTIME, unix.SYS_CLOCK_GETRES, unix.SYS_GETTIMEOFDAY,
	unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_SIGALTSTACK, unix.SYS_RESTART_SYSCALL,
	unix.SYS_EPOLL_CREATE1, unix.SYS_EPOLL_CTL, unix.SYS_EPOLL_PWAIT, unix.SYS_EVENTFD2, unix.SYS_PIPE2,
	unix.SYS_GETPID, unix.SYS_GETTID, unix.SYS_GETUID, unix.SYS_GETEUID, unix.SYS_GETGID, unix.SYS_GETEGID, unix.SYS_UNAME, unix.SYS_GETRANDOM,
	unix.SYS_SET_ROBUST_LIST, unix.SYS_RSEQ, unix.SYS_EXIT, unix.SYS_EXIT_GROUP,
}

// renaming are the calls that put an output in its place, or remove it. A link
// would be a second name for a file that an output's place may write to.
var renaming = []uint32{unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2, unix.SYS_UNLINKAT}

// absent are the calls to which the kernel is made to say that it has none,
// because there is another way that callers take then.
var absent = []uint32{unix.SYS_CLONE3, unix.SYS_OPENAT2, unix.SYS_COPY_FILE_RANGE}

// newest is the last call that there was when the rules were written. Later ones
// are absent too.
const newest = unix.SYS_RSEQ_SLICE_YIELD

// Offsets into struct seccomp_data (seccomp(2)), on a little-endian machine.
const (
	atCall = 0
	atArch = 4
	atArgs = 16 // 8 bytes each, the lower half first
)

// filter is a program that allows what the rules allow and refuses all else with
// EPERM. It is a sequence of blocks, each of which returns or falls through to the
// next: no jump leaves its block.
func filter(a access, pid uint32) []unix.SockFilter {
	p := []unix.SockFilter{
		load(atArch),
		jump(unix.BPF_JEQ, arch, 1, 0),
		refuse(unix.EPERM), // i386 on amd64, arm on arm64: other calls under the same numbers
		load(atCall),
		jump(unix.BPF_JGT, newest, 0, 1), // so are those of x32: amd64's plus 1<<30
		refuse(unix.ENOSYS),
	}
	for _, r := range rules(a, pid) {
		p = append(p, r.block()...)
	}
	for _, call := range absent {
		p = append(p, jump(unix.BPF_JEQ, call, 0, 1), refuse(unix.ENOSYS))
	}
	return append(p, refuse(unix.EPERM))
}

func (r rule) block() []unix.SockFilter {
	if r.mask == 0 {
		return []unix.SockFilter{jump(unix.BPF_JEQ, r.call, 0, 1), allow()}
	}
	p := []unix.SockFilter{load(atArgs + 8*uint32(r.arg)), {Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: r.mask}}
	for _, w := range r.want {
		p = append(p, jump(unix.BPF_JEQ, w, 0, 1), allow())
	}
	p = append(p, refuse(unix.EPERM))
	return append([]unix.SockFilter{jump(unix.BPF_JEQ, r.call, 0, uint8(len(p)))}, p...)
}

func load(at uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
}

func jump(test uint16, k uint32, then, otherwise uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | test | unix.BPF_K, Jt: then, Jf: otherwise, K: k}
}

func allow() unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}
}

func refuse(e syscall.Errno) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(e)}
}
