//go:build unix

package verify_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/modseal/modseal/verify"
)

// Property: what is no file is refused, rather than waited for.
func TestArtifactIsNoFile(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip("no pipes here: ", err)
	}
	for _, name := range []string{dir, pipe} {
		if a, err := verify.ReadArtifact(name); err == nil || !strings.Contains(err.Error(), "is not a file") {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
}
