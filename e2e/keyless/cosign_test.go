package keyless_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/modseal/modseal/e2e/keyless"
	"github.com/modseal/modseal/e2e/stack"
)

// The real cosign verifies what was signed, offline, and refuses it as somebody else's.
func TestCosign(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		keyless.Request
	}{
		{"v1", keyless.Request{Artifact: artifact, V1: true}},
		{"v2", keyless.Request{Artifact: artifact, V2: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			bundlePath, artifactPath := filepath.Join(dir, "bundle.sigstore.json"), filepath.Join(dir, "artifact")
			for path, data := range map[string][]byte{bundlePath: signed(t, test.Request), artifactPath: artifact} {
				if err := os.WriteFile(path, data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			for _, signer := range []struct{ email, want string }{
				{alice, "Verified OK"},
				{"bob@example.test", "no matching CertificateIdentity found"},
			} {
				cmd, err := stack.Cosign(t.Context(), stack.BuildOptions{}, dir, "verify-blob", "--bundle", bundlePath,
					"--trusted-root", rekor.Sigstore.TrustedRootPath, "--use-signed-timestamps",
					"--certificate-identity", signer.email, "--certificate-oidc-issuer", rekor.Sigstore.IssuerURL,
					artifactPath)
				if err != nil {
					t.Fatal(err)
				}
				out, err := offline(t, cmd).CombinedOutput()
				if (err == nil) != (signer.email == alice) || !strings.Contains(string(out), signer.want) {
					t.Errorf("%s: %v, %q, want %q", signer.email, err, out, signer.want)
				}
			}
		})
	}
}

// The real cosign signs with these servers as they tell it to: their configuration has it log in Rekor v2, and their trusted
// root verifies what it makes.
func TestCosignSigns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	token, err := rekor.Sigstore.Token(t.Context(), alice, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{"artifact": string(artifact), "token": token} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Where it isn't signed with RS256, cosign takes a token from a file only.
	cmd, err := stack.Cosign(t.Context(), stack.BuildOptions{}, dir, "sign-blob", "--yes", "--identity-token", "token",
		"--signing-config", rekor.Sigstore.SigningConfigPath, "--trusted-root", rekor.Sigstore.TrustedRootPath,
		"--bundle", "bundle.sigstore.json", "artifact")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	data, err := os.ReadFile(filepath.Join(dir, "bundle.sigstore.json"))
	if err != nil {
		t.Fatal(err)
	}
	b := parse(t, data)
	if _, err := check(t, trustedRoot(t), b, 1, verify.WithArtifact(bytes.NewReader(artifact)), alice); err != nil {
		t.Error(err)
	}
	if entry := b.VerificationMaterial.TlogEntries[0]; entry.KindVersion.Version != "0.0.2" {
		t.Errorf("it is logged as %v, want an entry of Rekor v2", entry.KindVersion)
	}
}

// offline makes a command run where there is no network, not even loopback, if the system lets us.
func offline(t *testing.T, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	empty := []string{"unshare", "-rn"}
	if out, err := exec.Command(empty[0], "-rn", "true").CombinedOutput(); err != nil {
		t.Logf("NOT TESTED without loopback: %v %s", err, out)
		return cmd
	}
	wrapped := exec.CommandContext(t.Context(), empty[0], append(empty[1:], cmd.Args...)...)
	wrapped.Dir, wrapped.Env = cmd.Dir, append(cmd.Env, "PATH="+os.Getenv("PATH"))
	return wrapped
}
