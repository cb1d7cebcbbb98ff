package stack

import (
	"context"
	"os"
	"os/exec"
)

// Cosign is a command that runs the real cosign, of the version in this module's go.mod, with an empty environment: none of
// the user's settings, keys and caches, home as the folder for its own, and a proxy for every request that refuses them.
// What it verifies, it verifies offline.
func Cosign(ctx context.Context, opts BuildOptions, home string, args ...string) (*exec.Cmd, error) {
	binary, err := BuildCosign(ctx, opts)
	if err != nil {
		return nil, err
	}
	const nobody = "http://127.0.0.1:1"
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = home
	cmd.Env = []string{
		"HOME=" + home, "TUF_ROOT=" + home, "TMPDIR=" + os.TempDir(),
		"HTTP_PROXY=" + nobody, "HTTPS_PROXY=" + nobody,
	}
	return cmd, nil
}
