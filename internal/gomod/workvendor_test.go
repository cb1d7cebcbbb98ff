package gomod

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// vendoredWorkspace is a workspace with the folder that go work vendor makes of it.
func vendoredWorkspace(t *testing.T, w *goWorld) map[string]string {
	t.Helper()
	for _, m := range []string{"a", "b", "c", "fork"} {
		w.publish(mod("example.com/"+m, "v1.0.0"), "module example.com/"+m+"\ngo 1.20\n", nil)
		w.publish(mod("example.com/"+m, "v1.1.0"), "module example.com/"+m+"\ngo 1.21\n", nil)
	}
	project := map[string]string{
		"go.work": "go 1.24\n\nuse (\n\t./one\n\t./two\n)\n\nreplace example.com/c v1.1.0 => ./c\n\nreplace example.com/unused => ./unused\n",
		"one/go.mod": "module example.com/one\n\ngo 1.22\n\nrequire (\n\texample.com/a v1.0.0\n\texample.com/b v1.0.0\n\texample.com/near v0.0.0\n)\n\n" +
			"replace example.com/a => example.com/fork v1.0.0\n\nreplace example.com/near v0.0.0 => ./near\n\nreplace example.com/two => ../two\n",
		"one/main.go": "package main\n\nimport (\n\t_ \"example.com/a\"\n\t_ \"example.com/b\"\n\t_ \"example.com/near\"\n\t_ \"example.com/two\"\n)\n\nfunc main() {}\n",
		"two/go.mod":  "module example.com/two\n\ngo 1.24\n\nrequire (\n\texample.com/b v1.1.0\n\texample.com/c v1.1.0\n)\n\nreplace example.com/other => ../other\n",
		"two/two.go":  "package two\n\nimport _ \"example.com/c\"\n",

		"one/near/go.mod": "module example.com/near\n", "one/near/near.go": "package near\n",
		"c/go.mod": "module example.com/c\n", "c/c.go": "package c\n",
	}
	dir := t.TempDir()
	writeTree(t, dir, project)
	if _, stderr, err := w.runIn(dir, "work", "vendor"); err != nil {
		t.Fatalf("go work vendor: %v\n%s", err, stderr)
	}
	for _, name := range []string{"modules.txt", "example.com/a/x.go", "example.com/b/x.go", "example.com/c/c.go", "example.com/near/near.go"} {
		data, err := os.ReadFile(filepath.Join(dir, "vendor", name))
		if err != nil {
			t.Fatal(err)
		}
		project["vendor/"+name] = string(data)
	}
	return project
}

