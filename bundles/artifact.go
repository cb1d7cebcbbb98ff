package bundles

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Artifact is a file other than a module for which the bundle has evidence.
type Artifact struct {
	Name    string `json:"name,omitempty"`   // of the file, without a path; nothing depends on it
	SHA256  string `json:"sha256,omitempty"` // hex; of the three digests at least one is there
	SHA384  string `json:"sha384,omitempty"`
	SHA512  string `json:"sha512,omitempty"`
	Entries []Ref  `json:"entries,omitempty"` // the entries that speak of it, sorted
	LeftOut int    `json:"leftOut,omitempty"` // entries that the snapshot saw and did not keep
}

// CheckArtifactName tells whether an artifact can have this name in a bundle: of
// up to 255 bytes, printable, without slashes of either kind.
func CheckArtifactName(name string) error {
	if len(name) > 255 || strings.ContainsFunc(name, func(r rune) bool { return r == '/' || r == '\\' || r == utf8.RuneError || !strconv.IsPrint(r) }) {
		return fmt.Errorf("artifact name %.300q", name)
	}
	return nil
}

func (a *Artifact) check(logs int) error {
	if err := CheckArtifactName(a.Name); err != nil {
		return err
	}
	for _, d := range []struct {
		hex  string
		size int
	}{{a.SHA256, 32}, {a.SHA384, 48}, {a.SHA512, 64}} {
		if d.hex != "" && !isHexOf(d.hex, d.size) {
			return fmt.Errorf("artifact %q: digest %.150q is not %d lower-case hex digits", a.Name, d.hex, 2*d.size)
		}
	}
	if a.SHA256+a.SHA384+a.SHA512 == "" {
		return fmt.Errorf("artifact %q has no digest", a.Name)
	}
	if a.LeftOut < 0 {
		return fmt.Errorf("artifact %q: leftOut %d", a.Name, a.LeftOut)
	}
	if err := checkRefs(a.Entries, logs); err != nil {
		return fmt.Errorf("artifact %q: %w", a.Name, err)
	}
	return nil
}

func compareArtifacts(a, b Artifact) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.SHA256, b.SHA256), strings.Compare(a.SHA384, b.SHA384), strings.Compare(a.SHA512, b.SHA512))
}
