//go:build linux && (amd64 || arm64)

package sandbox

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

// made is a system call as a filter sees it.
type made struct {
	arch, call uint32
	args       [6]uint64
}

// verdict runs a filter as the kernel does: the subset of BPF that it is made of.
// Anything else, and a jump out of the program, ends the test.
func verdict(t *testing.T, program []unix.SockFilter, m made) uint32 {
	t.Helper()
	var data [64]byte
	binary.LittleEndian.PutUint32(data[atCall:], m.call)
	binary.LittleEndian.PutUint32(data[atArch:], m.arch)
	for i, a := range m.args {
		binary.LittleEndian.PutUint64(data[atArgs+8*i:], a)
	}
	var acc uint32
	for at := 0; ; at++ {
		f := program[at]
		holds := false
		switch f.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			acc = binary.LittleEndian.Uint32(data[f.K:])
			continue
		case unix.BPF_ALU | unix.BPF_AND | unix.BPF_K:
			acc &= f.K
			continue
		case unix.BPF_RET | unix.BPF_K:
			return f.K
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			holds = acc == f.K
		case unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K:
			holds = acc > f.K
		default:
			t.Fatalf("instruction %d: %+v", at, f)
		}
		if holds {
			at += int(f.Jt)
		} else {
			at += int(f.Jf)
		}
	}
}

const (
	allowed = unix.SECCOMP_RET_ALLOW
	eperm   = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	enosys  = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
)

// Property: the filter decides by the machine, the call, and the arguments that
// matter, whatever the others are.
func TestFilter(t *testing.T) {
	const pid = 4711
	read, file, folder := filter(access{}, pid), filter(access{rename: true}, pid), filter(access{rename: true, create: true}, pid)
	thread := uint64(unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_SYSVSEM | unix.CLONE_THREAD)
	for _, c := range []struct {
		name               string
		m                  made
		read, file, folder uint32
	}{
		{"read", made{arch, unix.SYS_READ, [6]uint64{1, 2, 3, 4, 5, 6}}, allowed, allowed, allowed},
		{"socket", made{arch, unix.SYS_SOCKET, [6]uint64{}}, eperm, eperm, eperm},
		{"execve", made{arch, unix.SYS_EXECVE, [6]uint64{}}, eperm, eperm, eperm},
		{"another machine", made{unix.AUDIT_ARCH_I386, unix.SYS_READ, [6]uint64{}}, eperm, eperm, eperm},
		{"no machine", made{0, unix.SYS_READ, [6]uint64{}}, eperm, eperm, eperm},
		{"x32", made{arch, 1<<30 + unix.SYS_READ, [6]uint64{}}, enosys, enosys, enosys},
		{"the newest", made{arch, newest, [6]uint64{}}, eperm, eperm, eperm},
		{"newer", made{arch, newest + 1, [6]uint64{}}, enosys, enosys, enosys},
		{"the last", made{arch, 1<<32 - 1, [6]uint64{}}, enosys, enosys, enosys},
		{"clone3", made{arch, unix.SYS_CLONE3, [6]uint64{}}, enosys, enosys, enosys},
		{"a thread", made{arch, unix.SYS_CLONE, [6]uint64{thread}}, allowed, allowed, allowed},
		{"a process", made{arch, unix.SYS_CLONE, [6]uint64{uint64(unix.SIGCHLD)}}, eperm, eperm, eperm},
		{"a thread in a namespace", made{arch, unix.SYS_CLONE, [6]uint64{thread | unix.CLONE_NEWNS}}, eperm, eperm, eperm},
		{"a signal to its own thread", made{arch, unix.SYS_TGKILL, [6]uint64{pid, 9}}, allowed, allowed, allowed},
		{"a signal to itself", made{arch, unix.SYS_KILL, [6]uint64{pid, 9}}, allowed, allowed, allowed},
		{"a signal to its group", made{arch, unix.SYS_KILL, [6]uint64{0, 9}}, eperm, eperm, eperm},
		{"a signal to the group of its number", made{arch, unix.SYS_KILL, [6]uint64{1<<64 - pid, 9}}, eperm, eperm, eperm},
		{"open for reading", made{arch, unix.SYS_OPENAT, [6]uint64{0, 0, unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NOFOLLOW}}, allowed, allowed, allowed},
		{"open for writing", made{arch, unix.SYS_OPENAT, [6]uint64{0, 0, unix.O_WRONLY}}, eperm, eperm, allowed},
		{"open for both", made{arch, unix.SYS_OPENAT, [6]uint64{0, 0, unix.O_RDWR}}, eperm, eperm, allowed},
		{"open for neither", made{arch, unix.SYS_OPENAT, [6]uint64{0, 0, unix.O_ACCMODE}}, eperm, eperm, allowed},
		{"create", made{arch, unix.SYS_OPENAT, [6]uint64{0, 0, unix.O_CREAT}}, eperm, eperm, allowed},
		{"empty", made{arch, unix.SYS_OPENAT, [6]uint64{0, 0, unix.O_WRONLY | unix.O_TRUNC}}, eperm, eperm, eperm},
		{"open with a long that is an int", made{arch, unix.SYS_OPENAT, [6]uint64{0, 0, 1<<32 | unix.O_WRONLY}}, eperm, eperm, allowed},
		{"mkdir", made{arch, unix.SYS_MKDIRAT, [6]uint64{}}, eperm, eperm, allowed},
		{"rename", made{arch, unix.SYS_RENAMEAT, [6]uint64{}}, eperm, allowed, allowed},
		{"remove", made{arch, unix.SYS_UNLINKAT, [6]uint64{}}, eperm, allowed, allowed},
		{"link", made{arch, unix.SYS_LINKAT, [6]uint64{}}, eperm, eperm, eperm},
		{"chmod", made{arch, unix.SYS_FCHMODAT, [6]uint64{}}, eperm, eperm, eperm},
		{"data", made{arch, unix.SYS_MMAP, [6]uint64{0, 1, unix.PROT_READ | unix.PROT_WRITE}}, allowed, allowed, allowed},
		{"code", made{arch, unix.SYS_MMAP, [6]uint64{0, 1, unix.PROT_READ | unix.PROT_EXEC}}, eperm, eperm, eperm},
		{"width of a terminal", made{arch, unix.SYS_IOCTL, [6]uint64{1, unix.TIOCGWINSZ}}, allowed, allowed, allowed},
		{"input to a terminal", made{arch, unix.SYS_IOCTL, [6]uint64{1, unix.TIOCSTI}}, eperm, eperm, eperm},
		{"input to a terminal, as a long", made{arch, unix.SYS_IOCTL, [6]uint64{1, 1<<32 | unix.TIOCSTI}}, eperm, eperm, eperm},
	} {
		for i, p := range [][]unix.SockFilter{read, file, folder} {
			if got, want := verdict(t, p, c.m), []uint32{c.read, c.file, c.folder}[i]; got != want {
				t.Errorf("%s, filter %d: %#x, want %#x", c.name, i, got, want)
			}
		}
	}
}

