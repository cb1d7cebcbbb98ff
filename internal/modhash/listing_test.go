package modhash_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/internal/modhash"
)

// line returns a line of a listing.
func line(body, name string) string {
	return fmt.Sprintf("%x  %s\n", sha256.Sum256([]byte(body)), name)
}

// A listing that a zip or a tree hashed to parses to the same files, the same h1 and the same bytes.
func TestParseListing(t *testing.T) {
	want, err := modhash.New(modhash.Options{}).Tree(t.Context(), small.writeTree(t), m)
	if err != nil {
		t.Fatal(err)
	}
	got, err := modhash.ParseListing(want.Listing.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want.Listing.Bytes()) || got.H1() != want.Listing.H1() || got.Module() != m {
		t.Errorf("got %v of %v\n%s", got.H1(), got.Module(), got.Bytes())
	}
	files := slices.Collect(got.Files())
	if !slices.Equal(files, slices.Collect(want.Listing.Files())) || len(files) != len(small) || got.Len() != len(small) {
		t.Errorf("files are %v", files)
	}
	for name, body := range small {
		if sum, ok := got.File(name); !ok || sum != sha256.Sum256([]byte(body)) {
			t.Errorf("File(%q) = %x, %v", name, sum, ok)
		}
	}
	for _, name := range []string{"", "m", "m.go/", "sub", "zzz", prefix + "m.go"} {
		if sum, ok := got.File(name); ok || sum != [32]byte{} {
			t.Errorf("File(%q) = %x, %v", name, sum, ok)
		}
	}
	for range got.Files() {
		break // may end early
	}
	b := got.Bytes()
	b[0] ^= 1 // and belongs to the caller
	if bytes.Equal(got.Bytes(), b) {
		t.Error("Bytes is not a copy")
	}
}

// There is one listing for the same files: anything else about it is an error.
func TestParseListingLies(t *testing.T) {
	a, b := line("a", prefix+"a.go"), line("b", prefix+"b.go")
	if _, err := modhash.ParseListing([]byte(a + b)); err != nil {
		t.Fatal(err) // or the cases below would show nothing
	}
	tests := []struct{ name, listing, want string }{
		{"empty", "", "listing: no files"},
		{"empty line", "\n", "listing: line 1: not 64 hex digits, two spaces and a name"},
		{"not sorted", b + a, `listing: line 2: "a.go" is not sorted after "b.go"`},
		{"twice", a + a, `listing: line 2: "a.go" is not sorted after "a.go"`},
		{"twice, other content", a + line("b", prefix+"a.go"), `listing: line 2: "a.go" is not sorted after "a.go"`},
		{"no end", a + b[:len(b)-1], "listing: line 2: cut off"},
		{"empty line at the end", a + "\n", "listing: line 2: not 64 hex digits, two spaces and a name"},
		{"empty line at the start", "\n" + a, "listing: line 1: not 64 hex digits, two spaces and a name"},
		{"carriage return", strings.Replace(a, "\n", "\r\n", 1),
			`listing: line 1: "a.go\r": not a valid file name in a module: invalid char '\r'`},
		{"upper case", strings.ToUpper(a[:64]) + a[64:], "listing: line 1: hash is not 64 lower-case hex digits"},
		{"no hex", "g" + a[1:], "listing: line 1: hash is not 64 lower-case hex digits"},
		{"short hash", a[1:], "listing: line 1: not 64 hex digits, two spaces and a name"},
		{"long hash", "0" + a, "listing: line 1: not 64 hex digits, two spaces and a name"},
		{"one space", strings.Replace(a, "  ", " ", 1), "listing: line 1: not 64 hex digits, two spaces and a name"},
		{"three spaces", strings.Replace(a, "  ", "   ", 1), `listing: line 1: " example.com/m@v1.2.3" is not a module`},
		{"binary mark", strings.Replace(a, "  ", " *", 1), "listing: line 1: not 64 hex digits, two spaces and a name"},
		{"two modules", a + line("b", "example.com/n@v1.2.3/b.go"),
			`listing: line 2: "example.com/n@v1.2.3/b.go" does not begin with "example.com/m@v1.2.3/"`},
		{"two versions", a + line("b", "example.com/m@v1.2.4/b.go"),
			`listing: line 2: "example.com/m@v1.2.4/b.go" does not begin with "example.com/m@v1.2.3/"`},
		{"no module", line("a", "a.go"), `listing: line 1: "a.go" does not begin with path@version/`},
		{"no version", line("a", "example.com/m/a.go"), `listing: line 1: "example.com/m/a.go" does not begin with path@version/`},
		{"no file", line("a", "example.com/m@v1.2.3"), `listing: line 1: "example.com/m@v1.2.3" does not begin with path@version/`},
		{"bad path", line("a", "m@v1.2.3/a.go"), `listing: line 1: "m@v1.2.3" is not a module`},
		{"bad version", line("a", "example.com/m@v1.2/a.go"), `listing: line 1: version "v1.2" is not canonical`},
		{"no name", line("a", prefix), `listing: line 1: not a valid file name in a module: empty string`},
		{"absolute", line("a", prefix+"/a.go"), `listing: line 1: "/a.go": not a valid file name in a module: empty path element`},
		{"dot dot", line("a", prefix+"../a.go"), `listing: line 1: "../a.go": not a valid file name in a module: invalid path element ".."`},
		{"folder", line("", prefix+"sub/"), `listing: line 1: "sub/": not a valid file name in a module: trailing slash`},
		{"NUL", line("a", prefix+"a\x00"), `listing: line 1: "a\x00": not a valid file name in a module: invalid char '\x00'`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l, err := modhash.ParseListing([]byte(test.listing))
			if l != nil || err == nil || err.Error() != test.want {
				t.Errorf("got error %v, want %s", err, test.want)
			}
		})
	}
}

