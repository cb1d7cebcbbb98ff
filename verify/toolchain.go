package verify

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/internal/gomod"
	"github.com/modseal/modseal/internal/modhash"
)

// Installation is a Go installation on the host, as other modules name it.
type Installation = gomod.Installation

// Toolchain is a Go toolchain that is to be proven beside the modules of a project.
type Toolchain struct {
	Module module.Version // golang.org/toolchain@v0.0.1-go1.26.8.linux-amd64
	// GOROOT is the installation that is hashed, which may be that of a Go
	// distribution. "" is the module where modules are: in the module cache or among
	// the zips.
	GOROOT string
}

// toolchains are those that are asked for, and the one that the go command would
// take from the module cache for this project.
func (r *Request) toolchains(env gomod.Env, e *enclave) ([]gomod.Module, error) {
	wanted := slices.Clone(r.Toolchains)
	if r.Go != nil && e.project.Dir != "" {
		t, err := e.selected(env, r.Go)
		if err != nil {
			return nil, err
		}
		if t != nil && !slices.ContainsFunc(wanted, func(w Toolchain) bool { return w.Module == t.Module }) {
			wanted = append(wanted, *t)
		}
	}
	var out []gomod.Module
	for _, t := range wanted {
		out = append(out, gomod.Module{Path: t.Module.Path, Version: t.Module.Version, Required: t.Module, GOROOT: t.GOROOT})
	}
	return out, nil
}

// selected is the toolchain that the go command of an installation runs for the
// project, if that is a module: the installation itself lies in the module cache,
// or the project or GOTOOLCHAIN wants another. (That one could also be a program
// of the toolchain's name in PATH; then the module is not needed, and asked for all
// the same.)
func (e *enclave) selected(env gomod.Env, in *gomod.Installation) (*Toolchain, error) {
	name, err := e.project.SelectToolchain(cmp.Or(env.GOTOOLCHAIN, in.GOTOOLCHAIN), in.Name)
	if err != nil {
		return nil, err
	}
	m, err := gomod.ToolchainModule(name, in.Platform)
	if err != nil || name != in.Name {
		return &Toolchain{Module: m}, err
	}
	tree, err := e.places.cache.Tree(m)
	if err == nil && e.places.cache.Root != "" && sameFolder(tree, in.Dir) {
		return &Toolchain{Module: m}, nil
	}
	return nil, err
}

func sameFolder(a, b string) bool {
	a, errA := filepath.EvalSymlinks(a)
	b, errB := filepath.EvalSymlinks(b)
	return errA == nil && errB == nil && a == b
}

// checkToolchains gives each its verdict.
func (r *Request) checkToolchains(ctx context.Context, c *moduleCheck, set []gomod.Module) ([]judged, error) {
	here := *c
	here.reader = &reader{places: c.places, hasher: c.hasher}
	here.places.vendor = "" // which holds no toolchain
	return r.checkAll(ctx, &here, set)
}

// asModule gives the listing of a module's zip from that of its tree, which differ
// for toolchains alone.
func asModule(m gomod.Module, l *modhash.Listing) (*modhash.Listing, error) {
	if m.Path != gomod.ToolchainPath {
		return l, nil
	}
	return modhash.Toolchain(l, m.GOROOT != "")
}

// hintFetch says what to do about a module that is nowhere to hash.
func (j *judgement) hintFetch() string {
	if j.m.Path == gomod.ToolchainPath {
		return "the go command would run this toolchain: fetch it with go mod download where the network is, and carry it over (modseal snapshot --toolchain proves it), or build with the installed one (GOTOOLCHAIN=local)"
	}
	return "fetch it with go mod download where the network is, and carry it over"
}

// hintEvidence says what to do about a module that evidence lacks for.
func (j *judgement) hintEvidence() string {
	if j.m.Path == gomod.ToolchainPath {
		return "take a new snapshot of this project with --toolchain, which proves it"
	}
	return "take a new snapshot of this project, or have the module attested (modseal attest)"
}

// hintContent says what to do about content that is not what evidence speaks of.
func (j *judgement) hintContent() string {
	if j.m.GOROOT != "" {
		return "install Go anew from its own distribution; settings that were changed in its go.env belong into the environment"
	}
	return hintRefetch
}
