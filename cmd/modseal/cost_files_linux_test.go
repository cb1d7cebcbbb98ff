package main

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/internal/testlog"
)

// hostileInput is a command on files that are as costly as their limits allow.
type hostileInput struct {
	make func(w *costWorld) (args []string) // makes the files
	exit int
	says string // in what it prints
}

// costWorld is a folder with all that a hostile input needs besides itself.
type costWorld struct {
	*testing.T
	dir string
	env []string // of the command
}

func newCostWorld(t *testing.T) *costWorld {
	w := &costWorld{T: t, dir: t.TempDir()}
	k, err := keys.ParsePrivate(testlog.NewSigner("seal").PrivatePEM(), nil)
	if err != nil {
		t.Fatal(err)
	}
	w.file("seal.key", string(testlog.NewSigner("seal").PrivatePEM()))
	w.file("seal.pub", string(k.Public().MarshalPEM()))
	w.file("modcache/empty", "")
	return w
}

// path is that of a file in the folder.
func (w *costWorld) path(name string) string { return filepath.Join(w.dir, filepath.FromSlash(name)) }

func (w *costWorld) file(name, text string) string {
	w.Helper()
	file := w.path(name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		w.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		w.Fatal(err)
	}
	return file
}

// sealed is a bundle of nothing that somebody trusted sealed: of one that nobody
// did, memory is limited for that reason alone.
func (w *costWorld) sealed() string {
	w.Helper()
	file := w.path("deps.modseal")
	if _, err := os.Stat(file); err == nil {
		return file
	}
	writeBomb(w, file, bomb{manifest: manifestOf(nil, nil)})
	if c, out := costOf(w.T, w.env, "sign", "--seal-key", w.path("seal.key"), file); c.Exit != 0 {
		w.Fatal(out)
	}
	return file
}

// verify is the gate for a project in the folder app.
func (w *costWorld) verify(flags ...string) []string {
	return append(append([]string{"verify", "-q", "--seal-key", w.path("seal.pub"), "--sumdb", "sum.golang.org"}, flags...), w.sealed(), w.path("app"))
}

// fill repeats what makes makes as often as fits, and at most n times.
func fill(before string, n, max int, makes func(i int) string, after string) string {
	var b strings.Builder
	b.WriteString(before)
	for i := range n {
		s := makes(i)
		if b.Len()+len(s)+len(after) > max {
			break
		}
		b.WriteString(s)
	}
	return b.String() + after
}

func same(s string) func(int) string { return func(int) string { return s } }

// tree lists what is below a folder.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && !d.IsDir() {
			all[name] = fmt.Sprint(info.Mode(), info.Size(), info.ModTime())
		} else if err == nil {
			all[name] = info.Mode().String()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// measureInputs runs each command on its hostile files.
func measureInputs(t *testing.T, inputs map[string]hostileInput) {
	if testing.Short() {
		t.Skip("some ten seconds")
	}
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		in := inputs[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it is the processor's time that is measured
			w := newCostWorld(t)
			w.env = []string{
				"HOME=" + w.path("home"), "XDG_CACHE_HOME=" + w.path("home/cache"), "GOENV=off", "GOFLAGS=", "GOWORK=", "GOPROXY=off",
				"GOMODCACHE=" + w.path("modcache"), "GOSUMDB=sum.golang.org", "GOPRIVATE=", "GONOSUMDB=", "GOTOOLCHAIN=local", "MODSEAL_PASSWORD=x",
			}
			args := in.make(w)
			before := tree(t, w.dir)
			cost, output := costOf(t, w.env, args...)
			t.Logf("%d MiB, %.1f s of the processor: %.200s", cost.Memory>>10, cost.CPU.Seconds(), output)
			if cost.Exit != in.exit || !strings.Contains(output, in.says) {
				t.Errorf("exit code %d, want %d and %q: %.1000s", cost.Exit, in.exit, in.says, output)
			}
			if cost.Memory > maxMemory {
				t.Errorf("%d MiB of memory, want at most %d", cost.Memory>>10, maxMemory>>10)
			}
			if cost.CPU > maxTime {
				t.Errorf("%s of the processor", cost.CPU)
			}
			if strings.Contains(output, "goroutine ") || strings.Contains(output, "panic:") {
				t.Errorf("%.2000s", output)
			}
			after := tree(t, w.dir)
			maps.DeleteFunc(after, func(name, _ string) bool { return strings.HasSuffix(name, ".lock") }) // of a state, which stays
			if !maps.Equal(after, before) {
				maps.DeleteFunc(after, func(name, is string) bool { return before[name] == is })
				t.Errorf("written, or written anew: %v", after)
			}
		})
	}
}

// app makes the project's files.
func (w *costWorld) app(files ...string) {
	for i := 0; i < len(files); i += 2 {
		w.file("app/"+files[i], files[i+1])
	}
}

const goModHead = "module m.test/m\n\ngo 1.22\n"

