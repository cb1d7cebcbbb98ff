package gate

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/modseal/modseal/e2e/faultproxy"
)

// floodSize is more than a snapshot looks at one by one.
const floodSize = 250

// Strangers who log any number of entries over a module's digest neither hide the signer's entry, wherever it stands among
// theirs, nor fill the bundle. What is left out is said.
func TestFlood(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, module string
		when         func(attest, flood func())
	}{
		{"afterwards", "github.com/google/uuid@v1.4.0", func(attest, flood func()) { attest(); flood() }},
		{"beforehand", "github.com/google/uuid@v1.3.1", func(attest, flood func()) { flood(); attest() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, c.module)
			digest := s.zipDigest(c.module)
			c.when(func() { s.attest("signer") }, func() { s.flood(digest, logByStranger) })
			s.eventually(func() bool { return len(s.search(digest, nil)) == floodSize+1 })

			p := s.proxy(nil)
			said := s.snapshot(0, signedBy("signer")...)
			s.says(said.stderr, fmt.Sprintf("%s: entries left out: %d by signers whom nobody named", c.module, floodSize-3))
			if n := p.Count(retrievePath); n > 21 { // 200 that are looked at, and the signer's two
				t.Errorf("%d calls of log/entries/retrieve", n)
			}
			m := s.status(s.verify(0, signedBy("signer")...), c.module, "verified")
			if m.accepted() != "listing zip" || len(m.Evidence) != 2+3 {
				t.Errorf("evidence %+v, want the signer's two entries and three others", m.Evidence)
			}
			in := s.inspect()
			if d := in.Manifest.Modules[0]; d.LeftOut != floodSize-3 || len(d.Entries) != 2+3 || in.Logs[0].Entries != 2+3 {
				t.Errorf("the manifest has %+v", d)
			}

			s = s.again(t)
			s.snapshot(0, append(signedBy("signer"), "--others", "0")...)
			if n := s.inspect().Logs[0].Entries; n != 2 {
				t.Errorf("%d entries with --others=0, want 2", n)
			}
			s.allVerified(s.verify(0, signedBy("signer")...))
		})
	}
}

// flood logs entries of strangers, many at a time.
func (s *site) flood(digest [32]byte, log func(context.Context, [32]byte) error) {
	s.Helper()
	var wg sync.WaitGroup
	slots := make(chan struct{}, 32)
	for range floodSize {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := log(s.Context(), digest); err != nil {
				s.Error(err)
			}
		})
	}
	wg.Wait()
}

// A signer whose entries can't be asked for by name, because only a regular expression says who it is, could be hidden by a
// flood: the snapshot then fails, rather than to seal what it happened to see.
func TestFloodBeforeRegexp(t *testing.T) {
	t.Parallel()
	const module = "github.com/davecgh/go-spew@v1.1.0"
	s := newSite(t, module)
	digest := s.zipDigest(module)
	s.flood(digest, logByStranger)
	s.eventually(func() bool { return len(s.search(digest, nil)) == floodSize })
	said := s.snapshot(2, "--require", "rekor", "--certificate-identity-regexp", ".*@example.com", "--certificate-oidc-issuer", "https://issuer.example")
	s.says(said.stderr, module, "more than 200 entries are logged over it", "name the signer exactly")
}

// What the index names and the log does not have is missing: a snapshot that could lack something is not sealed.
func TestFloodOfNothing(t *testing.T) {
	t.Parallel()
	const module = "github.com/kr/text@v0.1.0"
	s := newSite(t, module)
	s.attest("signer")
	tree, err := strconv.ParseUint(shared.rekor.TreeID, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	var made strings.Builder
	for i := range floodSize {
		fmt.Fprintf(&made, `"%016x%064x",`, tree, i)
	}
	p := s.proxy(func(r faultproxy.Request) faultproxy.Fault {
		if r.Path != searchPath || strings.Contains(string(r.Body), "publicKey") {
			return faultproxy.Fault{}
		}
		return faultproxy.Fault{Change: func(_ string, body []byte) []byte {
			return []byte("[" + made.String() + string(body[1:]))
		}}
	})
	s.says(s.snapshot(2, signedBy("signer")...).stderr, module, "entries missing: 200 left out")
	p.SetHook(nil)
	s.snapshot(0, signedBy("signer")...)
	s.allVerified(s.verify(0, signedBy("signer")...))
}

// A certificate that names the signer, and that no trusted authority issued, is a stranger's: Rekor takes in any. Neither
// does it vouch, nor fill the bundle, nor hide the entry with the real one.
func TestFloodOfFalseCertificates(t *testing.T) {
	t.Parallel()
	const module, email, issuer = "golang.org/x/sync@v0.0.0-20220722155255-886fb9371eb4", "alice@example.com", "https://issuer.example"
	s := newSite(t, module)
	s.setenv("GOSUMDB", "sum.golang.org")
	digest := s.zipDigest(module)
	trusted, other := s.authority(), s.authority()
	s.flood(digest, func(ctx context.Context, digest [32]byte) error {
		alice, err := other.issue(email, issuer)
		if err != nil {
			return err
		}
		return alice.log(ctx, digest)
	})
	s.eventually(func() bool { return len(s.search(digest, nil)) == floodSize })
	s.write(filepath.Join(s.home, "trusted_root.json"), string(trusted.trustedRoot()))
	policy := []string{"--trusted-root", "trusted_root.json", "--certificate-identity", email, "--certificate-oidc-issuer", issuer}
	needed := append(policy, "--require", "rekor")

	s.snapshot(1, needed...)
	s.snapshot(0, append(needed, "--allow-missing")...)
	if d := s.inspect().Manifest.Modules[0]; len(d.Entries) != 1 || d.LeftOut != floodSize {
		t.Errorf("%d entries are kept, %d left out; want the checksum database's alone", len(d.Entries), d.LeftOut)
	}
	s.allVerified(s.verify(0, policy...))
	s.status(s.verify(1, needed...), module, "not-allowed", "checksum-database record")

	alice, err := trusted.issue(email, issuer)
	if err == nil {
		err = alice.log(t.Context(), digest)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.eventually(func() bool { return len(s.search(digest, nil)) == floodSize+1 })
	s = s.again(t)
	s.snapshot(0, needed...)
	r := s.verify(0, needed...)
	s.allVerified(r)
	if m := s.module(r, module); m.accepted() != "zip" || !strings.Contains(m.Evidence[0].Signer, email) {
		t.Errorf("evidence %+v, want one entry by %s", m.Evidence, email)
	}
}

func (s *site) authority() *authority {
	s.Helper()
	a, err := newAuthority()
	if err != nil {
		s.Fatal(err)
	}
	return a
}

// Entries of kinds that are not carried are left out, and said to be.
func TestOtherKinds(t *testing.T) {
	t.Parallel()
	const module = "golang.org/x/sync@v0.0.0-20220819030929-7fc1605a5dde"
	s := newSite(t, module)
	other, err := newStranger()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.logWhole(s.Context(), s.read(zipFile(shared.modcache, module))); err != nil {
		t.Fatal(err)
	}
	s.attest("signer")
	s.eventually(func() bool { return len(s.search(s.zipDigest(module), nil)) == 2 })
	s.says(s.snapshot(0, signedBy("signer")...).stderr, module+": entries left out: 1 of kinds that are not read")
	s.allVerified(s.verify(0, signedBy("signer")...))
	if d := s.inspect().Manifest.Modules[0]; len(d.Entries) != 2 || d.LeftOut != 1 {
		t.Errorf("the manifest has %+v", d)
	}
}
