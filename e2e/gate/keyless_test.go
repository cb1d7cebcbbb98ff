package gate

import (
	"testing"

	"github.com/modseal/modseal/e2e/keyless"
)

// identity is what makes modules need an entry in Rekor by the holder of an e-mail address at this stack's issuer.
func identity(email string) []string {
	servers := shared.rekor.Sigstore
	return []string{
		"--require", "rekor", "--trusted-root", servers.TrustedRootPath,
		"--certificate-identity", email, "--certificate-oidc-issuer", servers.IssuerURL,
	}
}

// signKeyless signs a module's zip with a certificate for an e-mail address, and waits until the entry can be found.
func (s *site) signKeyless(module, email string) {
	s.Helper()
	zip := s.read(zipFile(shared.modcache, module))
	if _, err := keyless.Sign(s.Context(), keyless.Request{Rekor: shared.rekor, Email: email, Artifact: zip, V1: true}); err != nil {
		s.Fatal(err)
	}
	s.eventually(func() bool { return len(s.search(s.zipDigest(module), nil)) > 0 })
}

// What the holder of an address signed without a key is verified by the address and its issuer, and by no others.
func TestKeyless(t *testing.T) {
	t.Parallel()
	const module = "rsc.io/quote@v1.4.0"
	s := newSite(t, module)
	s.signKeyless(module, alice)

	refused := s.snapshot(1, identity(bob)...)
	s.says(refused.stderr, module, "not-allowed", alice, "the policy does not name")

	s.snapshot(0, identity(alice)...)
	r := s.verify(0, identity(alice)...)
	s.allVerified(r)
	if got := s.module(r, module).accepted(); got != "zip" {
		t.Errorf("accepted is evidence over %q, want the zip", got)
	}
	s.status(s.verify(1, identity(bob)...), module, "not-allowed", alice, "the policy does not name")
	s.status(s.verify(1, signedBy("signer")...), module, "not-allowed")
}
