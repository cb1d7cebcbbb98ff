package gomod

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/module"
)

// A goWorld is a place where the go command runs: a module proxy made of files, an empty
// module cache, no settings from outside, and nothing that it could reach by network.
type goWorld struct {
	t   *testing.T
	dir string
	cmd string
	env []string // further settings
	sub string   // where in a project the go command and Load are run
}

func newGoWorld(t *testing.T) *goWorld {
	w := &goWorld{t: t, dir: t.TempDir(), cmd: needGo(t)}
	if err := os.MkdirAll(filepath.Join(w.dir, "proxy"), 0o777); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *goWorld) cache() Cache { return Cache{Root: filepath.Join(w.dir, "modcache")} }

// publish puts a module with one package into the proxy. Without a go.mod, the proxy
// serves one that names the module.
func (w *goWorld) publish(m module.Version, gomod string, files map[string]string) {
	w.t.Helper()
	zipped := map[string]string{m.String() + "/x.go": "package x\n"}
	for name, data := range files {
		zipped[m.String()+"/"+name] = data
	}
	if gomod != "" {
		zipped[m.String()+"/go.mod"] = gomod
	} else {
		gomod = "module " + m.Path + "\n"
	}
	path, err := module.EscapePath(m.Path)
	if err != nil {
		w.t.Fatal(err)
	}
	version, err := module.EscapeVersion(m.Version)
	if err != nil {
		w.t.Fatal(err)
	}
	base := "proxy/" + path + "/@v/"
	writeTree(w.t, w.dir, map[string]string{
		base + version + ".mod":  gomod,
		base + version + ".zip":  zipOf(w.t, zipped),
		base + version + ".info": fmt.Sprintf(`{"Version":%q,"Time":"2024-01-01T00:00:00Z"}`, m.Version),
	})
}

// run runs the go command on a copy of the project, which it may change.
func (w *goWorld) run(project map[string]string, args ...string) (stdout, stderr string, err error) {
	w.t.Helper()
	dir := w.t.TempDir()
	writeTree(w.t, dir, project)
	return w.runIn(dir, args...)
}

// runIn runs the go command on a project that was laid out.
func (w *goWorld) runIn(dir string, args ...string) (stdout, stderr string, err error) {
	w.t.Helper()
	writeTree(w.t, w.dir, map[string]string{".config/go/telemetry/mode": "off\n"}) // else it goes on writing there
	cmd := exec.Command(w.cmd, args...)
	cmd.Dir = filepath.Join(dir, w.sub)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir, "GOCACHE=" + filepath.Join(w.dir, "gocache"),
		"GOMODCACHE=" + w.cache().Root, "GOPROXY=file://" + filepath.ToSlash(filepath.Join(w.dir, "proxy")),
		"GOENV=off", "GOSUMDB=off", "GOTOOLCHAIN=local", "GOFLAGS=-modcacherw", "GO111MODULE=on",
	}
	cmd.Env = append(cmd.Env, w.env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

func (w *goWorld) mustRun(project map[string]string, args ...string) string {
	w.t.Helper()
	stdout, stderr, err := w.run(project, args...)
	if err != nil {
		w.t.Fatalf("go %v: %v\n%s\ngo.mod:\n%s", args, err, stderr, project["go.mod"])
	}
	return stdout
}

// load runs Load on a copy of the project, with the module cache of the go command. In
// directories the place of the copy is taken out again.
func (w *goWorld) load(project map[string]string, req Request) (*Project, error) {
	w.t.Helper()
	dir := w.t.TempDir()
	writeTree(w.t, dir, project)
	req.Dir = filepath.Join(dir, w.sub)
	cache := w.cache()
	req.Cache = &cache
	p, err := Load(req)
	if err != nil {
		return nil, err
	}
	for i := range p.Modules {
		if m := &p.Modules[i]; m.LocalDir != "" {
			rel, err := filepath.Rel(req.Dir, m.LocalDir)
			if err != nil {
				w.t.Fatal(err)
			}
			m.LocalDir = "./" + filepath.ToSlash(rel)
		}
	}
	return p, nil
}

// A download is an object of what "go mod download -json" prints.
type download struct{ Path, Version, Info, GoMod, Zip, Dir, Sum, GoModSum string }

func (w *goWorld) download(project map[string]string) map[module.Version]download {
	w.t.Helper()
	set := map[module.Version]download{}
	dec := json.NewDecoder(strings.NewReader(w.mustRun(project, "mod", "download", "-json")))
	for {
		var d download
		if err := dec.Decode(&d); err == io.EOF {
			return set
		} else if err != nil {
			w.t.Fatal(err)
		}
		set[mod(d.Path, d.Version)] = d
	}
}
