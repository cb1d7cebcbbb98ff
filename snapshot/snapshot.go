// Package snapshot collects, on a host with a network, what enclaves need to
// prove the modules of projects, and artifacts beside them: checksum-database
// records, Rekor entries and what publishers hand out, one checkpoint a log, and
// one multiproof a log. It checks the result with package verify, as the enclave
// will, before it lets it be sealed.
//
// The arrows: download (the go command) → gomod (the dependency sets) → modhash
// (digests) → sumdb, rekor and published (entries and proofs) → shards (one
// checkpoint a log) → bundles (the payload) → verify (the self-check) → bundles
// (the seal).
package snapshot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/fetch"
	"github.com/modseal/modseal/internal/gomod"
	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/internal/rekor"
	"github.com/modseal/modseal/internal/trust"
	"github.com/modseal/modseal/merkle"
	"github.com/modseal/modseal/verify"
)

// DefaultOthers is how many entries of signers that nobody named are kept for
// one digest.
const DefaultOthers = 3

// Request says what to take a snapshot of, and from where.
type Request struct {
	// Dirs are folders of projects: modules, and workspaces, each a project of its own,
	// of which the bundle proves the modules of all. None is artifacts alone.
	Dirs []string
	// Artifacts are files beside the modules for which evidence is wanted.
	Artifacts []verify.Artifact
	// Attestations are Sigstore bundles of publishers: files, or folders with
	// *.sigstore.json, *.sigstore and *.jsonl files.
	Attestations []string
	World        gomod.World // for the go command's settings
	Environ      []string    // of the go command, as os.Environ gives it
	Mod          string      // overrides -mod of GOFLAGS
	ModCache     string      // overrides GOMODCACHE
	// Toolchains are Go toolchains for which evidence is wanted: platforms
	// ("linux/amd64"), for the release that each project asks for, or releases for one
	// ("go1.26.8.linux-amd64").
	Toolchains []string
	// NoDownload takes modules as they are in the module cache, without the go
	// command.
	NoDownload bool

	RekorURL string // of a Rekor v1; "" is none
	// RekorTiles are where shards of Rekor v2 are read, for those that are not
	// read at their URL in the trusted root: below each are its checkpoint and
	// tiles.
	RekorTiles []string
	Trust      *trust.Material // for the self-check, whose checksum database should be SumDB()
	Anchor     *verify.Anchor  // its chain is carried in the bundle, and adds to Trust; nil is none
	Policy     *policy.Policy  // for the self-check; its signers' entries are all kept
	Others     int             // entries of other signers to keep for one digest

	// Since are heads that an enclave has accepted: the bundle is to carry proofs
	// that the logs extend them.
	Since []Head

	// AllowMissing seals what there is, even if modules lack evidence or the
	// search for it failed. What contradicts evidence is never sealed.
	AllowMissing bool
	Listings     bool      // carry the listings of the modules
	WithModules  bool      // carry the modules too: zips, go.mod files and metadata
	SumDBTiles   bool      // and the tiles from which the go command proves them by itself; with WithModules alone
	Created      time.Time // to state in the bundle
	Now          time.Time // the moment of judging, for the self-check
	CacheDir     string    // for what was fetched; "" is none
	Output       string    // file to write
	Seal         func(bundles.Digests) ([]byte, error)

	Fetch    *fetch.Client
	Parallel int            // requests at once
	Phase    func(p Phase)  // told when a phase begins and ends
	Count    func(n int64)  // told of things done in a phase
	GoOutput func(s string) // told of lines that the go command prints
}

// Phase is a stretch of work that progress can be shown for.
type Phase struct {
	Name  string // "download modules", "hash modules", ...
	Total int64  // of Unit; 0 when it is not known
	Unit  string // "modules", "bytes", ...
	Done  string // set at the end: what was done, for one line of a log
}

// Summary says what a snapshot holds.
type Summary struct {
	Output      string
	Size        int64            // bytes of the file
	Projects    []*gomod.Project // each once
	Modules     int              // of all projects and local ones, and toolchains; each once
	Artifacts   int
	Proven      int // of both, by the self-check
	Logs        []bundles.LogInfo
	Entries     []int            // by log
	Nodes       int              // hashes in all multiproofs
	Reports     []*verify.Report // of the self-check: of each project that needs anything, or of artifacts alone
	LeftOut     []LeftOut
	Unread      []Unread
	Since       int        // proofs that logs extend heads of Request.Since
	NotSince    []NotSince // what of it there are none from
	UnusedTiles []string   // of RekorTiles, that are of no log of which entries are kept, or can't be read
	Carried     int64      // bytes of module files, as they are without compression
	Unused      int        // Sigstore bundles that speak of nothing here
	Private     int        // modules about which no public service was asked
	Failed      []ModuleError
	Counts      []fetch.Count
}

// LeftOut tells of entries that were found and not kept.
type LeftOut struct {
	Subject string // a module, or an artifact
	Count   int
	Why     string
}

// Unread tells of a log of Rekor v2 whose tiles could not be read: its entries
// are proven as their publishers proved them.
type Unread struct {
	Log string
	Err error
}

