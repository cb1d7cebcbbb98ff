package gomod

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/module"
)

const goodVendor = `# example.com/Big v1.0.0
## explicit; go 1.20
example.com/Big
example.com/Big/sub
# example.com/a v1.0.0 => example.com/fork v1.1.0
## explicit
example.com/a
# example.com/a/nested v0.0.0-20240102030405-abcdefabcdef
## go 1.21rc1
example.com/a/nested/pkg
# example.com/near v0.0.0 => ./near
## explicit; go 1.22
example.com/near
# example.com/none v1.0.0
## explicit
# example.com/unused => ../unused
# example.com/unused v1.2.0 => example.com/other v1.0.0
`

// encodeVendor writes what parseVendor parsed as the go command writes it.
func encodeVendor(l *vendorList) []byte {
	var b bytes.Buffer
	if l.workspace {
		b.WriteString("## workspace\n")
	}
	for _, m := range l.modules {
		join := func(v module.Version) string { return strings.TrimSuffix(v.Path+" "+v.Version, " ") }
		b.WriteString("# " + join(m.mod))
		if m.replacement.Path != "" {
			b.WriteString(" => " + join(m.replacement))
		}
		b.WriteString("\n")
		var marks []string
		if m.explicit {
			marks = append(marks, "explicit")
		}
		if m.goVersion != "" {
			marks = append(marks, "go "+m.goVersion)
		}
		if len(marks) > 0 {
			b.WriteString("## " + strings.Join(marks, "; ") + "\n")
		}
		for _, p := range m.packages {
			b.WriteString(p + "\n")
		}
	}
	return b.Bytes()
}

// Each line that the go command would pass over, or read in another way than it looks, is
// refused with the line's number.
func TestParseVendor(t *testing.T) {
	l, err := parseVendor([]byte(goodVendor))
	if err != nil || len(l.modules) != 7 || string(encodeVendor(l)) != goodVendor {
		t.Fatalf("%v, %+v", err, l)
	}
	tests := []struct{ old, new, want string }{
		{"# example.com/Big", "#  example.com/Big", "line 1: "},
		{"# example.com/Big", "#\texample.com/Big", "line 1: "},
		{"# example.com/Big v1.0.0", " # example.com/Big v1.0.0", "line 1: "},
		{"# example.com/Big v1.0.0", "# example.com/Big v1.0", "not canonical"},
		{"# example.com/Big v1.0.0", "# example.com/Big v2.0.0", "example.com/Big"},
		{"# example.com/Big v1.0.0", "# example.com/Big", "neither version nor replacement"},
		{"# example.com/Big v1.0.0", "# example.com/Big v1.0.0 ", "line 1: "},
		{"# example.com/Big v1.0.0", "# example.com/Big v1.0.0 extra", "line 1: "},
		{"# example.com/Big v1.0.0", "# ../Big v1.0.0", "module path"},
		{"# example.com/Big v1.0.0\n", "", "line 1: no module above it"},
		{"## explicit; go 1.20", "## explicit;go 1.20", "marks"},
		{"## explicit; go 1.20", "## go 1.20; explicit", "marks"},
		{"## explicit; go 1.20", "## explicit; go 1.20; more", "marks"},
		{"## explicit; go 1.20", "## explicit; go x", "marks"},
		{"## explicit; go 1.20", "##  explicit", "marks"},
		{"## explicit; go 1.20", "## explicit\n## go 1.20", "line 3: marks"},
		{"## explicit; go 1.20\nexample.com/Big\n", "example.com/Big\n## explicit\n", "line 3: marks"},
		{"example.com/Big/sub", "example.com/Big", "comes twice"},
		{"example.com/Big/sub", "example.com/Bigger", "not below its module"},
		{"example.com/Big/sub", "example.com/a", "not below its module"},
		{"example.com/Big/sub", "example.com/Big/../x", "not a package"},
		{"example.com/Big/sub", "example.com/Big/sub ", "not a package"},
		{"example.com/Big/sub", "", "not a package"},
		{"# example.com/none v1.0.0", "# example.com/Big v1.0.0", "comes twice"},
		{"# example.com/none v1.0.0\n## explicit\n", "# example.com/Big v1.1.0\nexample.com/Big/x\n", "at both"},
		{"=> ../unused\n", "=> ../unused\n## explicit\n", "names no version"},
		{"=> ../unused\n", "=> ../un used\n", "line 16: "},
		{"=> ../unused\n", "=> \n", "line 16: "},
		{"example.com/other v1.0.0\n", "example.com/other v1.0.0", "cut off"},
		{"# example.com/Big", "## workspace\n## workspace\n# example.com/Big", "line 2: no module above it"},
		{"# example.com/Big", "## workspace; explicit\n# example.com/Big", "line 1: no module above it"},
		{"# example.com/Big", "##workspace\n# example.com/Big", "line 1: "},
		{"# example.com/none", "## workspace\n# example.com/none", "marks"},
		{"\n", "\r\n", "core.autocrlf"},
	}
	for _, tt := range tests {
		lie := strings.Replace(goodVendor, tt.old, tt.new, 1)
		if _, err := parseVendor([]byte(lie)); err == nil || lie == goodVendor || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q for %q: %v, want %q", tt.new, tt.old, err, tt.want)
		}
	}
	many := func(n int) []byte {
		var b bytes.Buffer
		for i := range n {
			fmt.Fprintf(&b, "# example.com/m%d v1.0.0\n", i)
		}
		return b.Bytes()
	}
	if _, err := parseVendor(many(maxModules)); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	if _, err := parseVendor(many(maxModules + 1)); err == nil || !strings.Contains(err.Error(), "more than 100000 modules") {
		t.Errorf("one over: %v", err)
	}
}

