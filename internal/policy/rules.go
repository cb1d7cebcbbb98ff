package policy

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v4"
	"golang.org/x/mod/module"
)

// maxNesting is how deep all-of and any-of may nest.
const maxNesting = 8

func (p *parser) readRules(n *yaml.Node) error {
	nodes, err := p.sequence(n, "rules")
	if err != nil {
		return err
	}
	for i, n := range nodes {
		r := rule{name: fmt.Sprintf("rule %d (line %d)", i+1, n.Line)}
		title := fmt.Sprintf("rule %d", i+1)
		m, err := p.fields(n, title, "modules", "artifacts", "require", "deny")
		if err != nil {
			return err
		}
		if r.match, err = p.readMatcher(n, m, title); err != nil {
			return err
		}
		for _, before := range p.policy.rules {
			if before.match.covers(&r.match) {
				return p.errorf(n.Line, "%s is never reached: %s is for all that it is for", title, before.name)
			}
		}
		switch require, deny := m["require"], m["deny"]; {
		case (require == nil) == (deny == nil):
			return p.errorf(n.Line, "%s: either require, or deny with a reason", title)
		case deny != nil:
			r.deny, err = p.text(deny, title+": deny")
		default:
			r.require, err = p.readRequirement(require, title, r.match.artifacts != "", 1)
		}
		if err != nil {
			return err
		}
		p.policy.rules = append(p.policy.rules, r)
	}
	return nil
}

// readMatcher reads which subjects a rule or an exemption is for.
func (p *parser) readMatcher(n *yaml.Node, m map[string]*yaml.Node, title string) (out matcher, err error) {
	modules, artifacts := m["modules"], m["artifacts"]
	if (modules == nil) == (artifacts == nil) {
		return out, p.errorf(n.Line, "%s: either modules or artifacts", title)
	}
	if artifacts != nil {
		if out.artifacts, err = p.text(artifacts, title+": artifacts"); err != nil {
			return out, err
		}
		out.text = "artifacts " + out.artifacts
		if _, err := path.Match(out.artifacts, ""); err != nil {
			return out, p.errorf(artifacts.Line, "%s: %.100q is no pattern", title, out.artifacts)
		}
		return out, nil
	}
	text, err := p.text(modules, title+": modules")
	if err != nil {
		return out, err
	}
	out.text = "modules " + text
	var globs []string
	for _, pattern := range strings.Split(text, ",") {
		if v, err := parsePattern(pattern); err != nil {
			return out, p.errorf(modules.Line, "%s: %w", title, err)
		} else if v.Path != "" {
			out.modules = append(out.modules, v)
		} else {
			globs = append(globs, pattern)
		}
	}
	out.globs = strings.Join(globs, ",")
	return out, nil
}

// parsePattern checks one pattern. module.MatchPrefixPatterns takes what is none
// for one that matches nothing. Path@version is returned as such.
func parsePattern(s string) (module.Version, error) {
	if name, version, ok := strings.Cut(s, "@"); ok {
		if err := module.Check(name, version); err != nil {
			return module.Version{}, err
		}
		return module.Version{Path: name, Version: version}, nil
	}
	bad := func(why string) (module.Version, error) {
		return module.Version{}, fmt.Errorf("pattern %.100q %s", s, why)
	}
	trimmed := strings.TrimSuffix(s, "/")
	switch {
	case trimmed == "":
		return bad("is empty")
	case strings.ContainsFunc(s, unicode.IsSpace):
		return bad("has white space in it; commas alone separate patterns")
	case strings.Contains(s, "..."):
		return bad(`matches nothing; "example.com/team" matches everything below it, as in GOPRIVATE`)
	case strings.HasPrefix(s, "/") || strings.Contains(s, "//") || strings.Contains(s, ":"):
		return bad("matches nothing; module paths have neither a scheme nor empty elements")
	}
	if _, err := path.Match(trimmed, ""); err != nil {
		return bad("is no pattern")
	}
	return module.Version{}, nil
}

// covers tells of matchers of a file whether one certainly is for all that the
// other is for.
func (m *matcher) covers(o *matcher) bool {
	if (m.artifacts == "") != (o.artifacts == "") {
		return false
	}
	if m.artifacts != "" {
		return m.artifacts == o.artifacts
	}
	have := strings.Split(m.globs, ",")
	if slices.Contains(have, "*") {
		return true
	}
	for _, v := range o.modules {
		if !slices.Contains(m.modules, v) && !module.MatchPrefixPatterns(m.globs, v.Path) {
			return false
		}
	}
	for _, glob := range strings.Split(o.globs, ",") {
		whole := !strings.ContainsAny(glob, `*?[\`) // which is for what begins with these very elements
		if glob != "" && !slices.Contains(have, glob) && !(whole && module.MatchPrefixPatterns(m.globs, strings.TrimSuffix(glob, "/"))) {
			return false
		}
	}
	return true
}

func (p *parser) readLocal(n *yaml.Node) error {
	switch s, err := p.text(n, "local"); {
	case err != nil:
		return err
	case s == "in-tree":
		p.policy.AllowLocal = true
	case s != "deny":
		return p.errorf(n.Line, "local: %.100q is neither in-tree nor deny", s)
	}
	return nil
}

func (p *parser) readExempt(n *yaml.Node) error {
	nodes, err := p.sequence(n, "exempt")
	if err != nil {
		return err
	}
	for i, n := range nodes {
		x, title := exemption{name: fmt.Sprintf("exemption %d (line %d)", i+1, n.Line)}, fmt.Sprintf("exemption %d", i+1)
		m, err := p.fields(n, title, "modules", "artifacts", "reason", "until")
		if err != nil {
			return err
		}
		if x.match, err = p.readMatcher(n, m, title); err != nil {
			return err
		}
		if m["reason"] == nil || m["until"] == nil {
			return p.errorf(n.Line, "%s: needs a reason, and a last day in until", title)
		}
		if x.reason, err = p.text(m["reason"], title+": reason"); err != nil {
			return err
		}
		day, err := p.text(m["until"], title+": until")
		if err != nil {
			return err
		}
		last, err := time.Parse(time.DateOnly, day)
		if err != nil {
			return p.errorf(m["until"].Line, "%s: until %.100q is no day; want YYYY-MM-DD, the last one on which it holds", title, day)
		}
		x.until = last.AddDate(0, 0, 1)
		p.policy.exempt = append(p.policy.exempt, x)
	}
	return nil
}

func (p *parser) readSeal(n *yaml.Node) error {
	m, err := p.fields(n, "seal", "by", "threshold", "max-age")
	if err != nil {
		return err
	}
	if m["by"] == nil {
		return p.errorf(n.Line, "seal: by whom?")
	}
	r := &p.policy.Seal
	if r.by, err = p.signersNamed(m["by"], "seal: by", p.seals); err != nil {
		return err
	}
	if r.threshold, err = p.threshold(m["threshold"], len(r.by), most(r.by), "seal: threshold", "different signers"); err != nil {
		return err
	}
	if m["max-age"] != nil {
		r.maxAge, err = p.duration(m["max-age"], "seal: max-age")
	}
	return err
}