// Property: where modes may be changed, none is by which others can write, or that gives
// a program its owner's rights; and nothing else is allowed for that.
func TestFilterModes(t *testing.T) {
	with, without := filter(access{rename: true, create: true, modes: true}, 1), filter(access{rename: true, create: true}, 1)
	chmod := func(mode uint64) made { return made{arch, unix.SYS_FCHMODAT, [6]uint64{0, 0, mode}} }
	for mode, want := range map[uint64]uint32{
		0o555: allowed, 0o500: allowed, 0o755: allowed, 0o700: allowed, 0o444: allowed, 0: allowed,
		0o775: eperm, 0o757: eperm, 0o4755: eperm, 0o2755: eperm, 0o1755: eperm, 1<<32 | 0o777: eperm,
	} {
		if got := verdict(t, with, chmod(mode)); got != want {
			t.Errorf("mode %#o: %#x, want %#x", mode, got, want)
		}
		if got := verdict(t, without, chmod(mode)); got != eperm {
			t.Errorf("mode %#o without need: %#x", mode, got)
		}
	}
	for _, call := range []uint32{unix.SYS_FCHMOD, unix.SYS_FCHOWNAT, unix.SYS_FSETXATTR, unix.SYS_UTIMENSAT} {
		if got := verdict(t, with, made{arch: arch, call: call}); got != eperm {
			t.Errorf("call %d: %#x", call, got)
		}
	}
}

// Property: of all calls that there are, whatever their arguments, those are
// allowed that the rules name, and no others.
func TestFilterAllowsNoOther(t *testing.T) {
	a := access{rename: true, create: true, modes: true}
	named := map[uint32]bool{}
	for _, r := range rules(a, 1) {
		if named[r.call] {
			t.Errorf("two rules for call %d", r.call)
		}
		named[r.call] = true
	}
	p := filter(a, 1)
	for call := range uint32(newest + 1000) {
		for _, arg := range []uint64{0, 1, 2, unix.CLONE_THREAD, unix.TCGETS, unix.PR_SET_NAME, 1<<64 - 1} {
			if got := verdict(t, p, made{arch, call, [6]uint64{arg, arg, arg, arg, arg, arg}}); got == allowed && !named[call] {
				t.Errorf("call %d is allowed", call)
			}
		}
	}
}
