package cli

import (
	"context"

	"github.com/modseal/modseal/verify"
)

// gateFlags are those of a command that judges a bundle, besides judgeFlags.
type gateFlags struct {
	reportFlags
	sandboxFlags
}

// A gate is what comes before and after a bundle is judged: all that may be
// written is made, then the sandbox is entered, and after the report what was
// accepted is kept.
type gate struct {
	p       *Process
	flags   *gateFlags
	explain []string
	out     reportPlace
	kept    *heldState
	folder  *newFolder // nil if the command writes none
	sandbox *verify.SandboxReport
}

// open takes over the folder, if there is one, to be filled inside. The sandbox is
// entered in it. Close is always called in the end.
func (f *gateFlags) open(ctx context.Context, p *Process, judge *judgeFlags, folder *newFolder) (_ *gate, err error) {
	g := &gate{p: p, flags: f, explain: judge.Explain, kept: &heldState{}, folder: folder}
	defer func() {
		if err != nil {
			g.close()
		}
	}()
	if g.out, err = f.begin(p); err != nil {
		return nil, err
	}
	kept, err := judge.hold(ctx, p)
	if err != nil {
		return nil, err
	}
	g.kept = kept
	outputs := append(g.out.outputs(), g.kept.outputs()...)
	if folder != nil {
		outputs = append(outputs, folder.output())
	}
	g.sandbox, err = f.enter(p, outputs...)
	return g, err
}

// conclude writes the report on what was judged, or on why err refuses it. After a
// pass, and only then, the state is kept and the folder gets into its place.
func (g *gate) conclude(ctx context.Context, r *verify.Report, err error) error {
	if err != nil {
		return g.flags.refused(g.p, err, g.out)
	}
	r.Sandbox = g.sandbox
	if err := g.flags.judged(g.p, r, g.explain, g.out); err != nil {
		return err
	}
	if err := g.kept.save(r); err != nil || g.folder == nil {
		return err
	}
	return g.folder.finish(ctx)
}

// close removes what is not in its place.
func (g *gate) close() {
	g.out.discard()
	g.kept.close()
	if g.folder != nil {
		g.folder.discard()
	}
}
