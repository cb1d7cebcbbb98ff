package gate

import (
	"context"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// wrapped is modseal run by another command.
func (s *site) wrapped(by []string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(s.Context(), runLimit)
	s.Cleanup(cancel)
	inner := s.command(ctx, args...)
	cmd := exec.CommandContext(ctx, by[0], append(by[1:], inner.Args...)...)
	cmd.Dir, cmd.Env = inner.Dir, inner.Env
	return cmd
}

// needs skips a test where a command is missing, or where the system does not let it work.
func needs(t *testing.T, command ...string) {
	t.Helper()
	if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
		t.Skipf("NOT TESTED: %s: %v %s", strings.Join(command, " "), err, out)
	}
}

// The gate needs no network: where there is none, not even loopback, its verdicts are the same.
func TestNoNetwork(t *testing.T) {
	t.Parallel()
	const attested, missing = "golang.org/x/sync@v0.4.0", "golang.org/x/xerrors@v0.0.0-20231012003039-104605ab7028"
	empty := []string{"unshare", "-rn"}
	needs(t, append(empty, "true")...)
	if out, err := exec.Command("unshare", "-rn", "cat", "/proc/self/net/route", "/proc/self/net/if_inet6").Output(); err != nil || strings.Count(string(out), "\n") > 1 {
		t.Fatalf("the empty network namespace is none: %v\n%s", err, out)
	}
	s := newSite(t, attested, missing)
	s.setenv("GOSUMDB", "sum.golang.org")
	s.attest("signer", attested)
	s.snapshot(0, "--key", "signer.pub")

	said := s.finish(s.wrapped(empty, s.verifyArgs("--key", "signer.pub")...), 0)
	s.allVerified(s.report(said.stdout, 0))
	said = s.finish(s.wrapped(empty, s.verifyArgs(signedBy("signer")...)...), 1)
	r := s.report(said.stdout, 1)
	s.status(r, attested, "verified")
	s.status(r, missing, "not-allowed")
	s.finish(s.wrapped(empty, s.verifyArgs("--seal-key", "other.pub")...), 3)
	s.finish(s.wrapped(empty, "inspect", "--all", s.bundle()), 0)
}

// The gate makes no socket and starts no process, whatever its verdict is.
func TestNoSockets(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "strace")
	trace := []string{"strace", "-f", "-qq", "-e", "trace=network,execve,execveat", "-e", "signal=none", "-o", log}
	needs(t, append(trace, "true")...)
	const module = "golang.org/x/sync@v0.3.0"
	s := newSite(t, module)
	s.attest("signer")
	calls := func(cmd *exec.Cmd, code int) []string {
		s.finish(cmd, code)
		return strings.Split(strings.TrimSpace(string(s.read(log))), "\n")
	}
	// What is looked for would be seen.
	seen := calls(s.wrapped(trace, s.snapshotArgs(signedBy("signer")...)...), 0)
	for _, call := range []string{" socket(", " connect(", " execve("} {
		if !slices.ContainsFunc(seen, func(line string) bool { return strings.Contains(line, call) }) {
			t.Errorf("snapshot makes no call of %s), it seems", call)
		}
	}
	for _, c := range []struct {
		args []string
		code int
	}{
		{s.verifyArgs(signedBy("signer")...), 0},
		{s.verifyArgs(signedBy("other")...), 1},
		{s.verifyArgs(append(signedBy("signer"), "--modcache", s.TempDir())...), 1},
		{s.verifyArgs("--seal-key", "nobody.pub"), 2},
		{s.verifyArgs("--seal-key", "other.pub"), 3},
		{s.verifyArgs(append(signedBy("signer"), "--output", "report.json")...), 0},
		{s.verifyArgs(append(signedBy("signer"), "--sandbox", "off")...), 0}, // there is none to refuse them either
		{[]string{"inspect", "--all", s.bundle()}, 0},
		{[]string{"export", "--seal-key", "seal.pub", "--sigstore", "pieces", s.bundle()}, 0},
	} {
		made := calls(s.wrapped(trace, c.args...), c.code)
		if len(made) != 1 || !strings.Contains(made[0], `execve("`+shared.modseal+`"`) {
			t.Errorf("%v makes the calls\n%s", c.args, strings.Join(made, "\n"))
		}
	}
}
