package gomod

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/modseal/modseal/internal/limit"
)

const (
	// maxSumFile is the largest go.sum that is read, in bytes.
	maxSumFile = 32 << 20
	// maxSums is how many hashes the sum files of a project may have in all.
	maxSums = 400_000
	// maxSumText is how many bytes of different paths, versions and hashes they may have in all.
	maxSumText = 32 << 20
	// maxSumLine is the longest line of a go.sum, in bytes.
	maxSumLine = 8 << 10
	// maxSumsOfOne is how many different hashes a go.sum may have of one module.
	maxSumsOfOne = 16
)

// A sumBudget is what the sum files of a project may still take, and the text that they
// have in common.
type sumBudget struct {
	hashes, text int
	seen         map[string]string
}

func newSumBudget() *sumBudget {
	return &sumBudget{hashes: maxSums, text: maxSumText, seen: map[string]string{}}
}

// keep gives a copy of the text, the same one each time.
func (b *sumBudget) keep(text []byte) string {
	s, ok := b.seen[string(text)]
	if !ok {
		s = string(text)
		b.text -= len(s)
		b.seen[s] = s
	}
	return s
}

func (b *sumBudget) exceeded() error {
	switch {
	case b.hashes < 0:
		return &limit.Error{What: "sum files of the project", Max: maxSums, Unit: "hashes"}
	case b.text < 0:
		return &limit.Error{What: "sum files of the project", Max: maxSumText, Unit: "bytes of different paths, versions and hashes"}
	}
	return nil
}

// emptyGoModHash is the h1 of an empty go.mod. Old releases of the go command wrote it
// for what was no module; today's skip such lines, and so do we.
const emptyGoModHash = "h1:G7mAYYxgmS0lVkHyy2hEOLQCFB0DlQFTMLWggykrydY="

// A SumFile is what a go.sum says. It is a record of earlier downloads, not evidence.
// The zero value says nothing.
type SumFile struct {
	name   string
	sums   map[module.Version][]string // h1s in the file's order, each once
	beside []*SumFile                  // of go.work.sum: go.sum of each module that is used
}

// ParseSums reads go.sum, of lines
//
//	path version[/go.mod] h1:<base64 of 32 bytes>
//
// Lines may be blank and may be repeated. Lines with another kind of hash ("h2:...")
// are skipped, as the go command skips them. Every other line is an error, which names
// the file and the line.
func ParseSums(name string, data []byte) (*SumFile, error) {
	return parseSums(name, data, newSumBudget())
}

func parseSums(name string, data []byte, budget *sumBudget) (*SumFile, error) {
	if len(data) > maxSumFile {
		return nil, fmt.Errorf("%s: more than %d bytes", name, maxSumFile)
	}
	s := &SumFile{name: filepath.Base(name), sums: map[module.Version][]string{}}
	number := 0
	for line := range bytes.Lines(data) {
		number++
		if len(line) > maxSumLine {
			return nil, fmt.Errorf("%s:%d: more than %d bytes in a line", name, number, maxSumLine)
		}
		fields := bytes.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' || r == '\r' || r == '\n' })
		if len(fields) == 0 {
			continue
		}
		if len(fields) != 3 {
			return nil, fmt.Errorf("%s:%d: %d fields instead of path, version and hash: %q",
				name, number, len(fields), cut(string(bytes.TrimSpace(line))))
		}
		m, hash := module.Version{Path: string(fields[0]), Version: string(fields[1])}, string(fields[2])
		if err := checkSumLine(m, hash); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, number, err)
		}
		if !strings.HasPrefix(hash, "h1:") || hash == emptyGoModHash || slices.Contains(s.sums[m], hash) {
			continue
		}
		if len(s.sums[m]) == maxSumsOfOne {
			return nil, fmt.Errorf("%s:%d: more than %d hashes of %q version %q", name, number, maxSumsOfOne, cut(m.Path), cut(m.Version))
		}
		m = module.Version{Path: budget.keep(fields[0]), Version: budget.keep(fields[1])}
		s.sums[m] = append(s.sums[m], budget.keep(fields[2]))
		budget.hashes--
		if err := budget.exceeded(); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, number, err)
		}
	}
	return s, nil
}

func checkSumLine(m module.Version, hash string) error {
	if err := module.CheckPath(m.Path); err != nil {
		return fmt.Errorf("module path %q: %s", cut(m.Path), printable(err.Error()))
	}
	version := strings.TrimSuffix(m.Version, "/go.mod")
	if !semver.IsValid(version) || module.CanonicalVersion(version) != version {
		return fmt.Errorf("version %q is not canonical", cut(m.Version))
	}
	kind, digest, ok := strings.Cut(hash, ":")
	if !ok || len(kind) < 2 || kind[0] != 'h' || strings.Trim(kind[1:], "0123456789") != "" {
		return fmt.Errorf("hash %q is not \"h1:\" and base64", cut(hash))
	}
	if kind != "h1" {
		return nil
	}
	sum, err := base64.StdEncoding.DecodeString(digest)
	if err != nil || len(sum) != 32 || base64.StdEncoding.EncodeToString(sum) != digest {
		return fmt.Errorf("hash %q is not the base64 of 32 bytes", cut(hash))
	}
	return nil
}

// Lookup gives the h1s that go.sum has for m, in the file's order and each once. A
// version with the suffix "/go.mod" asks for the hash of the go.mod file alone. When
// there are several, the go command accepts the first only.
//
// Of a workspace those of go.work.sum come first, then those of the go.sum files in the
// order of the use directives. The go command accepts the first of go.work.sum; or, when
// that has none, the one that all go.sum files with any agree on.
func (s *SumFile) Lookup(m module.Version) []string {
	list := slices.Clone(s.sums[m])
	for _, file := range s.beside {
		for _, sum := range file.sums[m] {
			if !slices.Contains(list, sum) {
				list = append(list, sum)
			}
		}
	}
	return list
}

// Conflicts lists, sorted, what go.sum has more than one h1 for; a version may have the
// suffix "/go.mod". A go.sum that the go command has written has none.
func (s *SumFile) Conflicts() []module.Version {
	var list []module.Version
	for _, file := range append([]*SumFile{s}, s.beside...) {
		for m := range file.sums {
			if len(s.Lookup(m)) > 1 {
				list = append(list, m)
			}
		}
	}
	module.Sort(list)
	return slices.Compact(list)
}

// first gives the h1 that the go command goes by and the file that it is from, or "".
func (s *SumFile) first(m module.Version) (sum, file string) {
	for _, f := range append([]*SumFile{s}, s.beside...) {
		if sums := f.sums[m]; len(sums) > 0 {
			return sums[0], f.name
		}
	}
	return "", ""
}

// differ names the sum files of a workspace that have different h1s for m; "" when none do,
// and outside of a workspace.
func (s *SumFile) differ(m module.Version) string {
	if len(s.beside) == 0 || len(s.Lookup(m)) < 2 {
		return ""
	}
	var names []string
	for _, f := range append([]*SumFile{s}, s.beside...) {
		if len(f.sums[m]) > 0 {
			names = append(names, f.name)
		}
	}
	return strings.Join(names, ", ")
}
