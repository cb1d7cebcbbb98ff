package gate

import (
	"path/filepath"
	"testing"
)

// A real Rekor grows between two snapshots: with --since the second is proven to extend the first, which an enclave with a
// state demands; without, it is refused, and so is the first once the second was accepted.
func TestSince(t *testing.T) {
	t.Parallel()
	s := newSite(t, "github.com/hashicorp/errwrap@v1.0.0")
	s.attest("signer")
	s.snapshot(0, signedBy("signer")...)
	first, state := filepath.Join(s.home, "first.modseal"), filepath.Join(s.home, "enclave.state")
	s.write(first, string(s.read(s.bundle())))
	with := append(signedBy("signer"), "--state", state)
	s.allVerified(s.verify(0, with...))
	seen := string(s.read(state))

	s.grows()
	s.snapshot(0, signedBy("signer")...)
	s.says(s.run(3, s.verifyArgs(with...)...).stderr, "nothing proves that its tree of", "seen before:", "in the bundle:", "--since")
	s.says(s.snapshot(0, append(signedBy("signer"), "--since", first)...).stdout, "1 proof that logs extend what was seen")
	if now := string(s.read(state)); now != seen {
		t.Errorf("the state is %s, was %s", now, seen)
	}
	s.allVerified(s.verify(0, with...))
	if now := string(s.read(state)); now == seen {
		t.Error("the state is as it was")
	}
	s.says(s.run(0, append([]string{"heads", "check", first, s.bundle(), state}, s.logKeyFlag()...)...).stdout, "consistent", "2 trees")
	s.write(s.bundle(), string(s.read(first)))
	s.says(s.run(3, s.verifyArgs(with...)...).stderr, "was seen")
}
