package gate

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modseal/modseal/e2e/faultproxy"
)

// interrupt starts a command, interrupts it when the time has come, and demands the exit code 2.
func (s *site) interrupt(cmd *exec.Cmd, when func()) result {
	s.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	defer cmd.Process.Kill() // where the test ends before it
	when()
	began := time.Now()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		s.Fatal(err)
	}
	err := cmd.Wait()
	if took := time.Since(began); took > 20*time.Second {
		s.Errorf("it goes on for %s", took)
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 {
		s.Errorf("interrupted: %v, want exit code 2\n%s", err, stderr.Bytes())
	}
	return result{stdout.String(), stderr.String()}
}

// kept counts the entries that snapshots have kept for another time.
func (s *site) kept(cache string) (n int) {
	s.Helper()
	err := filepath.WalkDir(cache, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && d.Type().IsRegular() && !strings.HasSuffix(name, ".tmp") {
			n++
		}
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
	return n
}

// An interrupted snapshot leaves nothing where the bundle would be, and keeps what it fetched: the next one asks for the
// rest alone.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	s := newSite(t, "golang.org/x/sync@v0.2.0", "github.com/BurntSushi/toml@v1.5.0", "golang.org/x/xerrors@v0.0.0-20220907171357-04be3eba64a2")
	s.attest("signer")
	cache := filepath.Join(t.TempDir(), "cache")
	s.setenv("MODSEAL_CACHE", cache)
	const all = 2 * 3 // entries
	var given atomic.Int64
	p := s.proxy(func(r faultproxy.Request) faultproxy.Fault {
		switch {
		case r.Path != retrievePath:
			return faultproxy.Fault{}
		case asked(r.Body) > 1:
			return faultproxy.Fault{Status: 400} // so that they come one by one
		case given.Add(1) == all:
			return faultproxy.Fault{Delay: time.Hour}
		}
		return faultproxy.Fault{}
	})
	said := s.interrupt(s.command(t.Context(), s.snapshotArgs(signedBy("signer")...)...), func() {
		s.eventually(func() bool { return s.kept(cache) == all-1 })
	})
	s.says(said.stderr, "interrupted; what was fetched is kept")
	if said.stdout != "" {
		t.Errorf("an interrupted snapshot says %q", said.stdout)
	}
	s.holds(s.out)

	p.SetHook(nil)
	p.Reset()
	s.snapshot(0, signedBy("signer")...)
	if n := p.Count(retrievePath); n != 1 {
		t.Errorf("the next snapshot retrieves %d times, want once", n)
	}
	s.allVerified(s.verify(0, signedBy("signer")...))
}

// So it is while it waits for another try, which may be long.
func TestInterruptedWhileWaiting(t *testing.T) {
	t.Parallel()
	s := newSite(t, "golang.org/x/sync@v0.1.0")
	s.attest("signer")
	p := s.proxy(func(r faultproxy.Request) faultproxy.Fault {
		if r.Path != retrievePath {
			return faultproxy.Fault{}
		}
		return faultproxy.Fault{Status: 429, RetryAfter: 50 * time.Second}
	})
	said := s.interrupt(s.command(t.Context(), s.snapshotArgs(signedBy("signer")...)...), func() {
		s.eventually(func() bool { return failures(p) > 0 })
	})
	s.says(said.stderr, "interrupted; what was fetched is kept")
	s.holds(s.out)
	p.SetHook(nil)
	s.snapshot(0, signedBy("signer")...)
	s.allVerified(s.verify(0, signedBy("signer")...))
}

// An attestation that was interrupted is finished by attesting again, and nothing is logged twice.
func TestAttestInterrupted(t *testing.T) {
	t.Parallel()
	s := newSite(t, "rsc.io/quote@v1.5.1")
	created := make(chan struct{})
	p := s.proxy(func(r faultproxy.Request) faultproxy.Fault {
		if r.Path != createPath {
			return faultproxy.Fault{}
		}
		if r.Nth == 2 {
			close(created)
			return faultproxy.Fault{Delay: time.Hour}
		}
		return faultproxy.Fault{}
	})
	said := s.interrupt(s.command(t.Context(), s.attestArgs("signer")...), func() { <-created })
	s.says(said.stderr, "interrupted")
	if said.stdout != "" {
		t.Errorf("an interrupted attestation says %q", said.stdout)
	}
	p.SetHook(nil)
	s.says(s.attest("signer").stdout, "1 new entries", "1 were there")
	s.snapshot(0, signedBy("signer")...)
	s.allVerified(s.verify(0, signedBy("signer")...))
}
