package gomod

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/mod/module"
)

// maxEnvFile is the largest settings file that ReadEnv accepts, in bytes.
const maxEnvFile = 1 << 20

// World is what ReadEnv sees of the process it runs in.
type World struct {
	// Getenv gives a variable of the process environment, "" when it is unset.
	Getenv func(name string) string
	// ReadFile reads a settings file.
	ReadFile func(name string) ([]byte, error)
	// HomeDir is the user's home directory as os.UserHomeDir tells it, "" when unknown.
	HomeDir string
	// ConfigDir is where settings live as os.UserConfigDir tells it, "" when unknown.
	ConfigDir string
	// GOROOT is the Go installation to assume when the settings name none; "" when
	// none is known.
	GOROOT string
}

// Env holds the go command's settings that decide which modules are used and
// where they are, each under the name that "go env" has for it. An empty field
// is a setting without a value.
type Env struct {
	GOENV       string // file of "go env -w"; "" when none is read (GOENV=off)
	GOROOT      string
	GOPATH      string
	GOMODCACHE  string
	GOFLAGS     string
	GOWORK      string // as set: "", "auto", "off" or a file; not searched for
	GO111MODULE string
	GOTOOLCHAIN string

	GOPROXY    string // "" when it isn't set and no GOROOT is known to give the default
	GOSUMDB    string
	GOPRIVATE  string
	GONOPROXY  string
	GONOSUMDB  string
	GOINSECURE string
}

// ReadEnv gives the go command's settings as "go env" prints them, without running
// it. For each setting the first of these that isn't empty counts: the process
// environment, the file of "go env -w", GOROOT/go.env, the go command's default.
//
// Like the go command, it reads no file of "go env -w" with GOENV=off or without a
// configuration directory, and takes a default file that can't be read for an empty
// one. Unlike the go command, it returns an error when a file that GOENV names exists
// and can't be read.
func ReadEnv(w World) (Env, error) {
	s := settings{getenv: w.Getenv, user: map[string]string{}}
	file, explicit := envFile(w)
	if file != "" {
		data, err := w.ReadFile(file)
		if err != nil && explicit && !errors.Is(err, fs.ErrNotExist) {
			return Env{}, fmt.Errorf("settings file of the go command (GOENV): %w", err)
		}
		if err := parseEnvFile(s.user, file, data); err != nil {
			return Env{}, err
		}
	}

	goroot := w.GOROOT
	if v := w.Getenv("GOROOT"); v != "" {
		goroot = v
	}
	if v := s.user["GOROOT"]; v != "" {
		goroot = v // the go command looks here before it looks at the environment
	}
	// Without a go.env file to read, the checksum database is the one that the file of
	// every Go release names. The proxy stays open.
	s.goroot = map[string]string{"GOSUMDB": "sum.golang.org"}
	if goroot != "" {
		goroot = filepath.Clean(goroot)
		name := filepath.Join(goroot, "go.env")
		if data, err := w.ReadFile(name); err == nil {
			clear(s.goroot)
			if err := parseEnvFile(s.goroot, name, data); err != nil {
				return Env{}, err
			}
		}
	}
	e := s.env(w)
	e.GOENV, e.GOROOT = file, goroot
	return e, nil
}

// envFile gives the name of the file of "go env -w", "" for none, and whether GOENV
// names it. GOENV itself can't be set in that file.
func envFile(w World) (name string, explicit bool) {
	switch v := w.Getenv("GOENV"); {
	case v == "off":
		return "", true
	case v != "":
		return v, true
	case w.ConfigDir == "":
		return "", false
	}
	return filepath.Join(w.ConfigDir, "go", "env"), false
}

// parseEnvFile adds the lines NAME=VALUE of a settings file to dst. Like the go
// command it skips every other line, takes values as they stand, and lets the last
// of several lines win.
func parseEnvFile(dst map[string]string, name string, data []byte) error {
	if len(data) > maxEnvFile {
		return fmt.Errorf("%s: settings file of more than %d bytes", name, maxEnvFile)
	}
	for line := range bytes.SplitSeq(data, []byte("\n")) {
		key, value, ok := bytes.Cut(line, []byte("="))
		if !ok || len(key) == 0 || key[0] < 'A' || 'Z' < key[0] {
			continue
		}
		dst[string(key)] = string(value)
	}
	return nil
}

// settings are the sources of a setting, in the order in which they count.
type settings struct {
	getenv       func(string) string
	user, goroot map[string]string
}

func (s settings) get(name, byDefault string) string {
	if v := s.getenv(name); v != "" {
		return v
	}
	// A line "NAME=" of the user's file hides GOROOT's, and leaves the default.
	v, ok := s.user[name]
	if !ok {
		v = s.goroot[name]
	}
	if v != "" {
		return v
	}
	return byDefault
}

func (s settings) env(w World) Env {
	e := Env{
		GOFLAGS:     s.get("GOFLAGS", ""),
		GOWORK:      s.get("GOWORK", ""),
		GO111MODULE: s.get("GO111MODULE", ""),
		GOTOOLCHAIN: s.get("GOTOOLCHAIN", ""),
		GOPROXY:     s.get("GOPROXY", ""),
		GOSUMDB:     s.get("GOSUMDB", ""),
		GOPRIVATE:   s.get("GOPRIVATE", ""),
		GOINSECURE:  s.get("GOINSECURE", ""),
	}
	e.GONOPROXY = s.get("GONOPROXY", e.GOPRIVATE)
	e.GONOSUMDB = s.get("GONOSUMDB", e.GOPRIVATE)

	gopath := ""
	if w.HomeDir != "" {
		gopath = filepath.Join(w.HomeDir, "go")
	}
	e.GOPATH = s.get("GOPATH", gopath)

	modcache := ""
	if list := filepath.SplitList(e.GOPATH); len(list) > 0 && list[0] != "" {
		modcache = filepath.Join(list[0], "pkg", "mod")
	}
	e.GOMODCACHE = s.get("GOMODCACHE", modcache)
	return e
}

// Cache gives the module cache that the settings name. It is an error when they name
// none, or one that the go command would refuse because its path isn't absolute.
func (e Env) Cache() (*Cache, error) {
	if e.GOMODCACHE == "" {
		return nil, errors.New("no module cache: neither GOMODCACHE nor GOPATH nor a home directory is set")
	}
	if !filepath.IsAbs(e.GOMODCACHE) {
		return nil, fmt.Errorf("GOMODCACHE=%q is not an absolute path", e.GOMODCACHE)
	}
	return &Cache{Root: filepath.Clean(e.GOMODCACHE)}, nil
}

// Private reports whether GOPRIVATE or GONOSUMDB (by default GOPRIVATE) matches the
// module path: no public service may learn of it. GOSUMDB=off says nothing about that.
func (e Env) Private(path string) bool {
	return module.MatchPrefixPatterns(e.GOPRIVATE, path) || module.MatchPrefixPatterns(e.GONOSUMDB, path)
}

// NoProxy reports whether GONOPROXY (by default GOPRIVATE) matches the module path:
// no module proxy may be asked about it.
func (e Env) NoProxy(path string) bool {
	return module.MatchPrefixPatterns(e.GONOPROXY, path)
}