// Property: the files of a project cost no more than 256 MiB and ten seconds, whatever is in them.
func TestCostOfHostileProjects(t *testing.T) {
	const mib = 1 << 20
	const refused, unproven = 2, 1
	// as many lines as there may be, as long as they may be
	long := strings.Repeat("x", 16*mib/150_000-20)
	lines := func(before, line, after string) string {
		return fill(before, 149_990, 16*mib, same(line), after)
	}
	gomod := func(text, says string) hostileInput {
		return hostileInput{func(w *costWorld) []string { w.app("go.mod", text); return w.verify() }, refused, says}
	}
	gosum := func(text string, exit int, says string) hostileInput {
		return hostileInput{func(w *costWorld) []string {
			w.app("go.mod", goModHead+"require a.b/c v0.0.0\n", "go.sum", text)
			return w.verify()
		}, exit, says}
	}
	h1 := func(i int) string { return "h1:" + fmt.Sprintf("%042d", i) + "A=" }
	require := func(i int) string { return fmt.Sprintf("a.b/%x/%.120s v0.0.0\n", i, long+long+long) }
	inputs := map[string]hostileInput{
		"go.mod of unknown lines":   gomod(lines(goModHead, "a"+long+"\n", ""), "unknown directive"),
		"go.mod of ignored folders": gomod(lines(goModHead+"ignore (\n", long+"\n", ")\n"), "nothing to verify"),
		"go.mod of comments":        gomod(lines(goModHead, "//"+long+"\n", ""), "nothing to verify"),
		"go.mod of retractions":     gomod(lines(goModHead+"retract (\n", "v0.0.0 // "+long[:20]+"\n", ")\n"), "nothing to verify"),
		"go.mod of words":           gomod(fill(goModHead+"require ", 999_000, 16*mib, same("aaaaaaaaaaaaaaa "), "\n"), "usage: require"),
		"go.mod of brackets":        gomod(fill(goModHead, 999_000, 16*mib, same("("), ""), "syntax error"),
		"go.mod too long":           gomod(strings.Repeat("\n", 16*mib+1), "more than 16777216 bytes"),
		"go.mod of requirements": {func(w *costWorld) []string {
			w.app("go.mod", fill(goModHead+"require (\n", 100_000, 16*mib, require, ")\n"))
			return w.verify()
		}, unproven, "100000 of 100000 modules are not proven"},
		"go.mod of replacements": gomod(fill(goModHead+"replace (\n", 149_000, 16*mib, func(i int) string { return fmt.Sprintf("a.b/%x => ./%.30s\n", i, long) }, ")\n"), "nothing to verify"),
		"go.sum of hashes":       gosum(fill("", 400_000, 32*mib, func(i int) string { return fmt.Sprintf("a.b/%x v0.0.0 %s\n", i, h1(i)) }, ""), unproven, "1 of 1 module is not proven"),
		"go.sum of one module":   gosum(fill("", 400_000, 32*mib, func(i int) string { return fmt.Sprintf("a.b/c v0.0.0 %s\n", h1(i)) }, ""), refused, "more than 16 hashes"),
		"go.sum of words":        gosum(strings.Repeat("a ", 16*mib), refused, "bytes in a line"),
		"modules.txt of packages": {func(w *costWorld) []string {
			w.app("go.mod", goModHead+"require a.b/c v0.0.0\n", "vendor/modules.txt", fill("# a.b/c v0.0.0\n## explicit\n", 200_000, 16*mib, func(i int) string { return fmt.Sprintf("a.b/c/%x%.70s\n", i, long) }, ""))
			return w.verify()
		}, refused, "no listings"},
		"modules.txt of modules": {func(w *costWorld) []string {
			w.app("go.mod", goModHead+"require a.b/c v0.0.0\n", "vendor/modules.txt", fill("", 100_000, 16*mib, func(i int) string { return fmt.Sprintf("# a.b/%x/%.100s v0.0.0\na.b/%[1]x/%.100[2]s\n", i, long+long) }, ""))
			return w.verify()
		}, refused, "does not fit go.mod"},
		"go.work": {func(w *costWorld) []string {
			w.app("go.work", fill("go 1.22\nuse (\n", 10_000, 16*mib, func(i int) string { return fmt.Sprintf("./%d\n", i) }, ")\n"))
			for i := range 20 {
				w.app(fmt.Sprintf("%d/go.mod", i), fill(fmt.Sprintf("module m.test/m%d\n\ngo 1.22\nrequire (\n", i), 100_000, 16*mib, func(j int) string { return fmt.Sprintf("a.b/%x%s v0.0.0\n", i<<20+j, long[:15]) }, ")\n"))
			}
			return w.verify()
		}, refused, "more than 300000 lines in all"},
		"go.work.sum": {func(w *costWorld) []string {
			w.app("go.work", fill("go 1.22\nuse (\n", 20, 16*mib, func(i int) string { return fmt.Sprintf("./%d\n", i) }, ")\n"))
			for i := range 20 {
				w.app(fmt.Sprintf("%d/go.mod", i), fmt.Sprintf("module m.test/m%d\n\ngo 1.22\n", i), fmt.Sprintf("%d/go.sum", i), fill("", 30_000, 16*mib, func(j int) string { return fmt.Sprintf("a.b/%x v0.0.0 %s\n", i<<20+j, h1(i<<20+j)) }, ""))
			}
			return w.verify()
		}, refused, "more than 400000 hashes"},
		"module graph": {func(w *costWorld) []string {
			w.app("go.mod", fill("module m.test/m\n\ngo 1.16\nrequire (\n", 15, 16*mib, func(i int) string { return fmt.Sprintf("a.b/d%d v0.0.0\n", i) }, ")\n"))
			for i := range 15 {
				w.file(fmt.Sprintf("modcache/cache/download/a.b/d%d/@v/v0.0.0.mod", i), fill(fmt.Sprintf("module a.b/d%d\n\ngo 1.16\nrequire (\n", i), 149_000, 16*mib, func(j int) string { return fmt.Sprintf("a.b/%x v0.0.0\n", j%99_000) }, ")\n"))
			}
			return w.verify()
		}, refused, "more than"},
	}
	measureInputs(t, inputs)
}
