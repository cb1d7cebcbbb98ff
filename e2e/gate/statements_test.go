package gate

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/modseal/modseal/e2e/keyless"
)

const provenance, broken = "https://slsa.dev/provenance/v1", "https://modseal.test/broken/v1"

// subject is one of what a statement is about.
type subject struct {
	name    string
	digests map[string]string
}

// subjectOf is a module as a statement should name it, by its zip and its h1.
func (s *site) subjectOf(module string) subject {
	s.Helper()
	return subject{module, map[string]string{"sha256": fmt.Sprintf("%x", s.zipDigest(module)), "dirHash1": fmt.Sprintf("%x", s.h1(module))}}
}

// statement is an in-toto statement.
func statement(predicateType string, subjects ...subject) []byte {
	var all []any
	for _, s := range subjects {
		all = append(all, map[string]any{"name": s.name, "digest": s.digests})
	}
	return encode(map[string]any{
		"_type": "https://in-toto.io/Statement/v1", "subject": all,
		"predicateType": predicateType, "predicate": map[string]any{"by": "a test"},
	})
}

// A statement about a module counts in whichever log and as whatever kind it is logged: handed over, and as such alone.
func TestStatements(t *testing.T) {
	t.Parallel()
	const module, other = "rsc.io/quote@v1.3.0", "github.com/google/uuid@v1.1.0"
	base := newSite(t, module)
	whole := base.subjectOf(module)
	only := func(name, algorithm, as string) subject {
		return subject{name, map[string]string{as: whole.digests[algorithm]}}
	}
	sign := func(subjects ...subject) keyless.Request {
		return keyless.Request{Email: alice, Statement: statement(provenance, subjects...)}
	}
	v1, v2, intoto := sign(whole), sign(whole), sign(whole)
	v1.V1, v2.V2, intoto.Intoto = true, true, true
	in := func(r keyless.Request) keyless.Request { r.V1 = true; return r }
	for _, c := range []struct {
		name    string
		request keyless.Request
		require string
		ok      bool
		says    string // of the explanation
	}{
		{"dsse in v1", v1, "{signed-by: alice}", true, "counted: statement in " + rekorV1()},
		{"intoto in v1", intoto, "{signed-by: alice}", true, "counted: statement in " + rekorV1()},
		{"in v2", v2, "{signed-by: alice}", true, "counted: statement in " + rekorV2},
		{"of a type that is asked for", v2, "{signed-by: alice, predicate-types: " + provenance + "}", true, "met"},
		{"of another type", v2, "{signed-by: alice, predicate-types: " + broken + "}", false, "not counted: statement"},
		{"where zips are asked for", v2, "{signed-by: alice, of: zip}", false, "not counted: statement"},
		{"where statements are asked for", v2, "{signed-by: alice, of: statement}", true, "met"},
		{"by somebody else", v2, "{signed-by: bob}", false, "not met"},
		{"by package URL", in(sign(only("pkg:golang/"+module, "sha256", "sha256"))), "{signed-by: alice}", true, "met"},
		{"by h1 alone", in(sign(only(module, "dirHash1", "dirHash1"))), "{signed-by: alice}", true, "met"},
		{"by the older name of h1", in(sign(only(module, "dirHash1", "goModuleH1"))), "{signed-by: alice}", true, "met"},
		{"with the digest under another module's name", in(sign(only(other, "sha256", "sha256"))), "{signed-by: alice}", false, "not met"},
		{"with the digest under another version's name", in(sign(only("rsc.io/quote@v1.3.1", "sha256", "sha256"))), "{signed-by: alice}", false, "not met"},
		{"with the name over another digest", in(sign(only("example.com/other@v1.0.0", "sha256", "sha256"),
			subject{module, map[string]string{"sha256": strings.Repeat("00", 32)}})), "{signed-by: alice}", false, "not met"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := base.again(t)
			s.home, s.logKey, s.rekor = t.TempDir(), "", "off" // what others said is in the same log
			s.project("project", "1.24", module)
			s.run(0, "keygen", "--no-password", "-o", "seal")
			s.publish(c.request)
			s.snapshot(0, slices.Concat(trusting(), []string{"--attestations", published, "--allow-missing"})...)
			want, status := 0, "verified"
			if !c.ok {
				want, status = 1, "not-allowed"
			}
			r := s.enclave(want, slices.Concat(trusting(), s.require(c.require), []string{"--explain", module})...)
			m := s.status(r, module, status)
			s.says(strings.Join(m.Explain, "\n"), c.says)
			if len(m.Evidence) == 0 || m.Evidence[0].Of != "statement" && c.ok || c.ok && m.Evidence[0].PredicateType != provenance {
				t.Errorf("the evidence is %+v", m.Evidence)
			}
		})
	}
}

// Of statements that nobody handed over, a log has those that it keeps itself: as intoto, where it stores attestations.
func TestStatementsFound(t *testing.T) {
	t.Parallel()
	const module = "github.com/google/uuid@v1.1.0"
	s := newSite(t, module)
	s.logKey = ""
	s.publish(
		keyless.Request{Email: alice, Statement: statement(provenance, s.subjectOf(module)), Intoto: true},
		keyless.Request{Email: bob, Statement: statement(provenance, s.subjectOf(module)), V1: true},
	)
	s.eventually(func() bool { return len(s.search(s.zipDigest(module), nil)) == 2 })
	said := s.snapshot(0, append(trusting(), s.require("{signed-by: alice}")...)...)
	s.says(said.stderr, module+": entries left out: 1 of kinds that are not read, or whose statement the log does not keep")
	m := s.status(s.enclave(0, append(trusting(), s.require("{signed-by: alice, predicate-types: "+provenance+"}")...)...), module, "verified")
	if m.accepted() != "statement" {
		t.Errorf("the evidence is %+v", m.Evidence)
	}
	s.status(s.enclave(1, append(trusting(), s.require("{signed-by: bob}")...)...), module, "not-allowed")
}
