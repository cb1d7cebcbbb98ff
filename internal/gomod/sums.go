package gomod

import (
	"encoding/base64"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// maxSumFile is the largest go.sum that is read, in bytes.
const maxSumFile = 64 << 20

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
	if len(data) > maxSumFile {
		return nil, fmt.Errorf("%s: more than %d bytes", name, maxSumFile)
	}
	s := &SumFile{name: filepath.Base(name), sums: map[module.Version][]string{}}
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		fields := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' || r == '\r' || r == '\n' })
		if len(fields) == 0 {
			continue
		}
		if len(fields) != 3 {
			return nil, fmt.Errorf("%s:%d: %d fields instead of path, version and hash: %q",
				name, number, len(fields), cut(strings.TrimSpace(line)))
		}
		m, hash := module.Version{Path: fields[0], Version: fields[1]}, fields[2]
		if err := checkSumLine(m, hash); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, number, err)
		}
		if !strings.HasPrefix(hash, "h1:") || hash == emptyGoModHash || slices.Contains(s.sums[m], hash) {
			continue
		}
		s.sums[m] = append(s.sums[m], hash)
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
