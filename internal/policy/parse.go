package policy

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"

	"github.com/modseal/modseal/internal/keys"
)

// parser reads one policy file.
type parser struct {
	source
	read    func(name string) ([]byte, error)
	signers map[string]*Signer
	lines   map[string]int  // where signers are defined, and "witness " and witnesses
	vouch   map[string]bool // signers that a rule names
	seals   map[string]bool // signers that seal names
	witness map[string]bool // witnesses, and whether a rule names them
	policy  *Policy

	expressions int // steps of all regular expressions
}

// Parse reads a policy file (docs/policy.md). Read is called for the key files
// that it names, with their names relative to the policy file's directory joined
// to it; it should read at most keys.MaxKeyFile bytes. Errors have file and line.
func Parse(name string, file []byte, read func(name string) ([]byte, error)) (*Policy, error) {
	if name == "" {
		name = "policy"
	}
	p := &parser{
		source: source{name}, read: read, policy: &Policy{source: name},
		signers: map[string]*Signer{}, lines: map[string]int{}, vouch: map[string]bool{}, seals: map[string]bool{}, witness: map[string]bool{},
	}
	root, err := p.load(file)
	if err != nil {
		return nil, err
	}
	m, err := p.fields(root, "policy", "version", "signers", "witnesses", "rules", "local", "exempt", "seal")
	if err != nil {
		return nil, err
	}
	if m["version"] == nil {
		return nil, p.errorf(root.Line, "no version; this is version: 1")
	}
	if v, err := p.text(m["version"], "version"); err != nil || v != "1" {
		return nil, p.errorf(m["version"].Line, "version %.20q; this modseal reads version 1", m["version"].Value)
	}
	if m["rules"] == nil {
		return nil, p.errorf(root.Line, "no rules: nothing would be allowed")
	}
	for _, section := range []struct { // in the order in which they refer to each other
		key  string
		read func(*yaml.Node) error
	}{
		{"signers", p.readSigners}, {"witnesses", p.readWitnesses}, {"rules", p.readRules},
		{"local", p.readLocal}, {"exempt", p.readExempt}, {"seal", p.readSeal},
	} {
		if n := m[section.key]; n != nil {
			if err := section.read(n); err != nil {
				return nil, err
			}
		}
	}
	if err := p.unused(); err != nil {
		return nil, err
	}
	return p.policy, nil
}

// unused refuses signers and witnesses that nothing refers to: a misspelled
// rule, perhaps.
func (p *parser) unused() error {
	for _, s := range p.policy.named {
		if !p.vouch[s.Name] && !p.seals[s.Name] {
			return p.errorf(p.lines[s.Name], "signer %q: no rule names it, nor does seal", s.Name)
		}
		if p.vouch[s.Name] {
			p.policy.Signers = append(p.policy.Signers, *s)
		}
	}
	for _, w := range p.policy.Witnesses {
		if !p.witness[w.Name] {
			return p.errorf(p.lines["witness "+w.Name], "witness %q: no rule names it", w.Name)
		}
	}
	return nil
}

// isName tells whether a word can name a signer or a witness.
func isName(s string) bool {
	return len(s) <= 64 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == "" && s != "any" && s != "all"
}

func (p *parser) readSigners(n *yaml.Node) error {
	entries, err := p.mapping(n, "signers")
	if err != nil {
		return err
	}
	same := map[string]string{} // names by what is behind them
	for _, e := range entries {
		if !isName(e.key) {
			return p.errorf(e.line, "signer %.100q: a name has up to 64 letters, digits, dots, dashes and underscores, and is not any or all", e.key)
		}
		s, what, err := p.readSigner(e)
		if err != nil {
			return err
		}
		if other, ok := same[what]; ok {
			return p.errorf(e.line, "signer %q is the same as %q", e.key, other)
		}
		same[what] = e.key
		p.signers[e.key], p.lines[e.key] = s, e.line
		p.policy.named = append(p.policy.named, s)
	}
	return nil
}

