package cli

import (
	"context"
	"os"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/materialize"
	"github.com/modseal/modseal/verify"
)

// materialize verifies copies of the modules, which are in DIR after a pass.
func (c *verifyCommand) materialize(ctx context.Context, p *Process, request *verify.Request, hashing *verifyProgress) error {
	dir := p.path(c.Materialize)
	if err := checkNewDir(dir); err != nil {
		return err
	}
	if request.Dir == "" {
		return usagef("--materialize without a project: name its DIR")
	}
	b, err := bundles.Open(request.Bundle, request.BundleSize, bundles.OpenOptions{Seals: request.Seals, InsecureIgnoreSeals: request.InsecureIgnoreSeals})
	if err != nil {
		return err
	}
	copying := newVerifyProgress(p, "copy modules", c.Quiet)
	hash := request.Progress
	request.Progress = func(p verify.Progress) {
		if p.Total > 0 {
			copying.done()
		}
		hash(p)
	}
	return writeWhole(ctx, dir, 0o555, func(fresh string, root *os.Root) error {
		r, err := materialize.Cache(ctx, materialize.Request{
			Verify: *request, Bundle: b, Fresh: fresh, Root: root, Name: dir, Progress: copying.update,
		})
		copying.ui.end()
		hashing.done()
		if err != nil {
			return err
		}
		return c.judged(p, r, c.Explain)
	})
}
