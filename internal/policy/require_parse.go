package policy

import (
	"slices"
	"time"

	"go.yaml.in/yaml/v4"
)

// readRequirement reads what a rule asks for: the word sumdb, or a mapping in
// which one key says what it is.
func (p *parser) readRequirement(n *yaml.Node, title string, artifact bool, depth int) (requirement, error) {
	if depth > maxNesting {
		return nil, p.errorf(n.Line, "%s: requirements nested more than %d deep", title, maxNesting)
	}
	if n.Kind == yaml.ScalarNode {
		if n.Value != "sumdb" {
			return nil, p.errorf(n.Line, "%s: require %.100q; want sumdb, or one of all-of, any-of, sumdb and signed-by with its value", title, n.Value)
		}
		return p.needRecords(n, title, artifact, &records{logs: 1})
	}
	entries, err := p.mapping(n, title+": require")
	if err != nil {
		return nil, err
	}
	kind := ""
	for _, e := range entries {
		if slices.Contains([]string{"all-of", "any-of", "sumdb", "signed-by"}, e.key) {
			if kind != "" {
				return nil, p.errorf(e.line, "%s: %s and %s in one requirement; put both below all-of or any-of", title, kind, e.key)
			}
			kind = e.key
		}
	}
	switch kind {
	case "all-of", "any-of":
		m, err := p.fields(n, title+": "+kind, kind)
		if err != nil {
			return nil, err
		}
		of, err := p.readRequirements(m[kind], title, artifact, depth)
		if kind == "any-of" {
			return &anyOf{of}, err
		}
		return &allOf{of}, err
	case "sumdb":
		return p.readRecords(n, title, artifact)
	case "signed-by":
		return p.readSignedBy(n, title)
	}
	return nil, p.errorf(entries[0].line, "%s: require %.100q; want one of all-of, any-of, sumdb and signed-by", title, entries[0].key)
}

