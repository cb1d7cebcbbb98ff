// Package verify decides, without a network, whether the modules that a build
// is about to use are those that transparency logs recorded and that somebody
// the enclave trusts vouched for.
//
// Check runs the steps of the design, each on the result of the one before:
//
//  1. the enclave's side: policy, trust, and the dependency set of the project
//     from its own files (package gomod), never the bundle's list;
//  2. the bundle: frame, seal, limits, form (package bundles);
//  3. trust material: the chain from the pinned root, as of when (trust.go);
//  4. a log at a time: checkpoint signature, multiproof to its root (logs.go),
//     and whether it extends what was seen of it before (state.go);
//  5. an entry at a time: what it says, who signed it and when (entries.go);
//  6. a module at a time: hash what the build would read, compare it with the
//     evidence, apply the policy (modules.go, decide.go). The hashing begins while the
//     bundle is opened (contents.go);
//  7. the report: every module of the set has exactly one verdict (report.go).
//
// Neither this package nor any of modseal's packages that it reaches opens a
// network connection, starts a process or writes a file.
package verify

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/gomod"
	"github.com/modseal/modseal/internal/modhash"
	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/internal/trust"
)

// The enclave's side, as other modules name it.
type (
	Policy   = policy.Policy  // what a module must have
	Signer   = policy.Signer  // who may vouch for modules
	Material = trust.Material // trusted keys of logs and authorities
	World    = gomod.World    // what is read of the process environment
)

// Request says what to verify and by whose rules. Its zero value trusts nobody
// and accepts nothing.
type Request struct {
	Dir      string // of the project: where the go command would be run; "" is none: artifacts and binaries alone
	World    World  // for the go command's settings
	Mod      string // overrides -mod of GOFLAGS: "mod", "readonly" or "vendor"; "" does not
	ModCache string // overrides GOMODCACHE
	Zips     string // a directory of module zips, in place of a module cache

	Artifacts  []Artifact  // what must be proven beside the modules
	Binaries   []Binary    // whose modules must be proven
	Toolchains []Toolchain // that must be proven
	// Go is the Go installation that the build is run with. The toolchain that it
	// would run for the project must be proven too, if that is a module. Nil is none
	// known.
	Go *Installation

	Bundle     io.ReaderAt // the *.modseal file
	BundleSize int64       // bytes
	BundleName string      // for the report alone

	Seals               bundles.SealVerifier // who may seal bundles
	InsecureIgnoreSeals bool                 // accept a bundle that nobody trusted sealed
	Trust               *Material            // whose logs and certificates count
	Anchor              *Anchor              // a TUF root that leads to more of them; nil is none
	At                  time.Time            // as of when its chain is judged; zero is the bundle's time
	Policy              *Policy              // what modules and artifacts must have; nil accepts nothing
	Now                 time.Time            // the moment of judging; zero: no window in time and no exemption holds

	// MaxAge is how old the bundle may be at Now, by signed evidence; 0 is what the
	// policy says, or else any age.
	MaxAge time.Duration

	// State is what was accepted before; nil is not remembered.
	State     *State
	StateName string // for the report alone

	// Explain tells of which modules (path, or path@version) and artifacts the
	// report is to say how the policy decided; nil is of none.
	Explain func(name string) bool

	// OwnManifest believes the bundle's manifest about zips even if nobody sealed
	// it: for the self-check of whoever has just made it of this very module cache.
	OwnManifest bool
	// HashZips hashes the content of every zip, also of those that no build reads
	// because the module is unpacked beside them.
	HashZips bool
	Workers  int              // files hashed at once; 0 is a good number
	Progress func(p Progress) // told of progress; may be called by many goroutines
}

// Progress is how far Check is.
type Progress struct {
	Bytes   int64 // hashed since the last call
	Modules int   // finished since the last call
	Total   int   // modules of the dependency set; set in the first call alone
}

// ErrNothing says that there is nothing to verify, which is not a pass.
var ErrNothing = errors.New("the project needs no modules: there is nothing to verify")

var errNoTrust = errors.New("no trust material")

// Check verifies. An error means that there is no report: nothing could be
// checked, or the bundle can't be trusted (then it matches bundles.ErrUnsealed,
// ErrDamaged, ErrVersion, ErrTrust or *RefusedError). Whether modules passed is for Report.OK to say.
func Check(ctx context.Context, r Request) (*Report, error) {
	if r.Policy == nil {
		r.Policy = &Policy{}
	}
	e, err := readEnclave(r)
	if err != nil {
		return nil, err
	}
	if err := r.something(e); err != nil {
		return nil, err
	}
	in := r.newReader(e)
	if e.project.Vendor == nil {
		in.ahead = in.hashAhead(ctx, e.project.Modules, maxAhead)
		defer in.ahead.close()
	}
	b, err := bundles.Open(r.Bundle, r.BundleSize, bundles.OpenOptions{Seals: r.Seals, InsecureIgnoreSeals: r.InsecureIgnoreSeals, Own: r.OwnManifest})
	if err != nil {
		return nil, err
	}
	return r.judge(ctx, e, b, in)
}

