package sandbox

import "golang.org/x/sys/unix"

const arch = unix.AUDIT_ARCH_X86_64

// ofArch are the older forms of calls, which arm64 never had.
func ofArch(a access, openFlags uint32) []rule {
	out := []rule{
		{call: unix.SYS_OPEN, arg: 1, mask: openFlags, want: []uint32{0}},
		{call: unix.SYS_STAT}, {call: unix.SYS_LSTAT}, {call: unix.SYS_ACCESS}, {call: unix.SYS_READLINK}, {call: unix.SYS_EPOLL_WAIT}, {call: unix.SYS_TIME},
	}
	if a.modes {
		out = append(out, rule{call: unix.SYS_CHMOD, arg: 1, mask: foreignModes, want: []uint32{0}})
	}
	return out
}
