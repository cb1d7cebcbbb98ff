package gate

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/modseal/modseal/e2e/stack"
)

// token writes an identity token and gives the file's name.
func (s *site) token(email string) string {
	s.Helper()
	t, err := shared.rekor.Sigstore.Token(s.Context(), email, nil)
	if err != nil {
		s.Fatal(err)
	}
	name := filepath.Join(s.T.TempDir(), "token")
	s.write(name, t)
	return name
}

// where says which Rekor to log in, as flags with a prefix: a Rekor v2 needs timestamps.
func (s *site) where(prefix string, version int) []string {
	servers := shared.rekor.Sigstore
	flags := []string{"--trusted-root", servers.TrustedRootPath, "--" + prefix + "rekor-url", s.rekor}
	if version == 2 {
		flags[3] = servers.RekorV2URL
		flags = append(flags, "--"+prefix+"timestamp-server-url", servers.TSAURL)
	}
	return flags
}

// as says which identity signs.
func (s *site) as(prefix, email string) []string {
	return []string{"--" + prefix + "fulcio-url", shared.rekor.Sigstore.FulcioURL, "--" + prefix + "identity-token", s.token(email)}
}

// cosignAsAlice runs the real one, and demands that it verifies what it is given as alice's, and not as bob's; by timestamps, if
// there are any.
func (s *site) cosignAsAlice(command, sigstoreBundle, artifact string, more ...string) {
	s.Helper()
	if strings.Contains(string(s.read(sigstoreBundle)), `"rfc3161Timestamps"`) {
		more = append(more, "--use-signed-timestamps")
	}
	for _, email := range []string{alice, bob} {
		args := append([]string{
			command, "--bundle", sigstoreBundle, "--trusted-root", shared.rekor.Sigstore.TrustedRootPath,
			"--certificate-identity", email, "--certificate-oidc-issuer", shared.rekor.Sigstore.IssuerURL,
		}, append(more, artifact)...)
		cmd, err := stack.Cosign(s.Context(), stack.BuildOptions{}, s.T.TempDir(), args...)
		if err != nil {
			s.Fatal(err)
		}
		said, err := cmd.CombinedOutput()
		if (err == nil) != (email == alice) || email == bob && !strings.Contains(string(said), "no matching CertificateIdentity found") {
			s.Errorf("cosign %s as %s: %v\n%s", command, email, err, said)
		}
	}
}

// An identity attests in either Rekor, the zip and the listing or a statement about both. cosign verifies all of it, and
// attesting again logs nothing.
func TestAttestKeyless(t *testing.T) {
	t.Parallel()
	const module = "github.com/mattn/go-isatty@v0.0.3"
	base := newSite(t, module)
	zip := zipFile(shared.modcache, module)
	for _, c := range []struct {
		name    string
		version int
		flags   []string
		files   map[string]string // by what they are of, cosign's command
	}{
		{"v1", 1, nil, map[string]string{"zip": "verify-blob", "listing": ""}},
		{"v1, stamped", 1, []string{"--timestamp-server-url", shared.rekor.Sigstore.TSAURL}, map[string]string{"zip": "verify-blob", "listing": ""}},
		{"v2", 2, nil, map[string]string{"zip": "verify-blob", "listing": ""}},
		{"v1, statement", 1, []string{"--statement"}, map[string]string{"statement": "verify-blob-attestation"}},
		{"v2, statement", 2, []string{"--statement"}, map[string]string{"statement": "verify-blob-attestation"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := base.again(t)
			dir := filepath.Join(t.TempDir(), "attestations")
			attest := func() string {
				args := append([]string{"attest", "-o", dir, "--all", "-C", "project"}, c.flags...)
				return s.run(0, append(append(args, s.where("", c.version)...), s.as("", alice)...)...).stdout
			}
			s.says(attest(), map[int]string{1: "1 new entries", 2: "2 new entries"}[len(c.files)])
			for of, command := range c.files {
				name := filepath.Join(dir, filepath.FromSlash(module)+"."+of+".sigstore.json")
				switch command {
				case "":
					s.read(name)
				case "verify-blob":
					s.cosignAsAlice(command, name, zip)
				default:
					s.cosignAsAlice(command, name, zip, "--type", "https://github.com/modseal/modseal/attestation/v1")
				}
			}
			s.says(attest(), "0 new entries")
		})
	}
	// and the gate is open for alice's modules
	s := base.again(t)
	s.eventually(func() bool { return len(s.search(s.zipDigest(module), nil)) > 0 })
	s.snapshot(0, identity(alice)...)
	r := s.verify(0, identity(alice)...)
	s.allVerified(r)
	s.status(s.verify(1, identity(bob)...), module, "not-allowed", alice)
}

// A key attests in a Rekor v2 too, which hands nothing out again: what is in the folder is what there is.
func TestAttestByKeyV2(t *testing.T) {
	t.Parallel()
	const module = "github.com/hashicorp/go-version@v1.7.0"
	s := newSite(t, module)
	args := append([]string{"attest", "--key", "signer.key", "--all", "project"}, s.where("", 2)...)
	s.says(s.run(0, args...).stdout, "1 module attested: 2 new entries")
	s.says(s.run(0, args...).stdout, "1 module attested: 0 new entries", "2 were there")
	s.says(s.run(0, append(args, "-o", "elsewhere", "--rekor-version", "2")...).stdout, "2 new entries")
	other := s.run(2, append([]string{"attest", "--key", "other.key", "--all", "project"}, s.where("", 2)...)...)
	s.says(other.stderr, "is not overwritten", s.fingerprint("signer"))
}

// Identities seal, beside keys: in either Rekor, and the enclave says whose seals it wants and how many. cosign verifies
// a seal as what it is, a signature over an ordinary file.
func TestKeylessSeals(t *testing.T) {
	t.Parallel()
	const module = "github.com/hashicorp/go-version@v1.6.0"
	base := newSite(t, module)
	base.attest("signer")
	for _, version := range []int{1, 2} {
		s := base.again(t)
		s.snapshot(0, append(signedBy("signer"), "--trusted-root", shared.rekor.Sigstore.TrustedRootPath)...)
		s.run(0, append(append([]string{"sign", "--seal-keyless", s.bundle()}, s.where("seal-", version)...), s.as("seal-", alice)...)...)
		gate := func(want int, flags ...string) result {
			args := append([]string{"verify", "--key", "signer.pub", "--require", "rekor", "--trusted-root", shared.rekor.Sigstore.TrustedRootPath}, flags...)
			return s.run(want, append(args, s.bundle(), "project")...)
		}
		by := func(email string) []string {
			return []string{"--seal-identity", email, "--seal-issuer", shared.rekor.Sigstore.IssuerURL}
		}
		s.says(gate(0, by(alice)...).stdout, "PASS", `identity "`+alice+`"`)
		s.says(gate(0, append(by(alice), "--seal-key", "seal.pub", "--seals", "all")...).stdout, "PASS", alice, s.fingerprint("seal"))
		s.says(gate(3, by(bob)...).stderr, "not sealed by a trusted sealer", alice)
		s.says(gate(3, append(by(bob), "--seal-key", "seal.pub", "--seals", "2")...).stderr, "not sealed by a trusted sealer", "requires seals by 2")

		dir := t.TempDir()
		if out, err := exec.Command("tar", "-xf", s.bundle(), "-C", dir).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		s.cosignAsAlice("verify-blob", filepath.Join(dir, "signatures", "1.sigstore.json"), filepath.Join(dir, "payload.tar.zst"))
	}
}
