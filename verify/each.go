package verify

import (
	"context"
	"sync"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/gomod"
	"github.com/modseal/modseal/internal/modhash"
)

// Target is what CheckEach verifies by itself: a project, and what goes with it.
// They are members of Request.
type Target struct {
	Dir, Mod   string
	Toolchains []Toolchain
	Artifacts  []Artifact
}

// CheckEach is Check of one target after the other, by one bundle, one policy and one
// module cache, with a report for each in their order. The bundle is opened once, and
// read whole; what is asked of it and of the module cache for several targets is done once: a
// module that they have alike, by the same lines of go.sum, is not hashed again unless
// something speaks against it.
//
// It is for whoever has made the bundle, and nothing writes to the module cache
// meanwhile. A gate has one project, and Check.
func CheckEach(ctx context.Context, r Request, targets []Target, each func(t Target, report *Report) error) error {
	if r.Policy == nil {
		r.Policy = &Policy{}
	}
	if r.Trust == nil {
		return errNoTrust
	}
	b, err := bundles.Open(r.Bundle, r.BundleSize, bundles.OpenOptions{Seals: r.Seals, InsecureIgnoreSeals: r.InsecureIgnoreSeals, Own: r.OwnManifest, Whole: true})
	if err != nil {
		return err
	}
	p, err := r.prove(b)
	if err != nil {
		return err
	}
	p.known = &knownVerdicts{of: map[gomod.Module]judged{}}
	for _, t := range targets {
		r.Dir, r.Mod, r.Toolchains, r.Artifacts = t.Dir, t.Mod, t.Toolchains, t.Artifacts
		e, err := readEnclave(r)
		if err == nil {
			err = r.something(e)
		}
		if err != nil {
			return err
		}
		report, err := r.judgeBy(ctx, e, p, r.newReader(e))
		if err == nil {
			err = each(t, report)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// knownVerdicts are those on modules that have passed, or lack evidence. Such a
// verdict depends on nothing else that differs between targets than the module as the
// project has it: which one it replaces, what go.sum says of it, and whether its go.mod
// alone is read.
type knownVerdicts struct {
	mu sync.Mutex
	of map[gomod.Module]judged
}

// keyOf is the module without what no such verdict depends on.
func keyOf(m gomod.Module) gomod.Module {
	m.Direct, m.SumFile, m.GoModSumFile = false, "", ""
	return m
}

// checkOnce is check, unless its verdict is known.
func (c *moduleCheck) checkOnce(ctx context.Context, m gomod.Module, e *early) (judged, error) {
	if c.known == nil || m.LocalDir != "" || m.GOROOT != "" {
		return c.check(ctx, m, e)
	}
	c.known.mu.Lock()
	r, ok := c.known.of[keyOf(m)]
	c.known.mu.Unlock()
	if ok {
		return r, nil
	}
	r, err := c.check(ctx, m, e)
	if err == nil && (r.OK || r.Status == NotLogged || r.Status == NotAllowed) && r.want == (modhash.H1{}) {
		r.have = nil // there is nothing to explain
		c.known.mu.Lock()
		c.known.of[keyOf(m)] = r
		c.known.mu.Unlock()
	}
	return r, err
}
