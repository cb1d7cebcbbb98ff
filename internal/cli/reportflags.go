package cli

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/modseal/modseal/internal/atomicfile"
	"github.com/modseal/modseal/internal/report"
	"github.com/modseal/modseal/internal/sandbox"
	"github.com/modseal/modseal/verify"
)

// reportFlags say what becomes of a report.
type reportFlags struct {
	Format string `enum:"text,json" default:"text" help:"Format of the report: text or json."`
	Output string `short:"o" placeholder:"FILE" help:"Write the report to a file."`
	All    bool   `short:"a" help:"List verified modules too, with their evidence."`
	Quiet  bool   `short:"q" help:"No progress."`
}

// A reportPlace is where a report will be.
type reportPlace struct{ file *atomicfile.Pending } // nil is standard output

// begin makes the file that the report will be in, since no other can be made in
// the sandbox.
func (f *reportFlags) begin(p *Process) (reportPlace, error) {
	if f.Output == "" {
		return reportPlace{}, nil
	}
	file, err := atomicfile.Begin(p.path(f.Output))
	if err != nil {
		return reportPlace{}, fmt.Errorf("report: %w", err)
	}
	return reportPlace{file}, nil
}

// outputs are what the sandbox lets be written.
func (o reportPlace) outputs() []sandbox.Output {
	if o.file == nil {
		return nil
	}
	return []sandbox.Output{{Temp: o.file.Temp(), Dir: filepath.Dir(o.file.Name())}}
}

// discard removes a file that is not in its place.
func (o reportPlace) discard() {
	if o.file != nil {
		o.file.Discard()
	}
}

// judged writes the report, and is errUnproven if it is not a pass. It says which
// of the names that --explain has are not in it.
func (f *reportFlags) judged(p *Process, r *verify.Report, explain []string, out reportPlace) error {
	if err := f.write(p, r, out); err != nil {
		return err
	}
	for _, name := range explain {
		if !explained(r, name) {
			p.say("--explain %s: there is no such module, and no such artifact was named", name)
		}
	}
	if !r.OK {
		return errUnproven
	}
	return nil
}

// explained tells whether a report has what --explain asks about.
func explained(r *verify.Report, name string) bool {
	return slices.ContainsFunc(r.Modules, func(m verify.ModuleReport) bool { return name == m.Path || name == m.Path+"@"+m.Version }) ||
		slices.ContainsFunc(r.Artifacts, func(a verify.ArtifactReport) bool { return name == a.String() }) ||
		slices.ContainsFunc(r.Binaries, func(b verify.BinaryReport) bool {
			return slices.ContainsFunc(b.Modules, func(m verify.BinaryModule) bool { return name == m.Path || name == m.Path+"@"+m.Version })
		})
}

// write writes the report to standard output, or to a file that is there whole
// or not at all.
func (f *reportFlags) write(p *Process, r *verify.Report, out reportPlace) error {
	format := func(w io.Writer, color bool) error {
		if f.Format == "json" {
			return report.JSON(w, r)
		}
		return report.Text(w, r, report.TextOptions{Color: color, All: f.All})
	}
	if out.file == nil {
		return format(p.Stdout, p.Color)
	}
	err := out.file.Write(func(w io.Writer) error { return format(w, false) })
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}
