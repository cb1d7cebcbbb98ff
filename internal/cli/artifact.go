package cli

import (
	"strings"

	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/verify"
)

// artifactFlags name files beside the modules.
type artifactFlags struct {
	Artifact []string `placeholder:"FILE|sha256:HEX" sep:"none" help:"A file beside the modules, such as a toolchain or a release, or its digest (sha256, sha384, sha512). Repeatable. Without DIR there are no modules."`
}

// artifacts reads the files, each named once.
func (f *artifactFlags) artifacts(p *Process) ([]verify.Artifact, error) {
	var out []verify.Artifact
	seen := map[string]bool{}
	for _, name := range f.Artifact {
		a := &verify.Artifact{}
		var err error
		if isDigest(name) {
			var d verify.Digest
			d, err = evidence.ParseDigest(name)
			a.Digests = []verify.Digest{d}
		} else {
			a, err = verify.ReadArtifact(p.path(name))
		}
		if err != nil {
			return nil, usagef("artifact: %w", err)
		}
		if key := a.Name + a.Digests[0].String(); !seen[key] {
			seen[key] = true
			out = append(out, *a)
		}
	}
	return out, nil
}

// isDigest tells a digest from a file: ./sha256:x is a file.
func isDigest(name string) bool {
	return strings.HasPrefix(name, "sha256:") || strings.HasPrefix(name, "sha384:") || strings.HasPrefix(name, "sha512:")
}

// project is the folder of the project: here, unless artifacts or others
// alone are meant.
func (f *artifactFlags) project(p *Process, dir string, others bool) string {
	switch {
	case dir != "":
		return p.path(dir)
	case len(f.Artifact) > 0 || others:
		return ""
	}
	return p.path(".")
}

// projects are the folders of several.
func (f *artifactFlags) projects(p *Process, dirs []string) []string {
	var out []string
	for _, dir := range dirs {
		out = append(out, p.path(dir))
	}
	if here := f.project(p, "", false); len(dirs) == 0 && here != "" {
		out = append(out, here)
	}
	return out
}
