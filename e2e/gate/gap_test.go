package gate

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// otherToolchain is a release of Go other than the one that runs here.
func otherToolchain() string {
	for _, name := range []string{"go1.26.7", "go1.26.6"} {
		if runtime.Version() != name {
			return name
		}
	}
	return ""
}

// Behind the gap, in a network namespace that has nothing in it, the stock go command fetches toolchain and modules from the unpacked folder, checks both
// against the public checksum database, which it is not told to leave out, and builds. What is changed in that folder it refuses.
func TestGoCommandBehindTheGap(t *testing.T) {
	t.Parallel()
	empty := []string{"unshare", "-rn"}
	needs(t, append(empty, "true")...)
	s := newSite(t, "github.com/mitchellh/go-homedir@v1.0.0")
	s.setenv("GOSUMDB", "sum.golang.org")
	s.setenv("GOTOOLCHAIN", "auto")
	s.write(filepath.Join(s.home, "project", "main.go"), "package main\n\nimport \"github.com/mitchellh/go-homedir\"\n\nfunc main() { println(homedir.Dir()) }\n")
	s.run(0, "snapshot", "--seal-key", "seal.key", "--rekor-url=off", "--with-modules", "--sumdb-tiles", "--toolchain", otherToolchain()+"."+runtime.GOOS+"-"+runtime.GOARCH, "-o", s.bundle(), "project")
	unpacked := filepath.Join(s.out, "proxy")
	s.finish(s.wrapped(empty, "unpack", "-q", "--seal-key", "seal.pub", s.bundle(), unpacked), 0)

	build := func(t *testing.T, proxy, toolchain string) (string, error) {
		home := t.TempDir()
		cmd := exec.CommandContext(t.Context(), "unshare", "-rn", "go", "build", "-o", filepath.Join(home, "app"), ".")
		cmd.Dir = filepath.Join(home, "project")
		if err := os.CopyFS(cmd.Dir, os.DirFS(filepath.Join(s.home, "project"))); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(cmd.Dir, "go.sum")); err != nil {
			t.Fatal(err)
		}
		cmd.Env = []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + home, "GOENV=off", "GOMODCACHE=" + filepath.Join(home, "mod"), "GOCACHE=" + filepath.Join(home, "cache"),
			"GOPROXY=file://" + proxy, "GOSUMDB=sum.golang.org", "GOFLAGS=-mod=mod -modcacherw", "GOTOOLCHAIN=" + toolchain, "CGO_ENABLED=0",
		}
		out, err := cmd.CombinedOutput()
		if err != nil {
			return string(out), err
		}
		version, err := exec.CommandContext(t.Context(), "go", "version", filepath.Join(home, "app")).Output()
		return string(out) + string(version), err
	}
	t.Run("builds", func(t *testing.T) {
		out, err := build(t, unpacked, otherToolchain())
		if err != nil || !strings.HasSuffix(out, "app: "+otherToolchain()+"\n") {
			t.Errorf("%v\n%s", err, out)
		}
	})
	for name, file := range map[string]string{
		"record": "sumdb/sum.golang.org/lookup/github.com/mitchellh/go-homedir@v1.0.0", "tile": "sumdb/sum.golang.org/tile/8/2/000", "checkpoint": "", "toolchain": "sumdb/sum.golang.org/lookup/golang.org/toolchain@v0.0.1-" + otherToolchain() + "." + runtime.GOOS + "-" + runtime.GOARCH,
	} {
		t.Run(name, func(t *testing.T) {
			toolchain := "local"
			if name == "toolchain" {
				toolchain = otherToolchain()
			}
			folder := filepath.Join(t.TempDir(), "proxy")
			if out, err := exec.Command("cp", "-r", unpacked, folder).CombinedOutput(); err != nil {
				t.Fatalf("%v %s", err, out)
			}
			name, at := filepath.Join(folder, file), -20
			if file == "" { // of the tree in the record's answer: a signature has no bit that may differ
				name = filepath.Join(folder, "sumdb/sum.golang.org/lookup/github.com/mitchellh/go-homedir@v1.0.0")
			} else if strings.Contains(file, "lookup") {
				at = 60
			}
			data := s.read(name)
			if at < 0 {
				at += len(data)
			}
			data[at] ^= 1
			if err := os.WriteFile(name, data, 0o644); err != nil {
				t.Fatal(err)
			}
			if out, err := build(t, folder, toolchain); err == nil {
				t.Errorf("the go command builds with another %s\n%s", name, out)
			} else {
				t.Logf("%v: %s", err, strings.TrimSpace(out))
			}
		})
	}
}
