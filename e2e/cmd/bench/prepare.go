//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/e2e/benchset"
)

// moduleSet is the project that is measured, and its module cache.
type moduleSet struct {
	project  string // folder of go.mod and go.sum
	modCache string
	modules  []downloaded
}

// downloaded is a module as go mod download -json describes it.
type downloaded struct {
	Path, Version, Error  string
	Zip, Dir, GoMod, Info string
	Sum, GoModSum         string
}

// prepare makes the project and fills its module cache. Nothing of it is measured.
func (b *bench) prepare(ctx context.Context) (err error) {
	if b.goCmd, err = findGo(ctx); err != nil {
		return err
	}
	goMod, goSum := benchset.GoMod, benchset.GoSum
	if b.quick {
		if goMod, err = os.ReadFile(filepath.Join(b.root, "go.mod")); err != nil {
			return err
		}
		if goSum, err = os.ReadFile(filepath.Join(b.root, "go.sum")); err != nil {
			return err
		}
	}
	b.set = &moduleSet{project: filepath.Join(b.dir, "project"), modCache: filepath.Join(b.dir, "modcache")}
	if err := writeProject(b.set.project, goMod, goSum); err != nil {
		return err
	}
	if err := b.download(ctx); err != nil {
		return err
	}
	if err := b.set.linkCache(b.goCmd.modCache); err != nil {
		return err
	}
	b.key = filepath.Join(b.dir, "seal")
	_, _, err = command{dir: b.dir, env: os.Environ(), args: []string{b.modseal, "keygen", "--no-password", "-o", b.key}}.run(ctx)
	return err
}

func writeProject(dir string, goMod, goSum []byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), goMod, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "go.sum"), goSum, 0o644)
}

// download has the go command fetch what is not in the user's module cache, with the user's settings.
func (b *bench) download(ctx context.Context) error {
	env := append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	_, out, err := command{dir: b.set.project, env: env, args: []string{"go", "mod", "download", "-json"}}.run(ctx)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(out))
	for {
		var m downloaded
		if err := d.Decode(&m); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		if m.Error != "" {
			return fmt.Errorf("%s@%s: %s", m.Path, m.Version, m.Error)
		}
		b.set.modules = append(b.set.modules, m)
	}
	if err := b.set.completeSums(); err != nil {
		return err
	}
	// The module graph, with which go mod verify begins, takes further .mod files.
	_, _, err = command{dir: b.set.project, env: env, args: []string{"go", "list", "-m", "all"}}.run(ctx)
	return err
}

// completeSums adds to go.sum what the go command, which needs less for a build, would look up whenever it downloads
// the set anew.
func (s *moduleSet) completeSums() error {
	name := filepath.Join(s.project, "go.sum")
	old, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	lines := strings.SplitAfter(string(old), "\n")
	for _, m := range s.modules {
		lines = append(lines, fmt.Sprintf("%s %s %s\n", m.Path, m.Version, m.Sum), fmt.Sprintf("%s %s/go.mod %s\n", m.Path, m.Version, m.GoModSum))
	}
	slices.Sort(lines)
	return os.WriteFile(name, []byte(strings.Join(slices.Compact(lines), "")), 0o644)
}

// linkCache makes a module cache that has the set and nothing else: the zips and unpacked trees of the modules, and
// the .mod files that go.sum names. What the go command keeps of the checksum database is left out, so that requests
// to it can be counted.
func (s *moduleSet) linkCache(from string) error {
	download := filepath.Join("cache", "download")
	for i := range s.modules {
		m := &s.modules[i]
		files := []string{m.Zip, strings.TrimSuffix(m.Zip, ".zip") + ".ziphash", m.GoMod, m.Info}
		for _, name := range files {
			if err := linkFile(from, s.modCache, name); err != nil {
				return err
			}
		}
		if err := linkTree(from, s.modCache, m.Dir); err != nil {
			return err
		}
		m.Zip, m.Dir = s.moved(from, m.Zip), s.moved(from, m.Dir)
	}
	goSum, err := os.ReadFile(filepath.Join(s.project, "go.sum"))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(goSum)) {
		path, rest, _ := strings.Cut(line, " ")
		version, ok := strings.CutSuffix(strings.Fields(rest)[0], "/go.mod")
		if !ok {
			continue
		}
		escaped, err := module.EscapePath(path)
		if err != nil {
			return err
		}
		escapedVersion, err := module.EscapeVersion(version)
		if err != nil {
			return err
		}
		name := filepath.Join(from, download, filepath.FromSlash(escaped), "@v", escapedVersion+".mod")
		if err := linkFile(from, s.modCache, name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// moved is where a file of the module cache from is in ours.
func (s *moduleSet) moved(from, name string) string {
	return filepath.Join(s.modCache, strings.TrimPrefix(name, from))
}

func linkTree(from, to, dir string) error {
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return linkFile(from, to, name)
	})
}

// linkFile makes a file of the folder from appear at the same place below to.
func linkFile(from, to, name string) error {
	rel, err := filepath.Rel(from, name)
	if err != nil || !filepath.IsLocal(rel) {
		return fmt.Errorf("%s is not in the module cache %s", name, from)
	}
	target := filepath.Join(to, rel)
	err = os.Link(name, target)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		err = os.Link(name, target)
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case errors.Is(err, syscall.EXDEV), errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EMLINK):
		return copyFile(target, name)
	}
	return err
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