// ModuleError is what went wrong with one module.
type ModuleError struct {
	Module module.Version
	Err    error
}

func (e ModuleError) Error() string { return e.Module.String() + ": " + e.Err.Error() }
func (e ModuleError) Unwrap() error { return e.Err }

// IncompleteError says that modules lack what a snapshot is for.
type IncompleteError struct {
	What string // what is wrong with them
	// Unproven is set when all was asked that could be, and the modules are not
	// proven, rather than that asking failed.
	Unproven bool
	Modules  []ModuleError
	Hint     string
}

func (e *IncompleteError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:", e.What)
	for _, m := range e.Modules {
		fmt.Fprintf(&b, "\n%s: %s", m.Module, strings.ReplaceAll(m.Err.Error(), "\n", "\n    "))
	}
	return b.String()
}

// Unwrap gives the errors of the modules.
func (e *IncompleteError) Unwrap() []error {
	out := make([]error, len(e.Modules))
	for i, m := range e.Modules {
		out[i] = m.Err
	}
	return out
}

// collector is a snapshot under way.
type collector struct {
	*Request
	env      gomod.Env
	projects []*project
	// subjects are what evidence is looked for: the modules of all projects by path and
	// version, without local ones, the toolchains, then the artifacts.
	subjects []collected
	logs     []collectedLog
	summary  *Summary
	tiles    func(l *bundles.Log, tiles []merkle.Tile) ([][]byte, error) // of the checksum database, if they are carried
	// toolchains are the golang.org/toolchain modules.
	toolchains []module.Version
	base       *trust.Material // without what the chain adds

	listings  *spool                        // nil if none are carried
	carried   *carried                      // nil if no modules are carried
	found     map[shardID]map[uint64]*found // entries of Rekor logs that are kept, by index
	usedTiles map[string]bool               // of RekorTiles
	// byCertificate verifies what publishers signed with certificates.
	byCertificate *evidence.Verifier
	client        *rekor.Client              // nil if no Rekor is asked
	seen          seenHeads                  // of that one
	since         map[bundles.LogKey][]since // of Request.Since, by increasing size
}

// collectedLog is a log with the subjects that its entries speak of.
type collectedLog struct {
	bundles.Log
	speaks map[uint64][]int // by entry index: places in collector.subjects
}

// Take takes a snapshot, checks and seals it, and writes it to Output: either
// whole or not at all. An *IncompleteError names the modules that it lacks
// evidence for.
func Take(ctx context.Context, r Request) (*Summary, error) {
	if r.World.GOROOT == "" && len(r.Dirs) > 0 && !r.NoDownload {
		r.World.GOROOT = goroot(ctx, r.Dirs[0], r.Environ)
	}
	env, err := gomod.ReadEnv(r.World)
	if err != nil {
		return nil, err
	}
	if r.ModCache != "" {
		env.GOMODCACHE = r.ModCache
	}
	if r.Parallel <= 0 {
		r.Parallel = 16
	}
	if r.Fetch == nil {
		r.Fetch = fetch.New(fetch.Options{})
	}
	if r.Policy == nil {
		r.Policy = &policy.Policy{}
	}
	c := &collector{Request: &r, env: env, found: map[shardID]map[uint64]*found{}, usedTiles: map[string]bool{}, summary: &Summary{Output: r.Output}, base: r.Trust}
	if r.Anchor != nil {
		if r.Trust, err = r.Anchor.Trusted(r.Trust, r.Created); err != nil {
			return nil, err
		}
	}
	if err := c.readSince(); err != nil {
		return nil, err
	}
	defer func() { _ = c.listings.close() }()
	for _, step := range []func(context.Context) error{c.load, c.hash, c.carry, c.collectSumDB, c.collectRekor, c.collectPublished, c.buildRekorLogs} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	if err := c.finish(ctx); err != nil {
		return nil, err
	}
	c.summary.Counts = r.Fetch.Counts()
	for _, p := range c.projects {
		c.summary.Projects = append(c.summary.Projects, p.Project)
	}
	return c.summary, nil
}

// errNoProject says that toolchains were asked for that no project can be verified with.
var errNoProject = errors.New("toolchains without a project: name its folder")

// load finds what the snapshot is of: the dependency sets, if there are projects, and
// the artifacts.
func (c *collector) load(ctx context.Context) error {
	switch {
	case len(c.Dirs) > 0:
		if err := c.loadProjects(ctx); err != nil {
			return err
		}
	case len(c.Toolchains) > 0:
		return errNoProject
	}
	for _, a := range c.Artifacts {
		c.subjects = append(c.subjects, collected{artifact: &a})
	}
	if len(c.subjects) == 0 && len(c.projects) == 0 {
		return verify.ErrNothing
	}
	return nil
}

func (c *collector) phase(p Phase) {
	if c.Phase != nil {
		c.Phase(p)
	}
}

func (c *collector) count(n int64) {
	if c.Count != nil {
		c.Count(n)
	}
}

// private tells whether a module's path and digests must not reach a public
// service: GOPRIVATE and GONOSUMDB say so.
func (c *collector) private(m module.Version) bool {
	return c.env.Private(m.Path)
}
