package sandbox

import "golang.org/x/sys/unix"

const arch = unix.AUDIT_ARCH_X86_64

// ofArch are the older forms of calls, which arm64 never had.
func ofArch(openFlags uint32) []rule {
	return []rule{
		{call: unix.SYS_OPEN, arg: 1, mask: openFlags, want: []uint32{0}},
		{call: unix.SYS_STAT}, {call: unix.SYS_LSTAT}, {call: unix.SYS_ACCESS}, {call: unix.SYS_READLINK}, {call: unix.SYS_EPOLL_WAIT}, {call: unix.SYS_TIME},
	}
}
