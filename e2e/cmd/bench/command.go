//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// usage is what a process took.
type usage struct {
	elapsed time.Duration
	cpu     time.Duration // of all its threads, in the system too
	memory  int64         // largest resident set, bytes
}

// command is a child process to run and measure.
type command struct {
	dir  string
	env  []string
	args []string
}

// run returns what the process took and its standard output. A process that fails is an error, with what it said.
//
// The system counts the parent's memory at the moment of the fork as the child's, so a parent that measures children
// must stay small itself: what takes memory is done in children here, too.
func (c command) run(ctx context.Context) (usage, []byte, error) {
	cmd := exec.CommandContext(ctx, c.args[0], c.args[1:]...)
	cmd.Dir, cmd.Env = c.dir, c.env
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	start := time.Now()
	err := cmd.Run()
	u := usage{elapsed: time.Since(start)}
	if err != nil {
		return u, nil, fmt.Errorf("%s: %w\n%s", strings.Join(c.args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	u.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if r, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.memory = r.Maxrss
		if runtime.GOOS != "darwin" {
			u.memory *= 1024 // Darwin alone has bytes
		}
	}
	return u, stdout.Bytes(), nil
}

// goCommand runs the go command with the user's settings, or with our own.
type goCommand struct {
	proxy    string // the first URL in GOPROXY
	modCache string
	sumDB    string
}

func findGo(ctx context.Context) (*goCommand, error) {
	_, out, err := command{args: []string{"go", "env", "-json", "GOPROXY", "GOMODCACHE", "GOSUMDB"}, env: os.Environ()}.run(ctx)
	if err != nil {
		return nil, err
	}
	var env struct{ GOPROXY, GOMODCACHE, GOSUMDB string }
	if err := json.Unmarshal(out, &env); err != nil {
		return nil, err
	}
	g := &goCommand{modCache: env.GOMODCACHE, sumDB: env.GOSUMDB}
	if g.sumDB == "" || g.sumDB == "off" {
		g.sumDB = "sum.golang.org" // there is nothing to measure without
	}
	for _, p := range strings.FieldsFunc(env.GOPROXY, func(r rune) bool { return r == ',' || r == '|' }) {
		if p = strings.TrimSpace(p); strings.HasPrefix(p, "http://") || strings.HasPrefix(p, "https://") {
			g.proxy = strings.TrimRight(p, "/")
			break
		}
	}
	if g.proxy == "" {
		return nil, fmt.Errorf("GOPROXY=%s has no URL to count requests in front of", env.GOPROXY)
	}
	return g, nil
}

// closed is the environment for processes that are measured: no settings of the user's, the given module cache and the
// given proxy ("off" for none).
func (g *goCommand) closed(modCache, proxy string) []string {
	var env []string
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		switch {
		case name == "GOROOT", name == "GOPATH", name == "GOCACHE", name == "GOTMPDIR":
		case strings.HasPrefix(name, "GO"), strings.HasPrefix(name, "MODSEAL_"):
			continue
		}
		env = append(env, e)
	}
	return append(env, "GOENV=off", "GOWORK=off", "GOTOOLCHAIN=local", "GOMODCACHE="+modCache, "GOPROXY="+proxy, "GOSUMDB="+g.sumDB)
}
