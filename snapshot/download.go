package snapshot

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/internal/limit"
)

const (
	maxGoOutput = 256 << 20 // bytes that go mod download may print
	maxGoErrors = 1 << 20   // bytes of its messages that are kept
)

// downloadToolchains runs "go mod download -json" on the toolchains, in an empty
// folder: they belong to no project.
func (c *collector) downloadToolchains(ctx context.Context, modules []module.Version) error {
	dir, err := os.MkdirTemp("", "modseal-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	args := []string{"mod", "download", "-json"}
	for _, m := range modules {
		args = append(args, m.String())
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = []string{"GO111MODULE=on", "GOWORK=off", "GOFLAGS=", "GOTOOLCHAIN=local"} // none of it is about the network
	phase := Phase{Name: "download toolchains", Unit: "toolchains"}
	c.phase(phase)
	done := downloads{}
	if err := c.goModDownload(ctx, cmd, dir, done); err != nil {
		return err
	}
	c.phase(Phase{Name: phase.Name, Done: fmt.Sprintf("%d %s", len(done), phase.Unit)})
	return nil
}

// downloads are the modules that the go command has downloaded, or had already.
type downloads map[module.Version]bool

// goModDownload runs the go command in a folder, with cmd.Env beside the environment:
// GOPROXY, GOFLAGS, GOPRIVATE, GOAUTH and all that they stand for are its business.
func (c *collector) goModDownload(ctx context.Context, cmd *exec.Cmd, dir string, done downloads) error {
	cmd.Dir = dir
	cmd.Env = slices.Concat(c.Environ, []string{"GOMODCACHE=" + c.env.GOMODCACHE}, cmd.Env)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	messages := &head{max: maxGoErrors}
	cmd.Stderr = messages
	if err := cmd.Start(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return fmt.Errorf("%w: install Go, or take what is in the module cache with --no-download", err)
		}
		return err
	}
	failed, readErr := c.readDownloads(out, done)
	err = cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case len(failed) > 0:
		return &IncompleteError{What: "go mod download could not fetch all modules", Modules: failed}
	case err != nil:
		return fmt.Errorf("go mod download: %w\n%s", err, bytes.TrimSpace(messages.b))
	case readErr != nil:
		return fmt.Errorf("go mod download: %w", readErr)
	}
	return nil
}

// readDownloads reads the objects that go mod download -json prints.
func (c *collector) readDownloads(r io.Reader, done downloads) (failed []ModuleError, err error) {
	d := json.NewDecoder(limit.Reader(r, "output of go mod download", maxGoOutput))
	for {
		var m struct{ Path, Version, Error string }
		if err := d.Decode(&m); err == io.EOF {
			return failed, nil
		} else if err != nil {
			_, _ = io.Copy(io.Discard, r) // let the go command end
			return failed, err
		}
		v := module.Version{Path: m.Path, Version: m.Version}
		if !done[v] {
			done[v] = true
			c.count(1)
		}
		if m.Error != "" {
			failed = append(failed, ModuleError{Module: v, Err: errors.New(strings.TrimSpace(m.Error))})
		}
	}
}

// head keeps the first max bytes of what is written to it.
type head struct {
	b   []byte
	max int
}

func (t *head) Write(p []byte) (int, error) {
	t.b = append(t.b, p[:min(len(p), t.max-len(t.b))]...)
	return len(p), nil
}

// goroot asks the go command where it is installed: its default settings, GOPROXY
// among them, stand in a file there. Without an answer they are not known.
func goroot(ctx context.Context, dir string, environ []string) string {
	cmd := exec.CommandContext(ctx, "go", "env", "GOROOT")
	cmd.Dir, cmd.Env = dir, environ
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
