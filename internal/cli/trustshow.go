package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/modseal/modseal/internal/limit"
	"github.com/modseal/modseal/internal/trust"
	"github.com/modseal/modseal/internal/tufchain"
)

type trustShowCommand struct {
	Dir         string `arg:"" optional:"" placeholder:"DIR" help:"Folder of a chain, as trust fetch wrote it (default: what is built in)."`
	TUFRoot     string `name:"tuf-root" placeholder:"FILE|public-good|staging" help:"The root.json that the chain begins with (default: public-good, which is built in)."`
	At          string `placeholder:"TIME" help:"As of when a chain is walked: 2026-01-02T15:04:05Z or 2026-01-02 (default: now)."`
	TrustedRoot string `placeholder:"FILE" help:"Show a trusted_root.json, without a chain."`
	Format      string `enum:"text,json" default:"text" help:"Format: text or json."`
}

// trustShown is what trust show says, in JSON.
type trustShown struct {
	Source string     `json:"source"` // where the trusted root is from
	Chain  *chainShow `json:"chain,omitempty"`
	*trust.Contents
}

type chainShow struct {
	Pinned        string         `json:"pinned"` // where the pinned root is from
	PinnedVersion int64          `json:"pinnedVersion"`
	At            time.Time      `json:"at,omitzero"` // as of when it was walked
	Root          tufchain.Role  `json:"root"`        // that the walk ended at
	Timestamp     *tufchain.Role `json:"timestamp,omitempty"`
	Snapshot      *tufchain.Role `json:"snapshot,omitempty"`
	Targets       *tufchain.Role `json:"targets,omitempty"`
}

// Run is modseal trust show.
func (c *trustShowCommand) Run(p *Process) error {
	shown, err := c.shown(p)
	if err != nil {
		return err
	}
	if c.Format == "json" {
		e := json.NewEncoder(p.Stdout)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(shown)
	}
	return shown.text(p.Stdout)
}

func (c *trustShowCommand) shown(p *Process) (*trustShown, error) {
	s := &trustShown{}
	var file []byte
	switch {
	case c.TrustedRoot != "":
		if c.Dir != "" || c.TUFRoot != "" || c.At != "" {
			return nil, usagef("--trusted-root shows a file as it is: DIR, --tuf-root and --at are for chains")
		}
		data, err := limit.ReadFile(p.path(c.TrustedRoot), trust.MaxTrustedRoot)
		if err != nil {
			return nil, &usageError{err}
		}
		s.Source, file = c.TrustedRoot, data
	case c.Dir != "":
		r, name, err := p.walkDir(c.Dir, c.TUFRoot, c.At)
		if err != nil {
			return nil, err
		}
		s.Source, file = c.Dir, r.TrustedRoot
		s.Chain = &chainShow{Pinned: name, PinnedVersion: r.PinnedVersion, At: r.At.UTC(), Root: r.Root, Timestamp: &r.Timestamp, Snapshot: &r.Snapshot, Targets: &r.Targets}
	default:
		if c.TUFRoot != "" || c.At != "" {
			return nil, usagef("--tuf-root and --at are for chains: give the folder of one")
		}
		root, name, err := p.tufRoot("")
		if err != nil {
			return nil, err
		}
		role, err := tufchain.Pinned(root)
		if err != nil {
			return nil, err
		}
		s.Source, file = "built in", trust.PublicGoodTrustedRoot()
		s.Chain = &chainShow{Pinned: name, PinnedVersion: role.Version, Root: role}
	}
	var err error
	if s.Contents, err = trust.Describe(file); err != nil {
		return nil, usagef("%s: %w", s.Source, err)
	}
	return s, nil
}

func (s *trustShown) text(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "trusted root\t%s\n", printable(s.Source))
	if c := s.Chain; c != nil {
		fmt.Fprintf(w, "pinned\troot %d\t%s\n", c.PinnedVersion, printable(c.Pinned))
		if !c.At.IsZero() {
			fmt.Fprintf(w, "as of\t%s\n", stamp(c.At))
		}
		role := func(name string, r *tufchain.Role) {
			if r != nil {
				fmt.Fprintf(w, "%s\tversion %d\texpires %s\n", name, r.Version, stamp(r.Expires))
			}
		}
		role("root", &c.Root)
		role("timestamp", c.Timestamp)
		role("snapshot", c.Snapshot)
		role("targets", c.Targets)
	}
	logs := func(kind string, list []trust.Log) {
		for _, l := range list {
			fmt.Fprintf(w, "\n%s\t%s\n\tlog ID\t%s\n\tkey\t%s\n\tvalid\t%s\n", kind, printable(l.BaseURL), l.LogID, l.Key, window(l.From, l.To))
		}
	}
	authorities := func(kind string, list []trust.Authority) {
		for _, a := range list {
			fmt.Fprintf(w, "\n%s\t%s\n\tissuer\t%s\n\tSHA-256\t%s\n\tvalid\t%s, certificates until %s\n", kind, printable(a.URI), printable(a.Subject), a.SHA256, window(a.From, a.To), stamp(a.NotAfter))
		}
	}
	logs("Rekor log", s.Logs)
	authorities("Fulcio CA", s.Fulcio)
	logs("CT log", s.CTLogs)
	authorities("TSA", s.TSAs)
	return w.Flush()
}

func window(from, to time.Time) string {
	if to.IsZero() {
		return "from " + stamp(from)
	}
	return stamp(from) + " to " + stamp(to)
}

// printable is text for a terminal: quoted if anything in it is not printable.
func printable(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}
