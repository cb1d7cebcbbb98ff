//go:build unix

package verify_test

import (
	"os"
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

// Property: a file whose name no bundle can hold is refused before its evidence is
// looked for.
func TestArtifactNames(t *testing.T) {
	dir := t.TempDir()
	for name, ok := range map[string]bool{
		"tool-1.2.tar.gz": true, "Größe 1": true, "sha256:x": true, strings.Repeat("x", 255): true,
		`a\b`: false, "a\nb": false, "a\x1b[2Jb": false, "a\xffb": false,
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
			t.Log(err) // a file system that has no such names
			continue
		}
		a, err := verify.ReadArtifact(file)
		if (err == nil) != ok || ok && a.Name != name || !ok && !strings.Contains(err.Error(), "rename the file") {
			t.Errorf("%q: %+v, %v", name, a, err)
		}
	}
}
