package sandbox

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// i386 makes a call as a 32-bit program does, by int 0x80: there is no Go for that.
// By Go's calling convention the number is in AX, as the kernel has it, and so is
// the result.
var i386 = code(0xcd, 0x80, 0xc3) // int 0x80; ret

// code is machine code to call; made before the sandbox is entered.
func code(instructions ...byte) func(uintptr) uintptr {
	page, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		panic(err)
	}
	copy(page, instructions)
	entry := &struct{ at uintptr }{uintptr(unsafe.Pointer(&page[0]))}
	return *(*func(uintptr) uintptr)(unsafe.Pointer(&entry))
}

// foreign are calls of the machine's other tables.
func foreign() []trial {
	const getpid386, x32, forkCall = 20, 1 << 30, 57
	return []trial{
		{name: "a call of i386", try: func() error {
			if r := int32(i386(getpid386)); r < 0 {
				return syscall.Errno(-r)
			}
			return nil
		}},
		{name: "open of old", try: opened("/dev/null", unix.O_WRONLY)},
		{name: "creat", try: call(unix.SYS_CREAT, 0)},
		{name: "an old fork", try: func() error {
			pid, _, errno := unix.RawSyscall(forkCall, 0, 0, 0)
			if errno != 0 {
				return errno
			}
			if pid == 0 {
				unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
			}
			_, err := unix.Wait4(int(pid), nil, 0, nil)
			if err != nil {
				return syscall.ECHILD
			}
			return nil
		}},
	}
}