// something demands that there is something to verify, and of each thing what it
// is verified by.
func (r *Request) something(e *enclave) error {
	if len(e.project.Modules)+len(e.toolchains) == 0 && (r.Dir != "" || len(r.Artifacts)+len(r.Binaries) == 0) {
		return ErrNothing
	}
	for _, a := range r.Artifacts {
		if len(a.Digests) == 0 {
			return fmt.Errorf("artifact %q without a digest", a.Name)
		}
	}
	for _, b := range r.Binaries {
		if len(b.Modules) == 0 {
			return fmt.Errorf("binary %q: %w", b.Name, ErrNoModules)
		}
	}
	return nil
}

// judge runs the steps that come after the bundle was opened.
func (r *Request) judge(ctx context.Context, e *enclave, b *bundles.Bundle, in *reader) (*Report, error) {
	p, err := r.prove(b)
	if err != nil {
		return nil, err
	}
	in.ahead.stop()
	return r.judgeBy(ctx, e, p, in)
}

// judgeBy judges by a bundle whose logs are proven.
func (r *Request) judgeBy(ctx context.Context, e *enclave, p *proven, in *reader) (*Report, error) {
	b := p.Bundle
	check := &moduleCheck{reader: in, policy: r.Policy, now: r.Now, explain: r.Explain, strict: r.HashZips || len(b.Seals) == 0 && !r.OwnManifest, index: p.index, known: p.known}
	var err error
	if check.goMods, err = listingsOfGoModOnly(b, e.project.Modules); err != nil {
		return nil, err
	}
	var modules []judged
	var folder []ModuleReport // the vendor folder itself
	var notes []string
	if e.project.Vendor != nil {
		modules, folder, notes, err = r.checkVendor(ctx, check, b, e.project)
	} else {
		modules, err = r.checkAll(ctx, check, e.project.Modules)
	}
	if err != nil {
		return nil, err
	}
	toolchains, err := r.checkToolchains(ctx, check, e.toolchains)
	if err != nil {
		return nil, err
	}
	modules = append(modules, toolchains...)
	if err := explainMismatches(b, modules); err != nil {
		return nil, err
	}
	out, err := r.report(b, e, p.logs, modules)
	if err != nil {
		return nil, err
	}
	out.Modules = append(out.Modules, folder...)
	slices.SortStableFunc(out.Modules, func(a, b ModuleReport) int { return strings.Compare(a.Path, b.Path) })
	out.Notes = append(out.Notes, notes...)
	out.Trust, out.State, out.Remember = p.walked, p.related, p.remember
	for i := range r.Artifacts {
		out.Artifacts = append(out.Artifacts, check.artifact(&r.Artifacts[i]))
	}
	if err := r.binaries(b, check, out); err != nil {
		return nil, err
	}
	out.Notes = append(out.Notes, p.walked.backdated(out.verdicts())...)
	if err := r.age(b, p.logs, out); err != nil {
		return nil, err
	}
	out.finish()
	return out, nil
}

func (r *Request) progress(p Progress) {
	if r.Progress != nil {
		r.Progress(p)
	}
}

// enclave is what step 1 reads.
type enclave struct {
	project    *gomod.Project
	toolchains []gomod.Module
	places     places
}

func readEnclave(r Request) (*enclave, error) {
	if r.Trust == nil {
		return nil, errNoTrust
	}
	env, err := gomod.ReadEnv(r.World)
	if err != nil {
		return nil, err
	}
	e := &enclave{project: &gomod.Project{}}
	if r.Dir == "" {
		e.toolchains, err = r.toolchains(env, e)
		return e, err
	}
	load := gomod.Request{Dir: r.Dir, Env: env, Mod: r.Mod}
	if r.Zips != "" {
		e.places.dir = r.Zips
		if e.places.zips, err = gomod.OpenZipDir(r.Zips); err != nil {
			return nil, err
		}
		load.Zips = e.places.zips
	} else {
		load.Vendor = gomod.ReadVendor
		if r.ModCache != "" {
			e.places.cache.Root = r.ModCache
		} else {
			c, err := env.Cache()
			if err != nil {
				return nil, err
			}
			e.places.cache = *c
		}
		load.Cache = &e.places.cache
	}
	if e.project, err = gomod.Load(load); err != nil {
		return nil, err
	}
	if e.project.Vendor != nil {
		e.places.vendor = e.project.Vendor.Dir
	}
	e.toolchains, err = r.toolchains(env, e)
	return e, err
}

