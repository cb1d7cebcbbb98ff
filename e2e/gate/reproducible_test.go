package gate

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Two builds of one commit, from folders of other names and of other times, are the same bytes. What the go command has compiled before it takes from its
// cache: from empty caches it takes more than a minute.
func TestReproducibleBuild(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	needs(t, "git", "-C", root, "rev-parse", "--verify", "HEAD")
	var built [2][]byte
	for i, name := range []string{"one", "another/place"} {
		dir := filepath.Join(t.TempDir(), name)
		if out, err := exec.CommandContext(t.Context(), "git", "clone", "-q", root, dir).CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
		cmd := exec.CommandContext(t.Context(), "make", "build")
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS=")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		var err error
		if built[i], err = os.ReadFile(filepath.Join(dir, "bin", "modseal")); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(built[0], built[1]) {
		t.Errorf("two builds differ, of %d and %d bytes", len(built[0]), len(built[1]))
	}
}
