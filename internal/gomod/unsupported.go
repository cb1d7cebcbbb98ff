package gomod

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// refuseUnsupported reports settings under which the go command would build from
// other files than those that Load looks at.
func refuseUnsupported(req Request, flags Flags) error {
	switch req.Env.GO111MODULE {
	case "", "on", "auto":
	case "off":
		return &UnsupportedError{
			What: "GOPATH mode",
			Why:  "GO111MODULE=off builds from GOPATH, without modules",
			Hint: "unset GO111MODULE",
		}
	default:
		return fmt.Errorf("GO111MODULE=%q is none of on, auto and off", cut(req.Env.GO111MODULE))
	}
	if flags.Overlay != "" {
		return &UnsupportedError{
			What: "an overlay",
			Why:  fmt.Sprintf("GOFLAGS has -overlay=%s, which replaces files of the build", printable(flags.Overlay)),
			Hint: "remove -overlay from GOFLAGS",
		}
	}
	return nil
}

// findUp gives the path of the file name in dir or in the nearest directory above it,
// or "". The search doesn't go on from below stop to stop itself.
func findUp(dir, name, stop string) string {
	for dir = filepath.Clean(dir); ; {
		file := filepath.Join(dir, name)
		if info, err := os.Stat(file); err == nil && !info.IsDir() {
			return file
		}
		parent := filepath.Dir(dir)
		if parent == dir || stop != "" && parent == stop {
			return ""
		}
		dir = parent
	}
}

// workspaceVendor reports whether the first line of vendor/modules.txt marks it as
// made for a workspace: "## workspace", among other marks set apart by semicolons. The
// go command looks at the first 512 bytes.
func workspaceVendor(file string) (bool, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, 512))
	if err != nil {
		return false, err
	}
	line, _, _ := strings.Cut(string(head), "\n")
	marks, ok := strings.CutPrefix(line, "## ")
	if !ok {
		return false, nil
	}
	for mark := range strings.SplitSeq(marks, ";") {
		if strings.TrimSpace(mark) == "workspace" {
			return true, nil
		}
	}
	return false, nil
}
