package modhash

import (
	"crypto/sha256"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/module"
)

// Only what the go command adds to a toolchain's tree, and how a distribution differs
// from the module, is taken back: every other difference stays one.
func TestToolchain(t *testing.T) {
	m := module.Version{Path: "golang.org/toolchain", Version: "v0.0.1-go1.26.8.linux-amd64"}
	listing := func(files ...string) *Listing {
		var list []File
		for _, f := range files {
			name, content, _ := strings.Cut(f, "=")
			list = append(list, File{Name: name, SHA256: sha256.Sum256([]byte(content))})
		}
		slices.SortFunc(list, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
		l, err := newListing(m, list)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	zip := listing("VERSION", "bin/go", "src/_go.mod=std", "src/cmd/_go.mod=cmd")
	for _, tc := range []struct {
		name                   string
		tree                   *Listing
		unpacked, distribution bool // whether it is the zip's
	}{
		{"as unpacked", zip, true, true},
		{"after it ran", listing("VERSION", "bin/go", "src/_go.mod=std", "src/go.mod=std", "src/cmd/_go.mod=cmd", "src/cmd/go.mod=cmd"), true, true},
		{"some copies", listing("VERSION", "bin/go", "src/_go.mod=std", "src/cmd/_go.mod=cmd", "src/cmd/go.mod=cmd"), true, true},
		{"a copy that is none", listing("VERSION", "bin/go", "src/_go.mod=std", "src/go.mod=evil", "src/cmd/_go.mod=cmd"), false, false},
		{"a copy of another", listing("VERSION", "bin/go", "src/_go.mod=std", "src/go.mod=cmd", "src/cmd/_go.mod=cmd"), false, false},
		{"both changed", listing("VERSION", "bin/go", "src/_go.mod=evil", "src/go.mod=evil", "src/cmd/_go.mod=cmd"), false, false},
		{"distribution", listing("VERSION", "bin/go", "src/go.mod=std", "src/cmd/go.mod=cmd", "api/go1.txt", "doc/x", "misc/x/y", "test/go.mod=x"), false, true},
		{"distribution with a changed go.mod", listing("VERSION", "bin/go", "src/go.mod=evil", "src/cmd/go.mod=cmd"), false, false},
		{"distribution with more", listing("VERSION", "bin/go", "src/go.mod=std", "src/cmd/go.mod=cmd", "src/evil.go"), false, false},
		{"distribution with a go.mod more", listing("VERSION", "bin/go", "src/go.mod=std", "src/cmd/go.mod=cmd", "src/fmt/go.mod=std"), false, false},
		{"distribution with less", listing("VERSION", "src/go.mod=std", "src/cmd/go.mod=cmd"), false, false},
		{"a folder named alike", listing("VERSION", "bin/go", "src/_go.mod=std", "src/cmd/_go.mod=cmd", "testing/x"), false, false},
		{"a folder further down", listing("VERSION", "bin/go", "src/_go.mod=std", "src/cmd/_go.mod=cmd", "src/test/x"), false, false},
	} {
		for _, distribution := range []bool{false, true} {
			got, err := Toolchain(tc.tree, distribution)
			if err != nil {
				t.Fatalf("%s: %v", tc.name, err)
			}
			want := distribution && tc.distribution || !distribution && tc.unpacked
			if (got.H1() == zip.H1()) != want {
				t.Errorf("%s, distribution %v: equal is %v\n%s", tc.name, distribution, !want, got.Bytes())
			}
		}
	}
	if l, err := Toolchain(listing("doc/x"), true); err == nil {
		t.Errorf("nothing left: %s", l.Bytes())
	}
}
