package stack

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Import paths of the commands that are built.
const (
	RekorCommand  = module + "/cmd/rekorstack"                 // runs Rekor and all that can run beside it
	CosignCommand = "github.com/sigstore/cosign/v3/cmd/cosign" // a tool of this module's go.mod
)

const module = "github.com/modseal/modseal/e2e"

// BuildFlags are the flags of `go build` for all of them.
//
// The tag rekorstack compiles the servers in. The others leave out parts of libraries that nothing here uses: xDS and
// metrics of the Google storage client, and gRPC's tracing. The rest saves about two fifths of the compiler's time:
// packages outside the standard library are not optimized, and there is no debug information. The standard library is
// compiled as usual, so that other builds share it.
func BuildFlags() []string {
	return []string{
		"-tags=rekorstack,disable_grpc_modules,grpcnotrace",
		"-gcflags=all=-N -l -dwarf=false",
		"-gcflags=std=",
		"-ldflags=-s -w",
		"-buildvcs=false",
	}
}

// BuildOptions says where to build.
type BuildOptions struct {
	// ModuleDir is a folder in the module of this package; the working directory when empty.
	ModuleDir string
	// CacheDir keeps the binaries; modseal-e2e in the user's cache folder when empty.
	CacheDir string
}

// built remembers what this process has brought up to date. Asking the go command again takes most of a second, much
// longer than starting a server, and the source does not change under a running test.
var built struct {
	sync.Mutex
	binary map[build]string
}

type build struct {
	command string // import path
	opts    BuildOptions
}

// BuildRekor brings rekorstack up to date, once in a process, and returns its path. Processes that want it at the same
// time take turns, so it is compiled once.
func BuildRekor(ctx context.Context, opts BuildOptions) (binary string, err error) {
	return build{RekorCommand, opts}.once(ctx)
}

// BuildCosign does the same for cosign, of the version in this module's go.mod.
func BuildCosign(ctx context.Context, opts BuildOptions) (binary string, err error) {
	return build{CosignCommand, opts}.once(ctx)
}

func (b build) once(ctx context.Context) (binary string, err error) {
	built.Lock()
	defer built.Unlock()
	if binary := built.binary[b]; binary != "" {
		return binary, nil
	}
	if binary, err = b.run(ctx); err != nil {
		return "", err
	}
	if built.binary == nil {
		built.binary = map[build]string{}
	}
	built.binary[b] = binary
	return binary, nil
}

func (b build) run(ctx context.Context) (binary string, err error) {
	root, err := moduleRoot(ctx, b.opts.ModuleDir)
	if err != nil {
		return "", err
	}
	cache := b.opts.CacheDir
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		cache = filepath.Join(user, "modseal-e2e")
	}
	// A folder for each checkout, so that two of them don't replace each other's binary.
	dir := filepath.Join(cache, fmt.Sprintf("%x", sha256.Sum256([]byte(root)))[:12])
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(ctx, filepath.Join(dir, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()

	binary = filepath.Join(dir, path.Base(b.command))
	args := append([]string{"build", "-o", binary}, BuildFlags()...)
	// The temporary folder is on the same file system, so a binary that runs is replaced by renaming, not overwritten.
	_, err = goCommand(ctx, root, []string{"GOTMPDIR=" + dir}, append(args, b.command)...)
	return binary, err
}

// moduleRoot returns the root folder of the module that dir is in, which has to be this one.
func moduleRoot(ctx context.Context, dir string) (string, error) {
	out, err := goCommand(ctx, dir, nil, "list", "-m", "-f", "{{.Dir}}", module)
	if err != nil {
		return "", err
	}
	if out == "" {
		return "", errors.New("no source of " + module)
	}
	return out, nil
}

func goCommand(ctx context.Context, dir string, env []string, args ...string) (stdout string, err error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), env...)
	cmd.WaitDelay = time.Second // a compiler may hold on to the output after the go command is killed
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", args[0], err, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
}