// checkAll gives every module its verdict, in the order of the dependency set.
func (r *Request) checkAll(ctx context.Context, c *moduleCheck, set []gomod.Module) ([]judged, error) {
	out := make([]judged, len(set))
	err := c.hasher.Each(ctx, len(set), func(ctx context.Context, i int) error {
		m, err := c.checkOnce(ctx, set[i], c.ahead.at(i))
		if m.want == (modhash.H1{}) {
			m.have = nil // nothing to explain: let it go
		}
		out[i] = m
		r.progress(Progress{Modules: 1})
		return err
	})
	return out, err
}

// listingsOfGoModOnly reads the listings of modules of which the build reads
// only go.mod: a signed listing proves that file too.
func listingsOfGoModOnly(b *bundles.Bundle, set []gomod.Module) (map[module.Version]*modhash.Listing, error) {
	wanted := map[module.Version]bool{}
	for _, m := range set {
		if m.GoModOnly && m.LocalDir == "" {
			wanted[module.Version{Path: m.Path, Version: m.Version}] = true
		}
	}
	if len(wanted) == 0 || !b.Manifest.Listings {
		return nil, nil
	}
	digests := map[string]bool{}
	for _, d := range b.Manifest.Modules {
		if wanted[module.Version{Path: d.Path, Version: d.Version}] && d.Listing != "" {
			digests[d.Listing] = true
		}
	}
	out := map[module.Version]*modhash.Listing{}
	err := b.Listings(func(digest string) bool { return digests[digest] }, func(_ string, data []byte) error {
		l, err := modhash.ParseListing(data)
		if err == nil && wanted[l.Module()] {
			out[l.Module()] = l
		}
		return nil
	})
	return out, err
}

func (r *Request) report(b *bundles.Bundle, e *enclave, logs []provenLog, modules []judged) (*Report, error) {
	created, err := b.Manifest.CreatedAt()
	if err != nil {
		return nil, err
	}
	out := &Report{
		Notes:   r.notes(b, e.project),
		Bundle:  BundleReport{File: r.BundleName, SHA256: hex.EncodeToString(b.Payload.SHA256[:]), Created: created, Projects: b.Manifest.Projects, SealedBy: []string{}},
		Project: ProjectReport{Dir: e.project.Dir, Module: e.project.Main, Go: e.project.GoVersion, Mod: e.project.Mod, Zips: e.places.dir, ModCache: e.places.cache.Root, Vendor: e.places.vendor},
		Policy:  PolicyReport{Signers: []string{}, SumDBs: []string{}},
		Logs:    []LogReport{},
		Modules: make([]ModuleReport, len(modules)),
	}
	if e.places.vendor != "" {
		out.Project.ModCache = ""
	}
	out.Project.setWorkspace(e.project)
	if flag, ok := strings.CutPrefix(r.Policy.Name(), "--require="); ok {
		out.Policy.Require = flag
	} else {
		out.Policy.File = r.Policy.Name()
	}
	for _, s := range b.Seals {
		out.Bundle.SealedBy = append(out.Bundle.SealedBy, s.By)
	}
	for _, s := range r.Policy.Signers {
		out.Policy.Signers = append(out.Policy.Signers, s.Name)
	}
	for _, db := range r.Trust.SumDBs {
		out.Policy.SumDBs = append(out.Policy.SumDBs, db.Name)
	}
	for i := range logs {
		out.Logs = append(out.Logs, logs[i].report())
	}
	set := slices.Concat(e.project.Modules, e.toolchains)
	for i := range modules {
		out.Modules[i] = modules[i].ModuleReport
		if dir := out.Modules[i].Dir; dir != "" {
			if rel, err := filepath.Rel(e.project.Dir, dir); err == nil && set[i].InTree && filepath.IsLocal(rel) {
				out.Modules[i].Dir = rel
			}
		}
	}
	if n := len(out.Modules); n != len(set) {
		return nil, fmt.Errorf("%d verdicts for %d modules", n, len(set))
	}
	return out, nil
}

// notes says what a pass does not cover though it may look so.
func (r *Request) notes(b *bundles.Bundle, p *gomod.Project) []string {
	notes := []string{}
	if len(b.Seals) == 0 {
		notes = append(notes, "nobody you trust sealed this bundle: it may lack evidence that exists, and its date is anybody's word")
	}
	if p.Mod == "mod" {
		notes = append(notes, "the go command runs with -mod=mod: it may add modules to the build that are not in go.mod and were not verified; -mod=readonly does not")
	}
	if r.Dir != "" {
		notes = append(notes, madeOfOthers(b.Manifest.Projects, ProjectOf(p))...)
	}
	return notes
}
