package cli

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/modseal/modseal/internal/gomod"
	"github.com/modseal/modseal/internal/materialize"
	"github.com/modseal/modseal/internal/standin"
)

// splitCommand takes the command to run after a pass from the arguments of verify:
// what follows the first "--". It is nil if there is none, and of other commands.
func splitCommand(args []string) (own, command []string) {
	if len(args) == 0 || args[0] != "verify" {
		return args, nil
	}
	at := slices.Index(args, "--")
	if at < 0 {
		return args, nil
	}
	return args[:at], append([]string{}, args[at+1:]...)
}

// endedError is the exit code of a program that was run in place of this one, which
// has said all there is to say.
type endedError int

func (e endedError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// guard lets another process of this program verify copies of the modules and, after
// a pass, runs the command with them. This process reads neither bundle nor modules,
// so that the one that does can give up starting processes.
func (c *verifyCommand) guard(p *Process) (err error) {
	program, err := c.program(p)
	if err != nil {
		return err
	}
	signals, stop := p.Notify()
	defer stop()
	program.Signals = signals
	args, _ := splitCommand(p.Args)
	cache := p.path(c.Materialize)
	if c.Materialize == "" {
		temp, err := tempCache()
		if err != nil {
			return err
		}
		defer func() {
			if removed := materialize.Remove(temp); removed != nil {
				p.say("left behind: %v", removed)
			}
		}()
		cache = filepath.Join(temp, "mod")
		args = append(args, "--materialize="+cache)
	}
	settings, readonly, err := c.settings(p, cache)
	if err != nil {
		return err
	}
	if readonly {
		args = append(args, "--mod=readonly")
	}
	verifier := &standin.Program{
		Path: p.Self, Args: append([]string{p.Self}, args...), Dir: p.Dir, Env: p.Environ,
		Stdin: p.Stdin, Stdout: p.Stderr, Stderr: p.Stderr, Signals: signals,
	}
	code, err := verifier.Run()
	if err == nil && code > ExitUntrusted {
		err = fmt.Errorf("verification ended with exit code %d", code)
	}
	if err == nil && code != ExitOK {
		err = endedError(code)
	}
	if err != nil {
		p.say("not run: %s", strings.Join(program.Args, " "))
		return err
	}
	program.Env = append(settings.to(p.Environ), "PWD="+program.Dir)
	code, err = program.Run()
	if err == nil {
		err = endedError(code)
	}
	return err
}

// program finds the command before anything is verified.
func (c *verifyCommand) program(p *Process) (*standin.Program, error) {
	dir := c.project(p, c.Dir, len(c.Binary) > 0)
	switch {
	case len(c.command) == 0:
		return nil, usagef("no command after --")
	case dir == "":
		return nil, usagef("a command without a project: name its DIR")
	}
	name := c.command[0]
	if strings.ContainsRune(filepath.ToSlash(name), '/') && !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return nil, usagef("%w", err)
	}
	if info, err := os.Stat(dir); err != nil {
		return nil, usagef("%w", err)
	} else if !info.IsDir() {
		return nil, usagef("%s is not a directory", dir)
	}
	return &standin.Program{Path: path, Args: c.command, Dir: dir, Stdin: p.Stdin, Stdout: p.Stdout, Stderr: p.Stderr}, nil
}

// tempCache makes the folder for a module cache that is removed after use. It is
// beside what snapshot keeps: on most machines that is the file system of the module
// cache, which may then share blocks, and no file system in memory.
func tempCache() (string, error) {
	parent, err := os.UserCacheDir()
	if err != nil {
		return "", &hintedError{fmt.Errorf("no place for a module cache: %w", err), "name one with --materialize DIR"}
	}
	parent = filepath.Join(parent, "modseal")
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return "", &hintedError{err, "name a place for the module cache with --materialize DIR"}
	}
	return os.MkdirTemp(parent, "modcache-*")
}

// settings are what the go command is to find in its environment.
type settings map[string]string

// settings gives those for a build from a module cache of verified copies. readonly
// says that the verification must be told of it, which would otherwise take what it
// finds itself.
func (c *verifyCommand) settings(p *Process, cache string) (s settings, readonly bool, err error) {
	env, err := gomod.ReadEnv(p.world())
	if err != nil {
		return nil, false, err
	}
	flags, err := env.Flags()
	if err != nil {
		return nil, false, err
	}
	goflags, err := env.Fixed()
	if err != nil {
		return nil, false, err
	}
	debug := "goindex=0"
	if old := p.Getenv("GODEBUG"); old != "" {
		debug = old + "," + debug
	}
	return settings{
		"GOMODCACHE": cache,
		"GOFLAGS":    goflags,
		"GOPROXY":    "off",
		// Modules that it matches, by default those of GOPRIVATE, would be fetched from
		// where they are kept in spite of GOPROXY=off (lookup in
		// cmd/go/internal/modfetch/repo.go).
		"GONOPROXY": "none",
		// Which files a module has, the go command keeps in GOCACHE under the module's
		// folder, and never looks again (moduleHash in cmd/go/internal/modindex/read.go). A
		// module cache may have been there before that nobody verified.
		"GODEBUG": debug,
	}, cmp.Or(c.Mod, flags.Mod) == "mod", nil
}

// to puts the settings in place of those of an environment.
func (s settings) to(environ []string) []string {
	out := slices.DeleteFunc(slices.Clone(environ), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		_, set := s[name]
		return set || name == "PWD"
	})
	for name, value := range s {
		out = append(out, name+"="+value)
	}
	return out
}
