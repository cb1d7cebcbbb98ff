package tufchain

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/modseal/modseal/internal/limit"
)

const timestampName = "timestamp.json"

func rootName(version int64) string { return strconv.FormatInt(version, 10) + ".root.json" }

// rootVersion reads the version in N.root.json.
func rootVersion(name string) (int64, bool) {
	number, ok := strings.CutSuffix(name, ".root.json")
	v, err := strconv.ParseInt(number, 10, 64)
	return v, ok && err == nil && v > 0 && rootName(v) == name
}

// maxOf is the limit of a file by its name, in bytes; 0 if no chain has a file
// of that name.
func maxOf(name string) int64 {
	version := func(suffix string) bool {
		number, ok := strings.CutSuffix(name, "."+suffix)
		v, err := strconv.ParseInt(number, 10, 64)
		return name == suffix || ok && err == nil && v > 0 && strconv.FormatInt(v, 10) == number
	}
	if _, ok := rootVersion(name); ok {
		return MaxRoot
	}
	switch {
	case name == timestampName:
		return MaxTimestamp
	case version("snapshot.json"):
		return MaxSnapshot
	case version("targets.json"):
		return MaxTargets
	case name == "targets/"+TargetName:
		return MaxTrustedRoot
	}
	hash, ok := strings.CutSuffix(name, "."+TargetName)
	hash, in := strings.CutPrefix(hash, "targets/")
	if ok && in && len(hash) == 64 && strings.Trim(hash, "0123456789abcdef") == "" {
		return MaxTrustedRoot
	}
	return 0
}

// Names are the names of the files, sorted.
func (f Files) Names() []string { return slices.Sorted(maps.Keys(f)) }

// roots are the versions of the root files, ascending.
func (f Files) roots() []int64 {
	var out []int64
	for name := range f {
		if v, ok := rootVersion(name); ok {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, cmp.Compare)
	return out
}

// named gives the file that has this name or, with consistent snapshots, a
// version before it; nil if there is none.
func (f Files) named(name string) []byte {
	for _, n := range f.Names() {
		if n == name || strings.HasSuffix(n, "."+name) {
			return f[n]
		}
	}
	return nil
}

// check demands names that a chain can have, and the limits.
func (f Files) check() error {
	total := int64(0)
	for _, name := range f.Names() {
		max := maxOf(name)
		if max == 0 {
			return unexpected(name)
		}
		if int64(len(f[name])) > max {
			return tooLarge(name, max)
		}
		total += int64(len(f[name]))
	}
	if total > MaxChain {
		return &Error{Kind: TooLarge, Err: &limit.Error{What: "all files of the chain", Max: MaxChain, Unit: "bytes"}, Advice: adviceMalformed}
	}
	if n := len(f.roots()); n > MaxRotations {
		return tooManyRotations()
	}
	return nil
}

func tooLarge(name string, max int64) *Error {
	return &Error{Kind: TooLarge, File: name, Err: &limit.Error{What: "the file", Max: max, Unit: "bytes"}, Advice: adviceMalformed}
}

func tooManyRotations() *Error {
	return &Error{Kind: TooLarge, Err: &limit.Error{What: "the chain", Max: MaxRotations, Unit: "root rotations"},
		Advice: "begin at a later root: give one that you trust with --tuf-root"}
}

func unexpected(name string) *Error {
	return &Error{Kind: Unexpected, File: name, Err: fmt.Errorf("no file of this chain"),
		Advice: "keep a chain in a folder of its own, as modseal trust fetch writes it"}
}
