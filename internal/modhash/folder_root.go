package modhash

import (
	"io"
	"io/fs"
	"os"
)

// A rootFolder is a folder by means of os.Root, for systems without openat. os.Root follows symbolic links as long as
// they don't lead out of it; here none may be followed. So what Lstat says is compared with what was opened.
type rootFolder struct {
	root *os.Root
	dir  *os.File // the same, once it was listed
}

func openRootFolder(dir string) (folder, error) {
	info, err := os.Lstat(dir)
	return openRoot(info, err, func() (*os.Root, error) { return os.OpenRoot(dir) })
}

func (f *rootFolder) child(name string) (folder, error) {
	info, err := f.root.Lstat(name)
	return openRoot(info, err, func() (*os.Root, error) { return f.root.OpenRoot(name) })
}

// openRoot opens what Lstat said is a folder, and checks that it is the one that was opened.
func openRoot(info fs.FileInfo, err error, open func() (*os.Root, error)) (folder, error) {
	switch {
	case err != nil:
		return nil, err
	case info.Mode().Type() == fs.ModeSymlink:
		return nil, errSymlink
	case !info.IsDir():
		return nil, errNotFolder
	}
	root, err := open()
	if err != nil {
		return nil, err
	}
	opened, err := root.Stat(".")
	if err == nil && !os.SameFile(info, opened) {
		err = &ContentError{Problem: "replaced while it was opened"}
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	return &rootFolder{root: root}, nil
}

func (f *rootFolder) list() ([]fs.DirEntry, error) {
	if f.dir == nil {
		dir, err := f.root.Open(".")
		if err != nil {
			return nil, err
		}
		f.dir = dir
	}
	return f.dir.ReadDir(listSize)
}

func (f *rootFolder) open(name string) (io.ReadCloser, int64, error) {
	info, err := f.root.Lstat(name)
	if err != nil {
		return nil, 0, err
	}
	if err := notRegular(info.Mode()); err != nil {
		return nil, 0, err
	}
	file, err := f.root.OpenFile(name, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, 0, err
	}
	return sameFile(file, info)
}

// sameFile returns what was opened as file, if Lstat said that it was that regular file.
func sameFile(file *os.File, info fs.FileInfo) (*os.File, int64, error) {
	opened, err := file.Stat()
	if err == nil {
		err = notRegular(opened.Mode())
	}
	if err == nil && !os.SameFile(info, opened) {
		err = &ContentError{Problem: "replaced while it was opened"}
	}
	if err != nil {
		file.Close()
		return nil, 0, err
	}
	return file, opened.Size(), nil
}

// notRegular returns an error for what is not a regular file.
func notRegular(mode fs.FileMode) error {
	switch mode.Type() {
	case 0:
		return nil
	case fs.ModeSymlink:
		return errSymlink
	}
	return errNotRegular
}

func (f *rootFolder) Close() error {
	if f.dir != nil {
		f.dir.Close()
	}
	return f.root.Close()
}
