package policy

import (
	"path"
	"slices"

	"golang.org/x/mod/module"
)

// matcher says which subjects a rule or an exemption is for.
type matcher struct {
	text       string // in messages
	everything bool
	globs      string           // of modules, as in GOPRIVATE
	modules    []module.Version // these very ones
	artifacts  string           // pattern of path.Match for artifacts' names
}

func (m *matcher) matches(s Subject) bool {
	switch {
	case (s.Artifact == "") == (s.Module.Path == ""):
		return false // not one subject
	case m.everything:
		return true
	case s.Artifact != "":
		ok, err := path.Match(m.artifacts, s.Artifact)
		return ok && err == nil
	}
	return module.MatchPrefixPatterns(m.globs, s.Module.Path) || slices.Contains(m.modules, s.Module)
}
