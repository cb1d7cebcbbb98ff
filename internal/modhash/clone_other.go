//go:build !linux

package modhash

import (
	"io"
	"os"
)

func cloneFile(*os.File, io.Reader) (ok, never bool) { return false, true }
