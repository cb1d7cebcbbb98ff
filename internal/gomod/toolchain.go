package gomod

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"go/version"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/module"
)

// ToolchainPath is the path of the module that every Go toolchain is, one version for
// each release and platform (https://go.dev/doc/toolchain#download).
const ToolchainPath = "golang.org/toolchain"

// toolchainVersion begins the version of each toolchain module.
const toolchainVersion = "v0.0.1-"

// A Platform is where a toolchain runs.
type Platform struct {
	OS, Arch string // as GOOS and GOARCH name them
}

func (p Platform) String() string { return p.OS + "/" + p.Arch }

// ToolchainModule gives the module that a toolchain such as "go1.26.8" is on a platform.
func ToolchainModule(name string, on Platform) (module.Version, error) {
	m := module.Version{Path: ToolchainPath, Version: toolchainVersion + name + "." + on.OS + "-" + on.Arch}
	if !version.IsValid(name) || !isWord(on.OS) || !isWord(on.Arch) {
		return m, fmt.Errorf("%q on %q is not a Go toolchain", cut(name), cut(on.String()))
	}
	return m, CheckModule(m)
}

// ParseToolchain reads what names a toolchain: a platform as in "linux/amd64", for which
// byDefault gives the release, or a release and a platform as in the names of the files
// that Go is distributed in, "go1.26.8.linux-amd64".
func ParseToolchain(s string, byDefault func() (name string, err error)) (module.Version, error) {
	if os, arch, ok := strings.Cut(s, "/"); ok {
		name, err := byDefault()
		if err != nil {
			return module.Version{}, err
		}
		return ToolchainModule(name, Platform{os, arch})
	}
	if dot := strings.LastIndexByte(s, '.'); dot > 0 {
		if os, arch, ok := strings.Cut(s[dot+1:], "-"); ok {
			return ToolchainModule(s[:dot], Platform{os, arch})
		}
	}
	return module.Version{}, fmt.Errorf("toolchain %q is neither GOOS/GOARCH (linux/amd64) nor a release for one (go1.26.8.linux-amd64)", cut(s))
}

// isWord tells whether s is made as all names of systems and architectures are.
func isWord(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

// An Installation is a Go installation on this host.
type Installation struct {
	Dir      string // GOROOT, absolute
	Name     string // of its toolchain: "go1.26.8"
	Platform Platform
	// GOTOOLCHAIN is the setting of that name in its file go.env, which counts where
	// neither the environment nor the user's settings have one.
	GOTOOLCHAIN string
}

// maxVersionFile is the largest VERSION file that is read, in bytes.
const maxVersionFile = 4 << 10

// ReadInstallation looks at the Go installation in dir: its release stands in the first
// line of the file VERSION, and its platform is that of its tools, pkg/tool/GOOS_GOARCH.
// What it says of itself is to be proven, not believed.
func ReadInstallation(dir string) (*Installation, error) {
	name := filepath.Join(dir, "VERSION")
	data, err := ReadRegular(name, maxVersionFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is not a Go installation: it has no file VERSION: %w", dir, err)
	}
	if err != nil {
		return nil, err
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	in := &Installation{Dir: dir, Name: strings.TrimSpace(string(line))}
	if !version.IsValid(in.Name) {
		return nil, fmt.Errorf("%s: %q is not a release of Go", name, cut(in.Name))
	}
	tools, err := os.ReadDir(filepath.Join(dir, "pkg", "tool"))
	if err != nil {
		return nil, err
	}
	for _, t := range tools {
		os, arch, ok := strings.Cut(t.Name(), "_")
		if !ok || !isWord(os) || !isWord(arch) {
			continue
		}
		if in.Platform != (Platform{}) {
			return nil, fmt.Errorf("%s has the tools of two platforms: %s and %s", dir, in.Platform, Platform{os, arch})
		}
		in.Platform = Platform{os, arch}
	}
	if in.Platform == (Platform{}) {
		return nil, fmt.Errorf("%s has no tools of any platform in pkg/tool", dir)
	}
	settings := map[string]string{}
	name = filepath.Join(dir, "go.env")
	if data, err := ReadRegular(name, maxEnvFile); err == nil { // else the go command has no default either
		if err := parseEnvFile(settings, name, data); err != nil {
			return nil, err
		}
	}
	in.GOTOOLCHAIN = settings["GOTOOLCHAIN"]
	return in, nil
}

// Module is the module that the installation is a copy of, if it is what it says.
func (in *Installation) Module() (module.Version, error) {
	return ToolchainModule(in.Name, in.Platform)
}

// SelectToolchain tells which toolchain a go command of the release local runs for the
// project: that of the go and toolchain lines where it is newer and gotoolchain, the
// setting GOTOOLCHAIN, lets it (https://go.dev/doc/toolchain#select; func Select in
// cmd/go/internal/toolchain/select.go).
func (p *Project) SelectToolchain(gotoolchain, local string) (name string, err error) {
	mode, name := gotoolchain, local
	switch gotoolchain {
	case "": // the go command has no default for it but that of GOROOT/go.env
		return local, nil
	case "auto", "path":
	default:
		min, suffix, plus := strings.Cut(gotoolchain, "+")
		if plus && suffix != "auto" && suffix != "path" || min != "local" && !version.IsValid(min) {
			return "", fmt.Errorf("GOTOOLCHAIN=%q is none of local, auto, path, a release, and one of them with +auto or +path", cut(gotoolchain))
		}
		if mode = suffix; min != "local" {
			name = min
		}
	}
	if mode == "" || p.Toolchain == "default" {
		return name, nil
	}
	return p.newestToolchain(name)
}

// newestToolchain is the newest of name, the toolchain line and the go line.
func (p *Project) newestToolchain(name string) (string, error) {
	if t := p.Toolchain; t != "" && t != "default" {
		if !version.IsValid(t) {
			return "", fmt.Errorf("toolchain %q is not a release of Go", cut(t))
		}
		if version.Compare(t, name) > 0 {
			name = t
		}
	}
	if v := "go" + p.GoVersion; p.GoVersion != "" && version.Compare(v, name) > 0 {
		// From Go 1.21 on, the first release of a language version ends in ".0".
		if name = v; version.Lang(v) == v && version.Compare(v, "go1.21") >= 0 {
			name += ".0"
		}
	}
	return name, nil
}

// WantedToolchain is the oldest release that builds the project as it asks to be built:
// the newer of its go and toolchain lines.
func (p *Project) WantedToolchain() (string, error) {
	name, err := p.newestToolchain("")
	if err == nil && name == "" {
		err = fmt.Errorf("%s has neither a go nor a toolchain line: name the release (go1.26.8.linux-amd64)", cmp.Or(p.Work, p.ModFile))
	}
	return name, err
}
