// Package gobinary reads which modules a Go binary says that it was built of.
// The go command writes that into every ELF, PE and Mach-O file that it links
// in module mode (package debug/buildinfo; go version -m prints it), with the h1
// of each module, unless it built from a vendor folder.
//
// All of it is the binary's own word: whoever can change the file can change
// that too. Nothing is executed.
package gobinary

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"runtime/debug"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/modseal/modseal/internal/limit"
	"github.com/modseal/modseal/internal/modhash"
)

// The limits of a binary.
const (
	MaxSize    = 4 << 30  // bytes of the file
	MaxRead    = 32 << 20 // bytes read of it to find the build info: headers, data
	MaxModules = 65536
)

// ErrNoModules says that a binary names no module that could be proven.
var ErrNoModules = errors.New("names no module with a version: there is nothing to prove of it")

// Binary is what a Go binary says of itself, and its digest.
type Binary struct {
	Name    string // of the file, without a path
	SHA256  string // of the file, hex
	Go      string // version of the toolchain
	Package string // path of the main package
	// Main is path@version of the module of the main package; "" if there is none.
	// The version is (devel), or what version control says. It is among Modules
	// only if it was built as a dependency is: by go install path@version.
	Main    string
	Modules []Module // at least one, in the binary's order
}

// Module is a module that went into a binary.
type Module struct {
	module.Version                // of what was used, after replace; without a version it is local
	Sum            modhash.H1     // zero if the binary names none, as one built from a vendor folder does
	Replaces       module.Version // what was required in its place; zero if it was that itself
	Dir            string         // of a local module, as its replace directive has it; "" of one of a workspace
}

// Local tells whether the module was taken from a directory.
func (m *Module) Local() bool { return m.Version.Version == "" }

// InTree tells whether the directory of a local module is, by its name, below
// that of the main module. Symbolic links can't be seen in a binary.
func (m *Module) InTree() bool {
	dir := strings.TrimSuffix(strings.ReplaceAll(m.Dir, `\`, "/"), "/")
	return strings.HasPrefix(dir, "./") && dir == "./"+path.Clean(dir) && !strings.HasPrefix(dir, "./..")
}

// Read reads a binary of size bytes. A file that is none, or that is damaged, is
// an error, and so is one without modules: ErrNoModules.
func Read(name string, r io.ReaderAt, size int64) (*Binary, error) {
	if size > MaxSize {
		return nil, &limit.Error{What: "the file", Max: MaxSize, Unit: "bytes"}
	}
	if isUniversal(r) {
		return nil, errors.New("a universal binary, of which the build info of one architecture alone would be read: take it apart (lipo -thin ARCH) and name each")
	}
	info, err := readInfo(&budget{r: r, left: MaxRead})
	if err != nil {
		return nil, err
	}
	b := &Binary{Name: name, Go: info.GoVersion, Package: info.Path}
	if info.Main.Path != "" {
		b.Main = info.Main.Path + "@" + info.Main.Version
	}
	if err := b.read(info); err != nil {
		return nil, fmt.Errorf("its build info: %w", err)
	}
	if len(b.Modules) == 0 {
		return nil, ErrNoModules
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(r, 0, size)); err != nil {
		return nil, err
	}
	b.SHA256 = hex.EncodeToString(h.Sum(nil))
	return b, nil
}

// isUniversal tells a Mach-O file of several architectures by its first bytes.
func isUniversal(r io.ReaderAt) bool {
	var magic [4]byte
	if _, err := r.ReadAt(magic[:], 0); err != nil {
		return false
	}
	return string(magic[:]) == "\xca\xfe\xba\xbe" || string(magic[:]) == "\xca\xfe\xba\xbf"
}

// readInfo keeps a damaged file from ending the process: the packages below
// debug/ say that they may panic on one.
func readInfo(r *budget) (info *debug.BuildInfo, err error) {
	defer func() {
		if p := recover(); p != nil {
			info, err = nil, fmt.Errorf("not a Go binary, or a damaged one: %v", p)
		}
	}()
	file, err := withoutSymbols(r)
	if err == nil {
		info, err = buildinfo.Read(file)
	}
	switch {
	case errors.Is(err, errNoBinary):
		return nil, err
	case r.exceeded:
		return nil, &limit.Error{What: "headers and data of the binary", Max: MaxRead, Unit: "bytes"}
	case err != nil:
		return nil, fmt.Errorf("not a Go binary, or one without build info: %w", err)
	}
	return info, nil
}

// budget refuses to read more than it has left, all calls together.
type budget struct {
	r        io.ReaderAt
	left     int64
	exceeded bool
}

func (b *budget) ReadAt(p []byte, off int64) (int, error) {
	if int64(len(p)) > b.left {
		b.exceeded = true
		return 0, limit.ErrExceeded
	}
	b.left -= int64(len(p))
	return b.r.ReadAt(p, off)
}

// read takes over the modules, each of which must be one as Go knows it.
func (b *Binary) read(info *debug.BuildInfo) error {
	if len(info.Deps) > MaxModules {
		return &limit.Error{What: "dependencies", Max: MaxModules, Unit: "modules"}
	}
	if info.Main.Sum != "" { // else it is the binary's own source
		if err := b.add(&info.Main); err != nil {
			return err
		}
	}
	for _, m := range info.Deps {
		if err := b.add(m); err != nil {
			return err
		}
	}
	return nil
}

// devel is the version that the go command writes for a directory.
const devel = "(devel)"

func (b *Binary) add(m *debug.Module) error {
	var out Module
	used := m
	if m.Replace != nil {
		out.Replaces = module.Version{Path: m.Path, Version: m.Version}
		if used = m.Replace; used.Replace != nil {
			return fmt.Errorf("the replacement of %.200q is replaced", m.Path)
		}
	}
	directory := modfile.IsDirectoryPath(used.Path)
	switch {
	case used.Sum == "" && (used.Version == devel || used.Version == "" || directory):
		out.Version = module.Version{Path: m.Path}
		if directory {
			out.Dir = used.Path
		}
		if err := module.CheckPath(m.Path); err != nil {
			return fmt.Errorf("%.200q is not a module", m.Path)
		}
	case module.Check(used.Path, used.Version) != nil || module.CanonicalVersion(used.Version) != used.Version:
		return fmt.Errorf("%.200q is not a module version", used.Path+"@"+used.Version) // an error of Check has hostile text as it is
	default:
		out.Version = module.Version{Path: used.Path, Version: used.Version}
	}
	if used.Sum != "" {
		var err error
		if out.Sum, err = modhash.ParseH1(used.Sum); err != nil {
			return fmt.Errorf("%s: %w", out.Version, err)
		}
		if out.Sum == (modhash.H1{}) { // which would say that there is none
			return fmt.Errorf("%s: an h1 of zeros", out.Version)
		}
	}
	b.Modules = append(b.Modules, out)
	return nil
}
