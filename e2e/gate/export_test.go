package gate

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/modseal/modseal/e2e/keyless"
	"github.com/modseal/modseal/e2e/stack"
)

// piece is a Sigstore bundle that export is to write.
type piece struct {
	name     string          // below the folder
	of       []byte          // what was signed, or what the statement is about
	email    string          // or
	key      string          // whose signature it is
	attested bool            // in a statement
	servers  *stack.Sigstore // to verify it with
}

// What leaves a bundle is accepted by cosign and by sigstore-go, offline, with the trusted root of those who signed: of either
// Rekor, of every kind of entry, signed with a key and without. Neither takes it for somebody else's or for something else.
func TestExport(t *testing.T) {
	t.Parallel()
	const one, two = "github.com/inconshreveable/mousetrap@v1.1.0", "github.com/hashicorp/errwrap@v1.1.0"
	s := newSite(t, one, two)
	release := []byte("a release of " + t.Name())
	s.write(filepath.Join(s.home, "release.tar"), string(release))
	about := statement(provenance, s.subjectOf(two))
	s.publish(
		keyless.Request{Email: alice, Artifact: s.zipOf(one), V1: true, V2: true},
		keyless.Request{Email: bob, Artifact: s.listing(one), V2: true},
		keyless.Request{Email: alice, Statement: about, V1: true},
		keyless.Request{Email: bob, Statement: about, Intoto: true},
		keyless.Request{Email: carol, Statement: about, V2: true},
		keyless.Request{Email: alice, Artifact: release, V2: true},
	)
	s.attest("signer", two)
	s.logKey = ""
	s.snapshot(0, slices.Concat(trusting(), []string{"--key", "signer.pub", "--attestations", published, "--artifact", "release.tar", "--allow-missing"})...)
	s.says(s.alone(0, "export", "--seal-key", "seal.pub", "--sigstore", "pieces", s.bundle()).stdout, "pieces: 9 Sigstore bundles")

	dir := filepath.Join(s.home, "pieces")
	pieces := []piece{
		{one + ".zip.0", s.zipOf(one), alice, "", false, nil},
		{one + ".zip.1", s.zipOf(one), alice, "", false, nil},
		{one + ".listing.0", s.listing(one), bob, "", false, nil},
		{two + ".zip.0", s.zipOf(two), "", "signer", false, nil},
		{two + ".listing.0", s.listing(two), "", "signer", false, nil},
		{two + ".statement.0", s.zipOf(two), "", "", true, nil}, // whose it is depends on the order in the log
		{two + ".statement.1", s.zipOf(two), "", "", true, nil},
		{two + ".statement.2", s.zipOf(two), carol, "", true, nil}, // in Rekor v2
		{"artifacts/release.tar.0", release, alice, "", false, nil},
	}
	var names []string
	for i := range pieces {
		pieces[i].name += ".sigstore.json"
		pieces[i].servers = shared.rekor.Sigstore
		names = append(names, pieces[i].name)
	}
	slices.Sort(names)
	if got := filesBelow(t, dir); !slices.Equal(got, names) {
		t.Fatalf("there are the pieces %q, want %q", got, names)
	}
	for _, p := range pieces {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			s := *s
			s.T = t
			if p.email == "" && p.key == "" {
				if p.email = alice; s.sigstoreGo(dir, p, p.of) != nil {
					p.email = bob
				}
			}
			if err := s.sigstoreGo(dir, p, p.of); err != nil {
				t.Errorf("sigstore-go: %v", err)
			}
			if out, err := s.cosign(dir, p, p.of); err != nil {
				t.Errorf("cosign: %v\n%s", err, out)
			}
			other := slices.Concat(p.of, []byte("more"))
			if s.sigstoreGo(dir, p, other) == nil {
				t.Error("sigstore-go takes it for another artifact's")
			}
			if _, err := s.cosign(dir, p, other); err == nil {
				t.Error("cosign takes it for another artifact's")
			}
			if p.key == "" {
				p.email = "mallory@example.test"
			} else {
				p.key = "other"
			}
			if s.sigstoreGo(dir, p, p.of) == nil {
				t.Error("sigstore-go takes it for somebody else's")
			}
			if _, err := s.cosign(dir, p, p.of); err == nil {
				t.Error("cosign takes it for somebody else's")
			}
		})
	}

	// What left comes back: without a search, the pieces prove what the bundle did.
	again := s.again(t)
	again.logKey, again.rekor = "", "off"
	again.snapshot(0, slices.Concat(trusting(), []string{"--key", "signer.pub", "--attestations", "pieces", "--artifact", "release.tar", "--allow-missing"})...)
	policy := s.require("{signed-by: [alice, bob, carol], of: [zip, statement]}")
	again.allVerified(again.enclave(0, append(trusting(), policy...)...))
}

