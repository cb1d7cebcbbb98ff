package stack_test

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/modseal/modseal/e2e/stack"
)

// parentDir is set in the process that TestMain turns into a parent to be killed.
const parentDir = "E2E_STACK_PARENT_DIR"

func TestMain(m *testing.M) {
	dir := os.Getenv(parentDir)
	if dir == "" {
		os.Exit(m.Run())
	}
	rekor, err := stack.Start(context.Background(), stack.Options{Dir: dir})
	if err != nil {
		panic(err)
	}
	os.Stdout.WriteString(rekor.URL + "\n")
	select {}
}

// Close ends the process and what it serves, at once, and can be called again.
func TestClose(t *testing.T) {
	rekor, err := stack.Start(t.Context(), stack.Options{})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for range 2 {
		if err := rekor.Close(); err != nil {
			t.Error(err)
		}
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("Close took %s", took)
	}
	select {
	case <-rekor.Done():
	default:
		t.Error("Done is open after Close")
	}
	if answers(rekor.URL) {
		t.Error("it still answers after Close")
	}
	if _, err := os.Stat(filepath.Dir(rekor.LogPath)); !os.IsNotExist(err) {
		t.Errorf("temporary folder %s after Close: %v", filepath.Dir(rekor.LogPath), err)
	}
}

// A server does not outlive its parent, even when that is killed without a chance to stop anything.
func TestParentKilled(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	parent := exec.Command(self)
	parent.Env = append(os.Environ(), parentDir+"="+t.TempDir())
	stdout, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, readErr := bufio.NewReader(stdout).ReadString('\n')
	url := strings.TrimSpace(line)
	if readErr != nil || !answers(url) {
		t.Errorf("no server at %q: %v", url, readErr)
	}
	parent.Process.Kill()
	parent.Wait() // reports the kill

	deadline := time.Now().Add(10 * time.Second)
	for answers(url) {
		if time.Now().After(deadline) {
			t.Fatal("the server outlives its parent")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// What keeps a server from starting is in the error, and nothing is left running.
func TestStartErrors(t *testing.T) {
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, stack.PrivateKeyName), []byte("not a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	binary, err := stack.BuildRekor(t.Context(), stack.BuildOptions{})
	if err != nil {
		t.Fatal(err)
	}
	path := func(name string) string {
		p, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, test := range []struct {
		name string
		ctx  context.Context
		opts stack.Options
		want string
	}{
		{"no such binary", t.Context(), stack.Options{Binary: "/no/such/binary"}, "no such file"},
		{"ends without a word", t.Context(), stack.Options{Binary: path("true")}, "ended before it was ready"},
		{"answers something else", t.Context(), stack.Options{Binary: path("echo")}, "invalid character"},
		{"broken key", t.Context(), stack.Options{Binary: binary, Dir: broken}, "rekor.key: not PEM"},
		{"cancelled", cancelled, stack.Options{Binary: binary}, "context canceled"},
	} {
		t.Run(test.name, func(t *testing.T) {
			rekor, err := stack.Start(test.ctx, test.opts)
			if err == nil {
				rekor.Close()
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want one with %q", err, test.want)
			}
		})
	}
}

// answers reports whether something listens at a URL.
func answers(url string) bool {
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		return false
	}
	conn.Close()
	return true
}
