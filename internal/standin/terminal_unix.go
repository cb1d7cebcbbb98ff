//go:build unix

package standin

import (
	"os"

	"golang.org/x/sys/unix"
)

// atTerminal tells whether this process, and with it what it started, is what a
// terminal sends the signals of its keys to.
func atTerminal() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}
