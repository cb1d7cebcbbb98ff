package report

import (
	"fmt"
	"strings"

	"github.com/modseal/modseal/verify"
)

// Sandbox says in one line what was in force, and what not and why.
func Sandbox(s *verify.SandboxReport) string {
	var said string
	switch {
	case s.Mode == "off":
		return "off, as you said"
	case s.Landlock > 0 && s.Seccomp:
		said = fmt.Sprintf("Landlock (ABI %d) and seccomp", s.Landlock)
	case s.Landlock > 0:
		said = fmt.Sprintf("Landlock (ABI %d) alone", s.Landlock)
	case s.Seccomp:
		said = "seccomp alone"
	default:
		said = "none"
	}
	if len(s.Lacks) > 0 {
		said += ": " + strings.Join(s.Lacks, "; ")
	}
	return Visible(said)
}

func (t *text) sandbox(s *verify.SandboxReport) {
	if s == nil {
		return
	}
	said := painted(Sandbox(s))
	if s.Landlock == 0 || !s.Seccomp {
		said = t.paint(yellow, string(said))
	}
	t.printf("sandbox  %s\n", said)
}