func (p *parser) readRequirements(n *yaml.Node, title string, artifact bool, depth int) ([]requirement, error) {
	nodes, err := p.sequence(n, title)
	if err != nil {
		return nil, err
	}
	var out []requirement
	for _, n := range nodes {
		r, err := p.readRequirement(n, title, artifact, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

func (p *parser) needRecords(n *yaml.Node, title string, artifact bool, r *records) (requirement, error) {
	if artifact {
		return nil, p.errorf(n.Line, "%s: checksum databases have no records of artifacts", title)
	}
	return r, nil
}

func (p *parser) readRecords(n *yaml.Node, title string, artifact bool) (requirement, error) {
	m, err := p.fields(n, title+": sumdb", "sumdb", "logs", "witnesses")
	if err != nil {
		return nil, err
	}
	r := &records{}
	if r.of, err = p.list(m["sumdb"], title+": sumdb"); err != nil {
		return nil, err
	}
	if r.logs, err = p.threshold(m["logs"], len(r.of), len(r.of), title+": logs", "databases"); err != nil {
		return nil, err
	}
	if r.witnesses, err = p.readCosigned(m["witnesses"], title); err != nil {
		return nil, err
	}
	return p.needRecords(n, title, artifact, r)
}

func (p *parser) readSignedBy(n *yaml.Node, title string) (requirement, error) {
	m, err := p.fields(n, title+": signed-by", "signed-by", "threshold", "logs", "in", "of", "predicate-types",
		"logged-after", "logged-before", "logged-within", "witnesses")
	if err != nil {
		return nil, err
	}
	q := &signedBy{}
	if q.signers, err = p.signersNamed(m["signed-by"], title+": signed-by", p.vouch); err != nil {
		return nil, err
	}
	if q.threshold, err = p.threshold(m["threshold"], len(q.signers), most(q.signers), title+": threshold", "different signers"); err != nil {
		return nil, err
	}
	most := maxList
	if m["in"] != nil {
		if q.in, err = p.list(m["in"], title+": in"); err != nil {
			return nil, err
		}
		most = len(q.in)
	} else if m["logs"] != nil && m["logs"].Value == "all" {
		return nil, p.errorf(m["logs"].Line, "%s: all logs; say which with in", title)
	}
	if q.logs, err = p.threshold(m["logs"], most, most, title+": logs", "logs"); err != nil {
		return nil, err
	}
	if err := p.readWhat(m, q, title); err != nil {
		return nil, err
	}
	if err := p.readWindows(m, q, title); err != nil {
		return nil, err
	}
	q.witnesses, err = p.readCosigned(m["witnesses"], title)
	return q, err
}

// readWhat reads what must have been signed.
func (p *parser) readWhat(m map[string]*yaml.Node, q *signedBy, title string) (err error) {
	if n := m["of"]; n != nil {
		if q.of, err = p.list(n, title+": of"); err != nil {
			return err
		}
		for _, of := range q.of {
			if !slices.Contains(signedKinds(), of) {
				return p.errorf(n.Line, "%s: of %.100q; want zip, listing, statement or signature", title, of)
			}
		}
	}
	if n := m["predicate-types"]; n != nil {
		if q.predicates, err = p.list(n, title+": predicate-types"); err != nil {
			return err
		}
		if q.of == nil {
			q.of = []string{OfStatement}
		}
		if !slices.Equal(q.of, []string{OfStatement}) {
			return p.errorf(n.Line, "%s: predicate-types are of statements alone; want of: statement, or no of", title)
		}
	}
	return nil
}

func (p *parser) readWindows(m map[string]*yaml.Node, q *signedBy, title string) (err error) {
	for _, key := range []string{"logged-after", "logged-before"} {
		to, n := &q.after, m[key]
		if key == "logged-before" {
			to = &q.before
		}
		if n == nil {
			continue
		}
		s, err := p.text(n, title+": "+key)
		if err != nil {
			return err
		}
		if *to, err = time.Parse(time.RFC3339, s); err != nil || to.IsZero() {
			return p.errorf(n.Line, "%s: %s %.100q is no moment; want one like 2026-01-31T00:00:00Z (RFC 3339)", title, key, s)
		}
	}
	if n := m["logged-before"]; n != nil && m["logged-after"] != nil && !q.after.Before(q.before) {
		return p.errorf(n.Line, "%s: nothing is logged at or after %s and before %s", title, stamp(q.after), stamp(q.before))
	}
	if n := m["logged-within"]; n != nil {
		q.within, err = p.duration(n, title+": logged-within")
	}
	return err
}

func (p *parser) readCosigned(n *yaml.Node, title string) (*cosigned, error) {
	if n == nil {
		return nil, nil
	}
	title += ": witnesses"
	m, err := p.fields(n, title, "of", "threshold")
	if err != nil {
		return nil, err
	}
	if m["of"] == nil {
		return nil, p.errorf(n.Line, "%s: of whom?", title)
	}
	q := &cosigned{}
	if q.of, err = p.list(m["of"], title+": of"); err != nil {
		return nil, err
	}
	for _, name := range q.of {
		if _, ok := p.witness[name]; !ok {
			return nil, p.errorf(m["of"].Line, "%s: no witness is named %.100q", title, name)
		}
		p.witness[name] = true
	}
	q.threshold, err = p.threshold(m["threshold"], len(q.of), len(q.of), title+": threshold", "witnesses")
	return q, err
}

// signersNamed reads names of signers, and notes in used that they are.
func (p *parser) signersNamed(n *yaml.Node, title string, used map[string]bool) ([]*Signer, error) {
	names, err := p.list(n, title)
	if err != nil {
		return nil, err
	}
	var out []*Signer
	for _, name := range names {
		s := p.signers[name]
		if s == nil {
			return nil, p.errorf(n.Line, "%s: no signer is named %.100q", title, name)
		}
		used[name] = true
		out = append(out, s)
	}
	return out, nil
}

// most is how many of the signers there can be at once: two names for one
// identity are never two.
func most(signers []*Signer) int {
	n, seen := 0, map[string]bool{}
	for _, s := range signers {
		if id := s.exactly(); id != "" && seen[id] {
			continue
		} else {
			seen[id] = true
		}
		n++
	}
	return n
}

// duration reads a positive duration, as Go writes one.
func (p *parser) duration(n *yaml.Node, title string) (time.Duration, error) {
	s, err := p.text(n, title)
	if err != nil {
		return 0, err
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, p.errorf(n.Line, "%s: %.100q is no length of time; want one like 720h", title, s)
	}
	return d, nil
}
