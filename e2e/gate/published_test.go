package gate

import (
	"archive/zip"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/modseal/modseal/e2e/keyless"
)

// People who sign without a key. Their addresses are their names at example.test.
const alice, bob, carol = "alice@example.test", "bob@example.test", "carol@example.test"

// published is the folder of a site with the Sigstore bundles of those who signed.
const published = "published"

// publish signs without a key, all at once, and puts the Sigstore bundles where snapshot is told to look.
func (s *site) publish(requests ...keyless.Request) {
	s.Helper()
	dir := filepath.Join(s.home, published)
	before, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		s.Fatal(err)
	}
	made := make([][]byte, len(requests))
	errs := make([]error, len(requests))
	var wg sync.WaitGroup
	for i, r := range requests {
		if r.Rekor == nil {
			r.Rekor = shared.rekor
		}
		wg.Go(func() { made[i], errs[i] = keyless.Sign(s.Context(), r) })
	}
	wg.Wait()
	for i, data := range made {
		if errs[i] != nil {
			s.Fatalf("%s: %v", requests[i].Email, errs[i])
		}
		s.write(filepath.Join(dir, fmt.Sprintf("%d.sigstore.json", len(before)+i)), string(data))
	}
}

// trusting are the flags that trust what is said here of all servers, and nothing else.
func trusting() []string { return []string{"--trusted-root", shared.rekor.Sigstore.TrustedRootPath} }

// policy writes a policy file and gives the flag that names it. Of alice, bob and carol those are signers that it mentions, unless
// it begins with signers of its own.
func (s *site) policy(rules string) []string {
	s.Helper()
	text := "version: 1\n"
	if !strings.HasPrefix(rules, "signers:") {
		text += s.signers(rules)
	}
	f, err := os.CreateTemp(s.home, "policy-*.yaml")
	if err != nil {
		s.Fatal(err)
	}
	if _, err := f.WriteString(text + rules); err != nil {
		s.Fatal(err)
	}
	if err := f.Close(); err != nil {
		s.Fatal(err)
	}
	return []string{"--policy", filepath.Base(f.Name())}
}

// signers are those that rules mention.
func (s *site) signers(rules string) string {
	var text string
	for _, email := range []string{alice, bob, carol} {
		if name, _, _ := strings.Cut(email, "@"); strings.Contains(rules, name) {
			text += fmt.Sprintf("  %s: {identity: %s, issuer: %q}\n", name, email, shared.rekor.Sigstore.IssuerURL)
		}
	}
	if text == "" {
		return ""
	}
	return "signers:\n" + text
}

// require is a policy of one rule, for all modules.
func (s *site) require(what string) []string {
	s.Helper()
	return s.policy("rules:\n  - {modules: \"*\", require: " + what + "}\n")
}

// enclave is verify where there is no network, not even loopback.
func (s *site) enclave(want int, flags ...string) *report {
	s.Helper()
	return s.report(s.alone(want, s.verifyArgs(flags...)...).stdout, want)
}

// alone runs modseal where there is no network, if the system lets us.
func (s *site) alone(want int, args ...string) result {
	s.Helper()
	empty := []string{"unshare", "-rn"}
	if err := canUnshare(); err != nil {
		s.Logf("SKIPPED, NOT TESTED: that it needs no network: %v", err)
		return s.run(want, args...)
	}
	return s.finish(s.wrapped(empty, args...), want)
}

var canUnshare = sync.OnceValue(func() error { return exec.Command("unshare", "-rn", "true").Run() })

// zipOf is a module's zip.
func (s *site) zipOf(module string) []byte {
	s.Helper()
	return s.read(zipFile(shared.modcache, module))
}

// listing is what the h1 of a module is the SHA-256 of.
func (s *site) listing(module string) []byte {
	s.Helper()
	r, err := zip.OpenReader(zipFile(shared.modcache, module))
	if err != nil {
		s.Fatal(err)
	}
	defer r.Close()
	files := slices.SortedFunc(slices.Values(r.File), func(a, b *zip.File) int { return strings.Compare(a.Name, b.Name) })
	var out strings.Builder
	for _, f := range files {
		in, err := f.Open()
		if err != nil {
			s.Fatal(err)
		}
		h := sha256.New()
		if _, err := io.Copy(h, in); err != nil {
			s.Fatal(err)
		}
		fmt.Fprintf(&out, "%x  %s\n", h.Sum(nil), f.Name)
	}
	if h1 := s.h1(module); sha256.Sum256([]byte(out.String())) != h1 {
		s.Fatalf("the listing of %s is not what go.sum says", module)
	}
	return []byte(out.String())
}
