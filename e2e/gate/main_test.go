package gate

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/modseal/modseal/e2e/stack"
)

// shared is what TestMain makes, once for all tests.
var shared struct {
	modseal  string            // the command
	modcache string            // the user's module cache: only the go command writes to it
	sums     map[string]string // lines of go.sum by path@version, of every module that a test uses
	rekor    *stack.Rekor
}

// sumsFile lists the modules of all tests, as lines of go.sum.
const sumsFile = "testdata/modules.sum"

func TestMain(m *testing.M) {
	flag.Parse()
	// Most of what the tests do is wait, for a server that is late or for another try.
	if at := flag.Lookup("test.parallel").Value; at.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		at.Set("8")
	}
	os.Exit(runAll(m))
}

func runAll(m *testing.M) (code int) {
	dir, err := os.MkdirTemp("", "modseal-gate-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = prepare(dir)
	}
	if shared.rekor != nil {
		defer shared.rekor.Close()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if code = m.Run(); code != 0 {
		fmt.Fprintf(os.Stderr, "the servers' log ends:\n%s", shared.rekor.Log())
	}
	return code
}

// prepare builds modseal, fetches the modules and starts Rekor, at the same time.
func prepare(dir string) error {
	if err := readSums(); err != nil {
		return err
	}
	errs := make([]error, 3)
	var wg sync.WaitGroup
	wg.Go(func() {
		shared.modseal = filepath.Join(dir, "modseal")
		_, errs[0] = goCommand(filepath.Join("..", ".."), "build", "-o", shared.modseal, "./cmd/modseal")
	})
	wg.Go(func() {
		if shared.modcache, errs[1] = goCommand(dir, "env", "GOMODCACHE"); errs[1] == nil {
			args := []string{"mod", "download"}
			for m := range shared.sums {
				args = append(args, m)
			}
			_, errs[1] = goCommand(dir, args...)
		}
	})
	wg.Go(func() {
		shared.rekor, errs[2] = stack.Start(context.Background(), stack.Options{Sigstore: true, Attestations: true})
	})
	wg.Wait()
	return errors.Join(errs...)
}

func readSums() error {
	data, err := os.ReadFile(sumsFile)
	if err != nil {
		return err
	}
	shared.sums = map[string]string{}
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if len(f) != 3 {
			return fmt.Errorf("%s: %q", sumsFile, line)
		}
		shared.sums[f[0]+"@"+strings.TrimSuffix(f[1], "/go.mod")] += line
	}
	return nil
}

// goCommand runs the go command and returns what it prints.
func goCommand(dir string, args ...string) (string, error) {
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		errors.As(err, &exit)
		return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args[:2], " "), err, exit.Stderr)
	}
	return strings.TrimSpace(string(out)), nil
}