// readSigner reads a signer. What is equal for signers that are the same.
func (p *parser) readSigner(e entry) (s *Signer, what string, err error) {
	title := "signer " + e.key
	known := []string{"key", "identity", "identity-regexp", "issuer", "issuer-regexp"}
	for _, x := range fields() {
		known = append(known, x.key, x.key+"-regexp")
	}
	m, err := p.fields(e.value, title, known...)
	if err != nil {
		return nil, "", err
	}
	if n := m["key"]; n != nil {
		if len(m) > 1 {
			return nil, "", p.errorf(e.line, "%s: a key is all that a signer with a key has", title)
		}
		k, err := p.readKey(n, title)
		if err != nil {
			return nil, "", err
		}
		return &Signer{Name: e.key, Key: k}, k.String(), nil
	}
	texts := map[string]string{}
	for _, key := range known {
		if m[key] == nil {
			continue
		}
		if texts[key], err = p.text(m[key], title+": "+key); err != nil {
			return nil, "", err
		}
		what += fmt.Sprintf("%s=%q ", key, texts[key])
		if strings.HasSuffix(key, "-regexp") {
			p.expressions += expressionSize(texts[key])
		}
		if p.expressions > maxExpressions {
			return nil, "", p.errorf(m[key].Line, "%s: %w: more than %d steps in all of the policy", title, errExpression, maxExpressions)
		}
	}
	id, err := IdentitySigner(Identity{texts["identity"], texts["identity-regexp"], texts["issuer"], texts["issuer-regexp"]})
	if err != nil {
		return nil, "", p.errorf(e.line, "%s: %w", title, err)
	}
	s = &Signer{Name: e.key, Identity: id.Identity}
	for _, f := range fields() {
		exact, expr := texts[f.key], texts[f.key+"-regexp"]
		if exact == "" && expr == "" {
			continue
		}
		if exact != "" && expr != "" {
			return nil, "", p.errorf(e.line, "%s: either %s or %s-regexp", title, f.key, f.key)
		}
		x := extension{key: f.key, value: f.value, exact: exact}
		if expr != "" {
			anchored, err := anchor(expr)
			if err != nil {
				return nil, "", p.errorf(m[f.key+"-regexp"].Line, "%s: %w", title, err)
			}
			x.expr = regexp.MustCompile(anchored) // which anchor compiled
		}
		s.extensions = append(s.extensions, x)
	}
	return s, what, nil
}

// readKey reads a public key: of a file, or PEM that is there itself.
func (p *parser) readKey(n *yaml.Node, title string) (*keys.Public, error) {
	if n.Kind == yaml.ScalarNode && strings.HasPrefix(n.Value, "-----BEGIN ") {
		k, err := keys.ParsePublic([]byte(n.Value))
		if err != nil {
			return nil, p.errorf(n.Line, "%s: %w", title, err)
		}
		return k, nil
	}
	name, err := p.text(n, title+": key")
	if err != nil {
		return nil, err
	}
	path := filepath.FromSlash(name)
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(p.name), path)
	}
	if p.read == nil {
		return nil, p.errorf(n.Line, "%s: no key files can be read here", title)
	}
	data, err := p.read(path)
	if err == nil && len(data) > keys.MaxKeyFile {
		err = fmt.Errorf("more than %d bytes", keys.MaxKeyFile)
	}
	if err != nil {
		return nil, p.errorf(n.Line, "%s: %w", title, err)
	}
	k, err := keys.ParsePublic(data)
	if err != nil {
		return nil, p.errorf(n.Line, "%s: %s: %w", title, name, err)
	}
	return k, nil
}

func (p *parser) readWitnesses(n *yaml.Node) error {
	entries, err := p.mapping(n, "witnesses")
	if err != nil {
		return err
	}
	var seen [][]byte
	for _, e := range entries {
		if !isName(e.key) {
			return p.errorf(e.line, "witness %.100q: a name has up to 64 letters, digits, dots, dashes and underscores, and is not any or all", e.key)
		}
		m, err := p.fields(e.value, "witness "+e.key, "vkey")
		if err != nil {
			return err
		}
		vkey, err := p.text(m["vkey"], "witness "+e.key)
		if err != nil {
			return err
		}
		key, err := parseVKey(vkey)
		if err != nil {
			return p.errorf(m["vkey"].Line, "witness %s: vkey %w", e.key, err)
		}
		if slices.ContainsFunc(seen, func(k []byte) bool { return bytes.Equal(k, key) }) {
			return p.errorf(e.line, "witness %s has the key of another", e.key)
		}
		seen = append(seen, key)
		p.witness[e.key], p.lines["witness "+e.key] = false, e.line
		p.policy.Witnesses = append(p.policy.Witnesses, Witness{e.key, vkey})
	}
	return nil
}

// algCosignature is the algorithm byte of a witness's Ed25519 key (C2SP
// tlog-cosignature, "Format"; signed-note, "Signature types").
const algCosignature = 0x04

// parseVKey checks the form of a witness's verifier key (C2SP signed-note,
// "Verifier keys") and returns its key.
func parseVKey(vkey string) ([]byte, error) {
	name, rest, _ := strings.Cut(vkey, "+")
	hash, key64, ok := strings.Cut(rest, "+")
	if !ok || name == "" || strings.ContainsFunc(name, unicode.IsSpace) {
		return nil, fmt.Errorf("%.200q is not NAME+HASH+KEY", vkey)
	}
	key, err := base64.StdEncoding.Strict().DecodeString(key64)
	if err != nil || len(key) < 2 {
		return nil, fmt.Errorf("%.200q: the key is not base64", vkey)
	}
	if key[0] != algCosignature || len(key) != 1+ed25519.PublicKeySize {
		return nil, fmt.Errorf("%.200q: a key of type %#02x and %d bytes; want a witness's Ed25519 key, of type 0x04 and %d", vkey, key[0], len(key)-1, ed25519.PublicKeySize)
	}
	sum := sha256.Sum256(append([]byte(name+"\n"), key...))
	if hash != hex.EncodeToString(sum[:4]) {
		return nil, fmt.Errorf("%.200q: the hash of name and key is %x", vkey, sum[:4])
	}
	return key, nil
}
