package modhash

import (
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/module"
)

// checkModule checks that path and version are those of a module as a zip or a folder of the module cache can be:
// valid, canonical, and agreeing about the major version.
func checkModule(m module.Version) error {
	if c := module.CanonicalVersion(m.Version); c != m.Version {
		return &ContentError{Problem: fmt.Sprintf("version %s is not canonical", quote(m.Version))}
	}
	if err := module.Check(m.Path, m.Version); err != nil {
		return &ContentError{Problem: fmt.Sprintf("%s is not a module", quote(m.String()))}
	}
	return nil
}

// namePrefix returns what every name in the module's zip and listing begins with.
func namePrefix(m module.Version) string { return m.Path + "@" + m.Version + "/" }

// checkName returns what is wrong with the name of a file in a module, or "".
func checkName(name string) (problem string) {
	if strings.Count(name, "/") > MaxDepth {
		return fmt.Sprintf("nested more than %d folders deep", MaxDepth)
	}
	err := module.CheckFilePath(name)
	if err == nil {
		return ""
	}
	// The error repeats the name, which can be long and is in the ContentError already.
	if e, ok := err.(*module.InvalidPathError); ok {
		return "not a valid file name in a module: " + cut(e.Err.Error())
	}
	return "not a valid file name in a module"
}

// A nameChecker checks names as checkName does, one after the other. Most come after another one in the same folder, and
// then only what is new is looked at: a name is valid if each of its elements is, and isn't too deep.
type nameChecker struct {
	folder string // of the last valid name, with the slash at its end
}

func (c *nameChecker) check(name string) (problem string) {
	at := strings.LastIndexByte(name, '/') + 1
	if name[:at] == c.folder && checkName(name[at:]) == "" {
		return ""
	}
	if problem = checkName(name); problem == "" {
		c.folder = name[:at]
	}
	return problem
}

// checkSize returns what is wrong with the size of a file at the root of a module, or "".
func checkSize(name string, size int64) (problem string) {
	switch {
	case name == "go.mod" && size > MaxGoMod:
		return fmt.Sprintf("has %d bytes; the limit for go.mod is %d", size, MaxGoMod)
	case name == "LICENSE" && size > MaxLicense:
		return fmt.Sprintf("has %d bytes; the limit for LICENSE is %d", size, MaxLicense)
	}
	return ""
}

// zipNames checks the names of a zip against each other.
//
// Two names collide if they differ and strings.EqualFold says that they don't, as on many file systems. So do their
// folders: "a/x" and "A/y". Keys are folded names of files and of all the folders that lead to them.
type zipNames map[string]zipName

type zipName struct {
	name   string
	folder bool
}

// add returns what is wrong with the name, or "", and remembers it.
func (names zipNames) add(name string) (problem string) {
	if problem := checkName(name); problem != "" {
		return problem
	}
	if problem := names.collision(name); problem != "" {
		return problem
	}
	if base := path.Base(name); strings.EqualFold(base, "go.mod") && name != "go.mod" {
		if base != name {
			return "go.mod below the root of the module"
		}
		return "go.mod is not in lower case"
	}
	return ""
}

func (names zipNames) collision(name string) (problem string) {
	// Cut at the same slashes, the key of a folder is what the key of the name begins with.
	key := fold(name)
	for folder := false; ; folder = true {
		other, taken := names[key]
		switch {
		case !taken:
			names[key] = zipName{name, folder}
		case other.name != name:
			return "differs from " + quote(other.name) + " in case only"
		case other.folder != folder:
			return quote(name) + " is both a file and a folder"
		case !folder:
			return "more than one entry"
		default:
			return "" // with this folder came those above it
		}
		slash, keySlash := strings.LastIndexByte(name, '/'), strings.LastIndexByte(key, '/')
		if slash < 0 {
			return ""
		}
		name, key = name[:slash], key[:keySlash]
	}
}

// fold returns a string that is equal for two strings if and only if strings.EqualFold holds for them.
func fold(s string) string {
	folded := func(c byte) bool { return c < utf8.RuneSelf && (c < 'A' || c > 'Z') }
	i := 0
	for i < len(s) && folded(s[i]) {
		i++
	}
	if i == len(s) {
		return s
	}
	return s[:i] + strings.Map(foldRune, s[i:])
}

// foldRune returns one and the same of all runes that are equal but for case: the smallest, except that ASCII letters
// become lower case so that most names are their own folding.
func foldRune(r rune) rune {
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	if 'A' <= least && least <= 'Z' {
		return least + 'a' - 'A'
	}
	return least
}
