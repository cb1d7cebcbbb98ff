package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"github.com/modseal/modseal/internal/materialize"
	"github.com/modseal/modseal/internal/sandbox"
)

// checkNewDir demands that nothing is in the place of a folder to be made but
// perhaps an empty folder.
func checkNewDir(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return usagef("%w", err)
	case len(entries) > 0:
		return usagef("%s is not empty", dir)
	}
	return nil
}

// A newFolder is filled beside its place and then renamed: it is there whole or
// not at all. Nobody else can look into it before that.
//
//	BESIDE/.NAME.*        private, removed in the end
//	BESIDE/.NAME.*/NAME   filled
//	BESIDE/…/NAME         its place: BESIDE is the folder above that is there already
type newFolder struct {
	place  string
	beside string
	temp   string
	fresh  string      // what is to be filled
	mode   os.FileMode // of the folder in its place, if it is not to be 0755
	root   *os.Root    // of fresh
}

// beginFolder makes the folder to be filled for dir, which must be new or empty.
// What comes after it changes no mode unless n.mode is set. Discard is always called
// in the end.
func beginFolder(dir string) (*newFolder, error) {
	n := &newFolder{place: dir, beside: filepath.Dir(dir)}
	for {
		_, err := os.Stat(n.beside)
		if err == nil {
			break
		}
		if above := filepath.Dir(n.beside); errors.Is(err, os.ErrNotExist) && above != n.beside {
			n.beside = above
			continue
		}
		return nil, err
	}
	var err error
	if n.temp, err = os.MkdirTemp(n.beside, "."+filepath.Base(dir)+".*"); err != nil {
		return nil, err
	}
	n.fresh = filepath.Join(n.temp, filepath.Base(dir))
	if err = os.Mkdir(n.fresh, 0o755); err == nil {
		err = os.Chmod(n.fresh, 0o755) // whatever the umask says
	}
	if err == nil {
		n.root, err = os.OpenRoot(n.fresh)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(n.temp))
	}
	return n, nil
}

// output is what the sandbox lets be written.
func (n *newFolder) output() sandbox.Output {
	return sandbox.Output{Temp: n.temp, Dir: n.beside, Modes: n.mode != 0}
}

// finish puts the folder into its place, also where an empty one is.
func (n *newFolder) finish(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(n.place), 0o755); err != nil {
		return err
	}
	// os.Rename replaces no folder. What is no empty one is left for it to stumble on.
	_ = syscall.Rmdir(n.place)
	if err := os.Rename(n.fresh, n.place); err != nil || n.mode == 0 {
		return err
	}
	return os.Chmod(n.place, n.mode) // one that nobody can write to can't be moved
}

// discard removes what is not in its place.
func (n *newFolder) discard() {
	n.root.Close()
	materialize.Remove(n.temp) // which may have read-only folders
}
