// Package report writes a verification report for people and for programs. The
// formats say the same: what one shows another does not hide, and the exit code
// is none of theirs.
//
// Much of what a report names was chosen by others: files, modules, logs,
// signers. It may be shown on a terminal, so all of it is escaped where it is
// written: see Visible.
package report

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/modseal/modseal/verify"
)

// JSON writes the report as one indented JSON object; docs/report.md describes
// it.
func JSON(w io.Writer, r *verify.Report) error { return WriteJSON(w, r) }

// WriteJSON writes one indented JSON object in which nothing commands a terminal.
func WriteJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(visibleJSON(b.Bytes()))
	return err
}

// RefusedJSON writes, as JSON does, why a bundle is refused by what was accepted
// before it: there is no report then.
func RefusedJSON(w io.Writer, e *verify.RefusedError) error {
	return WriteJSON(w, struct {
		OK      bool             `json:"ok"` // false
		Refused []verify.Refusal `json:"refused"`
	}{Refused: e.Refusals})
}

// TextOptions say how Text looks.
type TextOptions struct {
	Color bool // ANSI colours for verdicts
	All   bool // also list what is verified, with its evidence
}

// Text writes the report for people: what was verified by whose word, how many
// modules got which verdict, and every module that is not proven with the reason
// and what to do.
func Text(w io.Writer, r *verify.Report, o TextOptions) error {
	t := &text{w: w, o: o}
	t.head(r)
	t.logs(r)
	t.counts(r)
	for _, s := range verify.Statuses() {
		t.modules(r, s)
	}
	t.verdict(r)
	return t.err
}

// text keeps the first error of a writer.
type text struct {
	w   io.Writer
	o   TextOptions
	err error
}

// painted is text with colours, which is ours.
type painted string

// printf makes every string among its arguments visible.
func (t *text) printf(format string, a ...any) {
	for i := range a {
		if s, ok := a[i].(string); ok {
			a[i] = Visible(s)
		}
	}
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.w, format, a...)
	}
}

func (t *text) head(r *verify.Report) {
	t.printf("bundle   %s   made %s\n", cmp.Or(r.Bundle.File, "(unnamed)"), r.Bundle.Created.Format(time.RFC3339))
	if len(r.Bundle.SealedBy) == 0 {
		t.printf("sealed   %s\n", t.paint(red, "BY NOBODY YOU TRUST, which you said to ignore"))
	}
	for _, by := range r.Bundle.SealedBy {
		t.printf("sealed   by %s\n", by)
	}
	where := r.Project.ModCache
	switch {
	case r.Project.Zips != "":
		where = r.Project.Zips
	case r.Project.Vendor != "":
		where = r.Project.Vendor
	}
	if r.Project.Dir != "" {
		t.printf("project  %s   modules from %s\n", r.Project.Name(), where)
	}
	if r.Project.Materialized != "" {
		t.printf("copied   to %s, where the copies were verified\n", r.Project.Materialized)
	}
	if r.Policy.File != "" {
		t.printf("policy   %s\n", r.Policy.File)
	} else {
		t.printf("policy   require %s\n", r.Policy.Require)
	}
	for _, s := range r.Policy.Signers {
		t.printf("signer   %s\n", s)
	}
	t.trust(r.Trust)
	t.sandbox(r.Sandbox)
	t.age(r.Age)
	t.state(r.State)
	for _, b := range r.Binaries {
		t.printf("binary   %s   %s", b.Name, b.Package)
		if b.Main != "" {
			t.printf(" of %s", b.Main)
		}
		t.printf(", %s, %s\n", b.Go, Count(len(b.Modules), "module"))
	}
	for _, n := range r.Notes {
		t.printf("%s     %s\n", t.paint(yellow, "note"), n)
	}
}

func (t *text) logs(r *verify.Report) {
	for i := 0; i < len(r.Logs); i++ {
		l := r.Logs[i]
		if more := headsOf(r.Logs[i:]); more > 1 {
			last, n := r.Logs[i+more-1], 0
			for _, l := range r.Logs[i : i+more] {
				n += l.Entries
			}
			t.printf("log      %s   %s, by %d heads of trees of %d to %d, root of the last %.16s%s\n", l.Name, Count(n, "entry"), more, l.Size, last.Size, last.Root, witnesses(last))
			i += more - 1
			continue
		}
		if l.Proven {
			t.printf("log      %s   %s, tree of %d, root %.16s%s\n", l.Name, Count(l.Entries, "entry"), l.Size, l.Root, witnesses(l))
			continue
		}
		problem, more := lines(l.Problem)
		t.printf("log      %s   %s: %s\n", l.Name, t.paint(red, "not proven"), problem)
		t.indented(more)
	}
	t.printf("\n")
}