// What go work vendor writes is read, and what the go command finds inconsistent is not.
// The cases that are refused here and not there are marked.
func TestWorkspaceVendorOracle(t *testing.T) {
	w := newGoWorld(t)
	base := vendoredWorkspace(t, w)
	tests := []struct {
		file, old, new string
		stricter       bool
	}{
		{"go.work", "", "", false},
		{"go.work", "go 1.24", "go 1.24.0", false},
		{"go.work", "c v1.1.0 => ./c", "c => ./c", false},
		{"go.work", "=> ./c\n", "=> ././c\n", false},
		{"go.work", "replace example.com/unused => ./unused\n", "", false},
		{"go.work", "=> ./unused\n", "=> ./unused\nreplace example.com/a => example.com/fork v1.0.0\n", false},
		{"go.work", "=> ./unused\n", "=> ./unused\nreplace example.com/a => example.com/fork v1.1.0\n", false},
		{"go.work", "=> ./unused\n", "=> ./unused\nreplace example.com/two v1.0.0 => ./c\n", false},
		{"go.work", "\t./one\n", "", false},
		{"one/go.mod", "b v1.0.0", "b v1.1.0", false}, // which is listed for the other
		{"one/go.mod", "\texample.com/b v1.0.0\n", "", false},
		{"one/go.mod", "fork v1.0.0", "fork v1.1.0", false},
		{"one/go.mod", "=> ./near", "=> ../one/near", false}, // the same place
		{"one/go.mod", "=> ./near", "=> ../near", false},
		{"one/go.mod", "=> ../two", "=> ../c", false}, // a main module isn't replaced
		{"one/go.mod", ")\n", "\texample.com/c v1.0.0\n)\n", false},
		{"two/go.mod", "b v1.1.0", "b v1.0.0", false},
		{"two/go.mod", "\texample.com/b v1.1.0\n", "", false},
		{"two/go.mod", "=> ../other", "=> ../another", false},
		{"two/go.mod", "=> ../other", "=> ../other\nreplace example.com/a => example.com/fork v1.0.0", false},
		{"two/go.mod", ")\n", ")\nexclude example.com/b v1.1.0\n", false},
		{"vendor/modules.txt", "b v1.1.0", "b v1.2.0", false},
		{"vendor/modules.txt", "# example.com/b v1.0.0\n## explicit; go 1.21\n", "", false},
		{"vendor/modules.txt", "## explicit; go 1.21\nexample.com/b\n", "## go 1.21\nexample.com/b\n", false},
		{"vendor/modules.txt", "=> ./one/near", "=> ./near", false},
		{"vendor/modules.txt", "=> ./other", "=> ../other", false},
		{"vendor/modules.txt", "# example.com/other => ./other\n", "", false},
		{"vendor/modules.txt", "# example.com/unused => ./unused\n", "", false},
		{"vendor/modules.txt", "# example.com/unused => ./unused\n", "# example.com/unused => ./unused\n# example.com/two => ./two\n", false},
		{"vendor/modules.txt", "# example.com/other", "# example.com/more v1.0.0 => ./more\n# example.com/other", false},
		{"vendor/modules.txt", "# example.com/other", "# example.com/d v1.0.0\n## explicit\nexample.com/d\n# example.com/other", false},
		{"vendor/modules.txt", "# example.com/other", "# example.com/d v1.0.0\nexample.com/d\n# example.com/other", false}, // a module's that a go.mod doesn't list
		// Replaced for all versions: not looked at there.
		{"vendor/modules.txt", "a v1.0.0 => example.com/fork v1.0.0", "a v1.0.0", true},
		{"vendor/modules.txt", "a v1.0.0 => example.com/fork v1.0.0", "a v1.0.0 => example.com/fork v1.1.0", true},
		// The lower of two required versions.
		{"vendor/modules.txt", "## explicit; go 1.21\n# example.com/b v1.1.0\n## explicit; go 1.21\nexample.com/b\n", "## explicit; go 1.20\nexample.com/b\n# example.com/b v1.1.0\n## explicit; go 1.21\n", true},
		// Packages of a main module.
		{"vendor/modules.txt", "# example.com/other", "# example.com/two v1.0.0\nexample.com/two/x\n# example.com/other", true},
	}
	for _, tt := range tests {
		project := maps.Clone(base)
		project[tt.file] = strings.Replace(project[tt.file], tt.old, tt.new, 1)
		if tt.old != "" && project[tt.file] == base[tt.file] {
			t.Fatalf("%+v changes nothing:\n%s", tt, base[tt.file])
		}
		_, stderr, err := w.run(project, "list", "-deps", "./two")
		want := strings.Contains(stderr, "inconsistent vendoring")
		if err != nil && !want {
			t.Errorf("%+v: %v\n%s", tt, err, stderr)
		}
		p, err := w.load(project, Request{Vendor: ReadVendor})
		e, got := errors.AsType[*InconsistentVendorError](err)
		if err != nil && !got || got && (!e.Work || !strings.Contains(e.Error(), ": run go work vendor ")) {
			t.Errorf("%+v: %v", tt, err)
		}
		if got != (want || tt.stricter) || want && tt.stricter {
			t.Errorf("%+v: refused is %v, by the go command %v: %v\n%s", tt, got, want, err, stderr)
		}
		if err == nil && (p.Mod != "vendor" || !p.Vendored || p.Vendor == nil || !p.Vendor.GoLines) {
			t.Errorf("%+v: %+v", tt, p)
		}
		if tt.old == "" && err == nil {
			checkVendoredWorkspace(t, p)
		}
	}
}

