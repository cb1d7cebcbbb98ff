package gate

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modseal/modseal/e2e/faultproxy"
)

// runLimit is how long one command may take; the longest give up after six tries.
const runLimit = 90 * time.Second

// site is where one story takes place: a project, keys and caches of its own.
type site struct {
	*testing.T
	home    string   // working directory of all commands: project/, keys, attestations/
	out     string   // outputs, and nothing else
	modules []string // path@version
	env     []string // what the environment is extended by
	rekor   string   // URL
	logKey  string   // file with the key of the log that is trusted, or none
}

// claims says which test a module belongs to.
var claims sync.Map // of path@version to the test's name

// newSite makes a project that requires the modules, and the keys "seal", "signer" and "other".
func newSite(t *testing.T, modules ...string) *site {
	t.Helper()
	test, _, _ := strings.Cut(t.Name(), "/")
	for _, m := range modules {
		if other, taken := claims.LoadOrStore(m, test); taken && other != test {
			t.Fatalf("%s is a module of %s: take another, or they see each other's entries", m, other)
		}
	}
	s := &site{T: t, home: t.TempDir(), modules: modules}
	s.project("project", "1.24", modules...)
	for _, name := range []string{"seal", "signer", "other"} {
		s.run(0, "keygen", "--no-password", "-o", name)
	}
	return s.again(t)
}

// again is the same site with nothing fetched and nothing written yet.
func (s *site) again(t *testing.T) *site {
	t.Helper()
	fresh := *s
	fresh.T, fresh.out = t, t.TempDir()
	fresh.rekor, fresh.logKey = shared.rekor.URL, shared.rekor.PublicKeyPath
	fresh.env = []string{
		"MODSEAL_CACHE=" + filepath.Join(t.TempDir(), "cache"),
		"GOSUMDB=off", // Rekor is what most stories are about
		"GOFLAGS=", "GOWORK=off", "GOTOOLCHAIN=local", "GOMODCACHE=" + shared.modcache,
	}
	return &fresh
}

// project writes go.mod and go.sum.
func (s *site) project(name, goVersion string, modules ...string) {
	s.Helper()
	mod := "module example.com/" + name + "\n\ngo " + goVersion + "\n\n"
	var sum string
	for _, m := range slices.Sorted(slices.Values(modules)) {
		lines, ok := shared.sums[m]
		if !ok {
			s.Fatalf("%s is not in %s", m, sumsFile)
		}
		path, version, _ := strings.Cut(m, "@")
		mod += fmt.Sprintf("require %s %s\n", path, version)
		sum += lines
	}
	s.write(filepath.Join(s.home, name, "go.mod"), mod)
	s.write(filepath.Join(s.home, name, "go.sum"), sum)
}

func (s *site) write(name, content string) {
	s.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(content), 0o644)); err != nil {
		s.Fatal(err)
	}
}

func (s *site) read(name string) []byte {
	s.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		s.Fatal(err)
	}
	return data
}

// setenv overrides a variable for the commands to come.
func (s *site) setenv(name, value string) { s.env = append(s.env, name+"="+value) }

// proxy puts a faulty server before Rekor.
func (s *site) proxy(hook faultproxy.Hook) *faultproxy.Proxy {
	s.Helper()
	p, err := faultproxy.New(shared.rekor.URL)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { p.Close() })
	p.SetHook(hook)
	s.rekor = p.URL
	return p
}

// result is what a command printed.
type result struct{ stdout, stderr string }

// command is modseal with arguments, not started yet.
func (s *site) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, shared.modseal, args...)
	cmd.Dir = s.home
	cmd.Env = append(os.Environ(), s.env...)
	return cmd
}

// run runs modseal and demands an exit code.
func (s *site) run(want int, args ...string) result {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), runLimit)
	defer cancel()
	return s.finish(s.command(ctx, args...), want)
}

// finish runs a command and demands an exit code.
func (s *site) finish(cmd *exec.Cmd, want int) result {
	s.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.Fatalf("%v: %v", cmd.Args, err)
	}
	if got := cmd.ProcessState.ExitCode(); got != want {
		s.Fatalf("%v: exit code %d, want %d\n%s\n%s", cmd.Args, got, want, stdout.Bytes(), stderr.Bytes())
	}
	return result{stdout.String(), stderr.String()}
}

// attest attests modules, or all of the project, and waits until they can be found: Rekor writes its index after its log.
func (s *site) attest(key string, modules ...string) result {
	s.Helper()
	r := s.run(0, s.attestArgs(key, modules...)...)
	if len(modules) == 0 {
		modules = s.modules
	}
	for _, m := range modules {
		for _, digest := range [][32]byte{s.zipDigest(m), s.h1(m)} {
			s.eventually(func() bool { return len(s.search(digest, s.read(filepath.Join(s.home, key+".pub")))) > 0 })
		}
	}
	return r
}

func (s *site) attestArgs(key string, modules ...string) []string {
	args := []string{"attest", "--key", key + ".key", "--rekor-url", s.rekor, "--rekor-public-key", s.logKey}
	if len(modules) == 0 {
		return append(args, "--all", "-C", "project")
	}
	return append(args, modules...)
}

// bundle is the file that snapshot writes.
func (s *site) bundle() string { return filepath.Join(s.out, "deps.modseal") }

// snapshot takes one of the project. Without the exit code 0 nothing may be left beside where the bundle would be.
func (s *site) snapshot(want int, flags ...string) result {
	s.Helper()
	r := s.run(want, s.snapshotArgs(flags...)...)
	if want == 0 {
		s.holds(s.out, "deps.modseal")
	} else {
		s.holds(s.out)
	}
	return r
}

func (s *site) snapshotArgs(flags ...string) []string {
	args := []string{"snapshot", "--seal-key", "seal.key", "--rekor-url", s.rekor, "-o", s.bundle()}
	args = append(append(args, s.logKeyFlag()...), flags...)
	return append(args, "project")
}

// logKeyFlag trusts the log by its key, if that is how it is to be trusted.
func (s *site) logKeyFlag() []string {
	if s.logKey == "" {
		return nil
	}
	return []string{"--rekor-public-key", s.logKey}
}

// holds demands that a folder holds these files and no others.
func (s *site) holds(dir string, want ...string) {
	s.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		s.Fatal(err)
	}
	var got []string
	for _, f := range files {
		got = append(got, f.Name())
	}
	if !slices.Equal(got, want) {
		s.Errorf("%s holds %q, want %q", dir, got, want)
	}
}

// fingerprint is what reports call a key by, whatever name they add.
func (s *site) fingerprint(name string) string {
	s.Helper()
	block, _ := pem.Decode(s.read(filepath.Join(s.home, name+".pub")))
	if block == nil {
		s.Fatalf("%s.pub is not PEM", name)
	}
	return fmt.Sprintf("sha256:%x", sha256.Sum256(block.Bytes))
}

// signedBy is what makes modules need an entry in Rekor by one of these keys.
func signedBy(keys ...string) []string {
	flags := []string{"--require", "rekor"}
	for _, k := range keys {
		flags = append(flags, "--key", k+".pub")
	}
	return flags
}

// eventually looks again and again, for as long as a command may take.
func (s *site) eventually(done func() bool) {
	s.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	end := time.After(runLimit)
	for !done() {
		select {
		case <-again.C:
		case <-end:
			s.Fatal("it does not come true")
		}
	}
}

// says demands that a text has all of these words in it.
func (s *site) says(text string, words ...string) {
	s.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			s.Errorf("no %q in:\n%s", w, text)
		}
	}
}