// headsOf counts the first of these logs that are one log at several tree sizes,
// all of them proven and cosigned by the same.
func headsOf(logs []verify.LogReport) int {
	n := 0
	for _, l := range logs {
		if !l.Proven || l.Kind != logs[0].Kind || l.Name != logs[0].Name || l.LogID != logs[0].LogID || !slices.Equal(l.Witnesses, logs[0].Witnesses) {
			break
		}
		n++
	}
	return n
}

// witnesses says who cosigned the head of a log that could have witnesses.
func witnesses(l verify.LogReport) string {
	switch {
	case l.Kind != "rekor-v2":
		return ""
	case len(l.Witnesses) == 0:
		return ", unwitnessed"
	}
	return ", witnessed by " + strings.Join(l.Witnesses, ", ")
}

// Count is a number of things.
func Count(n int, what string) string {
	switch {
	case n == 1:
		return "1 " + what
	case strings.HasSuffix(what, "y"):
		return fmt.Sprintf("%d %sies", n, strings.TrimSuffix(what, "y"))
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (t *text) counts(r *verify.Report) {
	for _, s := range verify.Statuses() {
		if n := r.Counts[s.String()]; n > 0 {
			t.printf("%s %d\n", t.status(s, 11), n)
		}
	}
	t.printf("\n")
}

func (t *text) verdict(r *verify.Report) {
	passed, verified := 0, 0
	count := func(v *verify.Verdict) {
		if v.OK {
			passed++
		}
		if v.Status == verify.Verified {
			verified++
		}
	}
	for i := range r.Modules {
		count(&r.Modules[i].Verdict)
	}
	for i := range r.Artifacts {
		count(&r.Artifacts[i].Verdict)
	}
	modules := len(r.Modules)
	for _, b := range r.Binaries {
		modules += len(b.Modules)
		for i := range b.Modules {
			count(&b.Modules[i].Verdict)
		}
	}
	what, are := Things(modules, len(r.Artifacts)), "are"
	all := modules + len(r.Artifacts)
	if all == 1 {
		are = "is"
	}
	of := what
	if modules > 0 && len(r.Artifacts) > 0 {
		of = fmt.Sprintf("%d modules and artifacts", all)
	}
	switch {
	case !r.OK:
		t.printf("%s: %d of %s %s not proven\n", t.paint(red, "FAIL"), all-passed, of, are)
	case verified < all:
		t.printf("%s: %d of %s %s proven, the policy lets the others pass\n", t.paint(green, "PASS"), verified, of, are)
	case all == 1:
		t.printf("%s: %s is proven\n", t.paint(green, "PASS"), what)
	default:
		t.printf("%s: all %s are proven\n", t.paint(green, "PASS"), what)
	}
}

// Things counts modules and artifacts, of which there may be none.
func Things(modules, artifacts int) string {
	m, a := Count(modules, "module"), Count(artifacts, "artifact")
	switch {
	case artifacts == 0:
		return m
	case modules == 0:
		return a
	}
	return m + " and " + a
}

const (
	red    = "31"
	green  = "32"
	yellow = "33"
)

func (t *text) paint(color, s string) painted {
	if t.o.Color {
		s = "\x1b[" + color + "m" + s + "\x1b[0m"
	}
	return painted(s)
}

func (t *text) status(s verify.Status, width int) painted {
	color := red
	switch s {
	case verify.Verified:
		color = green
	case verify.Exempt, verify.Local:
		color = yellow
	}
	return t.paint(color, fmt.Sprintf("%-*s", width, s))
}

func (t *text) indented(lines []string) {
	for _, line := range lines {
		t.printf("    %s\n", line)
	}
}

// lines takes a message of one or several lines apart.
func lines(s string) (first string, more []string) {
	all := strings.Split(s, "\n")
	return all[0], all[1:]
}

// shorten cuts the SHA-256 digests in a line that has no room for them: the JSON
// has them whole.
func shorten(s string) string {
	const mark, keep, whole = "sha256:", 12, 64
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, mark)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString(mark)
		n := 0
		for n < len(after) && strings.IndexByte("0123456789abcdef", after[n]) >= 0 {
			n++
		}
		if n == whole {
			b.WriteString(after[:keep] + "…")
			after = after[whole:]
		}
		s = after
	}
}
