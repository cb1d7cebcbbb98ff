//go:build unix

package standin

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func shell(script string) *Program {
	return &Program{Path: "/bin/sh", Args: []string{"sh", "-c", script}, Env: []string{"GREETING=hello"}, Stdout: io.Discard, Stderr: io.Discard}
}

// Property: the code is what a shell would say.
func TestCodes(t *testing.T) {
	for script, want := range map[string]int{"exit 0": 0, "exit 7": 7, "exit 255": 255, "kill -TERM $$": 143, "kill -KILL $$": 137} {
		if code, err := shell(script).Run(); err != nil || code != want {
			t.Errorf("%s: %d, %v; want %d", script, code, err, want)
		}
	}
	p := shell("")
	p.Path = filepath.Join(t.TempDir(), "none")
	if _, err := p.Run(); err == nil {
		t.Error("ran what is not there")
	}
}

// Property: the program has the streams, the folder and the environment that it was
// given, and no others.
func TestWorld(t *testing.T) {
	in, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, "asked")
	w.Close()
	defer in.Close()
	var out, diagnostics bytes.Buffer
	p := shell("cat; echo $GREETING $HOME; pwd -P; echo oops >&2")
	p.Dir, _ = filepath.EvalSymlinks(t.TempDir())
	p.Stdin, p.Stdout, p.Stderr = in, &out, &diagnostics
	code, err := p.Run()
	if want := "askedhello\n" + p.Dir + "\n"; code != 0 || err != nil || out.String() != want || diagnostics.String() != "oops\n" {
		t.Errorf("%d, %v: %q, want %q; %q", code, err, out.String(), want, diagnostics.String())
	}
}

// Property: a signal is passed on, and what the program makes of it counts.
func TestSignals(t *testing.T) {
	for script, want := range map[string]int{
		`trap "exit 5" TERM; echo ready; read x`: 5,
		`echo ready; read x`:                     143,
	} {
		in, hold, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		from, to := io.Pipe()
		signals := make(chan os.Signal, 1)
		p := shell(script)
		p.Stdin, p.Stdout, p.Signals = in, to, signals
		go func() {
			if line, err := bufio.NewReader(from).ReadString('\n'); !strings.HasPrefix(line, "ready") {
				t.Errorf("%q, %v", line, err)
			}
			signals <- syscall.SIGTERM
		}()
		if code, err := p.Run(); err != nil || code != want {
			t.Errorf("%s: %d, %v; want %d", script, code, err, want)
		}
		hold.Close()
		in.Close()
	}
}

// Property: after a signal nothing is started any more.
func TestSignalBefore(t *testing.T) {
	signals := make(chan os.Signal, 1)
	signals <- syscall.SIGTERM
	name := filepath.Join(t.TempDir(), "made")
	p := shell("echo >" + name)
	p.Signals = signals
	if code, err := p.Run(); code != 143 || err != nil {
		t.Errorf("%d, %v", code, err)
	}
	if _, err := os.Stat(name); err == nil {
		t.Error("it was started")
	}
}
