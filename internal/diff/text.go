package diff

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/modhash"
	"github.com/modseal/modseal/internal/report"
)

// Text writes a diff for people: a line for each thing, with + for what was
// added, - for what was removed and ~ for what changed.
func Text(w io.Writer, d *Diff) error {
	t := &text{w: w}
	t.line("--- %s   made %s, sha256:%s", d.Old.File, d.Old.Created, d.Old.SHA256)
	t.line("+++ %s   made %s, sha256:%s", d.New.File, d.New.Created, d.New.SHA256)
	t.line("NOT CHECKED: everything below is what the bundles claim")
	t.settings(d.Settings)
	t.projects(d.Projects)
	t.modules(d.Modules)
	t.artifacts(d.Artifacts)
	t.evidence(d.Evidence)
	t.items("signers", d.Signers)
	t.logs(d.Logs)
	t.items("trust", d.Trust)
	t.items("seals", d.Seals)
	switch {
	case d.Same && d.Identical:
		t.line("the same")
	case d.Same:
		t.line("the same, but for when it was made and how it was written")
	}
	if d.Resigned > 0 {
		t.line("signed anew by its log, with the same content: %s", report.Count(d.Resigned, "thing"))
	}
	return t.err
}

// text keeps the first error of a writer.
type text struct {
	w   io.Writer
	err error
}

func (t *text) line(format string, a ...any) {
	for i := range a {
		if s, ok := a[i].(string); ok {
			a[i] = report.Visible(s)
		}
	}
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.w, format+"\n", a...)
	}
}

func (t *text) heading(name string, n int) {
	if n > 0 {
		t.line("%s", name)
	}
}

func mark(change string) string {
	return map[string]string{Added: "+", Removed: "-", Changed: "~"}[change]
}

func (t *text) settings(all []Setting) {
	t.heading("bundle", len(all))
	for _, s := range all {
		t.line("  ~ %s: %q => %q", s.Name, s.Old, s.New)
	}
}

func (t *text) items(name string, all []Item) {
	t.heading(name, len(all))
	for _, i := range all {
		t.line("  %s %s", mark(i.Change), i.Name)
	}
}

func (t *text) projects(all []Project) {
	t.heading("projects", len(all))
	for _, p := range all {
		name := p.either().String()
		switch {
		case p.Change == Changed:
			name += fmt.Sprintf(": go %s => %s", cmp.Or(p.Old.Go, "none"), cmp.Or(p.New.Go, "none"))
		case p.either().Go != "":
			name += ", go " + p.either().Go
		}
		t.line("  %s %s", mark(p.Change), name)
	}
}

func (t *text) modules(all []Module) {
	t.heading("modules", len(all))
	for _, m := range all {
		a, b := m.Old, m.New
		switch {
		case a == nil:
			t.line("  + %s %s   %s", m.Path, b.Version, h1(b.Listing))
		case b == nil:
			t.line("  - %s %s   %s", m.Path, a.Version, h1(a.Listing))
		case a.Version != b.Version:
			t.line("  ~ %s %s => %s   %s", m.Path, a.Version, b.Version, h1(b.Listing))
		default:
			t.line("  ~ %s %s", m.Path, a.Version)
			t.changed("zip", sha(a.Zip), sha(b.Zip))
			t.changed("content", h1(a.Listing), h1(b.Listing))
			t.changed("entries left out", fmt.Sprint(a.LeftOut), fmt.Sprint(b.LeftOut))
			t.changed("metadata carried", carried(a.Carried, func(c *bundles.Carried) string { return c.Info.SHA256 }), carried(b.Carried, func(c *bundles.Carried) string { return c.Info.SHA256 }))
			t.changed("go.mod carried", carried(a.Carried, func(c *bundles.Carried) string { return c.Mod.SHA256 }), carried(b.Carried, func(c *bundles.Carried) string { return c.Mod.SHA256 }))
			t.changed("zip carried", carried(a.Carried, func(c *bundles.Carried) string { return fmt.Sprint(c.Zip) }), carried(b.Carried, func(c *bundles.Carried) string { return fmt.Sprint(c.Zip) }))
			t.changed("vendored", vendored(a.Vendor), vendored(b.Vendor))
		}
	}
}

func (t *text) changed(what, old, new string) {
	if old != new {
		t.line("      %s: %s => %s", what, old, new)
	}
}

// h1 is a listing's digest as people know it.
func h1(listing string) string {
	if listing == "" {
		return "none"
	}
	sum, err := bundles.ParseHex(listing)
	if err != nil {
		return listing
	}
	return modhash.H1(sum).String()
}

func sha(digest string) string {
	if digest == "" {
		return "none"
	}
	return "sha256:" + digest
}

func carried(c *bundles.Carried, of func(*bundles.Carried) string) string {
	if c == nil {
		return "no"
	}
	return of(c)
}

func vendored(v *bundles.Vendored) string {
	if v == nil {
		return "no"
	}
	return fmt.Sprintf("go %s, without %q", v.Go, v.Ignored)
}

func (t *text) artifacts(all []Artifact) {
	t.heading("artifacts", len(all))
	for _, a := range all {
		one := a.New
		if one == nil {
			one = a.Old
		}
		digest := sha(one.SHA256)
		if one.SHA256 == "" {
			digest = cmp.Or(one.SHA384, one.SHA512)
		}
		t.line("  %s %s   %s", mark(a.Change), cmp.Or(one.Name, "(unnamed)"), digest)
		if a.Change == Changed {
			t.changed("entries left out", fmt.Sprint(a.Old.LeftOut), fmt.Sprint(a.New.LeftOut))
		}
	}
}

func (t *text) evidence(all []Evidence) {
	t.heading("evidence", len(all))
	for _, e := range all {
		var b strings.Builder
		fmt.Fprintf(&b, "  %s %s, entry %d: %s", mark(e.Change), e.Log, e.Index, e.What)
		if e.Digest != "" {
			fmt.Fprintf(&b, " %s", e.Digest)
		}
		if e.Signer != "" {
			fmt.Fprintf(&b, ", by %s", e.Signer)
		}
		if len(e.Of) > 0 {
			fmt.Fprintf(&b, ", for %s", strings.Join(e.Of, ", "))
		}
		t.line("%s", b.String())
	}
}

func (t *text) logs(all []Log) {
	t.heading("logs", len(all))
	for _, l := range all {
		switch l.Change {
		case Added:
			t.line("  + %s %s: %s", l.Kind, l.Name, heads(l.New))
		case Removed:
			t.line("  - %s %s: %s", l.Kind, l.Name, heads(l.Old))
		default:
			t.line("  ~ %s %s: %s => %s", l.Kind, l.Name, heads(l.Old), heads(l.New))
		}
		if l.Fork {
			t.line("      TREES OF ONE SIZE WITH DIFFERENT ROOTS: see modseal heads check")
		}
	}
}

func heads(all []Head) string {
	var out []string
	for _, h := range all {
		s := fmt.Sprintf("tree of %d, root %s", h.Size, h.Root)
		if _, err := hex.DecodeString(h.Root); err == nil && len(h.Root) == 64 {
			s = fmt.Sprintf("tree of %d, root %.16s", h.Size, h.Root)
		}
		if h.Cosigns > 0 {
			s += fmt.Sprintf(", %d cosignatures", h.Cosigns)
		}
		if len(h.Since) > 0 {
			s += fmt.Sprintf(", proven since %d", h.Since[0])
		}
		if h.Tiles {
			s += ", with tiles"
		}
		out = append(out, s)
	}
	return strings.Join(out, " and ")
}
