package cli

import (
	"os"
	"path/filepath"
	"runtime"

	"github.com/modseal/modseal/internal/gomod"
	"github.com/modseal/modseal/verify"
)

// goFlags name the Go installation that the build is run with.
type goFlags struct {
	GOROOT string `name:"goroot" placeholder:"DIR|off" help:"Also verify this Go installation, as the golang.org/toolchain module of its release. Without it, a toolchain that the go command in PATH would take from the module cache for the project is verified; off does not look."`
}

// fill puts into a request what is known of the Go installation.
func (f *goFlags) fill(p *Process, r *verify.Request) error {
	if f.GOROOT == "off" {
		return nil
	}
	if f.GOROOT == "" {
		r.Go = p.installation(p.goroot())
		return nil
	}
	in, err := gomod.ReadInstallation(p.path(f.GOROOT))
	if err != nil {
		return usagef("--goroot: %w", err)
	}
	m, err := in.Module()
	if err != nil {
		return usagef("--goroot: %w", err)
	}
	r.Go = in
	r.Toolchains = append(r.Toolchains, verify.Toolchain{Module: m, GOROOT: in.Dir})
	return nil
}

// installation is the Go installation in a folder; nil if it is not one, as where a
// script takes the place of the go command.
func (p *Process) installation(goroot string) *gomod.Installation {
	if goroot == "" {
		return nil
	}
	in, err := gomod.ReadInstallation(goroot)
	if err != nil {
		return nil
	}
	return in
}

// goroot is where the go command that PATH leads to is installed, which it finds out
// in the same way: it is in the folder bin of it. GOROOT in the environment comes
// before. "" if there is none.
func (p *Process) goroot() string {
	if dir := p.Getenv("GOROOT"); dir != "" {
		return dir
	}
	name := "go"
	if runtime.GOOS == "windows" {
		name = "go.exe"
	}
	for _, dir := range filepath.SplitList(p.Getenv("PATH")) {
		if !filepath.IsAbs(dir) {
			continue // the go command is not run from there either
		}
		file, err := filepath.EvalSymlinks(filepath.Join(dir, name))
		if err != nil {
			continue
		}
		if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
			continue
		}
		return filepath.Dir(filepath.Dir(file))
	}
	return ""
}
