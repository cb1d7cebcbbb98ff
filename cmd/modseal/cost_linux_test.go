package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/internal/testlog"
)

// What a command may cost, whatever it reads. The second is ten seconds on a machine
// that has nothing else to do; a test does not know what else its machine does.
const (
	maxMemory = 256 << 10 // kB
	maxTime   = 3 * 10 * time.Second
)

// cost is what a command took.
type cost struct {
	Memory int64         // at its peak, kB
	CPU    time.Duration // of all its threads
	Exit   int
}

// measureCommand is the environment variable that names the file for a cost.
const measureCommand = "MODSEAL_MEASURE"

// programs are what this test binary is when it is called so.
func programs() map[string]func() {
	return map[string]func(){"modseal": main, "measure": measure, "killed": killed, "asnobody": asNobody}
}

// measure is a program of its own that runs modseal: the memory of a process counts
// for those that it starts, and a test's own is larger than what is measured.
func measure() {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Args[0] = "modseal"
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); cmd.ProcessState == nil {
		panic(err)
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	out, err := json.Marshal(cost{usage.Maxrss, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), cmd.ProcessState.ExitCode()})
	if err != nil {
		panic(err)
	}
	if err := os.WriteFile(os.Getenv(measureCommand), out, 0o600); err != nil {
		panic(err)
	}
}

// costOf runs modseal as a process, with more in its environment.
func costOf(t *testing.T, env []string, args ...string) (c cost, output string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "cost.json")
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Args[0] = "measure"
	cmd.Env = append(append(os.Environ(), env...), measureCommand+"="+file, "GOMEMLIMIT=", "GOGC=")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, out.Bytes())
	}
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c, out.String()
}

// Property: what reads a bundle that nobody sealed takes no more than 256 MiB of memory
// and ten seconds of the processor, whatever the bundle is: bombs, and all that the
// limits allow.
func TestCostOfHostileBundles(t *testing.T) {
	if testing.Short() {
		t.Skip("some minutes")
	}
	digest := "sha256:" + strings.Repeat("a", 64)
	listings := manyListings(36)
	halves := bombs(2, listings)
	for name, c := range bombs(1, listings) {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it is the processor's time that is measured
			dir := t.TempDir()
			file := filepath.Join(dir, "bomb.modseal")
			writeBomb(t, file, c.bomb)
			commands := [][]string{{"inspect", file}}
			if c.exit == 0 { // what is refused is refused by all alike
				half := filepath.Join(t.TempDir(), "half.modseal")
				writeBomb(t, half, halves[name].bomb)
				commands = append(commands, []string{"diff", half, half})
			}
			if c.all {
				commands = append(commands, []string{"inspect", "-a", "--format=json", file}, []string{"heads", file},
					[]string{"verify", "--insecure-ignore-seal", "--artifact", digest, file})
			}
			for i, args := range commands {
				cost, output := costOf(t, nil, args...)
				t.Logf("%s: %d MiB, %.1f s of the processor", args[0], cost.Memory>>10, cost.CPU.Seconds())
				if i == 0 && cost.Exit != c.exit {
					t.Errorf("%s: exit code %d, want %d: %.500s", args[0], cost.Exit, c.exit, output)
				}
				if cost.Memory > maxMemory || cost.CPU > maxTime {
					t.Errorf("%s: %d MiB of memory, %s of the processor", args[0], cost.Memory>>10, cost.CPU)
				}
				if strings.Contains(output, "panic") || strings.Contains(output, "goroutine") {
					t.Errorf("%s: %.2000s", args[0], output)
				}
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
				t.Errorf("written beside the bundle: %v, %v", left, err)
			}
		})
	}
}

// Property: seals are read before anybody is trusted, and cost next to nothing whatever
// is in them.
func TestCostOfHostileSeals(t *testing.T) {
	if testing.Short() { // the race detector's own memory and time are no measure
		t.Skip("with what make race adds to it")
	}
	dir := t.TempDir()
	k, err := keys.ParsePrivate(testlog.NewSigner("seal").PrivatePEM(), nil)
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, "seal.pub")
	if err := os.WriteFile(key, k.Public().MarshalPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	const head = `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":`
	for name, c := range map[string][3]string{
		"log entries of nothing": {head + `{"tlogEntries":[`, `{},`, `{}]}}`},
		"time stamps of nothing": {head + `{"timestampVerificationData":{"rfc3161Timestamps":[`, `{},`, `{}]}}}`},
		"certificates":           {head + `{"x509CertificateChain":{"certificates":[`, `{"rawBytes":"MIIB"},`, `{}]}}}`},
		"nesting":                {head, "[", ""},
		"objects in objects":     {head, `{"a":`, ""},
		"members twice":          {head + `{`, `"tlogEntries":[],`, `"tlogEntries":[]}}`},
		"a long signature":       {`{"messageSignature":{"signature":"`, "A", `"}}`},
		"spaces":                 {head, " ", `{}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seal := []byte(c[0] + strings.Repeat(c[1], (bundles.MaxSeal-len(c[0])-len(c[2]))/len(c[1])) + c[2])
			file := filepath.Join(t.TempDir(), "bomb.modseal")
			out, err := os.Create(file)
			if err != nil {
				t.Fatal(err)
			}
			defer out.Close()
			payload := writeInner(t, []bombFile{{name: bundles.ManifestName, write: manifestBytes(manifestOf(nil, nil))}})
			if err := bundles.WriteFile(out, slices.Repeat([][]byte{seal}, bundles.MaxSeals), bytes.NewReader(payload), int64(len(payload))); err != nil {
				t.Fatal(err)
			}
			for _, args := range [][]string{{"verify", "--seal-key", key, "--artifact", "sha256:" + strings.Repeat("a", 64), file}, {"diff", file, file}} {
				cost, output := costOf(t, nil, args...)
				t.Logf("%s: %d MiB, %.1f s of the processor", args[0], cost.Memory>>10, cost.CPU.Seconds())
				if want := map[string]int{"verify": 3, "diff": 0}[args[0]]; cost.Exit != want || strings.Contains(output, "panic") {
					t.Errorf("%s: exit code %d, want %d: %.2000s", args[0], cost.Exit, want, output)
				}
				if cost.Memory > maxMemory || cost.CPU > maxTime {
					t.Errorf("%s: %d MiB of memory, %s of the processor", args[0], cost.Memory>>10, cost.CPU)
				}
			}
		})
	}
}

func manifestBytes(m func(io.Writer, []bundles.File)) func(io.Writer) {
	return func(w io.Writer) { m(w, nil) }
}
