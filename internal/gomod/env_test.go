package gomod

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fakeWorld is a World of maps; HOME is /home/u.
func fakeWorld(env, files map[string]string) World {
	return World{
		Getenv: func(name string) string { return env[name] },
		ReadFile: func(name string) ([]byte, error) {
			data, ok := files[filepath.ToSlash(name)]
			if !ok {
				return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
			}
			return []byte(data), nil
		},
		HomeDir:   "/home/u",
		ConfigDir: "/home/u/.config",
	}
}

// For each setting the process environment counts before the user's file, that before
// GOROOT/go.env, that before the default; an empty variable is an unset one.
func TestReadEnvOrder(t *testing.T) {
	const userFile, rootFile = "/home/u/.config/go/env", "/go/go.env"
	for _, tc := range []struct {
		name  string
		env   map[string]string
		files map[string]string
		get   func(Env) string
		want  string
	}{
		{name: "nothing set", get: func(e Env) string { return e.GOMODCACHE }, want: "/home/u/go/pkg/mod"},
		{name: "first directory of GOPATH", env: map[string]string{"GOPATH": "/a:/b"},
			get: func(e Env) string { return e.GOMODCACHE }, want: "/a/pkg/mod"},
		{name: "first directory of GOPATH empty", env: map[string]string{"GOPATH": ":/b"},
			get: func(e Env) string { return e.GOMODCACHE }, want: ""},
		{name: "environment", env: map[string]string{"GOMODCACHE": "/m"}, files: map[string]string{userFile: "GOMODCACHE=/n\n"},
			get: func(e Env) string { return e.GOMODCACHE }, want: "/m"},
		{name: "empty variable", env: map[string]string{"GOMODCACHE": ""}, files: map[string]string{userFile: "GOMODCACHE=/n\n"},
			get: func(e Env) string { return e.GOMODCACHE }, want: "/n"},
		{name: "user's file before go.env", env: map[string]string{"GOROOT": "/go"},
			files: map[string]string{userFile: "GOPROXY=file:///p\n", rootFile: "GOPROXY=off\n"},
			get:   func(e Env) string { return e.GOPROXY }, want: "file:///p"},
		{name: "go.env", env: map[string]string{"GOROOT": "/go/"}, files: map[string]string{rootFile: "# a comment\n\nGOPROXY=off\n"},
			get: func(e Env) string { return e.GOPROXY }, want: "off"},
		{name: "empty line in user's file hides go.env", env: map[string]string{"GOROOT": "/go"},
			files: map[string]string{userFile: "GOPROXY=\n", rootFile: "GOPROXY=off\n"},
			get:   func(e Env) string { return e.GOPROXY }, want: ""},
		{name: "GOROOT in user's file", env: map[string]string{"GOROOT": "/else"},
			files: map[string]string{userFile: "GOROOT=/go\n", rootFile: "GOSUMDB=off\n"},
			get:   func(e Env) string { return e.GOSUMDB }, want: "off"},
		{name: "go.env without the setting", env: map[string]string{"GOROOT": "/go"}, files: map[string]string{rootFile: "GOPROXY=off\n"},
			get: func(e Env) string { return e.GOSUMDB }, want: ""},
		{name: "no go.env", get: func(e Env) string { return e.GOSUMDB }, want: "sum.golang.org"},
		{name: "last line counts, and is taken as it is", files: map[string]string{userFile: "GOFLAGS=-mod=mod\nGOFLAGS= -x\r"},
			get: func(e Env) string { return e.GOFLAGS }, want: " -x\r"},
		{name: "not a setting", files: map[string]string{userFile: "goflags=-mod=mod\n GOFLAGS=-x\n=\nGOFLAGS\n"},
			get: func(e Env) string { return e.GOFLAGS }, want: ""},
		{name: "GOENV names the file", env: map[string]string{"GOENV": "/e"}, files: map[string]string{"/e": "GOWORK=off", userFile: "GOWORK=/w"},
			get: func(e Env) string { return e.GOWORK }, want: "off"},
		{name: "GOENV=off", env: map[string]string{"GOENV": "off"}, files: map[string]string{userFile: "GOWORK=/w"},
			get: func(e Env) string { return e.GOWORK }, want: ""},
		{name: "GOENV names no file", env: map[string]string{"GOENV": "/none"},
			get: func(e Env) string { return e.GOENV }, want: "/none"},
		{name: "GOPRIVATE is the default of GONOSUMDB", env: map[string]string{"GOPRIVATE": "a.example"},
			get: func(e Env) string { return e.GONOSUMDB }, want: "a.example"},
		{name: "GOPRIVATE is the default of GONOPROXY", env: map[string]string{"GOPRIVATE": "a.example", "GONOPROXY": "none"},
			get: func(e Env) string { return e.GONOPROXY + " " + e.GONOSUMDB }, want: "none a.example"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e, err := ReadEnv(fakeWorld(tc.env, tc.files))
			if err != nil {
				t.Fatal(err)
			}
			if got := filepath.ToSlash(tc.get(e)); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// Without a home or configuration directory there are no defaults, and no error: the
// module cache may be named by the environment.
func TestReadEnvNowhere(t *testing.T) {
	w := fakeWorld(nil, nil)
	w.HomeDir, w.ConfigDir = "", ""
	e, err := ReadEnv(w)
	if err != nil || e.GOPATH != "" || e.GOMODCACHE != "" || e.GOENV != "" {
		t.Errorf("got %+v, %v", e, err)
	}
	if _, err := e.Cache(); err == nil {
		t.Error("a module cache without a name")
	}
	e.GOMODCACHE = "relative"
	if _, err := e.Cache(); err == nil {
		t.Error("a module cache that the go command refuses")
	}
}

// A settings file that can't be read is ignored where the go command has looked for it by
// itself, and an error where the user has named it. One byte over the limit is an error.
func TestReadEnvBadFile(t *testing.T) {
	unreadable := func(string) ([]byte, error) { return nil, fs.ErrPermission }
	w := fakeWorld(nil, nil)
	w.ReadFile = unreadable
	if _, err := ReadEnv(w); err != nil {
		t.Errorf("default file: %v", err)
	}
	w = fakeWorld(map[string]string{"GOENV": "/e"}, nil)
	w.ReadFile = unreadable
	if _, err := ReadEnv(w); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("file of GOENV: %v", err)
	}

	for size, ok := range map[int]bool{maxEnvFile: true, maxEnvFile + 1: false} {
		data := "GOWORK=off\n" + strings.Repeat("\n", size-len("GOWORK=off\n"))
		for _, file := range []string{"/e", "/go/go.env"} {
			w := fakeWorld(map[string]string{"GOENV": "/e", "GOROOT": "/go"}, map[string]string{file: data})
			if _, err := ReadEnv(w); (err == nil) != ok {
				t.Errorf("%s of %d bytes: %v", file, size, err)
			}
		}
	}
}

// Patterns are those of GOPRIVATE: they match a path's beginning, element by element.
func TestPrivate(t *testing.T) {
	e := Env{GOPRIVATE: "a.example/x,*.corp.example", GONOPROXY: "b.example", GONOSUMDB: "c.example", GOSUMDB: "sum.golang.org"}
	for path, want := range map[string][2]bool{
		"a.example/x":          {true, false},
		"a.example/x/y":        {true, false},
		"a.example/xy":         {false, false},
		"git.corp.example/p":   {true, false},
		"b.example/p":          {false, true},
		"c.example/p":          {true, false},
		"github.com/a.example": {false, false},
	} {
		if got := [2]bool{e.Private(path), e.NoProxy(path)}; got != want {
			t.Errorf("%s: got %v, want %v", path, got, want)
		}
	}
	e.GOSUMDB = "off"
	if e.Private("github.com/a") {
		t.Error("GOSUMDB=off makes everything private")
	}
}

// Each line of GOFLAGS is read as the go command reads it.
func TestFlags(t *testing.T) {
	for in, want := range map[string]Flags{
		"":                               {},
		"-x -v -ldflags=-w":              {},
		"-mod=mod":                       {Mod: "mod"},
		"--mod=readonly":                 {Mod: "readonly"},
		"-mod=vendor -mod=mod":           {Mod: "mod"},
		"-mod=vendor -mod=":              {Mod: "readonly"},
		"-mod=":                          {},
		"\t-mod=mod\n-modfile=x.mod":     {Mod: "mod", ModFile: "x.mod"},
		`"-modfile=my file.mod" -x`:      {ModFile: "my file.mod"},
		`'-modfile=a"b.mod'`:             {ModFile: `a"b.mod`},
		`-modfile="a`:                    {ModFile: `"a`}, // a quote inside a word is no quote
		`'-mod=mod'-x`:                   {Mod: "mod"},    // a closing quote ends a word
		"-overlay=o.json":                {Overlay: "o.json"},
		"-modcacherw -model=x -modfile=": {},
	} {
		got, err := Env{GOFLAGS: in}.Flags()
		if err != nil || got != want {
			t.Errorf("%q: got %+v, %v; want %+v", in, got, err, want)
		}
	}
	for _, in := range []string{"mod=mod", "-", "--", "---mod=mod", "-=x", "--=x", "-mod", "-modfile", "-mod=none", `"-mod=mod`, "'", "-C=/x", "-x y"} {
		if got, err := (Env{GOFLAGS: in}).Flags(); err == nil {
			t.Errorf("%q: got %+v, want an error", in, got)
		}
	}
}

// The go command itself gives the same settings.
func TestReadEnvOracle(t *testing.T) {
	goCmd := needGo(t)
	dir := t.TempDir()
	goroot := strings.TrimSpace(string(mustRun(t, exec.Command(goCmd, "env", "GOROOT"))))
	writeTree(t, dir, map[string]string{
		"user/go/env": "GOFLAGS=-mod=mod\nGOPRIVATE=a.example\nGOPROXY=file:///nowhere\nGOTOOLCHAIN=local\n",
		// else the go command goes on writing there after it has answered
		"user/go/telemetry/mode": "off\n", "nothing/go/telemetry/mode": "off\n",
		"other": "GOSUMDB=off\nGOMODCACHE=" + dir + "/mods\nGONOPROXY=\nGOTOOLCHAIN=local\n",
	})
	base := map[string]string{"HOME": dir, "XDG_CONFIG_HOME": filepath.Join(dir, "user"), "PATH": os.Getenv("PATH"), "GOTOOLCHAIN": "local"}
	for _, extra := range []map[string]string{
		{},
		{"GOFLAGS": "", "GOPRIVATE": "b.example"},
		{"GOENV": filepath.Join(dir, "other"), "GOPATH": "/x:/y"},
		{"GOENV": "off"},
		{"GOENV": filepath.Join(dir, "none"), "GOPATH": "/x:/y", "GONOSUMDB": "c.example"},
		{"XDG_CONFIG_HOME": filepath.Join(dir, "nothing"), "GOROOT": goroot},
	} {
		env := map[string]string{}
		cmd := exec.Command(goCmd, "env", "-json", "GOENV", "GOROOT", "GOPATH", "GOMODCACHE", "GOFLAGS",
			"GO111MODULE", "GOTOOLCHAIN", "GOPROXY", "GOSUMDB", "GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOINSECURE")
		cmd.Env, cmd.Dir = []string{}, dir
		for _, m := range []map[string]string{base, extra} {
			for k, v := range m {
				env[k] = v
			}
		}
		for k, v := range env {
			cmd.Env = append(cmd.Env, k+"="+v)
		}
		var want Env
		if err := json.Unmarshal(mustRun(t, cmd), &want); err != nil {
			t.Fatal(err)
		}
		got, err := ReadEnv(World{
			Getenv:    func(name string) string { return env[name] },
			ReadFile:  os.ReadFile,
			HomeDir:   env["HOME"],
			ConfigDir: env["XDG_CONFIG_HOME"],
			GOROOT:    goroot,
		})
		if err != nil || got != want {
			t.Errorf("with %v:\n got %+v, %v\nwant %+v", extra, got, err, want)
		}
	}
}

// Property: GOFLAGS for a build that takes the set as it is has the user's flags, each
// once and as it was, but for those that would change what is built.
func TestFixed(t *testing.T) {
	for in, want := range map[string]string{
		"":                                      "-mod=readonly",
		"-x -ldflags=-w":                        "-x -ldflags=-w -mod=readonly",
		"-mod=mod --mod=vendor -mod= -v":        "-v -mod=readonly",
		"-modcacherw --modcacherw=true -modx=1": "-modx=1 -mod=readonly",
		`"-ldflags=-s -w"	-tags=a,b`:            `"-ldflags=-s -w" -tags=a,b -mod=readonly`,
		`'-ldflags=-X "a=b c"' "-gcflags=-N '-l'"`: `'-ldflags=-X "a=b c"' "-gcflags=-N '-l'" -mod=readonly`,
		`"-modfile=a'b.mod" -x="y`:                 `-modfile=a'b.mod -x="y -mod=readonly`,
	} {
		got, err := Env{GOFLAGS: in}.Fixed()
		if err != nil || got != want {
			t.Errorf("%q: got %q, %v; want %q", in, got, err, want)
		}
		kept := func(s string) (out []string) {
			words, err := splitQuoted(s)
			if err != nil {
				t.Error(err)
			}
			for _, w := range words {
				if name, _, _, _ := cutFlag(w); name != "mod" && name != "modcacherw" {
					out = append(out, w)
				}
			}
			return out
		}
		if !slices.Equal(kept(in), kept(got)) {
			t.Errorf("%q: %q has other flags", in, got)
		}
	}
	for _, in := range []string{"x", "-mod=none", `"-x`} {
		if got, err := (Env{GOFLAGS: in}).Fixed(); err == nil {
			t.Errorf("%q: got %q, want an error", in, got)
		}
	}
}
