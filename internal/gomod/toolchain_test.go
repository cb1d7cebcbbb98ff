package gomod

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/mod/module"
)

// The toolchain that is selected is the one that the go command runs or, as it has no
// network here, says that it lacks: by the lines of go.mod or, in a workspace, of go.work.
func TestSelectToolchainOracle(t *testing.T) {
	for _, file := range []string{"go.mod", "go.work"} {
		t.Run(file, func(t *testing.T) { selectToolchains(t, file) })
	}
}

func selectToolchains(t *testing.T, file string) {
	w := newGoWorld(t)
	local, _, _ := strings.Cut(strings.TrimPrefix(w.mustRun(nil, "version"), "go version "), " ")
	lacks := regexp.MustCompile(`(?:download |cannot find ")(go1[^ :"]*)`)
	selected := map[string]int{}
	for _, setting := range []string{"local", "auto", "path", "local+auto", "local+path", "go1.21.3", "go1.21.3+auto", "go1.97.0+auto", "go1.97.0", "go1.96.1-corp+auto", "nonsense", "auto+local", "go1.x", "+auto", "go1.97.0+"} {
		for _, lines := range []string{
			"", "go 1.16\n", "go 1.20\n", "go 1.21\n", "go 1.21.0\n", "go 1.98\n", "go 1.98.2\n", "go 1.98rc1\n", "go 1.16\ntoolchain go1.99.1\n", "go 1.98.2\ntoolchain go1.98.1\n",
			"go 1.21\ntoolchain default\n", "go 1.98\ntoolchain default\n", "go 1.21\ntoolchain go1.97.0\n", "go 1.21\ntoolchain go1.97.0-corp\n", "go 1.21\ntoolchain go1.20.4\n",
		} {
			dir := t.TempDir()
			files := map[string]string{"go.mod": "module example.com/main\n" + lines}
			if file == "go.work" {
				files = map[string]string{"go.mod": "module example.com/main\ngo 1.20\ntoolchain go1.99.0\n", file: "use .\n" + lines}
			}
			writeTree(t, dir, files)
			cmd := exec.Command(w.cmd, "version")
			cmd.Dir = dir
			cmd.Env = []string{
				"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir, "GOCACHE=" + filepath.Join(w.dir, "gocache"), "GOMODCACHE=" + w.cache().Root,
				"GOPROXY=off", "GOENV=off", "GOSUMDB=sum.golang.org", "GOTOOLCHAIN=" + setting, "GO111MODULE=on",
			}
			out, runErr := cmd.CombinedOutput()
			want := local
			if found := lacks.FindSubmatch(out); found != nil {
				want = string(found[1])
			} else if runErr != nil {
				want = ""
			}

			p, err := Load(Request{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.SelectToolchain(setting, local)
			if err != nil {
				got = ""
			}
			if got != want {
				t.Errorf("GOTOOLCHAIN=%s with %q: %q (%v), want %q\n%s", setting, lines, got, err, want, out)
			}
			selected[got]++
		}
	}
	if len(selected) < 6 {
		t.Errorf("this test shows too little: %v", selected)
	}
}

// Without a setting in GOROOT/go.env or elsewhere, the go command that was started runs.
func TestSelectToolchainUnset(t *testing.T) {
	p := &Project{GoVersion: "1.98"}
	if got, err := p.SelectToolchain("", "go1.26.8"); got != "go1.26.8" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestParseToolchain(t *testing.T) {
	p := &Project{ModFile: "go.mod", GoVersion: "1.24", Toolchain: "go1.26.7"}
	for s, want := range map[string]string{
		"linux/amd64":                  "v0.0.1-go1.26.7.linux-amd64",
		"go1.26.8.linux-arm64":         "v0.0.1-go1.26.8.linux-arm64",
		"go1.27rc1.windows-386":        "v0.0.1-go1.27rc1.windows-386",
		"go1.21.4-corp.linux-amd64":    "v0.0.1-go1.21.4-corp.linux-amd64",
		"linux":                        "",
		"":                             "",
		"/":                            "",
		"linux/":                       "",
		"linux/amd64/v3":               "",
		"../x/y":                       "",
		"go1.26.8.linux":               "",
		"go1.26.8.linux-":              "",
		"go1.26.8.Linux-amd64":         "",
		"1.26.8.linux-amd64":           "",
		"go1.26.8-../../x.linux-amd64": "",
		"latest.linux-amd64":           "",
	} {
		m, err := ParseToolchain(s, p.WantedToolchain)
		if want == "" && err == nil || want != "" && (err != nil || m != (module.Version{Path: ToolchainPath, Version: want})) {
			t.Errorf("%q: %v, %v; want %q", s, m, err, want)
		}
	}
	for _, p := range []*Project{{ModFile: "go.mod"}, {Toolchain: "nonsense"}} {
		if m, err := ParseToolchain("linux/amd64", p.WantedToolchain); err == nil {
			t.Errorf("no release: %v", m)
		}
	}
	if m, err := ParseToolchain("linux/amd64", (&Project{GoVersion: "1.24"}).WantedToolchain); err != nil || m.Version != "v0.0.1-go1.24.0.linux-amd64" {
		t.Errorf("language version: %v, %v", m, err)
	}
}

// An installation is what its files say, and what doesn't say so is none.
func TestReadInstallation(t *testing.T) {
	good := map[string]string{"VERSION": "go1.26.8\ntime 2026-08-28T16:20:06Z\n", "pkg/tool/linux_amd64/compile": "", "go.env": "# settings\nGOTOOLCHAIN=auto\n"}
	for name, change := range map[string]map[string]string{
		"":                     {},
		"no VERSION":           {"VERSION": "\x00"},
		"VERSION of a branch":  {"VERSION": "devel go1.27-abcdef\n"},
		"VERSION of a path":    {"VERSION": "../../go1.26.8\n"},
		"VERSION at the limit": {"VERSION": "go1.26.8\n" + strings.Repeat("x", maxVersionFile-9)},
		"VERSION over it":      {"VERSION": "go1.26.8\n" + strings.Repeat("x", maxVersionFile-8)},
		"two platforms":        {"pkg/tool/linux_arm64/compile": ""},
		"no platform":          {"pkg/tool/linux_amd64/compile": "\x00"},
	} {
		dir := t.TempDir()
		files := map[string]string{}
		for _, m := range []map[string]string{good, change} {
			for name, data := range m {
				if files[name] = data; data == "\x00" {
					delete(files, name)
				}
			}
		}
		writeTree(t, dir, files)
		in, err := ReadInstallation(dir)
		if ok := name == "" || name == "VERSION at the limit"; ok != (err == nil) {
			t.Errorf("%s: %v, %v", name, in, err)
		} else if ok && *in != (Installation{Dir: dir, Name: "go1.26.8", Platform: Platform{"linux", "amd64"}, GOTOOLCHAIN: "auto"}) {
			t.Errorf("%s: %+v", name, in)
		}
	}
	if goroot := needGoroot(t); goroot != "" {
		in, err := ReadInstallation(goroot)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(filepath.Join(goroot, "bin", "go"), "version").Output(); err != nil || strings.TrimSpace(string(out)) != "go version "+in.Name+" "+in.Platform.String() {
			t.Errorf("%+v: %s, %v", in, out, err)
		}
	}
}

// needGoroot is where the go command is installed.
func needGoroot(t *testing.T) string {
	cmd := exec.Command(needGo(t), "env", "GOROOT")
	cmd.Dir = t.TempDir()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
