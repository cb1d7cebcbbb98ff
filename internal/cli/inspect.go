package cli

import (
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/diff"
	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/report"
	"github.com/modseal/modseal/merkle"
	"github.com/modseal/modseal/verify"
)

type inspectCommand struct {
	Bundle string `arg:"" placeholder:"BUNDLE" help:"The *.modseal file."`
	claimFlags
	sandboxFlags
	Format string `enum:"text,json" default:"text" help:"Format: text or json."`
	All    bool   `short:"a" help:"List the modules, and all projects."`
}

// inspection is what inspect says, in JSON.
type inspection struct {
	Trusted  bool              `json:"trusted"` // a seal by a key that was given verifies
	SealedBy []string          `json:"sealedBy"`
	SHA256   string            `json:"sha256"` // of payload.tar.zst
	Size     int64             `json:"size"`
	Manifest *bundles.Manifest `json:"manifest"`
	Logs     []inspectedLog    `json:"logs"`

	Sandbox *verify.SandboxReport `json:"sandbox"` // in which it was read
}

type inspectedLog struct {
	Kind       string   `json:"kind"`
	Name       string   `json:"name"`
	Checkpoint string   `json:"checkpoint"`
	TreeSize   uint64   `json:"treeSize"` // as the multiproof says
	Nodes      int      `json:"nodes"`    // hashes in the multiproof
	Entries    int      `json:"entries"`
	Signers    []string `json:"signers,omitempty"` // as the entries claim
}

// Run is modseal inspect.
func (c *inspectCommand) Run(p *Process) error {
	entered, err := c.enter(p)
	if err != nil {
		return err
	}
	_, read, err := c.reader(p, bundles.OpenOptions{Whole: true})
	if err != nil {
		return err
	}
	file, size, err := p.openBundle(c.Bundle)
	if err != nil {
		return err
	}
	defer file.Close()
	b, err := read(file, size)
	if err != nil {
		return err
	}
	in := inspect(b)
	in.Sandbox = entered
	if c.Format == "json" {
		return report.WriteJSON(p.Stdout, in)
	}
	c.text(p, b, in)
	return nil
}

func inspect(b *bundles.Bundle) *inspection {
	in := &inspection{Trusted: len(b.Seals) > 0, SealedBy: []string{}, SHA256: hex.EncodeToString(b.Payload.SHA256[:]), Size: b.Size, Manifest: &b.Manifest, Logs: []inspectedLog{}}
	for _, s := range b.Seals {
		in.SealedBy = append(in.SealedBy, s.By)
	}
	for i := range b.Logs {
		l := &b.Logs[i]
		in.Logs = append(in.Logs, inspectedLog{
			Kind: string(l.Kind), Name: l.Name, Checkpoint: string(l.Checkpoint), TreeSize: l.Proof.Size,
			Nodes: len(l.Proof.Nodes), Entries: len(l.Entries), Signers: claimedSigners(l),
		})
	}
	return in
}

// claimedSigners are the signers that a log's entries name, each once.
func claimedSigners(l *bundles.Log) []string {
	var out []string
	seen := map[string]bool{}
	for i := range l.Entries {
		e, err := evidence.OfBundle(l, &l.Entries[i], merkle.Inclusion{})
		if err != nil {
			continue
		}
		h, err := e.Claim()
		if err != nil {
			continue
		}
		name := diff.Signer(h)
		if !seen[name] {
			seen[name] = true
			out = append(out, name)
		}
	}
	return out
}

func (c *inspectCommand) text(p *Process, b *bundles.Bundle, in *inspection) {
	w := p.Stdout
	fmt.Fprintf(w, "payload   %d bytes, sha256:%s\n", in.Size, in.SHA256)
	if !in.Trusted {
		fmt.Fprintf(w, "sealed    NOT CHECKED: everything below is what the file claims\n")
	}
	for _, by := range in.SealedBy {
		fmt.Fprintf(w, "sealed    by %s\n", by)
	}
	for _, err := range b.Refused {
		if in.Trusted {
			fmt.Fprintf(w, "refused   %s\n", firstLineOf(err.Error()))
		}
	}
	fmt.Fprintf(w, "sandbox   %s\n", report.Sandbox(in.Sandbox))
	m := in.Manifest
	c.made(w, m)
	fmt.Fprintf(w, "modules   %d%s\n", len(m.Modules), map[bool]string{true: ", with listings"}[m.Listings])
	if m.CarriesModules() {
		files, size := 0, int64(0)
		for f, err := range m.CarriedFiles() {
			if err == nil {
				files, size = files+1, size+f.Size
			}
		}
		fmt.Fprintf(w, "carries   the modules: %d files, %d bytes\n", files, size)
	}
	for _, l := range m.Logs {
		if l.Tiles {
			fmt.Fprintf(w, "carries   tiles of %s, for the go command\n", report.Visible(l.Name))
		}
	}
	if len(m.Artifacts) > 0 {
		fmt.Fprintf(w, "artifacts %d\n", len(m.Artifacts))
	}
	if len(b.Trust) > 0 {
		roots := 0
		for name := range b.Trust {
			if strings.HasSuffix(name, ".root.json") {
				roots++
			}
		}
		fmt.Fprintf(w, "trust     a chain of %d files, %d of them roots\n", len(b.Trust), roots)
	}
	for _, l := range in.Logs {
		fmt.Fprintf(w, "log       %s %s: %s, tree of %d, proof of %d hashes\n", l.Kind, l.Name, report.Count(l.Entries, "entry"), l.TreeSize, l.Nodes)
		for _, s := range l.Signers {
			fmt.Fprintf(w, "          signed by %s\n", s)
		}
	}
	if !c.All {
		return
	}
	fmt.Fprintln(w)
	for _, d := range m.Modules {
		fmt.Fprintf(w, "%s@%s: %s", d.Path, d.Version, report.Count(len(d.Entries), "entry"))
		if d.LeftOut > 0 {
			fmt.Fprintf(w, ", %d left out", d.LeftOut)
		}
		fmt.Fprintln(w)
	}
	for _, a := range m.Artifacts {
		fmt.Fprintf(w, "artifact %q: %s\n", a.Name, report.Count(len(a.Entries), "entry"))
	}
}

// made says when and of what the bundle was made: of one project in a line, of many in a
// line each, with --all of all of them.
func (c *inspectCommand) made(w io.Writer, m *bundles.Manifest) {
	const shown = 10
	if len(m.Projects) < 2 {
		fmt.Fprintf(w, "made      %s of %s\n", m.Created, bundles.ProjectNames(m.Projects))
		return
	}
	fmt.Fprintf(w, "made      %s of %d projects\n", m.Created, len(m.Projects))
	for i, p := range m.Projects {
		if i == shown && !c.All {
			fmt.Fprintf(w, "          and %d more\n", len(m.Projects)-shown)
			return
		}
		fmt.Fprintf(w, "project   %s\n", p)
	}
}

func firstLineOf(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
