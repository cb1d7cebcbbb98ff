package report

import (
	"slices"
	"strconv"
	"time"

	"github.com/modseal/modseal/verify"
)

// modules lists what has one verdict, and then what to do about it, each advice
// once.
func (t *text) modules(r *verify.Report, s verify.Status) {
	var hints []string
	listed := false
	show := func(v *verify.Verdict, print func()) {
		if v.Status != s || s == verify.Verified && !t.o.All && v.Explain == nil {
			return
		}
		listed = true
		print()
		if v.Hint != "" && !slices.Contains(hints, v.Hint) {
			hints = append(hints, v.Hint)
		}
	}
	for i := range r.Modules {
		m := &r.Modules[i]
		show(&m.Verdict, func() { t.module(m) })
	}
	for i := range r.Artifacts {
		a := &r.Artifacts[i]
		show(&a.Verdict, func() { t.artifact(a) })
	}
	for _, b := range r.Binaries {
		for i := range b.Modules {
			m := &b.Modules[i]
			show(&m.Verdict, func() { t.binaryModule(b.Name, m) })
		}
	}
	for _, h := range hints {
		t.printf("hint: %s\n", h)
	}
	if listed {
		t.printf("\n")
	}
}

func (t *text) module(m *verify.ModuleReport) {
	name := m.Path
	if m.Version != "" {
		name += "@" + m.Version
	}
	if m.GoModOnly {
		name += " (go.mod alone)"
	}
	t.printf("%s %s", t.status(m.Status, 11), name)
	if m.Replaces != "" {
		t.printf(" => replaces %s", m.Replaces)
	}
	if m.Dir != "" {
		t.printf(" => %s", m.Dir)
	}
	t.reason(&m.Verdict)
	for _, d := range m.Differences {
		t.printf("    %-8s %s\n", d.Kind, strconv.Quote(d.File))
	}
	if m.MoreDiffs > 0 {
		t.printf("    and %d more files\n", m.MoreDiffs)
	}
	t.because(&m.Verdict)
}

func (t *text) artifact(a *verify.ArtifactReport) {
	t.printf("%s artifact %s", t.status(a.Status, 11), a.String())
	t.reason(&a.Verdict)
	t.because(&a.Verdict)
}

func (t *text) binaryModule(binary string, m *verify.BinaryModule) {
	name := m.Path
	if m.Version != "" {
		name += "@" + m.Version
	}
	t.printf("%s binary %s: %s", t.status(m.Status, 11), binary, name)
	if m.Replaces != "" {
		t.printf(" => replaces %s", m.Replaces)
	}
	if m.Dir != "" {
		t.printf(" => %s", m.Dir)
	}
	if m.H1From == "bundle" {
		t.printf(", by the bundle's hash")
	}
	t.reason(&m.Verdict)
	t.because(&m.Verdict)
}

// reason ends the line of a verdict.
func (t *text) reason(v *verify.Verdict) {
	reason, more := lines(v.Reason)
	if reason != "" {
		t.printf(": %s", reason)
	}
	t.printf("\n")
	t.indented(more)
}

// because shows the evidence, and how the policy decided, if they were asked for.
func (t *text) because(v *verify.Verdict) {
	t.indented(v.Explain)
	if !t.o.All {
		return
	}
	for _, e := range v.Evidence {
		t.printf("    %-8s %s   %s, entry %d", e.Of, shorten(e.Digest), e.Log, e.Index)
		if e.Signer != "" {
			t.printf(", by %s", shorten(e.Signer))
		}
		if !e.Time.IsZero() {
			t.printf(", %s", e.Time.Format(time.RFC3339))
		}
		if !e.Accepted {
			why, _ := lines(e.Why)
			t.printf(" (does not count: %s)", shorten(why))
		}
		t.printf("\n")
	}
}
