package cli

import (
	"context"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/materialize"
	"github.com/modseal/modseal/verify"
)

// beginCopies makes the folder that the copies of modules are written to.
func (c *verifyCommand) beginCopies(p *Process) (*newFolder, error) {
	if c.project(p, c.Dir, len(c.Binary) > 0) == "" {
		return nil, usagef("--materialize without a project: name its DIR")
	}
	dir := p.path(c.Materialize)
	if err := checkNewDir(dir); err != nil {
		return nil, err
	}
	folder, err := beginFolder(dir)
	if err != nil {
		return nil, err
	}
	folder.mode = 0o555
	return folder, nil
}

// materialize copies the modules into a folder and verifies the copies.
func (c *verifyCommand) materialize(ctx context.Context, p *Process, request *verify.Request, folder *newFolder) (*verify.Report, error) {
	b, err := bundles.Open(request.Bundle, request.BundleSize, bundles.OpenOptions{Seals: request.Seals, InsecureIgnoreSeals: request.InsecureIgnoreSeals})
	if err != nil {
		return nil, err
	}
	copying := newVerifyProgress(p, "copy modules", c.Quiet)
	defer copying.ui.end()
	hash := request.Progress
	request.Progress = func(p verify.Progress) {
		if p.Total > 0 {
			copying.done()
		}
		hash(p)
	}
	return materialize.Cache(ctx, materialize.Request{
		Verify: *request, Bundle: b, Fresh: folder.fresh, Root: folder.root, Name: folder.place, Progress: copying.update,
	})
}
