package main

import (
	"os/exec"
	"testing"
)

// The command finds a Rekor, and its exit code is passed on.
func TestRun(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("NOT TESTED: no sh")
	}
	for _, c := range []struct {
		script string
		code   int
	}{
		{`test -s "$REKOR_PUBLIC_KEY" && case "$REKOR_URL" in http://127.0.0.1:*) exit 0;; esac; exit 1`, 0},
		{`exit 7`, 7},
		{`kill -TERM $$`, 143},
	} {
		code, err := run("sh", []string{"-c", c.script})
		if code != c.code || err != nil {
			t.Errorf("%s: exit code %d, %v, want %d", c.script, code, err, c.code)
		}
	}
	if code, err := run("/nowhere/command", nil); code != exitNoRekor || err == nil {
		t.Errorf("without a command: exit code %d, %v, want %d and an error", code, err, exitNoRekor)
	}
}
