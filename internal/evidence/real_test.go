package evidence_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/internal/trust"
)

// Real input beside the repository. What each is, and where it is from, says a
// README there.
const (
	realBundles  = "../../../shared/data/sigstore"
	localBundles = "../../../shared/stack/samples"
)

// realCase is a bundle that somebody published, with the verdict that it must
// get.
type realCase struct {
	ID, Bundle, Root, Artifact, Key, Identity, Issuer, Expect string
}

func readFile(t testing.TB, parts ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func realCases(t testing.TB) []realCase {
	t.Helper()
	file, err := os.ReadFile(filepath.Join(realBundles, "cases.json"))
	if err != nil {
		t.Skip("SKIPPED, NOT TESTED: the real Sigstore bundles are not here")
	}
	var all []realCase
	if err := json.Unmarshal(file, &all); err != nil || len(all) < 40 {
		t.Fatalf("%d cases, %v", len(all), err)
	}
	return all
}

// judge reads and verifies a bundle as the enclave of a case would, and says at
// which step it fails; "" if it is accepted.
func (c *realCase) judge(t testing.TB) (step string, problem error) {
	t.Helper()
	var m trust.Material
	if err := m.AddTrustedRoot(readFile(t, realBundles, c.Root)); err != nil {
		t.Fatal(err)
	}
	var known []*keys.Public
	if c.Key != "" {
		known = append(known, publicKey(t, readFile(t, realBundles, c.Key)))
	}
	v, err := evidence.NewVerifier(m.Sigstore, known...)
	if err != nil {
		t.Fatal(err)
	}
	var want []evidence.Digest // any of them
	if d, err := evidence.ParseDigest(c.Artifact); err == nil {
		want = append(want, d)
	} else {
		artifact := readFile(t, realBundles, c.Artifact)
		sum := sha512.Sum384(artifact)
		want = append(want, evidence.SHA256(sha256.Sum256(artifact)), evidence.Digest{Algorithm: "sha384", Hex: hex.EncodeToString(sum[:])})
	}
	read, err := evidence.ReadBundle(readFile(t, realBundles, c.Bundle))
	if err != nil {
		return "read", err
	}
	for _, p := range read {
		signed, err := v.Verify(&p.Entry, p.Claim)
		if !p.Proven && err != nil {
			return "proof", err
		}
		if err != nil {
			return "verify", err
		}
		if !slices.ContainsFunc(want, func(d evidence.Digest) bool { return slices.Contains(p.Claim.Digests(), d) }) {
			return "digest", nil
		}
		if who := signed.Certificate; c.Key == "" && (who == nil || who.SubjectAlternativeName != c.Identity || who.Issuer != c.Issuer) {
			return "signer", nil
		}
	}
	return "", nil
}

// Property: of 40 bundles that others published, with entries of all kinds by
// Sigstore's logs, those that are good verify, and each of the others fails, at
// the step that is said here.
func TestRealBundles(t *testing.T) {
	fails := map[string]string{
		"bundle-publish.json":                        "proof",
		"no-proof.sigstore":                          "proof",
		"v1-prega-invalidsigpub":                     "verify",
		"tag-invalidsigprov.tgz.json-attestations_1": "verify",
		"wrong-tlog-entry":                           "read",
		"late_timestamp":                             "verify",
		"no.inclusion":                               "read",
		"bundle_no_cert_v1":                          "read",
		"model.sig--f6f52b":                          "read",
		"invalid_version":                            "read",
		"invalid-set":                                "proof",
		"v02-prega-invalidsigprov":                   "proof",
	}
	kinds := map[string]int{}
	for _, c := range realCases(t) {
		step, err := c.judge(t)
		want := ""
		if c.Expect != "accept" {
			for part, at := range fails {
				if strings.Contains(c.ID, part) {
					want = at
				}
			}
			if want == "" {
				t.Errorf("%s: nothing says where it is to fail", c.ID)
			}
		}
		if step != want {
			t.Errorf("%s: fails at %q: %v; want %q", c.ID, step, err, want)
		}
		kinds[c.Expect]++
	}
	if kinds["accept"] < 28 || kinds["reject"] < 12 {
		t.Errorf("cases: %v", kinds)
	}
}

// Property: bundles from a local stack of rekor-server 1.5.4, rekor-tiles 2.3.0,
// Fulcio and a timestamp authority verify with its trusted root: by key and by
// certificate, over an artifact and a statement, of either generation, and with
// entries of both.
func TestLocalBundles(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(localBundles, "bundles", "key*.json"))
	if len(files) == 0 {
		t.Skip("SKIPPED, NOT TESTED: the bundles of the local stack are not here")
	}
	var m trust.Material
	if err := m.AddTrustedRoot(readFile(t, localBundles, "trusted_root.json")); err != nil {
		t.Fatal(err)
	}
	known := publicKey(t, readFile(t, localBundles, "keys", "signer.pub"))
	artifact := evidence.SHA256(sha256.Sum256(readFile(t, localBundles, "bundles", "artifact.txt")))
	entries := 0
	for _, name := range files {
		v, err := evidence.NewVerifier(m.Sigstore, known)
		if err != nil {
			t.Fatal(err)
		}
		read, err := evidence.ReadBundle(readFile(t, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, p := range read {
			entries++
			signed, err := v.Verify(&p.Entry, p.Claim)
			if p.V2 && strings.Contains(name, "both") { // the bundle's time is proven by its entry of Rekor v1 alone
				if !errors.Is(err, evidence.ErrNoTime) {
					t.Errorf("%s: %+v, %v", name, signed, err)
				}
				continue
			}
			if err != nil || !p.Proven || !slices.Contains(p.Claim.Digests(), artifact) || (signed.Certificate != nil) != strings.Contains(name, "keyless") {
				t.Errorf("%s: %+v, %v", name, signed, err)
			}
			if p.V2 != (strings.Contains(name, "v2") || strings.Contains(name, "both") && p.SET == nil) {
				t.Errorf("%s: of Rekor v2: %t", name, p.V2)
			}
			if stranger, err := evidence.NewVerifier(m.Sigstore); err == nil && !strings.Contains(name, "keyless") {
				if s, err := stranger.Verify(&p.Entry, p.Claim); err == nil {
					t.Errorf("%s: without the key: %+v", name, s)
				}
			}
			var nobody trust.Material
			none, err := evidence.NewVerifier(nobody.Sigstore, known)
			if err != nil {
				t.Fatal(err)
			}
			if s, err := none.Verify(&p.Entry, p.Claim); err == nil {
				t.Errorf("%s: without trust: %+v", name, s)
			}
		}
	}
	if len(files) != 10 && entries < 11 {
		t.Errorf("%d files with %d entries", len(files), entries)
	}
}
