package catalogue

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/internal/gomod"
)

// A goCommand is the go command in a project, with a module cache of its own and no settings from outside.
type goCommand struct {
	home  string // holds all that it writes
	proxy *modProxy
}

func (g goCommand) cache() gomod.Cache { return gomod.Cache{Root: filepath.Join(g.home, "modcache")} }

// run returns what the go command prints. A go.mod that it changes is an error.
func (g goCommand) run(ctx context.Context, p *project, args ...string) ([]byte, error) {
	// Else it goes on writing there.
	if err := writeFile(filepath.Join(g.home, ".config", "go", "telemetry", "mode"), []byte("off\n")); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = p.dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + g.home, "GOCACHE=" + filepath.Join(g.home, "gocache"),
		"GOMODCACHE=" + g.cache().Root, "GOPROXY=" + g.proxy.URL, "GOENV=off", "GOSUMDB=off", "GOWORK=off",
		"GOTOOLCHAIN=local", "GOFLAGS=-mod=mod -modcacherw", "GO111MODULE=on",
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("go %s: %w\n%.2000s", strings.Join(args, " "), err, stderr.String())
	}
	return stdout.Bytes(), p.unchanged()
}

// A download is an object of what "go mod download -json" prints.
type download struct{ Path, Version, Error, Info, GoMod, Zip, Dir, Sum, GoModSum string }

func (g goCommand) download(ctx context.Context, p *project) (map[module.Version]download, error) {
	out, err := g.run(ctx, p, "mod", "download", "-json")
	if err != nil {
		return nil, err
	}
	list, err := objects[download](out)
	if err != nil {
		return nil, err
	}
	set := map[module.Version]download{}
	for _, d := range list {
		m := module.Version{Path: d.Path, Version: d.Version}
		if _, twice := set[m]; twice || d.Error != "" {
			return nil, fmt.Errorf("go mod download: %s: %s (twice is %v)", m, d.Error, twice)
		}
		set[m] = d
	}
	return set, nil
}

// A listing is an object of what "go list -m -json" prints.
type listing struct {
	Path, Version, Dir, GoMod, GoVersion string
	Main, Indirect                       bool
	Replace                              *listing
	Error                                *struct{ Err string }
}

func (g goCommand) list(ctx context.Context, p *project) ([]listing, error) {
	out, err := g.run(ctx, p, "list", "-m", "-json", "all")
	if err != nil {
		return nil, err
	}
	list, err := objects[listing](out)
	for _, l := range list {
		if l.Error != nil {
			return nil, fmt.Errorf("go list: %s@%s: %s", l.Path, l.Version, l.Error.Err)
		}
	}
	return list, err
}

// objects reads JSON values one after the other.
func objects[T any](data []byte) (list []T, err error) {
	for d := json.NewDecoder(bytes.NewReader(data)); ; {
		var v T
		if err := d.Decode(&v); err == io.EOF {
			return list, nil
		} else if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
}

// goMods gives the modules whose go.mod is in the module cache.
func (g goCommand) goMods() (map[module.Version]bool, error) {
	root := filepath.Join(g.cache().Root, "cache", "download")
	set := map[module.Version]bool{}
	return set, filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		base, isMod := strings.CutSuffix(name, ".mod")
		if err != nil || !isMod || d.IsDir() {
			return err
		}
		m, err := moduleOf(filepath.ToSlash(strings.TrimPrefix(base, root)))
		set[m] = true
		return err
	})
}
