package report

import (
	"testing"

	"github.com/modseal/modseal/verify"
)

// Property: what is not in force is not said to be, and why it is not is said.
func TestSandbox(t *testing.T) {
	lacks := []string{"a", "b"}
	for want, s := range map[string]verify.SandboxReport{
		"Landlock (ABI 7) and seccomp": {Mode: "auto", Landlock: 7, Seccomp: true},
		"Landlock (ABI 7) alone: a; b": {Mode: "auto", Landlock: 7, Lacks: lacks},
		"seccomp alone: a; b":          {Mode: "auto", Seccomp: true, Lacks: lacks},
		"none: a; b":                   {Mode: "auto", Lacks: lacks},
		"none":                         {},
		"off, as you said":             {Mode: "off"},
	} {
		if got := Sandbox(&s); got != want {
			t.Errorf("%+v: %q, want %q", s, got, want)
		}
	}
}
