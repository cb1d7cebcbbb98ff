package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"golang.org/x/mod/module"
	"golang.org/x/sync/errgroup"

	"github.com/modseal/modseal/internal/atomicfile"
	"github.com/modseal/modseal/internal/attest"
	"github.com/modseal/modseal/internal/fetch"
	"github.com/modseal/modseal/internal/gomod"
	"github.com/modseal/modseal/internal/modhash"
	"github.com/modseal/modseal/internal/rekor"
	"github.com/modseal/modseal/snapshot"
)

type attestCommand struct {
	Modules []string `arg:"" optional:"" placeholder:"MODULE@VERSION" help:"The modules to attest, as they are in the module cache."`

	Dir      string `short:"C" default:"." placeholder:"DIR" help:"The project that --all is of (default: here)."`
	All      bool   `help:"Attest every module of the project."`
	Key      string `required:"" placeholder:"K.key" help:"Private key to sign with: ECDSA P-256, as modseal keygen makes it."`
	RekorURL string `name:"rekor-url" default:"${public_rekor}" placeholder:"URL" help:"Rekor to log in (default ${default})."`
	trustFlags
	projectFlags
	Output string `short:"o" default:"attestations" placeholder:"DIR" help:"Folder for the Sigstore bundles (default ${default})."`
	Quiet  bool   `short:"q" help:"No progress."`
}

// attestAtOnce is how many modules are attested at the same time.
const attestAtOnce = 8

// Run is modseal attest.
func (c *attestCommand) Run(ctx context.Context, p *Process) error {
	if c.All == (len(c.Modules) > 0) {
		return usagef("name modules as MODULE@VERSION, or give --all")
	}
	env, err := gomod.ReadEnv(p.world())
	if err != nil {
		return err
	}
	if c.ModCache != "" {
		env.GOMODCACHE = p.path(c.ModCache)
	}
	cache, err := env.Cache()
	if err != nil {
		return err
	}
	modules, err := c.modules(p, env)
	if err != nil {
		return err
	}
	if err := c.refusePrivate(env, modules); err != nil {
		return err
	}
	ui := newPhases(p, c.Quiet)
	a, err := c.attester(p, ui)
	if err != nil {
		return err
	}
	if err := a.CheckLog(ctx); err != nil {
		return &snapshot.RekorError{URL: c.RekorURL, Err: err}
	}
	ui.phase(snapshot.Phase{Name: "attest modules", Total: int64(len(modules)), Unit: "modules"})
	defer ui.end()
	h := modhash.New(modhash.Options{})
	var logged, known atomic.Int64
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(attestAtOnce)
	for _, m := range modules {
		g.Go(func() error {
			done, err := c.attest(gctx, p, a, h, cache, m)
			if err != nil {
				return fmt.Errorf("%s: %w", m, err)
			}
			for _, d := range done {
				if d.Existed {
					known.Add(1)
				} else {
					logged.Add(1)
				}
			}
			ui.count(1)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	ui.phase(snapshot.Phase{Name: "attest modules", Done: fmt.Sprintf("%d modules", len(modules))})
	fmt.Fprintf(p.Stdout, "%d modules attested: %d new entries in %s, %d were there; Sigstore bundles in %s\n", len(modules), logged.Load(), c.RekorURL, known.Load(), c.Output)
	return nil
}

// modules are those named, or all that the project's build reads the content of.
func (c *attestCommand) modules(p *Process, env gomod.Env) ([]module.Version, error) {
	var out []module.Version
	for _, arg := range c.Modules {
		path, version, ok := strings.Cut(arg, "@")
		m := module.Version{Path: path, Version: version}
		if !ok || gomod.CheckModule(m) != nil {
			return nil, usagef("%q is not MODULE@VERSION with a full version, such as golang.org/x/mod@v0.42.0", arg)
		}
		out = append(out, m)
	}
	if !c.All {
		return out, nil
	}
	project, err := gomod.Load(gomod.Request{Dir: p.path(c.Dir), Env: env, Mod: c.Mod})
	if err != nil {
		return nil, err
	}
	for _, m := range project.Modules {
		if m.LocalDir == "" && !m.GoModOnly {
			out = append(out, module.Version{Path: m.Path, Version: m.Version})
		}
	}
	if len(out) == 0 {
		return nil, usagef("%s needs no modules", project.Main)
	}
	return out, nil
}

// refusePrivate keeps digests of private modules out of a public log, where they
// would stay.
func (c *attestCommand) refusePrivate(env gomod.Env, modules []module.Version) error {
	if !snapshot.PublicRekor(c.RekorURL) {
		return nil
	}
	for _, m := range modules {
		if env.Private(m.Path) {
			return usagef("%s is private (GOPRIVATE, GONOSUMDB) and %s is public: name a Rekor of your own with --rekor-url", m, c.RekorURL)
		}
	}
	return nil
}

func (c *attestCommand) attester(p *Process, ui *phases) (*attest.Attester, error) {
	key, err := p.privateKey(c.Key)
	if err != nil {
		return nil, err
	}
	material, err := c.material(p)
	if err != nil {
		return nil, err
	}
	client := rekor.New(rekor.Options{URL: c.RekorURL, Fetch: fetch.New(fetch.Options{UserAgent: "modseal", Notify: ui.retry})})
	a, err := attest.New(key, client, material)
	if err != nil {
		return nil, &usageError{err}
	}
	return a, nil
}

// attest attests one module and writes its Sigstore bundles.
func (c *attestCommand) attest(ctx context.Context, p *Process, a *attest.Attester, h *modhash.Hasher, cache *gomod.Cache, m module.Version) ([]attest.Attestation, error) {
	zip, err := cache.Zip(m)
	if err != nil {
		return nil, err
	}
	if _, err := gomod.RegularFile(zip); err != nil {
		return nil, fmt.Errorf("%w: fetch it with go mod download %s", err, m)
	}
	z, err := h.Zip(ctx, zip, m)
	if err != nil {
		return nil, err
	}
	done, err := a.Module(ctx, m, z)
	if err != nil {
		return nil, err
	}
	dir := p.path(c.Output)
	for _, d := range done {
		name, err := attestationFile(dir, m, d.Of)
		if err != nil {
			return nil, err
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return nil, err
		}
		if err := atomicfile.WriteBytes(name, d.Sigstore); err != nil {
			return nil, err
		}
	}
	return done, nil
}

// attestationFile is DIR/path@version.zip.sigstore.json, or .listing. in place
// of .zip., with path and version escaped as in the module cache.
func attestationFile(dir string, m module.Version, of string) (string, error) {
	path, err := module.EscapePath(m.Path)
	if err != nil {
		return "", err
	}
	version, err := module.EscapeVersion(m.Version)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, filepath.FromSlash(path)+"@"+version+"."+of+".sigstore.json"), nil
}
