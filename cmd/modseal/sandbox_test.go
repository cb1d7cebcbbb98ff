package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/modseal/modseal/internal/report"
	"github.com/modseal/modseal/internal/sandbox"
	"github.com/modseal/modseal/verify"
)

// condition is what stories can ask for in brackets.
func condition(name string) (bool, error) {
	switch name {
	case "sandbox": // all of it can be had
		return len(sandbox.Offered().Lacks) == 0, nil
	case "strace": // it is there, and let work
		return exec.Command("strace", "-o", os.DevNull, "true").Run() == nil, nil
	}
	return false, fmt.Errorf("no such condition: %s", name)
}

// offered is what reports say of the sandbox that this system has.
func offered() string {
	s := verify.SandboxReport(sandbox.Offered())
	return report.Sandbox(&s)
}

// called filter|- asserts that strace wrote of no system calls to the file log but
// modseal's own start and, if this system has it, the filter that is put on.
func called(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 || args[0] != "filter" && args[0] != "-" {
		ts.Fatalf("usage: called filter|-")
	}
	started, filters := 0, 0
	for line := range strings.Lines(ts.ReadFile("log")) {
		switch {
		case strings.Contains(line, " execve("):
			started++
		case strings.Contains(line, " seccomp(SECCOMP_GET_ACTION_AVAIL, "):
		case strings.Contains(line, " seccomp(SECCOMP_SET_MODE_FILTER, "):
			filters++
		default:
			ts.Fatalf("called: %s", line)
		}
	}
	want := 0
	if args[0] == "filter" && sandbox.Offered().Seccomp {
		want = 1
	}
	if started != 1 || filters != want {
		ts.Fatalf("%d programs started, %d filters put on, want 1 and %d", started, filters, want)
	}
}
