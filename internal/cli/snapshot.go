package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/modseal/modseal/internal/atomicfile"
	"github.com/modseal/modseal/internal/fetch"
	"github.com/modseal/modseal/internal/gomod"
	"github.com/modseal/modseal/internal/report"
	"github.com/modseal/modseal/internal/trust"
	"github.com/modseal/modseal/snapshot"
)

const publicRekorURL = "https://rekor.sigstore.dev"

type snapshotCommand struct {
	Dirs []string `arg:"" optional:"" name:"dir" placeholder:"DIR" help:"The projects, each a module or a workspace by itself (default: here, or with --artifact none)."`

	Output       string `short:"o" default:"deps.modseal" placeholder:"FILE" help:"The bundle to write."`
	sealingFlags `group:"Who seals it"`
	NoSeal       bool `group:"Who seals it" help:"Do not seal. An enclave accepts such a bundle only with --insecure-ignore-seal."`

	RekorURL      string   `group:"Where evidence is from" name:"rekor-url" default:"${public_rekor}" placeholder:"URL|off" help:"Rekor to search (default ${default}), or off."`
	RekorTiles    []string `group:"Where evidence is from" name:"rekor-tiles" placeholder:"URL" sep:"none" help:"Where the checkpoint and tiles of a Rekor v2 are read, if not at its URL in the trusted root. Repeatable."`
	Attestations  []string `group:"Where evidence is from" placeholder:"DIR|FILE" sep:"none" help:"Sigstore bundles of publishers: a file, or a folder with *.sigstore.json, *.sigstore and *.jsonl files. Repeatable."`
	artifactFlags `group:"What it is of"`
	policyFlags   `group:"What modules and artifacts need"`
	Others        int  `group:"What modules and artifacts need" default:"${others}" placeholder:"N" help:"Entries to keep for each digest of signers that were not named (default ${default})."`
	AllowMissing  bool `group:"What modules and artifacts need" help:"Seal what there is, even if modules lack evidence."`
	trustFlags    `group:"Which logs and authorities count"`
	chainFlags    `group:"Which logs and authorities count"`
	projectFlags  `group:"What it is of"`
	Toolchain     []string `group:"What it is of" placeholder:"OS/ARCH" sep:"," help:"Go toolchains to prove too, as golang.org/toolchain modules: for a platform the release that each project asks for, or a release (go1.26.8.linux-amd64). Repeatable."`
	Since         []string `group:"What it carries" placeholder:"OLD" sep:"none" help:"Prove that the logs extend the heads in this file: the bundle before, or the state file of an enclave, which refuses logs that are not proven to. Repeatable."`
	NoDownload    bool     `group:"What it is of" help:"Take modules as they are in the module cache; do not run go mod download."`
	WithModules   bool     `group:"What it carries" help:"Carry the modules too: zips, go.mod files and metadata, for modseal unpack. One file is then all that crosses."`
	SumDBTiles    bool     `group:"What it carries" name:"sumdb-tiles" help:"Carry the checksum database's tiles with the modules, so that behind the gap the go command checks all of it again (GOSUMDB stays on)."`
	NoListings    bool     `group:"What it carries" help:"Leave out the list of each module's files. Vendor folders can't be proven then, nor changed files named."`

	Cache string `env:"MODSEAL_CACHE" placeholder:"DIR|off" help:"Where to keep what was fetched (default: modseal in the user's cache folder)."`
	Quiet bool   `short:"q" help:"No progress."`
}

// Help is shown below the flags.
func (c *snapshotCommand) Help() string {
	return `The password of an encrypted --seal-key is taken from $MODSEAL_PASSWORD or asked for. SOURCE_DATE_EPOCH sets the time stated in the bundle. GOPROXY, GOFLAGS, GOPRIVATE, GONOSUMDB and GOSUMDB mean what they mean to the go command: a private module is never asked about at a public service.

Of several projects each is loaded by itself, as the go command would in its DIR, and the bundle has the modules of all of them, each asked about once; modseal verify then takes the one that is built. A DIR that is of the same module or workspace as another counts once.

Exit codes: 0 sealed; 1 modules or artifacts are not proven, or attestations do not verify, or a log does not extend what --since has of it, and nothing was written; 2 it could not be done.`
}

// Run is modseal snapshot.
func (c *snapshotCommand) Run(ctx context.Context, p *Process) error {
	ui := newPhases(p, c.Quiet)
	r, err := c.request(p, ui)
	if err != nil {
		return err
	}
	by, err := c.sealer(ctx, p, r.Trust, c.public(), ui)
	if err != nil {
		return err
	}
	if by != nil {
		r.Seal = by.seal
	}
	s, err := snapshot.Take(ctx, *r)
	ui.end()
	if err != nil {
		return err
	}
	c.summary(p, s)
	return nil
}

