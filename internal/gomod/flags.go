package gomod

import (
	"fmt"
	"slices"
	"strings"
)

// Flags are the build flags in GOFLAGS that decide which files a build reads.
type Flags struct {
	Mod     string // value of -mod: "", "mod", "readonly" or "vendor"
	ModFile string // value of -modfile
	Overlay string // value of -overlay
}

// Flags reads GOFLAGS. Words are separated by white space; a word in single or double
// quotes may hold white space. Each word must be a flag, with its value after "=".
// The last of several equal flags counts. Flags of no interest here are skipped.
func (e Env) Flags() (Flags, error) {
	var f Flags
	words, err := splitQuoted(e.GOFLAGS)
	if err != nil {
		return f, fmt.Errorf("GOFLAGS: %w", err)
	}
	modSet := false
	for _, word := range words {
		name, value, hasValue, ok := cutFlag(word)
		if !ok {
			return f, fmt.Errorf("GOFLAGS: %q is not a flag", cut(word))
		}
		switch name {
		case "mod":
			f.Mod = value
			modSet = modSet || value != ""
		case "modfile":
			f.ModFile = value
		case "overlay":
			f.Overlay = value
		case "C":
			return f, fmt.Errorf("GOFLAGS: the go command takes -C only as the first flag on its command line")
		default:
			continue
		}
		if !hasValue {
			return f, fmt.Errorf("GOFLAGS: flag -%s needs a value (-%s=...)", name, name)
		}
	}
	if modSet && f.Mod == "" {
		// "-mod=vendor -mod=" is neither the default nor vendor to the go command.
		f.Mod = "readonly"
	}
	return f, checkMod("GOFLAGS", f.Mod)
}

// Fixed gives GOFLAGS for a build that takes the dependency set as it is: without
// -modcacherw, and with -mod=readonly in place of any other -mod. The error is that
// of Flags.
func (e Env) Fixed() (string, error) {
	if _, err := e.Flags(); err != nil {
		return "", err
	}
	words, err := splitQuoted(e.GOFLAGS)
	if err != nil {
		return "", err
	}
	words = slices.DeleteFunc(words, func(word string) bool {
		name, _, _, _ := cutFlag(word)
		return name == "mod" || name == "modcacherw"
	})
	return joinQuoted(append(words, "-mod=readonly")), nil
}

// joinQuoted is the reverse of splitQuoted: a word that was split has no white space,
// or not the quote that it was in.
func joinQuoted(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = word
		if strings.ContainsAny(word, " \t\r\n") {
			quote := `"`
			if strings.Contains(word, quote) {
				quote = "'"
			}
			quoted[i] = quote + word + quote
		}
	}
	return strings.Join(quoted, " ")
}

// checkMod reports a value of -mod that the go command doesn't know.
func checkMod(where, value string) error {
	switch value {
	case "", "mod", "readonly", "vendor":
		return nil
	}
	return fmt.Errorf("%s: -mod=%q is none of mod, readonly and vendor", where, cut(value))
}

// cutFlag takes apart "-name", "-name=value" and their forms with two dashes.
func cutFlag(word string) (name, value string, hasValue, ok bool) {
	name, ok = strings.CutPrefix(word, "-")
	if !ok {
		return "", "", false, false
	}
	name = strings.TrimPrefix(name, "-")
	name, value, hasValue = strings.Cut(name, "=")
	if name == "" || name[0] == '-' {
		return "", "", false, false
	}
	return name, value, hasValue, true
}

// splitQuoted splits s at white space as the go command splits GOFLAGS: a quote
// counts only at the start of a word, and nothing inside quotes is special.
func splitQuoted(s string) ([]string, error) {
	const space = " \t\r\n"
	var words []string
	for {
		s = strings.TrimLeft(s, space)
		if s == "" {
			return words, nil
		}
		if quote := s[:1]; quote == `"` || quote == "'" {
			word, rest, ok := strings.Cut(s[1:], quote)
			if !ok {
				return nil, fmt.Errorf("no closing %s", quote)
			}
			words, s = append(words, word), rest
			continue
		}
		i := strings.IndexAny(s, space)
		if i < 0 {
			i = len(s)
		}
		words, s = append(words, s[:i]), s[i:]
	}
}
