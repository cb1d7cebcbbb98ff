package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"
)

// Limits of a policy file.
const (
	MaxFile  = 1 << 20 // bytes
	maxDepth = 32      // of YAML within YAML
	maxList  = 1000    // elements of any list, keys of any mapping
)

// source reads YAML nodes of one file strictly: no alias, anchor, tag, merge or
// second document, no unknown or duplicate key, nothing empty.
type source struct{ name string }

// errorf is an error with file and line.
func (f source) errorf(line int, format string, a ...any) error {
	return fmt.Errorf("%s:%d: %w", f.name, line, fmt.Errorf(format, a...))
}

// load parses the file as one YAML mapping.
func (f source) load(file []byte) (*yaml.Node, error) {
	if len(file) > MaxFile {
		return nil, fmt.Errorf("%s: more than %d bytes", f.name, MaxFile)
	}
	if i := invalidUTF8(file); i >= 0 {
		return nil, f.errorf(1+bytes.Count(file[:i], []byte("\n")), "not UTF-8")
	}
	l, err := yaml.NewLoader(bytes.NewReader(file), yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(maxDepth))))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	var doc, second yaml.Node
	switch err := l.Load(&doc); {
	case errors.Is(err, io.EOF):
		return nil, f.errorf(1, "an empty policy")
	case err != nil:
		return nil, f.syntax(err)
	}
	switch err := l.Load(&second); {
	case err == nil:
		return nil, f.errorf(second.Line, "a second YAML document; a policy is one")
	case !errors.Is(err, io.EOF):
		return nil, f.syntax(err)
	}
	if len(doc.Content) != 1 || null(doc.Content[0]) {
		return nil, f.errorf(1, "an empty policy")
	}
	return doc.Content[0], f.plain(doc.Content[0])
}

func invalidUTF8(b []byte) int {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

func (f source) syntax(err error) error {
	var e *yaml.LoadError
	if errors.As(err, &e) {
		return f.errorf(max(e.Mark.Line, 1), "%s", e.Message)
	}
	return fmt.Errorf("%s: %w", f.name, err)
}

// plain refuses what YAML has and policies have no use for. The library bounds
// the depth; an alias is not followed.
func (f source) plain(n *yaml.Node) error {
	switch {
	case n.Kind == yaml.AliasNode:
		return f.errorf(n.Line, "a YAML alias (%.60q); write it out", n.Value)
	case n.Anchor != "":
		return f.errorf(n.Line, "a YAML anchor (%.60q); a policy has none", n.Anchor)
	case n.Style&yaml.TaggedStyle != 0:
		return f.errorf(n.Line, "a YAML tag (%.60q); a policy has none", n.Tag)
	case n.Kind == yaml.ScalarNode && strings.ContainsFunc(n.Value, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\r' }):
		return f.errorf(n.Line, "a control character in %.100q", n.Value)
	}
	for _, c := range n.Content {
		if err := f.plain(c); err != nil {
			return err
		}
	}
	return nil
}

func null(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// entry is a key of a mapping with its value.
type entry struct {
	key   string
	line  int // of the key
	value *yaml.Node
}

// mapping reads a mapping. What says what it is, in messages.
func (f source) mapping(n *yaml.Node, what string) ([]entry, error) {
	switch {
	case n.Kind != yaml.MappingNode:
		return nil, f.errorf(n.Line, "%s: want a mapping (KEY: VALUE)", what)
	case len(n.Content) == 0:
		return nil, f.errorf(n.Line, "%s: empty", what)
	case len(n.Content)/2 > maxList:
		return nil, f.errorf(n.Line, "%s: more than %d", what, maxList)
	}
	var out []entry
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode || null(k) || k.Value == "" {
			return nil, f.errorf(k.Line, "%s: a key is a word", what)
		}
		if first, ok := seen[k.Value]; ok {
			return nil, f.errorf(k.Line, "%s: %.100q is there twice; the first is in line %d", what, k.Value, first)
		}
		seen[k.Value] = k.Line
		out = append(out, entry{k.Value, k.Line, v})
	}
	return out, nil
}

// fields reads a mapping with these keys alone.
func (f source) fields(n *yaml.Node, what string, known ...string) (map[string]*yaml.Node, error) {
	entries, err := f.mapping(n, what)
	if err != nil {
		return nil, err
	}
	out := map[string]*yaml.Node{}
	for _, e := range entries {
		if !slices.Contains(known, e.key) {
			return nil, f.errorf(e.line, "%s: unknown key %.100q; the keys are %s", what, e.key, strings.Join(known, ", "))
		}
		out[e.key] = e.value
	}
	return out, nil
}

// text reads a string of one line.
func (f source) text(n *yaml.Node, what string) (string, error) {
	switch {
	case n.Kind != yaml.ScalarNode:
		return "", f.errorf(n.Line, "%s: want a word", what)
	case null(n) || n.Value == "":
		return "", f.errorf(n.Line, "%s: empty", what)
	case strings.ContainsAny(n.Value, "\r\n"):
		return "", f.errorf(n.Line, "%s: more than one line", what)
	}
	return n.Value, nil
}

// list reads a list of different strings; one string alone is a list of it.
func (f source) list(n *yaml.Node, what string) ([]string, error) {
	if n.Kind == yaml.ScalarNode {
		s, err := f.text(n, what)
		return []string{s}, err
	}
	elements, err := f.sequence(n, what)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, c := range elements {
		s, err := f.text(c, what)
		if err != nil {
			return nil, err
		}
		if slices.Contains(out, s) {
			return nil, f.errorf(c.Line, "%s: %.100q is there twice", what, s)
		}
		out = append(out, s)
	}
	return out, nil
}

// sequence reads a list that is not empty.
func (f source) sequence(n *yaml.Node, what string) ([]*yaml.Node, error) {
	switch {
	case n.Kind != yaml.SequenceNode:
		return nil, f.errorf(n.Line, "%s: want a list", what)
	case len(n.Content) == 0:
		return nil, f.errorf(n.Line, "%s: an empty list", what)
	case len(n.Content) > maxList:
		return nil, f.errorf(n.Line, "%s: more than %d", what, maxList)
	}
	return n.Content, nil
}

// threshold reads how many there must be of so many names, of which n can be
// there at once: a number, any (1) or all. A missing node is 1.
func (f source) threshold(node *yaml.Node, names, n int, what, of string) (int, error) {
	if node == nil {
		return 1, nil
	}
	s, err := f.text(node, what)
	if err != nil {
		return 0, err
	}
	switch s {
	case "any":
		return 1, nil
	case "all":
		if n < names {
			return 0, f.errorf(node.Line, "%s: all %d can't be there: some are one identity", what, names)
		}
		return n, nil
	}
	k, err := strconv.Atoi(s)
	switch {
	case err != nil || strconv.Itoa(k) != s:
		return 0, f.errorf(node.Line, "%s: %.100q is no number (nor any, nor all)", what, s)
	case k < 1:
		return 0, f.errorf(node.Line, "%s: %d; nothing would be needed", what, k)
	case k > n:
		return 0, f.errorf(node.Line, "%s: %d of %d %s can't be", what, k, n, of)
	}
	return k, nil
}
