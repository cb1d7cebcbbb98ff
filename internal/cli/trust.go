package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/modseal/modseal/internal/fetch"
	"github.com/modseal/modseal/internal/limit"
	"github.com/modseal/modseal/internal/trust"
	"github.com/modseal/modseal/internal/tufchain"
	"github.com/modseal/modseal/internal/tuffetch"
	"github.com/modseal/modseal/snapshot"
)

type trustCommand struct {
	Fetch trustFetchCommand `cmd:"" help:"Keep a TUF repository's metadata chain in a folder (needs a network)."`
	Show  trustShowCommand  `cmd:"" help:"Show what is trusted: built in, by a chain, or by a trusted_root.json."`
	Check trustCheckCommand `cmd:"" help:"Walk a chain from the pinned root, without a network."`
}

// Names of the TUF roots that are built in.
const (
	publicGoodName = "public-good"
	stagingName    = "staging"
	stagingMirror  = "https://tuf-repo-cdn.sigstage.dev"
)

// chainError is a chain that does not lead from the pinned root to a trusted
// root, where finding that out is the command's purpose: exit 1.
type chainError struct{ err error }

func (e *chainError) Error() string { return e.err.Error() }
func (e *chainError) Unwrap() error { return e.err }

// hintedError is an error about which a command knows what to do.
type hintedError struct {
	err  error
	hint string
}

func (e *hintedError) Error() string { return e.err.Error() }
func (e *hintedError) Unwrap() error { return e.err }

// tufRoot is a pinned root.json, and what to call it.
func (p *Process) tufRoot(flag string) (root []byte, name string, err error) {
	switch flag {
	case "", publicGoodName:
		return trust.PublicGoodTUFRoot(), "Sigstore's public-good root, built in", nil
	case stagingName:
		return trust.StagingTUFRoot(), "Sigstore's staging root, built in", nil
	}
	data, err := limit.ReadFile(p.path(flag), tufchain.MaxRoot)
	if err != nil {
		return nil, "", &usageError{err}
	}
	if _, err := tufchain.Pinned(data); err != nil {
		return nil, "", usagef("%s: %w", flag, err)
	}
	return data, flag, nil
}

// readChain reads the folder that trust fetch wrote.
func (p *Process) readChain(dir string) (tufchain.Files, error) {
	files, err := tufchain.ReadDir(p.path(dir))
	var chain *tufchain.Error
	switch {
	case errors.As(err, &chain):
		return nil, fmt.Errorf("%s: %w", dir, err)
	case err != nil:
		return nil, &usageError{err}
	}
	return files, nil
}

// atTime reads a time as --at takes it.
func atTime(flag string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, flag); err == nil && !t.IsZero() {
			return t, nil
		}
	}
	return time.Time{}, usagef("--at=%q is neither a time (2026-01-02T15:04:05Z) nor a day (2026-01-02)", flag)
}

func (p *Process) atOrNow(flag string) (time.Time, error) {
	if flag == "" {
		return p.Now(), nil
	}
	return atTime(flag)
}

type trustFetchCommand struct {
	Output    string `short:"o" required:"" placeholder:"DIR" help:"Folder of the chain. What it holds is continued; nothing else may be in it."`
	TUFMirror string `name:"tuf-mirror" placeholder:"URL" help:"URL of the repository's metadata (default: Sigstore's public-good repository)."`
	TUFRoot   string `name:"tuf-root" placeholder:"FILE|public-good|staging" help:"The root.json to begin with (default: public-good, which is built in)."`
	Quiet     bool   `short:"q" help:"No progress."`
}

// Help is shown below the flags.
func (c *trustFetchCommand) Help() string {
	return `The chain is walked as of now before anything is written, and the folder is replaced as a whole. Exit codes: 0 up to date; 1 what the mirror serves does not verify, nothing was written; 2 it could not be done.

Example: modseal trust fetch -o trust && modseal snapshot --trust trust --seal-key seal.key`
}