func (c *snapshotCommand) request(p *Process, ui *phases) (*snapshot.Request, error) {
	if (c.SealKey == "" && !c.SealKeyless) == !c.NoSeal {
		return nil, usagef("give either --seal-key K.key or --seal-keyless to seal the bundle, or --no-seal")
	}
	if c.SumDBTiles && !c.WithModules {
		return nil, usagef("--sumdb-tiles needs --with-modules: tiles are of use beside the modules alone")
	}
	r := &snapshot.Request{
		Dirs: c.projects(p, c.Dirs), World: p.world(), Environ: p.Environ, Mod: c.Mod, NoDownload: c.NoDownload, RekorTiles: c.RekorTiles, Now: p.Now(),
		Others: c.Others, AllowMissing: c.AllowMissing, Listings: !c.NoListings, WithModules: c.WithModules, SumDBTiles: c.SumDBTiles, Toolchains: c.Toolchain,
		Output: p.path(c.Output), Phase: ui.phase, Count: ui.count,
	}
	if c.ModCache != "" {
		r.ModCache = p.path(c.ModCache)
	}
	if c.RekorURL != "off" {
		r.RekorURL = c.RekorURL
	}
	if err := checkOutput(r.Output); err != nil {
		return nil, err
	}
	for _, name := range c.Since {
		old, err := p.readHeads(name, readForHeads)
		if err != nil {
			return nil, err
		}
		for _, note := range old.notes {
			r.Since = append(r.Since, snapshot.Head{File: name, Checkpoint: note})
		}
	}
	for _, name := range c.Attestations {
		r.Attestations = append(r.Attestations, p.path(name))
	}
	var err error
	if r.Artifacts, err = c.artifacts(p); err != nil {
		return nil, err
	}
	if r.Policy, err = c.policy(p); err != nil {
		return nil, err
	}
	if r.Trust, err = c.trust(p); err != nil {
		return nil, err
	}
	if c.TUFRoot != "" && c.TrustDir == "" {
		return nil, usagef("--tuf-root needs a chain that begins with it: --trust DIR, which modseal trust fetch makes")
	}
	if r.Anchor, err = c.anchor(p); err != nil {
		return nil, err
	}
	if r.Created, err = created(p); err != nil {
		return nil, err
	}
	r.CacheDir = c.cacheDir(p)
	r.Fetch = fetch.New(fetch.Options{UserAgent: "modseal", Notify: ui.retry})
	return r, nil
}

// checkOutput finds out that a file can't be written before all the work is done
// for it.
func checkOutput(name string) error {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return usagef("output: %s is not a file", name)
	}
	f, err := atomicfile.Temp(name)
	if err != nil {
		return usagef("output: %w", err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// trust is what the self-check trusts: here the database that is asked is the
// one that counts.
func (c *snapshotCommand) trust(p *Process) (*trust.Material, error) {
	m, err := c.material(p)
	if c.TUFRoot != "" || c.TrustDir != "" { // in place of what is built in
		m, err = c.onlyNamed(p)
	}
	if err != nil {
		return nil, err
	}
	env, err := gomod.ReadEnv(p.world())
	if err != nil {
		return nil, err
	}
	db, err := snapshot.SumDB(env)
	if err != nil {
		return nil, &usageError{err}
	}
	if db != nil {
		m.SumDBs = append(m.SumDBs, *db)
	}
	return m, nil
}

// created is the time to state in the bundle: now, or SOURCE_DATE_EPOCH, which
// makes bundles reproducible (https://reproducible-builds.org/specs/source-date-epoch/).
func created(p *Process) (time.Time, error) {
	s := p.Getenv("SOURCE_DATE_EPOCH")
	if s == "" {
		return p.Now(), nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return time.Time{}, usagef("SOURCE_DATE_EPOCH=%q is not a number of seconds", s)
	}
	return time.Unix(n, 0), nil
}

func (c *snapshotCommand) cacheDir(p *Process) string {
	switch c.Cache {
	case "off":
		return ""
	case "":
		dir, err := os.UserCacheDir()
		if err != nil {
			return "" // nowhere to keep anything: fetch it again next time
		}
		return filepath.Join(dir, "modseal")
	}
	return p.path(c.Cache)
}

func (c *snapshotCommand) summary(p *Process, s *snapshot.Summary) {
	for _, l := range s.LeftOut {
		p.say("%s: entries left out: %d %s", l.Subject, l.Count, l.Why)
	}
	if s.Private > 0 {
		p.say("%d private modules were not asked about", s.Private)
	}
	for _, f := range s.Failed {
		p.say("%s: sealed without all evidence: %v", f.Module, f.Err)
	}
	sealed := "sealed"
	if c.NoSeal {
		sealed = "NOT SEALED"
	}
	for _, u := range s.Unread {
		p.say("%s: its tiles can't be read, so its entries are proven as they were published: %v", u.Log, u.Err)
	}
	for _, url := range s.UnusedTiles {
		p.say("--rekor-tiles %s: no entry that is kept is of a log there", url)
	}
	for _, n := range s.NotSince {
		p.say("%s: no proof that the log extends what was seen, so an enclave that has seen it refuses this bundle: %v", n.Where, n.Err)
	}
	if s.Unused > 0 {
		p.say("of nothing here: %s", report.Count(s.Unused, "Sigstore bundle"))
	}
	things := report.Things(s.Modules, s.Artifacts)
	if n := len(s.Projects); n > 1 {
		things = report.Count(n, "project") + ", " + things
	}
	fmt.Fprintf(p.Stdout, "%s: %s, %d proven; %s, %d bytes\n", c.Output, things, s.Proven, sealed, s.Size)
	if s.Carried > 0 {
		fmt.Fprintf(p.Stdout, "  carries   the modules: %d bytes\n", s.Carried)
	}
	if s.Since > 0 {
		fmt.Fprintf(p.Stdout, "  since     %s that logs extend what was seen\n", report.Count(s.Since, "proof"))
	}
	for i := 0; i < len(s.Logs); {
		l, heads, n := s.Logs[i], 0, 0
		for ; i < len(s.Logs) && s.Logs[i].Kind == l.Kind && s.Logs[i].Name == l.Name; i++ { // one log at several tree sizes
			heads, n = heads+1, n+s.Entries[i]
		}
		fmt.Fprintf(p.Stdout, "  %-9s %s: %s", l.Kind, l.Name, report.Count(n, "entry"))
		if heads > 1 {
			fmt.Fprintf(p.Stdout, ", by %d heads", heads)
		}
		fmt.Fprintln(p.Stdout)
	}
}
