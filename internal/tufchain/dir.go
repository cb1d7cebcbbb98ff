package tufchain

import (
	"errors"
	"io/fs"
	"os"
	"path"

	"github.com/modseal/modseal/internal/limit"
)

// maxFolder is how many names are looked at in a folder: more than a chain can
// have.
const maxFolder = MaxRotations + 16

// ReadDir reads a chain that modseal trust fetch wrote. A folder that is not
// there is fs.ErrNotExist; one that holds anything else is an *Error.
func ReadDir(dir string) (Files, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	files := Files{}
	for _, folder := range []string{".", "targets"} {
		names, err := list(root, folder)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if name = path.Join(folder, name); name == "targets" {
				continue
			}
			if files[name], err = readRegular(root, name); err != nil {
				return nil, err
			}
		}
	}
	return files, files.check()
}

// list gives the names in a folder of the chain; none if the folder is missing.
func list(root *os.Root, folder string) ([]string, error) {
	info, err := root.Lstat(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, unexpected(folder)
	}
	f, err := root.Open(folder)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(maxFolder + 1)
	if len(names) > maxFolder {
		return nil, &Error{Kind: TooLarge, Err: &limit.Error{What: "the folder", Max: maxFolder, Unit: "files"}, Advice: unexpected("").Advice}
	}
	if len(names) == 0 { // io.EOF
		return nil, nil
	}
	return names, err
}

func readRegular(root *os.Root, name string) ([]byte, error) {
	max := maxOf(name)
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if max == 0 || info.Mode()&fs.ModeType != 0 {
		return nil, unexpected(name)
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := limit.ReadAll(f, name, max)
	if err != nil {
		return nil, &Error{Kind: TooLarge, File: name, Err: err, Advice: adviceMalformed}
	}
	return data, nil
}
