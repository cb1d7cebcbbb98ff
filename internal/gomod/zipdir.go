package gomod

import (
	"archive/zip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/modseal/modseal/internal/limit"
)

const (
	// maxZipDirEntries is how many directory entries a flat folder of zips may have.
	maxZipDirEntries = 100_000
	// maxZipFile is the go command's limit for a module zip, in bytes.
	maxZipFile = 500 << 20
	// maxZipDirectory is how many bytes of a zip are read to find its go.mod: its
	// central directory, of at least 46 bytes and a name for each file.
	maxZipDirectory = 16 << 20
	// maxGoMod is the go command's limit for a go.mod file, in bytes.
	maxGoMod = 16 << 20
)

// A ZipDir is a directory of module zips, laid out in any of three ways, which may be
// mixed:
//
//	DIR/<path>/@v/<version>.zip                    a file:// GOPROXY
//	DIR/cache/download/<path>/@v/<version>.zip     a module cache
//	DIR/*.zip                                      a flat folder
//
// In a flat folder the name of the first file in a zip, "path@version/...", says what
// module the zip claims to be; the name of the zip says nothing. Zips are not checked
// beyond that.
type ZipDir struct {
	root    string
	index   map[module.Version]string // flat folder: module to file
	ignored []string
}

// OpenZipDir looks through the flat part of dir. It returns an *AmbiguousZipError when
// two zips claim to be one module, and a *NotRegularError for a zip that is a symbolic
// link or a special file.
func OpenZipDir(dir string) (*ZipDir, error) {
	return openZipDir(dir, maxZipDirEntries)
}

func openZipDir(dir string, maxEntries int) (*ZipDir, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	z := &ZipDir{root: dir, index: map[module.Version]string{}}
	seen := 0
	for {
		entries, err := d.ReadDir(1024)
		if seen += len(entries); seen > maxEntries {
			return nil, fmt.Errorf("%s: more than %d files; lay the zips out as a module proxy does", dir, maxEntries)
		}
		for _, entry := range entries {
			if err := z.add(entry); err != nil {
				return nil, err
			}
		}
		if err == io.EOF {
			return z, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// add takes a directory entry of the flat folder into the index.
func (z *ZipDir) add(entry fs.DirEntry) error {
	if !strings.HasSuffix(entry.Name(), ".zip") || entry.IsDir() {
		return nil
	}
	name := filepath.Join(z.root, entry.Name())
	f, _, err := openRegular(name)
	if err != nil {
		return err
	}
	defer f.Close()
	m, ok, err := claimOf(f)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if !ok {
		z.ignored = append(z.ignored, name)
		return nil
	}
	if other, ok := z.index[m]; ok {
		// Directories are listed in no order: name the two in one order.
		return &AmbiguousZipError{Module: m, Files: [2]string{min(name, other), max(name, other)}}
	}
	z.index[m] = name
	return nil
}

// claimOf reads the name of a zip's first file out of its local file header (APPNOTE
// 4.3.7), and with it no more than 64 KiB however large the zip's directory is:
//
//	offset 0   signature "PK" 03 04
//	       26  length of the name, 2 bytes, little-endian
//	       30  name
func claimOf(r io.ReaderAt) (m module.Version, ok bool, err error) {
	var header [30]byte
	if n, err := r.ReadAt(header[:], 0); n < len(header) {
		if err == io.EOF {
			return m, false, nil
		}
		return m, false, err
	}
	if string(header[:4]) != "PK\x03\x04" {
		return m, false, nil
	}
	name := make([]byte, binary.LittleEndian.Uint16(header[26:]))
	if n, err := r.ReadAt(name, int64(len(header))); n < len(name) {
		if err == io.EOF {
			return m, false, nil
		}
		return m, false, err
	}
	path, rest, _ := strings.Cut(string(name), "@")
	version, _, ok := strings.Cut(rest, "/")
	m = module.Version{Path: path, Version: version}
	return m, ok && CheckModule(m) == nil, nil
}

// Ignored names the zips of the flat folder whose first file has no module's prefix.
func (z *ZipDir) Ignored() []string { return z.ignored }

// Zip names the module's zip, a regular file. The error is fs.ErrNotExist when there
// is none, an *AmbiguousZipError when there are several, and a *NotRegularError when
// it is something else.
func (z *ZipDir) Zip(m module.Version) (string, error) {
	name, err := z.layouts(m, Proxy.Zip)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	flat, ok := z.index[m]
	switch {
	case ok && name != "":
		return "", &AmbiguousZipError{Module: m, Files: [2]string{name, flat}}
	case ok:
		return flat, nil
	}
	return name, err
}

// Mod names the file with the module's go.mod. The error is fs.ErrNotExist when there
// is none, as in a flat folder; GoMod looks into the zip then.
func (z *ZipDir) Mod(m module.Version) (string, error) {
	return z.layouts(m, Proxy.Mod)
}

// layouts looks for a module's file in the two laid-out parts.
func (z *ZipDir) layouts(m module.Version, file func(Proxy, module.Version) (string, error)) (string, error) {
	found := ""
	for _, root := range []string{z.root, filepath.Join(z.root, "cache", "download")} {
		name, err := file(Proxy{Root: root}, m)
		if err != nil {
			return "", err
		}
		switch _, err := RegularFile(name); {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return "", err
		case found != "":
			return "", &AmbiguousZipError{Module: m, Files: [2]string{found, name}}
		default:
			found = name
		}
	}
	if found == "" {
		return "", fmt.Errorf("%s in %s: %w", m, z.root, fs.ErrNotExist)
	}
	return found, nil
}

// GoMod reads the module's go.mod: its .mod file or, when there is none, the go.mod in
// its zip or, when the zip has none, the one-line file that a proxy serves for such a
// module. Neither is checked against anything. The error is fs.ErrNotExist when
// neither a .mod file nor a zip is there.
func (z *ZipDir) GoMod(m module.Version) ([]byte, error) {
	name, err := z.Mod(m)
	if err == nil {
		return ReadRegular(name, maxGoMod)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if name, err = z.Zip(m); err != nil {
		return nil, err
	}
	f, info, err := openRegular(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info.Size() > maxZipFile {
		return nil, fmt.Errorf("%s: zip of more than %d bytes", name, maxZipFile)
	}
	data, err := zippedGoMod(f, info.Size(), m)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}

func zippedGoMod(f io.ReaderAt, size int64, m module.Version) ([]byte, error) {
	metered := &meteredReader{r: f, left: maxZipDirectory}
	archive, err := zip.NewReader(metered, size)
	if err != nil {
		return nil, err
	}
	var gomod *zip.File
	for _, file := range archive.File {
		if file.Name != m.String()+"/go.mod" {
			continue
		}
		if gomod != nil {
			return nil, errors.New("zip has two go.mod files of one name")
		}
		gomod = file
	}
	if gomod == nil {
		return []byte("module " + modfile.AutoQuote(m.Path) + "\n"), nil
	}
	metered.left = 2 * maxGoMod // compressed, and a header
	r, err := gomod.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return limit.ReadAll(r, "go.mod", maxGoMod)
}

// A meteredReader refuses to read more than a number of bytes in all. What archive/zip
// keeps in memory is in proportion to what it reads.
type meteredReader struct {
	r    io.ReaderAt
	left int64
}

func (m *meteredReader) ReadAt(p []byte, off int64) (int, error) {
	if m.left -= int64(len(p)); m.left < 0 {
		return 0, fmt.Errorf("zip's directory is larger than %d bytes", maxZipDirectory)
	}
	return m.r.ReadAt(p, off)
}
