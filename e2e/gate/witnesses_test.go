package gate

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/transparency-dev/formats/note"
	sumnote "golang.org/x/mod/sumdb/note"

	"github.com/modseal/modseal/e2e/faultproxy"
	"github.com/modseal/modseal/e2e/keyless"
)

// witness cosigns checkpoints (C2SP tlog-cosignature).
type witness struct {
	name, vkey string
	signer     sumnote.Signer
}

func newWitness(t *testing.T, name string) *witness {
	t.Helper()
	secret, public, err := sumnote.GenerateKey(rand.Reader, name+".example")
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{name: name}
	if w.vkey, err = note.VKeyToCosignatureV1(public); err != nil {
		t.Fatal(err)
	}
	if w.signer, err = note.NewSignerForCosignatureV1(secret); err != nil {
		t.Fatal(err)
	}
	return w
}

// line is the witness's signature of a checkpoint's text.
func (w *witness) line(t *testing.T, text string) string {
	t.Helper()
	signed, err := sumnote.Sign(&sumnote.Note{Text: text}, w.signer)
	if err != nil {
		t.Error(err)
		return ""
	}
	_, line, _ := bytes.Cut(signed, []byte("\n\n"))
	return string(line)
}

// A policy that asks for k of n witnesses is met by a checkpoint that so many of them cosigned: the policy's own, each for himself,
// and this very checkpoint. A false cosignature counts for nobody and harms nobody.
func TestWitnesses(t *testing.T) {
	t.Parallel()
	const module = "github.com/google/uuid@v1.1.2"
	s := newSite(t, module)
	s.logKey = ""
	north, south, west, east := newWitness(t, "north"), newWitness(t, "south"), newWitness(t, "west"), newWitness(t, "east")
	stranger := newWitness(t, "west") // in his name, with another key
	s.publish(keyless.Request{Artifact: s.zipOf(module), Email: alice, V1: true, V2: true})
	_, flags := s.tilesProxy(func(r faultproxy.Request) faultproxy.Fault {
		if r.Path != checkpointPath {
			return faultproxy.Fault{}
		}
		return faultproxy.Fault{Change: func(_ string, body []byte) []byte {
			text, _, _ := strings.Cut(string(body), "\n\n")
			text += "\n"
			out := string(body) + north.line(t, text) + stranger.line(t, text)
			out += flipSignature(south.line(t, text)).(string)                         // not a signature
			out += east.line(t, strings.Replace(text, rekorV2, rekorV2+".example", 1)) // of another log's
			return []byte(out + west.line(t, text))
		}}
	})
	s.snapshot(0, slices.Concat(trusting(), flags, s.require("{signed-by: alice, logs: 2}"), []string{"--attestations", published})...)

	policy := func(requirement string) []string {
		text := "witnesses:\n"
		for _, w := range []*witness{north, south, west, east} {
			if strings.Contains(requirement, w.name) {
				text += fmt.Sprintf("  %s: {vkey: %q}\n", w.name, w.vkey)
			}
		}
		return slices.Concat(trusting(), s.policy(text+"rules:\n  - {modules: \"*\", require: "+requirement+"}\n"), []string{"--explain", module})
	}
	for _, c := range []struct {
		witnesses, more string
		ok              bool
	}{
		{"{of: [north, west], threshold: 2}", "", true},
		{"{of: [north, south, west], threshold: 2}", "", true},
		{"{of: [north, south, west, east], threshold: 3}", "", false},
		{"{of: [north, south, west], threshold: all}", "", false},
		{"{of: [north], threshold: 1}", "", true},
		{"{of: [south], threshold: 1}", "", false},
		{"{of: [east], threshold: 1}", "", false},
		{"{of: [south, east], threshold: 1}", "", false},
		{"{of: [north], threshold: 1}", ", logs: 2", false}, // Rekor v1 has none
		{"{of: [north], threshold: 1}", ", in: " + rekorV2, true},
	} {
		want, status := 0, "verified"
		if !c.ok {
			want, status = 1, "not-allowed"
		}
		r := s.enclave(want, policy("{signed-by: alice, witnesses: "+c.witnesses+c.more+"}")...)
		m := s.status(r, module, status)
		for _, l := range r.Logs {
			if !l.Proven || l.Kind == "rekor-v1" && len(l.Witnesses) > 0 || strings.Join(l.Witnesses, " ") != strings.Join(cosigned(l.Kind, c.witnesses), " ") {
				t.Errorf("%s: %s is proven: %t, witnessed by %q", c.witnesses, l.Name, l.Proven, l.Witnesses)
			}
		}
		if c.ok && m.accepted() != "zip" {
			t.Errorf("%s: accepted is evidence over %q, want one zip", c.witnesses, m.accepted())
		}
		if !c.ok {
			s.says(strings.Join(m.Explain, "\n"), "not counted: zip in "+rekorV1())
		}
	}
	r := s.alone(0, slices.Concat([]string{"verify", "--seal-key", "seal.pub"}, policy("{signed-by: alice, witnesses: {of: [north, west], threshold: 2}}"), []string{s.bundle(), "project"})...)
	s.says(r.stdout, "witnessed by north, west", "PASS")
}

// cosigned are those of a policy's witnesses who cosigned the head of a log in truth.
func cosigned(kind, policy string) (names []string) {
	for _, name := range []string{"north", "west"} {
		if kind == "rekor-v2" && strings.Contains(policy, name) {
			names = append(names, name)
		}
	}
	return names
}
