package atomicfile

import (
	"os"
	"path/filepath"
	"time"
)

const (
	// sweepAge is how long ago a temporary file was last written to if nobody goes on
	// with it.
	sweepAge = 24 * time.Hour
	// maxSwept is how many names of a folder are looked at.
	maxSwept = 10_000
)

// Sweep removes what processes that were killed left in a folder of our own: files
// whose names match pattern and that were last written more than a day before now,
// which is best the time of a file just made there. What can't be removed stays.
func Sweep(root *os.Root, pattern string, now time.Time) {
	dir, err := root.Open(".")
	if err != nil {
		return
	}
	defer dir.Close()
	entries, _ := dir.ReadDir(maxSwept)
	for _, e := range entries {
		if ok, err := filepath.Match(pattern, e.Name()); !ok || err != nil || !e.Type().IsRegular() {
			continue
		}
		if info, err := e.Info(); err == nil && now.Sub(info.ModTime()) > sweepAge {
			_ = root.Remove(e.Name())
		}
	}
}
