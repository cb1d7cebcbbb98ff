package snapshot

import (
	"context"
	"fmt"
	"os"
	"slices"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/verify"
)

// selfCheck runs the verifier as each enclave will, on one project after the other. A
// module without evidence may pass when missing evidence is allowed; one that evidence
// contradicts never does.
func (c *collector) selfCheck(ctx context.Context, payload *os.File, size int64) error {
	frame, frameSize, err := bundles.UnsealedFrame(payload, size)
	if err != nil {
		return err
	}
	var anchor *verify.Anchor // of the enclave, which takes the bundle's chain
	if c.Anchor != nil {
		anchor = &verify.Anchor{Root: c.Anchor.Root, Name: c.Anchor.Name}
	}
	targets := c.targets()
	found := &findings{collector: c, seen: map[string]bool{}}
	err = verify.CheckEach(ctx, verify.Request{
		World: c.World, ModCache: c.env.GOMODCACHE,
		Bundle: frame, BundleSize: frameSize, InsecureIgnoreSeals: true, OwnManifest: true,
		Trust: c.base, Anchor: anchor, Policy: c.Policy, Now: c.Now,
	}, targets, found.add)
	if err != nil {
		if n := len(c.summary.Reports); n < len(targets) && targets[n].Dir != "" {
			err = c.in(targets[n].Dir, err)
		}
		return fmt.Errorf("self-check: %w", err)
	}
	switch {
	case len(found.wrong) > 0:
		return &IncompleteError{What: "the self-check found what the evidence contradicts; nothing was written", Unproven: true, Modules: found.wrong}
	case len(found.lacking) > 0 && !c.AllowMissing:
		return lacksEvidence(found.lacking, found.artifacts)
	}
	failed := map[module.Version]bool{} // and that is why
	for _, e := range c.summary.Failed {
		failed[e.Module] = true
	}
	lacking := slices.DeleteFunc(found.lacking, func(e ModuleError) bool { return failed[e.Module] })
	c.summary.Failed = append(c.summary.Failed, lacking...)
	return nil
}

// targets are what is verified by itself: the projects that need anything, the first
// with the artifacts; or the artifacts.
func (c *collector) targets() []verify.Target {
	var out []verify.Target
	for _, p := range c.projects {
		if len(p.Modules)+len(p.toolchains) > 0 { // else there is nothing to verify
			out = append(out, verify.Target{Dir: p.dir, Mod: p.mod, Toolchains: p.toolchains})
		}
	}
	if len(out) == 0 {
		return []verify.Target{{Artifacts: c.Artifacts}}
	}
	out[0].Artifacts = c.Artifacts
	return out
}

// findings are what the self-check finds, of a module of several projects once.
type findings struct {
	*collector
	seen           map[string]bool // what was told
	wrong, lacking []ModuleError
	artifacts      int // of those that lack evidence
}

// add takes the report of a target.
func (f *findings) add(t verify.Target, r *verify.Report) error {
	s := f.summary
	s.Reports = append(s.Reports, r)
	for _, m := range r.Modules {
		v := module.Version{Path: m.Path, Version: m.Version}
		name := v.String()
		if m.Status == verify.Local {
			name = fmt.Sprintf("%s of %s", name, t.Dir) // another in each project
		}
		if f.first(name) {
			s.Modules++
			if m.Status == verify.Verified {
				s.Proven++
			}
		}
		if !m.OK && m.Status != verify.Local { // a local module is for the enclave's policy to judge
			f.judge(t, v, m.Verdict)
		}
	}
	for _, a := range r.Artifacts {
		s.Artifacts++
		if a.Status == verify.Verified {
			s.Proven++
		}
		if before := len(f.lacking); !a.OK {
			f.judge(t, module.Version{Path: a.String()}, a.Verdict)
			f.artifacts += len(f.lacking) - before
		}
	}
	return nil
}

// first tells whether something is told for the first time.
func (f *findings) first(what string) bool {
	told := f.seen[what]
	f.seen[what] = true
	return !told
}

// judge sorts a verdict that is not a pass. What speaks against a module may be said of
// one project alone, by its go.sum; that evidence lacks is said of the module.
func (f *findings) judge(t verify.Target, name module.Version, v verify.Verdict) {
	e := ModuleError{Module: name, Err: fmt.Errorf("%s: %s", v.Status, v.Reason)}
	switch v.Status {
	case verify.NotLogged, verify.NotAllowed:
		if !f.first(fmt.Sprintf("%s lacks evidence", name)) {
			return
		}
		for _, l := range f.summary.LeftOut {
			if l.Subject == e.Module.String() {
				e.Err = fmt.Errorf("%w; entries left out: %d %s", e.Err, l.Count, l.Why)
			}
		}
		f.lacking = append(f.lacking, e)
	default:
		if f.first(fmt.Sprintf("%s: %v", name, e.Err)) {
			f.wrong = append(f.wrong, ModuleError{Module: name, Err: f.in(t.Dir, e.Err)})
		}
	}
}

// lacksEvidence says of which modules and artifacts the evidence is not enough;
// so many are artifacts.
func lacksEvidence(all []ModuleError, artifacts int) *IncompleteError {
	what, do := "modules", "have them attested (modseal attest)"
	switch {
	case artifacts == len(all):
		what, do = "artifacts", "give their Sigstore bundles with --attestations"
	case artifacts > 0:
		what, do = "modules and artifacts", "have modules attested (modseal attest), give the Sigstore bundles of artifacts with --attestations"
	}
	return &IncompleteError{What: what + " lack evidence; nothing was written", Unproven: true, Modules: all, Hint: do + ", or seal what there is with --allow-missing"}
}