func checkVendoredWorkspace(t *testing.T, p *Project) {
	t.Helper()
	var got []string
	for _, m := range p.Modules {
		got = append(got, describeModule(m))
	}
	want := []string{"example.com/b v1.1.0 direct", "example.com/c dir ./c in tree for example.com/c@v1.1.0 direct",
		"example.com/fork v1.0.0 for example.com/a@v1.0.0 direct", "example.com/near dir ./one/near in tree for example.com/near@v0.0.0 direct"}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("got:\n%s\nwant:\n%s", g, w)
	}
	if p.Vendor.GoLine("example.com/b") != "1.21" || p.Vendor.Unbuilt != 1 {
		t.Errorf("%+v", p.Vendor)
	}
}

// Whether a workspace's vendor folder is used is the go command's decision, and one that was
// made for the other sort of project is not, not even with -mod=vendor, with which the go
// command takes it if it is consistent.
func TestWorkspaceVendorUseOracle(t *testing.T) {
	w := newGoWorld(t)
	w.publish(mod("example.com/a", "v1.0.0"), "module example.com/a\n", nil)
	const modules = "# example.com/a v1.0.0\n## explicit\nexample.com/a\n"
	type useCase struct {
		goWork, text, flag string
		module             bool // GOWORK=off
		stricter           bool
	}
	var cases []useCase
	for _, goLine := range []string{"", "go 1.13\n", "go 1.14\n", "go 1.18\n", "go 1.24\n"} {
		cases = append(cases, useCase{goWork: goLine, text: "## workspace\n" + modules})
	}
	for _, text := range []string{"", modules, "## workspace\n" + modules} {
		for _, flag := range []string{"", "-mod=readonly", "-mod=vendor"} {
			for _, module := range []bool{false, true} {
				made := text == ""
				stricter := flag == "-mod=vendor" && !made && strings.HasPrefix(text, "##") == module
				cases = append(cases, useCase{"go 1.24\n", text, flag, module, stricter})
			}
		}
	}
	used, refused, unused := 0, 0, 0
	for _, tt := range cases {
		project := map[string]string{
			"go.work": tt.goWork + "use .\n", "go.mod": "module example.com/main\n\ngo 1.20\n\nrequire example.com/a v1.0.0\n",
			"m.go": "package m\n\nimport _ \"example.com/a\"\n", "vendor/example.com/a/x.go": "package x\n",
		}
		project["go.sum"] = w.sumsOf(map[string]string{"go.mod": project["go.mod"], "m.go": project["m.go"]})
		if tt.text != "" {
			project["vendor/modules.txt"] = tt.text
		}
		args := []string{"list", "-f", "{{.Dir}}", "example.com/a"}
		if tt.flag != "" {
			args = []string{"list", tt.flag, "-f", "{{.Dir}}", "example.com/a"}
		}
		req := Request{Vendor: ReadVendor, Env: Env{GOFLAGS: tt.flag}}
		w.env = nil
		if tt.module {
			w.env, req.Env.GOWORK = []string{"GOWORK=off"}, "off"
		}
		stdout, stderr, goErr := w.run(project, args...)
		vendored := strings.Contains(filepath.ToSlash(stdout), "/vendor/")
		p, err := w.load(project, req)
		if _, ok := errors.AsType[*InconsistentVendorError](err); err != nil && !ok {
			t.Errorf("%+v: %v", tt, err)
		}
		switch {
		case tt.stricter:
			refused++
			if goErr != nil || !vendored || err == nil || !strings.Contains(err.Error(), "it was made for a ") {
				t.Errorf("%+v: %v; the go command: %v, %s", tt, err, goErr, stderr)
			}
		case goErr != nil:
			refused++
			if err == nil {
				t.Errorf("%+v is taken; the go command: %v, %s", tt, goErr, stderr)
			}
		case err != nil || (p.Mod == "vendor") != vendored || p.Vendored != vendored:
			t.Errorf("%+v: %+v, %v; the go command: %s", tt, p, err, stdout)
		case vendored:
			used++
		default:
			unused++
		}
	}
	if used == 0 || refused == 0 || unused == 0 {
		t.Errorf("%d used, %d refused, %d unused: this test shows too little", used, refused, unused)
	}
}

// sumsOf gives the go.sum that the go command writes for a project.
func (w *goWorld) sumsOf(project map[string]string) string {
	w.t.Helper()
	sums := ""
	for m, d := range w.download(project) {
		sums += m.Path + " " + m.Version + " " + d.Sum + "\n" + m.Path + " " + m.Version + "/go.mod " + d.GoModSum + "\n"
	}
	return sums
}