// Run is modseal trust fetch.
func (c *trustFetchCommand) Run(ctx context.Context, p *Process) error {
	root, name, err := p.tufRoot(c.TUFRoot)
	if err != nil {
		return err
	}
	mirror := c.TUFMirror
	switch {
	case mirror != "":
	case c.TUFRoot == stagingName:
		mirror = stagingMirror
	default:
		mirror = tuffetch.PublicGood
	}
	if p.path(c.Output) == p.Dir {
		return usagef("-o: the folder is replaced as a whole, so it can't be the one that you are in")
	}
	ui := newPhases(p, c.Quiet)
	ui.phase(snapshot.Phase{Name: "fetch trust"})
	s, err := tuffetch.Fetch(ctx, tuffetch.Request{
		Mirror: mirror, Root: root, Dir: p.path(c.Output), Now: p.Now(),
		Client:  fetch.New(fetch.Options{UserAgent: "modseal", Notify: ui.retry}),
		Fetched: func(string) { ui.count(1) },
	})
	ui.end()
	if err != nil {
		return fetchFailed(err)
	}
	ui.phase(snapshot.Phase{Name: "fetch trust", Done: fmt.Sprintf("%d files", s.Fetched)})
	fmt.Fprintf(p.Stdout, "%s: %s; %d files, %d bytes\n", c.Output, walked(s.Result, name), s.Files, s.Bytes)
	return nil
}

// fetchFailed tells a repository that lies from one that does not answer.
func fetchFailed(err error) error {
	var chain *tufchain.Error
	var answer *fetch.Error
	switch {
	case errors.As(err, &chain):
		return &chainError{fmt.Errorf("%w; nothing was written", err)}
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted; nothing was written")
	case errors.As(err, &answer):
		return &hintedError{err, "nothing was written; is the mirror reachable from here? --tuf-mirror takes another URL, also file:///DIR, and the folder can be fetched on any other host"}
	}
	return err
}

// walked says where a walk led, in one line.
func walked(r *tufchain.Result, pinned string) string {
	moved := fmt.Sprintf("root %d", r.Root.Version)
	if r.Moved() {
		moved = fmt.Sprintf("root %d -> %d", r.PinnedVersion, r.Root.Version)
	}
	return fmt.Sprintf("%s (%s), good until %s", moved, pinned, stamp(r.Expires()))
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

type trustCheckCommand struct {
	Dir     string `arg:"" placeholder:"DIR" help:"Folder of the chain, as trust fetch wrote it."`
	TUFRoot string `name:"tuf-root" placeholder:"FILE|public-good|staging" help:"The root.json to begin with (default: public-good, which is built in)."`
	At      string `placeholder:"TIME" help:"As of when: 2026-01-02T15:04:05Z or 2026-01-02 (default: now)."`
}

// Help is shown below the flags.
func (c *trustCheckCommand) Help() string {
	return "Exit codes: 0 the chain leads to a trusted root; 1 it does not; 2 it could not be checked."
}

// Run is modseal trust check.
func (c *trustCheckCommand) Run(p *Process) error {
	r, name, err := p.walkDir(c.Dir, c.TUFRoot, c.At)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.Stdout, "%s: %s; judged as of %s\n", c.Dir, walked(r, name), stamp(r.At))
	return nil
}

// walkDir walks the chain in a folder, and demands that what it leads to can be
// read.
func (p *Process) walkDir(dir, tufRoot, at string) (*tufchain.Result, string, error) {
	root, name, err := p.tufRoot(tufRoot)
	if err != nil {
		return nil, "", err
	}
	when, err := p.atOrNow(at)
	if err != nil {
		return nil, "", err
	}
	files, err := p.readChain(dir)
	if err == nil {
		var r *tufchain.Result
		if r, err = tufchain.Walk(root, files, when); err == nil {
			if _, err = trust.Describe(r.TrustedRoot); err == nil {
				return r, name, nil
			}
		}
	}
	var usage *usageError
	if errors.As(err, &usage) {
		return nil, "", err
	}
	return nil, "", &chainError{err}
}
