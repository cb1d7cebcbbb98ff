package keyless_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/modseal/modseal/e2e/keyless"
	"github.com/modseal/modseal/e2e/stack"
)

const alice = "alice@example.test"

var artifact = []byte("what alice vouches for\n")

// rekor is started by TestMain, with the rest of Sigstore, for all tests.
var rekor *stack.Rekor

func TestMain(m *testing.M) {
	var err error
	if rekor, err = stack.Start(context.Background(), stack.Options{Sigstore: true}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if code != 0 {
		fmt.Fprintf(os.Stderr, "the servers' log ends:\n%s", rekor.Log())
	}
	if err := rekor.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// signed is a bundle as alice makes it.
func signed(t *testing.T, r keyless.Request) []byte {
	t.Helper()
	r.Rekor, r.Email = rekor, alice
	data, err := keyless.Sign(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// trustedRoot is the servers' own.
func trustedRoot(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile(rekor.Sigstore.TrustedRootPath)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// parse reads a bundle.
func parse(t *testing.T, data []byte) *bundle.Bundle {
	t.Helper()
	var b bundle.Bundle
	if err := b.UnmarshalJSON(data); err != nil {
		t.Fatal(err)
	}
	return &b
}

// check verifies a bundle: its certificate and the log's timestamp in it, entries in so many logs, and a time that
// somebody other than the signer vouches for.
func check(t *testing.T, trusted []byte, b *bundle.Bundle, logs int, of verify.ArtifactPolicyOption, email string) (*verify.VerificationResult, error) {
	t.Helper()
	material, err := root.NewTrustedRootFromJSON(trusted)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := verify.NewVerifier(material,
		verify.WithSignedCertificateTimestamps(1), verify.WithTransparencyLog(logs), verify.WithObserverTimestamps(1))
	if err != nil {
		t.Fatal(err)
	}
	identity, err := verify.NewShortCertificateIdentity(rekor.Sigstore.IssuerURL, "", email, "")
	if err != nil {
		t.Fatal(err)
	}
	return verifier.Verify(b, verify.NewPolicy(of, verify.WithCertificateIdentity(identity)))
}
