package gomod

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"

	"github.com/modseal/modseal/internal/limit"
)

// Property: what is at a limit of go.mod passes, one more is refused, in every file that
// is parsed; empty lines and long words count for nothing.
func TestBoundedSyntax(t *testing.T) {
	const head = "module m.test/m\n\ngo 1.22\n"
	for name, c := range map[string]struct {
		text func(n int) string
		most int
	}{
		"lines":           {func(n int) string { return head + strings.Repeat("//\n", n-2) }, maxModLines},
		"lines, indented": {func(n int) string { return head + strings.Repeat("\t //\n", n-2) }, maxModLines},
		"words":           {func(n int) string { return head + "retract v0.0.0 //" + strings.Repeat(" a", n-7) + "\n" }, maxModWords},
		"brackets":        {func(n int) string { return head + strings.Repeat("(", n-4) }, maxModWords},
	} {
		for n, ok := range map[int]bool{c.most: true, c.most + 1: false} {
			text := c.text(n)
			if err := CheckBounded("go.mod", []byte(text)); ok != (err == nil) || !ok && !errors.Is(err, limit.ErrExceeded) {
				t.Errorf("%s: %d: %v", name, n, err)
			}
			if ok {
				continue
			}
			_, main := parseMain("go.mod", "/", []byte(text))
			_, dep := parseDependency([]byte(text))
			_, work := parseWork("/go.work", []byte(text))
			for _, err := range []error{main, dep, work} {
				if !errors.Is(err, limit.ErrExceeded) {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
	if err := CheckBounded("go.mod", []byte(head+strings.Repeat("\n", 1<<20)+strings.Repeat("x", 1<<20))); err != nil {
		t.Error(err)
	}
}

// Property: as many words are counted as the parser makes of a line, but for a comment
// that follows a word at once.
func TestCountWords(t *testing.T) {
	for line, want := range map[string]int{
		"": 0, " \t\r\n": 0, "require a v1\n": 3, "require (\n": 2, ")": 1, "(((": 3, "a//b c": 2, "[v1, v2]": 5, `""""`: 4, "a\tb\r\n": 2,
	} {
		if n := countWords([]byte(line)); n != want {
			t.Errorf("%q: %d words, want %d", line, n, want)
		}
		f, err := modfile.ParseLax("go.mod", []byte(line), nil)
		if err != nil {
			continue
		}
		tokens := 0
		for _, e := range f.Syntax.Stmt {
			if l, ok := e.(*modfile.Line); ok {
				tokens += len(l.Token)
			}
		}
		if tokens > want {
			t.Errorf("%q: %d tokens, and %d words", line, tokens, want)
		}
	}
}

// Property: the sum files of a project have no more hashes, no more text and no more
// hashes of one module than is stated, nor a longer line.
func TestSumLimits(t *testing.T) {
	h1 := func(i int) string { return fmt.Sprintf("h1:%042dA=", i) }
	line := func(path string, i int) string { return path + " v0.0.0 " + h1(i) + "\n" }
	for n, ok := range map[int]bool{maxSumsOfOne: true, maxSumsOfOne + 1: false} {
		var text strings.Builder
		for i := range n {
			text.WriteString(line("a.b/c", i) + line("a.b/c", i))
		}
		if _, err := ParseSums("go.sum", []byte(text.String())); ok != (err == nil) {
			t.Errorf("%d hashes of one module: %v", n, err)
		}
	}
	for n, ok := range map[int]bool{maxSumLine: true, maxSumLine + 1: false} {
		text := line("a.b/"+strings.Repeat("c", n-len(line("a.b/", 0))), 0)
		if _, err := ParseSums("go.sum", []byte(text)); ok != (err == nil) {
			t.Errorf("a line of %d bytes: %v", len(text), err)
		}
	}
	two := line("a.b/c", 1) + line("a.b/d", 1)
	different := len("a.b/c" + "a.b/d" + "v0.0.0" + h1(1))
	for name, c := range map[string]struct {
		budget sumBudget
		ok     bool
	}{
		"at both":  {sumBudget{hashes: 2, text: different}, true},
		"hashes":   {sumBudget{hashes: 1, text: different}, false},
		"the text": {sumBudget{hashes: 2, text: different - 1}, false},
	} {
		c.budget.seen = map[string]string{}
		if _, err := parseSums("go.sum", []byte(two), &c.budget); c.ok != (err == nil) || !c.ok && !errors.Is(err, limit.ErrExceeded) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if b := newSumBudget(); b.hashes != maxSums || b.text != maxSumText {
		t.Errorf("%+v", b)
	}
}

// Property: vendor/modules.txt lists no more packages than is stated.
func TestVendorPackageLimit(t *testing.T) {
	for n, ok := range map[int]bool{maxVendorPackages: true, maxVendorPackages + 1: false} {
		var text strings.Builder
		text.WriteString("# a.b/c v0.0.0\n")
		for i := range n {
			fmt.Fprintf(&text, "a.b/c/%d\n", i)
		}
		if _, err := parseVendor([]byte(text.String())); ok != (err == nil) {
			t.Errorf("%d packages: %v", n, err)
		}
	}
}
