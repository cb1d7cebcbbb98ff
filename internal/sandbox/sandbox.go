// Package sandbox gives up, for the rest of the process's life and on all of its
// threads, what no verification needs: sockets of every family, other programs
// and processes, and writing anywhere but in its outputs.
//
// On Linux two things of the kernel's do that, each for itself:
//
//   - Landlock (Documentation/userspace-api/landlock.rst of the kernel, ABI 1 and
//     later) says in which places files may be written, made, renamed and removed;
//   - a seccomp filter (seccomp(2); amd64 and arm64) lists the system calls that may
//     be made at all. No list of forbidden ones is ever whole: what this package
//     does not know is refused. A later Go may need more; then tests fail, and
//     commands end, rather than that anything is let pass.
//
// What one of them can't do the other does: a filter does not see the names of
// files, and Landlock knows neither chmod nor most kinds of sockets. Where there
// are no outputs the filter alone forbids all writing.
//
// Reading is not restricted: all that this user may read can be read. Nor is what
// was open before, such as standard output, which may be a socket. Time and memory
// are for the parsers' limits.
package sandbox

import (
	"errors"
	"fmt"
	"strings"
)

// Mode says how much of a sandbox there must be.
type Mode string

const (
	Require Mode = "require" // all of it, or nothing is done
	Auto    Mode = "auto"    // what the system offers
	Off     Mode = "off"     // none
)

// Output is something to write after Enter: a new file, or a new folder with all
// that will be in it. It is written under another name and then renamed.
type Output struct {
	// Temp is a regular file, which is open for writing already, or a folder; made
	// before Enter. In a folder anything can be done but making what is neither file
	// nor folder.
	Temp string
	// Dir is the folder from whose entries Temp is removed and to which it, or a
	// folder in it, is renamed. Files and folders below it can be renamed or
	// removed, none can be written.
	Dir string
	// Modes is set if modes of what is in Temp are to be changed. No filter sees names,
	// so that those of all files of this user's can be then; but none to one by which
	// others can write, or that gives a program its owner's rights.
	Modes bool
}

// State says what is in force.
type State struct {
	Mode     string
	Landlock int      // ABI version; 0 is not in force
	Seccomp  bool     // whether the filter is in force
	Lacks    []string // why something is not, a line each
}

// ErrRequired says that not all of the sandbox can be had, and it was demanded.
var ErrRequired = errors.New("the sandbox is not whole")

// Enter gives up what the package's comment says, but for writing the outputs.
// There is no way back. With Require an error matches ErrRequired if there is less
// than all; with Auto State.Lacks says what there is not.
//
// It is called once a process, before the first byte of what is not trusted is
// read.
func Enter(mode Mode, outputs ...Output) (State, error) {
	s := State{Mode: string(mode), Lacks: []string{}}
	switch mode {
	case Off:
		return s, nil
	case Auto:
		s.enter(outputs)
		return s, nil
	case Require:
	default:
		return s, fmt.Errorf("sandbox mode %q", mode)
	}
	if offered := Offered(outputs...); len(offered.Lacks) == 0 {
		s.enter(outputs)
	} else {
		s.Lacks = offered.Lacks
	}
	if len(s.Lacks) > 0 {
		return s, fmt.Errorf("%w: %s", ErrRequired, strings.Join(s.Lacks, "; "))
	}
	return s, nil
}

// Offered is what Enter will have in force with Auto, as far as can be told
// beforehand.
func Offered(outputs ...Output) State {
	s := State{Mode: string(Auto), Lacks: []string{}}
	s.offered(outputs)
	return s
}

func (s *State) lack(format string, a ...any) {
	s.Lacks = append(s.Lacks, fmt.Sprintf(format, a...))
}
