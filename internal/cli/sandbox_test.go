package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/modseal/modseal/internal/sandbox"
)

// Property: each command that reads a bundle enters the sandbox, once, before it
// opens the bundle; with what it will write, and nothing else, as outputs. If the
// sandbox is demanded and can't be had, that is all that happens.
func TestEnters(t *testing.T) {
	for _, c := range []struct {
		args    string
		outputs string // folders in which they will be
	}{
		{"verify --insecure-ignore-seal BUNDLE --artifact sha256:%064d", ""},
		{"verify --insecure-ignore-seal -o out/report BUNDLE --artifact sha256:%064d", "out"},
		{"inspect BUNDLE", ""},
		{"unpack --insecure-ignore-seal BUNDLE to/a/b", "."},
		{"unpack --insecure-ignore-seal -o out/report BUNDLE to", "out ."},
		{"export --insecure-ignore-seal BUNDLE --sigstore to", "."},
	} {
		for _, program := range []string{"has one", "can't", "has none"} {
			dir := t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, "out"), 0o755); err != nil {
				t.Fatal(err)
			}
			bundle := filepath.Join(dir, "bundle")
			if err := os.WriteFile(bundle, []byte("hostile"), 0o644); err != nil {
				t.Fatal(err)
			}
			var stderr bytes.Buffer
			var outputs []string
			entered := 0
			p := &Process{
				Args:   append(strings.Fields(strings.Replace(strings.ReplaceAll(c.args, "%064d", strings.Repeat("0", 64)), "BUNDLE", bundle, 1)), "--sandbox=require"),
				Stdout: io.Discard, Stderr: &stderr, Getenv: func(string) string { return "" }, Dir: dir, Now: time.Now,
			}
			want, says := ExitUntrusted, ""
			switch program {
			case "has one":
				p.Sandbox = func(mode sandbox.Mode, list ...sandbox.Output) (sandbox.State, error) {
					for _, o := range list {
						rel, err := filepath.Rel(dir, o.Dir)
						if _, statErr := os.Lstat(o.Temp); err != nil || statErr != nil || mode != sandbox.Require {
							t.Errorf("%s: %v, %v, %s", c.args, err, statErr, mode)
						}
						outputs = append(outputs, rel)
					}
					entered++
					return sandbox.State{Mode: string(mode), Landlock: 1, Seccomp: true}, nil
				}
			case "can't":
				p.Sandbox = func(sandbox.Mode, ...sandbox.Output) (sandbox.State, error) {
					return sandbox.State{}, fmt.Errorf("%w: why", sandbox.ErrRequired)
				}
				want, says = ExitUsage, "modseal: --sandbox=require: the sandbox is not whole: why\nmodseal: hint: --sandbox=auto "
			default:
				want, says = ExitUsage, "modseal: sandbox: this program has none\n"
			}
			if code := Run(context.Background(), p, ""); code != want || !strings.HasPrefix(stderr.String(), says) {
				t.Errorf("%s, %s: exit %d\n%s", c.args, program, code, &stderr)
			}
			if program == "has one" && (entered != 1 || strings.Join(outputs, " ") != c.outputs) {
				t.Errorf("%s: entered %d times, outputs %q", c.args, entered, outputs)
			}
			if got := names(t, dir); len(got) != 2 || len(names(t, filepath.Join(dir, "out"))) > 0 {
				t.Errorf("%s, %s: left %q", c.args, program, got)
			}
		}
	}
}
