package gate

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// A snapshot downloads what is not in the module cache, as the go command does. attest does not: it says what is missing.
func TestEmptyModuleCache(t *testing.T) {
	t.Parallel()
	const module = "golang.org/x/sync@v0.0.0-20220923202941-7f9b1623fab7"
	s := newSite(t, module)
	s.attest("signer")

	s = s.again(t)
	modcache := filepath.Join(t.TempDir(), "mod")
	s.setenv("GOMODCACHE", modcache)
	s.setenv("GOFLAGS", "-modcacherw") // so that the test can remove it
	s.setenv("GOPROXY", "file://"+filepath.ToSlash(filepath.Join(shared.modcache, "cache", "download")))
	s.says(s.run(2, s.attestArgs("signer", module)...).stderr, module, "go mod download")
	s.says(s.snapshot(2, append(signedBy("signer"), "--no-download")...).stderr, module, modcache)

	s.snapshot(0, signedBy("signer")...)
	s.allVerified(s.verify(0, signedBy("signer")...))
	if err := os.RemoveAll(modcache); err != nil {
		t.Fatal(err)
	}
	s.status(s.verify(1, signedBy("signer")...), module, "not-on-disk")
}

// Snapshots that are taken at the same time, with one cache and of one name, don't disturb each other.
func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, "golang.org/x/sync@v0.0.0-20220929204114-8fcdb60fdcc0", "golang.org/x/xerrors@v0.0.0-20220609144429-65e65417b02f")
	s.attest("signer")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if out, err := s.command(t.Context(), s.snapshotArgs(signedBy("signer")...)...).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	wg.Wait()
	s.holds(s.out, "deps.modseal")
	s.allVerified(s.verify(0, signedBy("signer")...))
}