// The order is that of the whole names' bytes, as in slices.Sort: "-" and "." before "/", upper before lower case.
func TestListingOrder(t *testing.T) {
	names := []string{"A", "a b", "a-b/x", "a.b/x", "a/b", "a/b-c", "a/b/c", "aB", "ab", "é"}
	if !slices.IsSorted(names) {
		t.Fatal("names are not sorted")
	}
	files := content{}
	var want strings.Builder
	for _, name := range names {
		if name == "a/b" || name == "A" || name == "aB" { // not in one folder, or not on every file system
			continue
		}
		files[name] = name
		want.WriteString(line(name, prefix+name))
	}
	tree, err := modhash.New(modhash.Options{}).Tree(t.Context(), files.writeTree(t), m)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(tree.Listing.Bytes()); got != want.String() {
		t.Errorf("got\n%swant\n%s", got, want.String())
	}
	var all strings.Builder
	for _, name := range names {
		all.WriteString(line(name, prefix+name))
	}
	if _, err := modhash.ParseListing([]byte(all.String())); err != nil {
		t.Error(err)
	}
}

// Diff is empty if and only if the h1 are equal, and otherwise names each file that differs, once, in order.
func TestDiff(t *testing.T) {
	parse := func(lines ...string) *modhash.Listing {
		t.Helper()
		l, err := modhash.ParseListing([]byte(strings.Join(lines, "")))
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	a, b, c := line("a", prefix+"a"), line("b", prefix+"b"), line("c", prefix+"c")
	tests := []struct {
		name      string
		want, got *modhash.Listing
		changes   string
	}{
		{"same", parse(a, b, c), parse(a, b, c), ""},
		{"changed", parse(a, b, c), parse(a, line("x", prefix+"b"), c), "changed b"},
		{"missing first", parse(a, b, c), parse(b, c), "missing a"},
		{"missing last", parse(a, b, c), parse(a, b), "missing c"},
		{"extra first", parse(b, c), parse(a, b, c), "extra a"},
		{"extra in the middle", parse(a, c), parse(a, b, c), "extra b"},
		{"extra last", parse(a, b), parse(a, b, c), "extra c"},
		{"renamed", parse(a, c), parse(line("a", prefix+"b"), c), "missing a, extra b"},
		{"all", parse(a, b), parse(line("x", prefix+"b"), c), "missing a, changed b, extra c"},
		{"other module", parse(a, b), parse(line("a", "example.com/n@v1.2.3/a"), line("c", "example.com/n@v1.2.3/c")),
			"missing a, extra a, missing b, extra c"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var list []string
			for _, c := range modhash.Diff(test.want, test.got) {
				list = append(list, c.Kind.String()+" "+c.Name)
				want, _ := test.want.File(c.Name)
				got, _ := test.got.File(c.Name)
				if c.Want != want && c.Kind != modhash.Extra || c.Got != got && c.Kind != modhash.Missing {
					t.Errorf("%s: %x and %x, want %x and %x", c.Name, c.Want, c.Got, want, got)
				}
			}
			if got := strings.Join(list, ", "); got != test.changes {
				t.Errorf("got %s, want %s", got, test.changes)
			}
			if same := test.want.H1() == test.got.H1(); same != (test.changes == "") {
				t.Errorf("h1 equal: %v", same)
			}
		})
	}
	if k := modhash.Kind(0); k.String() != "invalid" {
		t.Errorf("zero kind is %v", k)
	}
}

// A listing may be that of any module, with any valid version.
func TestListingModules(t *testing.T) {
	for _, mod := range []module.Version{
		{Path: "golang.org/toolchain", Version: "v0.0.1-go1.26.0.linux-amd64"},
		{Path: "gopkg.in/yaml.v3", Version: "v3.0.1"},
		{Path: "github.com/Masterminds/semver/v3", Version: "v3.2.1"},
		{Path: "github.com/google/flatbuffers", Version: "v25.2.10+incompatible"},
		{Path: "golang.org/x/exp", Version: "v0.0.0-20260508232706-74f9aab9d74a"},
	} {
		l, err := modhash.ParseListing([]byte(line("", mod.String()+"/a.go")))
		if err != nil || l.Module() != mod {
			t.Errorf("%v: %v, %v", mod, l, err)
		}
	}
}