// filesBelow names the files of a folder, and of those in it.
func filesBelow(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// sigstoreGo verifies a piece over an artifact with sigstore-go.
func (s *site) sigstoreGo(dir string, p piece, artifact []byte) error {
	s.Helper()
	var b bundle.Bundle
	if err := b.UnmarshalJSON(s.read(filepath.Join(dir, p.name))); err != nil {
		return err
	}
	trusted, err := root.NewTrustedRootFromPath(p.servers.TrustedRootPath)
	if err != nil {
		s.Fatal(err)
	}
	var material root.TrustedMaterial = trusted
	options := []verify.VerifierOption{verify.WithTransparencyLog(1), verify.WithObserverTimestamps(1)}
	who := verify.WithKey()
	if p.key == "" {
		identity, err := verify.NewShortCertificateIdentity(p.servers.IssuerURL, "", p.email, "")
		if err != nil {
			s.Fatal(err)
		}
		who = verify.WithCertificateIdentity(identity)
		options = append(options, verify.WithSignedCertificateTimestamps(1))
	} else {
		material = root.TrustedMaterialCollection{trusted, s.keyMaterial(p.key)}
	}
	v, err := verify.NewVerifier(material, options...)
	if err != nil {
		s.Fatal(err)
	}
	_, err = v.Verify(&b, verify.NewPolicy(verify.WithArtifact(bytes.NewReader(artifact)), who))
	return err
}

// keyMaterial trusts a key of the site.
func (s *site) keyMaterial(name string) root.TrustedMaterial {
	s.Helper()
	key, err := cryptoutils.UnmarshalPEMToPublicKey(s.read(filepath.Join(s.home, name+".pub")))
	if err != nil {
		s.Fatal(err)
	}
	return root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) {
		v, err := signature.LoadDefaultVerifier(key)
		return root.NewExpiringKey(v, time.Time{}, time.Time{}), err
	})
}

// cosign verifies a piece over an artifact with cosign, where there is no network.
func (s *site) cosign(dir string, p piece, artifact []byte) (string, error) {
	s.Helper()
	home := s.TempDir()
	s.write(filepath.Join(home, "artifact"), string(artifact))
	args := []string{"verify-blob"}
	if p.attested {
		args = []string{"verify-blob-attestation", "--type", provenance}
	}
	args = append(args, "--bundle", filepath.Join(dir, p.name), "--trusted-root", p.servers.TrustedRootPath)
	if p.key == "" {
		args = append(args, "--use-signed-timestamps", "--certificate-identity", p.email, "--certificate-oidc-issuer", p.servers.IssuerURL)
	} else {
		args = append(args, "--key", filepath.Join(s.home, p.key+".pub"))
	}
	cmd, err := stack.Cosign(s.Context(), stack.BuildOptions{}, home, append(args, "artifact")...)
	if err != nil {
		s.Fatal(err)
	}
	if canUnshare() == nil {
		cmd.Args = append([]string{"unshare", "-rn", cmd.Path}, cmd.Args[1:]...)
		if cmd.Path, err = exec.LookPath("unshare"); err != nil {
			s.Fatal(err)
		}
	} else {
		s.Log("SKIPPED, NOT TESTED: that cosign needs no network")
	}
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}
