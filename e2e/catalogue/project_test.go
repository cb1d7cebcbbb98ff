package catalogue

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
)

// A project is an entry of the catalogue on disk.
type project struct {
	root    string // all of the source tree
	dir     string // the main module, two folders down in root, so that "../../x" is in root too
	modFile string
	goMod   []byte
	parsed  *modfile.File
	listed  map[string]string // what go.mod requires: path to version
}

// newProject writes the entry's files below root.
func newProject(root string, e entry, proxy *modProxy) (*project, error) {
	data, err := proxy.goMod(e.module())
	if err != nil {
		return nil, err
	}
	if h1, err := goModHash(data); err != nil || h1 != e.goMod {
		return nil, fmt.Errorf("go.mod of %s has another h1 than the catalogue: %s, %v", e.module(), h1, err)
	}
	p := &project{root: root, dir: filepath.Join(root, "src", "main"), goMod: data, listed: map[string]string{}}
	p.modFile = filepath.Join(p.dir, "go.mod")
	if p.parsed, err = modfile.Parse("go.mod", data, nil); err != nil {
		return nil, err
	}
	for _, r := range p.parsed.Require {
		p.listed[r.Mod.Path] = r.Mod.Version
	}
	if err := writeFile(p.modFile, data); err != nil {
		return nil, err
	}
	for _, r := range p.parsed.Replace {
		version, required := p.listed[r.Old.Path]
		if r.New.Version != "" || !required {
			continue
		}
		m := module.Version{Path: r.Old.Path, Version: version}
		if err := p.makeLocal(e, m, r.New.Path, proxy); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// makeLocal makes the directory that replaces a module. Its go.mod is the one that was published, with one change: the
// directories of a source tree require one another at the versions that the main module requires, which are often
// placeholders, where the published modules require one another at versions made for it.
func (p *project) makeLocal(e entry, m module.Version, dir string, proxy *modProxy) error {
	dir = filepath.Join(p.dir, filepath.FromSlash(dir))
	if rel, err := filepath.Rel(p.root, dir); err != nil || !filepath.IsLocal(rel) {
		return fmt.Errorf("%s is replaced by %s, which is not in the source tree", m, dir)
	}
	published := m
	if e.local != nil {
		published.Version = e.local(m)
	}
	if published.Version == "" {
		return writeFile(filepath.Join(dir, "go.mod"), []byte("module "+m.Path+"\n\ngo 1.17\n"))
	}
	data, err := proxy.goMod(published)
	if err != nil {
		return err
	}
	f, err := modfile.ParseLax("go.mod", data, nil)
	if err != nil {
		return err
	}
	for _, r := range f.Require {
		if version, ok := p.listed[r.Mod.Path]; ok && p.isLocal(r.Mod.Path) {
			if err := f.AddRequire(r.Mod.Path, version); err != nil {
				return err
			}
		}
	}
	if data, err = f.Format(); err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, "go.mod"), data)
}

// isLocal tells whether go.mod replaces the module by a directory.
func (p *project) isLocal(path string) bool {
	for _, r := range p.parsed.Replace {
		if r.Old.Path == path && r.New.Version == "" {
			return true
		}
	}
	return false
}

// unchanged reports a go.mod that the go command wrote to.
func (p *project) unchanged() error {
	now, err := os.ReadFile(p.modFile)
	if err == nil && !bytes.Equal(now, p.goMod) {
		err = fmt.Errorf("the go command changes this go.mod, so the two don't read the same:\n%s", now)
	}
	return err
}

func writeFile(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	return os.WriteFile(name, data, 0o666)
}

// goModHash gives the h1 of a go.mod file as go.sum has it for "version/go.mod".
func goModHash(data []byte) (string, error) {
	return dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(string(data))), nil
	})
}
