package sandbox

import (
	"errors"
	"fmt"
	"os"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// byABI is all that can be restricted at each ABI version, from 1 on.
var byABI = [...]landlock.Config{
	landlock.V1, landlock.V2, landlock.V3, landlock.V4, landlock.V5, landlock.V6, landlock.V7, landlock.V8, landlock.V9, landlock.V10, landlock.V11,
}

const (
	withRefer   = 2 // the first ABI at which a file can be renamed into another folder
	withScopes  = 6
	withThreads = 8 // the first ABI at which the kernel restricts all threads by itself

	// scopesKeepThreads is a bit of the errata: a process can signal its own threads,
	// which the Go runtime does all the time.
	scopesKeepThreads = 1 << 1
)

// landlockABI is the ABI version that can be used, or why there is none.
func landlockABI(a access) (int, error) {
	abi, err := ll.LandlockGetABIVersion()
	switch {
	case errors.Is(err, unix.ENOSYS):
		return 0, errors.New("the kernel has none (Linux 5.13 and later do)")
	case errors.Is(err, unix.EOPNOTSUPP):
		return 0, errors.New("switched off when the kernel was started (lsm=)")
	case err != nil:
		return 0, fmt.Errorf("the kernel's version: %w", err)
	case abi < withRefer && a.create:
		return 0, fmt.Errorf("ABI %d can't rename a folder into its place (Linux 5.19 and later do)", abi)
	case abi < withThreads:
		// The other way to restrict all threads has to find them.
		if _, err := os.ReadDir("/proc/self/task"); err != nil {
			return 0, fmt.Errorf("the threads: %w", err)
		}
	}
	if abi >= withScopes {
		if errata, err := ll.LandlockGetErrata(); err != nil || errata&scopesKeepThreads == 0 {
			abi = withScopes - 1
		}
	}
	return min(abi, len(byABI)), nil
}

// What is allowed, and where. No place has the rights to make devices, pipes,
// sockets and symbolic links, to run a program, or to truncate a file that is there.
const (
	inTempFolder = ll.AccessFSWriteFile | ll.AccessFSMakeReg | ll.AccessFSMakeDir | ll.AccessFSRemoveFile | ll.AccessFSRemoveDir | ll.AccessFSRefer
	besideFolder = ll.AccessFSMakeDir | ll.AccessFSRemoveDir | ll.AccessFSRefer
	besideFile   = ll.AccessFSMakeReg | ll.AccessFSRemoveFile
)

// truncating says by which of the two a file can't be truncated. Where Landlock sees
// to it, the kernel looks up at each opening of a file, for reading too, whether that
// file may be truncated once it is open, in all folders above it: that makes
// opening take half as long again.
type truncating int

const (
	byLandlock truncating = iota
	byFilter
)

// restrictPlaces forbids all writing but of the outputs, and what else Landlock
// can forbid: running programs, TCP, control of devices, speaking to servers
// through Unix sockets. It returns the ABI version.
func restrictPlaces(a access, outputs []Output, t truncating) (int, error) {
	abi, err := landlockABI(a)
	if err != nil {
		return 0, err
	}
	config := byABI[abi-1]
	config.HandledAccessFS &^= ll.AccessFSReadFile | ll.AccessFSReadDir
	if t == byFilter {
		config.HandledAccessFS &^= ll.AccessFSTruncate
	}
	var rules []landlock.Rule
	for _, o := range outputs {
		info, err := os.Lstat(o.Temp)
		if err != nil {
			return 0, err
		}
		if info.IsDir() {
			rules = append(rules, landlock.PathAccess(inTempFolder, o.Temp), landlock.PathAccess(besideFolder, o.Dir))
		} else {
			rules = append(rules, landlock.PathAccess(besideFile, o.Dir)) // Temp is open
		}
	}
	return abi, config.Restrict(rules...)
}

// restrictTruncating forbids it by Landlock after all; abi is the version that
// restrictPlaces returned.
func restrictTruncating(abi int) error {
	config := landlock.Config{HandledAccessFS: byABI[abi-1].HandledAccessFS & ll.AccessFSTruncate}
	if config.HandledAccessFS == 0 {
		return nil // nor could it before
	}
	return config.Restrict()
}
