package gate

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// A bundle that is not, byte for byte, what a trusted sealer sealed is refused before anything of it is used. Refusing is
// exit code 3; a bundle that is not there is 2.
func TestBundleRefused(t *testing.T) {
	t.Parallel()
	base := newSite(t, "golang.org/x/sync@v0.8.0")
	base.attest("signer")
	base.snapshot(0, signedBy("signer")...)
	whole := base.read(base.bundle())
	seal, payload := base.places(whole)
	flipped := func(at int) []byte {
		b := bytes.Clone(whole)
		b[at] ^= 1
		return b
	}
	for _, c := range []struct {
		name  string
		data  []byte
		flags []string
		code  int
		says  []string
	}{
		{"another seal key", whole, []string{"--seal-key", "other.pub"}, 3, []string{"not sealed by a trusted sealer", "--seal-key"}},
		{"a bit of the seal's header", flipped(3), nil, 3, []string{"damaged bundle"}},
		{"a bit of the seal", flipped(seal + 200), nil, 3, nil},
		{"a bit of the payload's header", flipped(payload - 512 + 3), nil, 3, []string{"damaged bundle"}},
		{"the first bit of the payload", flipped(payload), nil, 3, []string{"not sealed by a trusted sealer"}},
		{"a bit of the payload", flipped((payload + len(whole)) / 2), nil, 3, []string{"not sealed by a trusted sealer"}},
		{"a bit of the end", flipped(len(whole) - 1), nil, 3, []string{"damaged bundle"}},
		{"half of it", whole[:len(whole)/2], nil, 3, []string{"damaged bundle"}},
		{"no end", whole[:len(whole)-512], nil, 3, []string{"damaged bundle"}},
		{"too much", append(bytes.Clone(whole), make([]byte, 512)...), nil, 3, []string{"damaged bundle"}},
		{"nothing", nil, nil, 3, []string{"damaged bundle"}},
		{"no bundle", []byte("PK\x03\x04 this is something else\n"), nil, 3, []string{"damaged bundle"}},
		{"a bit of the payload, and no seal demanded", flipped((payload + len(whole)) / 2), []string{"--insecure-ignore-seal"}, 3, []string{"damaged bundle"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := base.again(t)
			s.write(s.bundle(), string(c.data))
			said := s.refuse(c.code, append(signedBy("signer"), c.flags...)...)
			s.says(said.stderr, append(c.says, "modseal: hint: ")...)
		})
	}
}

// places finds where the seal and the payload begin.
func (s *site) places(bundle []byte) (seal, payload int) {
	s.Helper()
	r := bytes.NewReader(bundle)
	archive := tar.NewReader(r)
	for {
		h, err := archive.Next()
		if err != nil {
			s.Fatalf("no payload: %v", err)
		}
		at, err := r.Seek(0, io.SeekCurrent)
		if err != nil {
			s.Fatal(err)
		}
		switch h.Name {
		case "signatures/0.sigstore.json":
			seal = int(at)
		case "payload.tar.zst":
			return seal, int(at)
		}
	}
}

// What is no file at all is an error in how verify is called.
func TestNoBundle(t *testing.T) {
	t.Parallel()
	s := newSite(t, "golang.org/x/sync@v0.7.0")
	s.says(s.refuse(2).stderr, "deps.modseal", "no such file")
	if err := os.Mkdir(s.bundle(), 0o755); err != nil {
		t.Fatal(err)
	}
	s.says(s.refuse(2).stderr, "deps.modseal", "is not a file")
	s.says(s.refuse(2, "--seal-key", "nobody.pub").stderr, "nobody.pub")
	s.says(s.run(2, "verify", "out.modseal", "project").stderr, "--seal-key", "--insecure-ignore-seal")
}

// Whoever ignores seals is told so in the report, and evidence counts as ever.
func TestSealIgnored(t *testing.T) {
	t.Parallel()
	s := newSite(t, "golang.org/x/sync@v0.6.0")
	s.attest("signer")
	s.snapshot(0, signedBy("signer")...)
	ignored := func(s *site) {
		s.Helper()
		r := s.verify(0, append(signedBy("signer"), "--insecure-ignore-seal")...)
		s.allVerified(r)
		if len(r.Bundle.SealedBy) != 0 {
			s.Errorf("sealed by %q", r.Bundle.SealedBy)
		}
		s.status(s.verify(1, append(signedBy("other"), "--insecure-ignore-seal")...), s.modules[0], "not-allowed")
		text := s.run(0, append([]string{"verify", "--insecure-ignore-seal", "--rekor-public-key", s.logKey, s.bundle(), "project"}, signedBy("signer")...)...)
		s.says(text.stdout, "BY NOBODY YOU TRUST", "PASS")
	}
	ignored(s)

	s = s.again(t)
	args := []string{"snapshot", "--no-seal", "--rekor-url", s.rekor, "--rekor-public-key", s.logKey, "-o", s.bundle(), "project"}
	s.says(s.run(0, append(args, signedBy("signer")...)...).stdout, "NOT SEALED")
	s.says(s.refuse(3, signedBy("signer")...).stderr, "not sealed by a trusted sealer", "it has no seal")
	ignored(s)
}

// A bundle is an ordinary file: where it lies and what it is called makes no difference, and reading it changes nothing.
func TestBundleMoved(t *testing.T) {
	t.Parallel()
	s := newSite(t, "golang.org/x/sync@v0.5.0")
	s.attest("signer")
	s.snapshot(0, signedBy("signer")...)
	whole := s.read(s.bundle())
	s.allVerified(s.verify(0, signedBy("signer")...))
	moved := s.again(t)
	if err := os.WriteFile(filepath.Join(moved.out, "deps.modseal"), whole, 0o400); err != nil {
		t.Fatal(err)
	}
	moved.allVerified(moved.verify(0, signedBy("signer")...))
	moved.holds(moved.out, "deps.modseal")
	if !bytes.Equal(moved.read(moved.bundle()), whole) {
		t.Error("verify changed the bundle")
	}
}