// What is accepted has one form: written again it is the same.
func FuzzParseVendor(f *testing.F) {
	f.Add([]byte(goodVendor))
	f.Add([]byte("## workspace\n"))
	f.Add([]byte("# a.b/c v1.0.0 => ./x\n## go 1.2\na.b/c\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := parseVendor(data)
		if err != nil {
			if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r == 0x7f }) {
				t.Errorf("message has control characters: %q", err)
			}
			return
		}
		if again := encodeVendor(l); !bytes.Equal(again, data) {
			t.Errorf("%q was read as %q", data, again)
		}
	})
}

// The file may have 16 MiB, and not one byte more.
func TestVendorFileLimit(t *testing.T) {
	dir := t.TempDir()
	writeTree(t, dir, map[string]string{"go.mod": "module example.com/m\n\ngo 1.24\n", "vendor/modules.txt": ""})
	for size, want := range map[int64]string{maxVendorFile: "line 1: ", maxVendorFile + 1: "more than 16777216 bytes"} {
		if err := os.Truncate(filepath.Join(dir, "vendor/modules.txt"), size); err != nil {
			t.Fatal(err)
		}
		_, err := Load(Request{Dir: dir, Vendor: ReadVendor, Env: Env{GOWORK: "off"}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d bytes: %v, want %q", size, err, want)
		}
	}
}

// A file belongs to the module of the nearest folder that is a package or a module's root.
func TestVendorOwner(t *testing.T) {
	v := &Vendor{
		packages: map[string]int{"e.com/a": 0, "e.com/a/b/c": 0, "e.com/a/n/pkg": 1, "e.com/a/n/x": 0},
		roots:    map[string]int{"e.com/a": 0, "e.com/a/n": 1},
	}
	for name, want := range map[string]int{
		"e.com/a/x.go": 0, "e.com/a/embed/deep/x": 0, "e.com/a/b/LICENSE": 0, "e.com/a/n/LICENSE": 1, "e.com/a/n/pkg/x.go": 1,
		"e.com/a/n/pkg/embed/x": 1, "e.com/a/n/x/x.go": 0, "e.com/a/n/x/embed/x": 0, "e.com/a/nn/x": 0,
		"e.com/x": -1, "x": -1, "e.com/ab/x": -1, "modules.txt": -1, "e.com/a": -1,
	} {
		i, ok := v.Owner(name)
		if !ok {
			i = -1
		}
		if i != want {
			t.Errorf("%s: module %d, want %d", name, i, want)
		}
	}
}

// What go mod vendor writes is read, and what the go command finds inconsistent is not.
// The cases that are refused here and not there are marked.
func TestVendorConsistencyOracle(t *testing.T) {
	w := newGoWorld(t)
	for _, m := range []string{"a", "b", "fork"} {
		w.publish(mod("example.com/"+m, "v1.0.0"), "", nil)
		w.publish(mod("example.com/"+m, "v1.1.0"), "", nil)
	}
	base := map[string]string{
		"go.mod": "module example.com/main\n\ngo 1.24\n\nrequire (\n\texample.com/a v1.0.0\n\texample.com/b v1.0.0\n\texample.com/near v0.0.0\n)\n\n" +
			"replace example.com/a => example.com/fork v1.0.0\n\nreplace example.com/near v0.0.0 => ./near\n\nreplace example.com/other => ./other\n",
		"main.go":     "package main\n\nimport (\n\t_ \"example.com/a\"\n\t_ \"example.com/b\"\n\t_ \"example.com/near\"\n)\n\nfunc main() {}\n",
		"near/go.mod": "module example.com/near\n", "near/near.go": "package near\n",
		"vendor/example.com/a/x.go": "package x\n", "vendor/example.com/b/x.go": "package x\n", "vendor/example.com/near/near.go": "package near\n",
		"vendor/modules.txt": "# example.com/a v1.0.0 => example.com/fork v1.0.0\n## explicit\nexample.com/a\n# example.com/b v1.0.0\n## explicit\nexample.com/b\n" +
			"# example.com/near v0.0.0 => ./near\n## explicit\nexample.com/near\n# example.com/a => example.com/fork v1.0.0\n# example.com/other => ./other\n",
	}
	tests := []struct {
		file, old, new string
		stricter       bool
	}{
		{"go.mod", "", "", false},
		{"go.mod", "b v1.0.0", "b v1.1.0", false},
		{"go.mod", "\texample.com/b v1.0.0\n", "", false},
		{"go.mod", "fork v1.0.0", "fork v1.1.0", false},
		{"go.mod", "=> ./other", "=> ./another", false},
		{"go.mod", "=> ./near", "=> ././near", false},
		{"go.mod", "replace example.com/other => ./other\n", "", false},
		{"go.mod", "replace example.com/a => ", "replace example.com/a v1.0.0 => ", false},
		{"go.mod", "replace example.com/near v0.0.0 => ", "replace example.com/near => ", false},
		{"go.mod", ")\n", "\texample.com/c v1.0.0\n)\n", false},
		{"vendor/modules.txt", "b v1.0.0", "b v1.1.0", false},
		{"vendor/modules.txt", "## explicit\nexample.com/b", "example.com/b", false},
		{"vendor/modules.txt", " => example.com/fork v1.0.0", "", true}, // replaced for all versions: not looked at there
		{"vendor/modules.txt", "fork v1.0.0", "fork v1.1.0", true},
		{"vendor/modules.txt", "# example.com/a => example.com/fork v1.0.0\n", "", false},
		{"vendor/modules.txt", " => ./near", "", false},
		{"vendor/modules.txt", "# example.com/other => ./other\n", "", false},
		{"vendor/modules.txt", "# example.com/other", "# example.com/more v1.0.0 => ./more\n# example.com/other", false},
		{"vendor/modules.txt", "# example.com/other", "# example.com/c v1.0.0\nexample.com/c\n# example.com/other", false},
		{"vendor/modules.txt", "# example.com/other", "# example.com/c v1.0.0\n## explicit\nexample.com/c\n# example.com/other", false},
		{"vendor/modules.txt", "# example.com/other", "# example.com/c v1.0.0\n## explicit\n# example.com/other", false},
	}
	for _, tt := range tests {
		project := map[string]string{}
		for name, data := range base {
			project[name] = data
		}
		project[tt.file] = strings.Replace(project[tt.file], tt.old, tt.new, 1)
		if tt.old != "" && project[tt.file] == base[tt.file] {
			t.Fatalf("%+v changes nothing", tt)
		}
		_, stderr, err := w.run(project, "list", "-mod=vendor", ".")
		want := strings.Contains(stderr, "inconsistent vendoring") || strings.Contains(stderr, "should be required explicitly in go.mod")
		if err != nil && !want {
			t.Errorf("%+v: %v\n%s", tt, err, stderr)
		}
		p, err := w.load(project, Request{Vendor: ReadVendor})
		_, got := errors.AsType[*InconsistentVendorError](err)
		if err != nil && !got {
			t.Errorf("%+v: %v", tt, err)
		}
		if got != (want || tt.stricter) || want && tt.stricter {
			t.Errorf("%+v: refused is %v, by the go command %v: %v\n%s", tt, got, want, err, stderr)
		}
		if tt.old == "" && err == nil && (len(p.Modules) != 3 || p.Mod != "vendor" || p.Modules[0].Path != "example.com/b" || p.Modules[1].Path != "example.com/fork") {
			t.Errorf("modules: %+v", p.Modules)
		}
	}
}
