package gate

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/modseal/modseal/e2e/keyless"
)

// A file beside the modules is proven by what was signed without a key and logged in both Rekors. Of artifacts alone, with what
// their publisher handed over, a snapshot is taken without a network too.
func TestArtifact(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.logKey = ""
	const name = "tool-1.2.3.tar.gz"
	content := []byte("a tool, as it was released: " + t.Name())
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256(content))
	s.write(filepath.Join(s.home, name), string(content))
	s.publish(
		keyless.Request{Artifact: content, Email: alice, V1: true, V2: true},
		keyless.Request{Email: bob, V2: true, Statement: statement(provenance, subject{name, map[string]string{"sha256": strings.TrimPrefix(digest, "sha256:")}})},
	)
	take := func(artifact string) []string {
		return slices.Concat([]string{"snapshot", "--rekor-url=off", "--seal-key", "seal.key", "--attestations", published, "--artifact", artifact, "-o", s.bundle(),
			"--certificate-identity", alice, "--certificate-oidc-issuer", shared.rekor.Sigstore.IssuerURL, "--require", "rekor"}, trusting())
	}
	verify := func(want int, artifact string, policy []string) artifactReport {
		t.Helper()
		args := slices.Concat([]string{"verify", "--format", "json", "--seal-key", "seal.pub", "--artifact", artifact}, trusting(), policy, []string{s.bundle()})
		r := s.report(s.alone(want, args...).stdout, want)
		kinds := map[string]int{} // of Rekor v2 there may be two heads: no tiles are read
		for _, l := range r.Logs {
			if l.Proven {
				kinds[l.Kind] += l.Entries
			}
		}
		if len(r.Artifacts) != 1 || len(r.Modules) != 0 || kinds["rekor-v1"] != 1 || kinds["rekor-v2"] != 2 {
			t.Fatalf("the report is %+v", r)
		}
		return r.Artifacts[0]
	}
	rule := func(artifacts, require string) []string {
		return s.policy(fmt.Sprintf("rules:\n  - {artifacts: %q, require: %s}\n", artifacts, require))
	}

	s.says(s.alone(0, take(name)...).stdout, "1 artifact, 1 proven; sealed", "rekor-v1", "rekor-v2")
	for _, c := range []struct {
		policy   []string
		accepted string // "" if it is not allowed
	}{
		{rule("tool-*.tar.gz", "{signed-by: alice, logs: 2}"), "signature signature"},
		{rule("tool-*.tar.gz", "{signed-by: [alice, bob], threshold: 2}"), "signature signature statement"},
		{rule("tool-*.tar.gz", "{signed-by: bob, of: statement}"), "statement"},
		{rule("tool-*.tar.gz", "{signed-by: bob, of: signature}"), ""},
		{rule("tool-*.tar.gz", "{signed-by: carol}"), ""},
		{rule("*.zip", "{signed-by: alice}"), ""},
		{s.require("{signed-by: alice}"), ""}, // which is for modules
	} {
		want, status := 0, "verified"
		if c.accepted == "" {
			want, status = 1, "not-allowed"
		}
		a := verify(want, name, c.policy)
		accepted := strings.Fields(moduleReport{Evidence: a.Evidence}.accepted())
		if slices.Sort(accepted); a.Status != status || strings.Join(accepted, " ") != c.accepted {
			t.Errorf("%s: it is %s by %q, want %s by %q: %s", s.read(filepath.Join(s.home, c.policy[1])), a.Status, accepted, status, c.accepted, a.Reason)
		}
	}
	if a := verify(0, digest, rule("*", "{signed-by: alice}")); a.Status != "verified" {
		t.Errorf("by its digest it is %s: %s", a.Status, a.Reason)
	}
	s.write(filepath.Join(s.home, name), string(content)+"and more")
	if a := verify(1, name, rule("*", "{signed-by: alice}")); a.Status != "not-logged" {
		t.Errorf("changed, it is %s: %s", a.Status, a.Reason)
	}
}

// A snapshot of artifacts alone, with no Rekor to ask, makes no socket.
func TestArtifactNoSockets(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "strace")
	trace := []string{"strace", "-f", "-qq", "-e", "trace=network", "-e", "signal=none", "-o", log}
	needs(t, append(trace, "true")...)
	s := newSite(t)
	content := []byte(t.Name())
	s.write(filepath.Join(s.home, "artifact"), string(content))
	s.publish(keyless.Request{Artifact: content, Email: alice, V1: true, V2: true})
	args := func(rekor string) []string {
		return slices.Concat([]string{"snapshot", "--rekor-url", rekor, "--seal-key", "seal.key", "--attestations", published, "--artifact", "artifact", "-o", s.bundle(),
			"--certificate-identity", alice, "--certificate-oidc-issuer", shared.rekor.Sigstore.IssuerURL, "--require", "rekor"}, trusting())
	}
	s.finish(s.wrapped(trace, args(shared.rekor.URL)...), 0)
	if calls := string(s.read(log)); !strings.Contains(calls, "socket(") {
		t.Errorf("with a Rekor to ask it makes no socket, it seems:\n%s", calls)
	}
	s.finish(s.wrapped(trace, args("off")...), 0)
	if calls := string(s.read(log)); calls != "" {
		t.Errorf("without one it makes the calls\n%s", calls)
	}
}
