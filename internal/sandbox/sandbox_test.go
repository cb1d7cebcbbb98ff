//go:build linux && (amd64 || arm64)

package sandbox

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// things is a folder with what files are tried on.
func things(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"file": "content", "second": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// unwritten demands that the file in a folder of things is as it was.
func unwritten(t *testing.T, dir string) {
	t.Helper()
	if data, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || string(data) != "content" {
		t.Errorf("%q, %v", data, err)
	}
}

// newOutput is a file or a folder that will be renamed in dir.
func newOutput(t *testing.T, kind, dir string) Output {
	t.Helper()
	o := Output{Temp: filepath.Join(dir, "temp"), Dir: dir}
	err := os.WriteFile(o.Temp, []byte("report"), 0o644)
	if kind == "folder" {
		err = errors.Join(os.Remove(o.Temp), os.Mkdir(o.Temp, 0o700))
	}
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// whole skips where not all of the sandbox is there.
func whole(t *testing.T, outputs ...Output) {
	t.Helper()
	if lacks := Offered(outputs...).Lacks; len(lacks) > 0 {
		t.Skipf("NOT TESTED: %s", strings.Join(lacks, "; "))
	}
}

func refused(e syscall.Errno) bool { return e == syscall.EPERM || e == syscall.EACCES }

// allRefused demands that every trial was refused on every thread.
func allRefused(t *testing.T, a answer) {
	t.Helper()
	for thread, results := range a.Threads {
		for name, e := range results {
			if !refused(e) {
				t.Errorf("%s on %s: %d %v", name, thread, int(e), e)
			}
		}
		if len(results) < 60 {
			t.Errorf("%d trials", len(results))
		}
	}
}

// Property: inside, none of what is forbidden works, on no thread; what work needs
// does.
func TestForbidden(t *testing.T) {
	whole(t)
	dir := things(t)
	a := inChild(t, child{Mode: Require, Dir: dir})
	if a.Err != "" || a.State.Landlock == 0 || !a.State.Seccomp || len(a.State.Lacks) > 0 {
		t.Fatalf("%+v", a.State)
	}
	allRefused(t, a)
}

// confined tells whether something refuses system calls already, as container
// engines do.
func confined(t *testing.T) bool {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	return !strings.Contains(string(status), "\nSeccomp:\t0\n")
}

// Property: the trials show something: outside, none of them is refused.
func TestTrialsOutside(t *testing.T) {
	a := inChild(t, child{Mode: Off, Dir: things(t)})
	if a.State.Mode != "off" || a.State.Landlock != 0 || a.State.Seccomp {
		t.Fatalf("%+v", a.State)
	}
	if confined(t) {
		t.Skip("NOT TESTED: the tests run under a filter of somebody else's")
	}
	root := map[string]bool{}
	for _, trial := range append(calls(), foreign()...) {
		root[trial.name] = trial.root && os.Getuid() != 0
	}
	for thread, results := range a.Threads {
		for name, e := range results {
			if refused(e) && !root[name] {
				t.Errorf("%s on %s: %v", name, thread, e)
			}
		}
	}
}

// Property: each of the two stands for itself. The filter alone refuses every call
// and, where there are no outputs, all writing.
func TestFilterAlone(t *testing.T) {
	whole(t)
	a := inChild(t, child{Only: "seccomp", Dir: things(t)})
	if a.Err != "" {
		t.Fatal(a.Err)
	}
	allRefused(t, a)
}

// Property: Landlock alone refuses all writing but the changes of modes, owners and times,
// which it knows nothing of.
func TestLandlockAlone(t *testing.T) {
	whole(t)
	if Offered().Landlock < 5 {
		t.Skip("NOT TESTED: this kernel's Landlock knows less")
	}
	dir := things(t)
	a := inChild(t, child{Only: "landlock", Dir: dir})
	if a.Err != "" {
		t.Fatal(a.Err)
	}
	for thread, results := range a.Threads {
		for _, trial := range files(dir) {
			unknown := slices.Contains([]string{"chmod", "chmod of an open file", "chown", "set times", "set an attribute"}, trial.name)
			if e := results[trial.name]; refused(e) == unknown {
				t.Errorf("%s on %s: %v", trial.name, thread, e)
			}
		}
	}
}

// Property: outputs can be written and nothing else can, beside them neither.
func TestOutputs(t *testing.T) {
	for _, kind := range []string{"file", "folder"} {
		t.Run(kind, func(t *testing.T) {
			dir := t.TempDir()
			o := newOutput(t, kind, dir)
			whole(t, o)
			a := inChild(t, child{Mode: Require, Outputs: []Output{o}, Dir: things(t)})
			if a.Err != "" {
				t.Fatal(a.Err)
			}
			allRefused(t, a)
			want := map[string]string{"file": "report", "folder": "new/parent/folder/sub/file"}[kind]
			if _, err := os.Stat(filepath.Join(dir, want)); err != nil {
				t.Errorf("%s: %v", want, err)
			}
			if _, err := os.Stat(o.Temp); !os.IsNotExist(err) {
				t.Errorf("%s: %v", o.Temp, err)
			}
		})
	}
}

// Property: beside an output, no file is written, made or changed; files may be
// removed and renamed.
func TestBesideOutputs(t *testing.T) {
	for _, kind := range []string{"file", "folder"} {
		dir := things(t)
		o := newOutput(t, kind, dir)
		whole(t, o)
		a := inChild(t, child{Mode: Require, Outputs: []Output{o}, Dir: dir})
		if a.Err != "" {
			t.Fatal(a.Err)
		}
		for thread, results := range a.Threads {
			for _, name := range []string{
				"write", "read and write", "append", "create", "create for reading", "create without a name", "link", "symlink", "mkfifo",
				"chmod", "chmod of an open file", "chown", "set times", "set an attribute", "write to a device",
			} {
				if e, ok := results[name]; !ok || !refused(e) {
					t.Errorf("%s beside a %s on %s: %v", name, kind, thread, e)
				}
			}
		}
		unwritten(t, dir)
		dir = things(t)
		a = inChild(t, child{Only: "landlock", Outputs: []Output{newOutput(t, kind, dir)}, Dir: dir})
		for thread, results := range a.Threads {
			for _, name := range []string{"write", "read and write", "append", "symlink", "mkfifo", "write to a device"} {
				if e, ok := results[name]; !ok || !refused(e) {
					t.Errorf("%s beside a %s on %s, by Landlock alone: %v", name, kind, thread, e)
				}
			}
		}
		unwritten(t, dir)
	}
}

// without is a kernel that lacks one system call.
func without(call uint32) []unix.SockFilter {
	return []unix.SockFilter{load(atCall), jump(unix.BPF_JEQ, call, 0, 1), refuse(unix.ENOSYS), allow()}
}

// refusing is a kernel that tells of filters and takes none.
func refusing() []unix.SockFilter {
	offer := rule{call: unix.SYS_SECCOMP, mask: allBits, want: []uint32{unix.SECCOMP_GET_ACTION_AVAIL}}
	return slices.Concat([]unix.SockFilter{load(atCall)}, offer.block(), []unix.SockFilter{allow()})
}

// Property: truncating, which is left to the filter where there is one, is refused by
// Landlock where the filter turns out not to be had.
func TestTruncatingWithoutFilter(t *testing.T) {
	whole(t)
	if Offered().Landlock < 3 {
		t.Skip("NOT TESTED: this kernel's Landlock does not know truncating")
	}
	for name, c := range map[string]child{"none": {Without: unix.SYS_SECCOMP}, "refused": {Refuses: true}} {
		c.Mode, c.Dir = Auto, things(t)
		a := inChild(t, c)
		if a.Err != "" || a.State.Seccomp || a.State.Landlock == 0 || len(a.State.Lacks) != 1 {
			t.Errorf("filter %s: %+v, %s", name, a.State, a.Err)
		}
		for thread, results := range a.Threads {
			for _, trial := range []string{"truncate", "empty by reading", "empty by writing", "write"} {
				if e, ok := results[trial]; !ok || !refused(e) {
					t.Errorf("filter %s: %s on %s: %v", name, trial, thread, e)
				}
			}
		}
	}
}

// Property: of a kernel that has one of the two, Auto takes that one and says what
// it lacks and why; Require enters nothing at all.
func TestKernelLacks(t *testing.T) {
	whole(t)
	for _, c := range []struct {
		name          string
		call          uint32
		seccomp       bool
		lacks, refuse string // refuse: a trial that what is left refuses
	}{
		{"Landlock", unix.SYS_LANDLOCK_CREATE_RULESET, true, "Landlock: the kernel has none (Linux 5.13 and later do)", "socket unix"},
		{"seccomp", unix.SYS_SECCOMP, false, "seccomp: the kernel has none: function not implemented", "write"},
	} {
		a := inChild(t, child{Mode: Auto, Without: c.call, Dir: things(t)})
		if a.Err != "" || a.State.Seccomp != c.seccomp || (a.State.Landlock == 0) != c.seccomp || !slices.Equal(a.State.Lacks, []string{c.lacks}) {
			t.Errorf("without %s: %+v, %s", c.name, a.State, a.Err)
		}
		for thread, results := range a.Threads {
			if !refused(results[c.refuse]) {
				t.Errorf("without %s: %s on %s: %v", c.name, c.refuse, thread, results[c.refuse])
			}
		}
		a = inChild(t, child{Mode: Require, Without: c.call, Dir: things(t)})
		if a.Err != ErrRequired.Error()+": "+c.lacks || a.State.Seccomp || a.State.Landlock != 0 {
			t.Errorf("required without %s: %+v, %s", c.name, a.State, a.Err)
		}
		for _, results := range a.Threads {
			if refused(results["socket unix"]) || refused(results["write"]) {
				t.Errorf("required without %s: something was entered", c.name)
			}
		}
	}
}

// Property: less than all is no sandbox to Require, and then nothing is entered; no
// mode is taken for another.
func TestModes(t *testing.T) {
	missing := Output{Temp: "/nonexistent/temp", Dir: "/nonexistent"}
	for mode, want := range map[Mode]string{Require: ErrRequired.Error(), "": "sandbox mode", "on": "sandbox mode"} {
		if s, err := Enter(mode, missing); err == nil || !strings.Contains(err.Error(), want) || s.Landlock != 0 || s.Seccomp {
			t.Errorf("%q: %+v, %v", mode, s, err)
		}
	}
	if s := Offered(missing); len(s.Lacks) != 1 || s.Landlock != 0 || s.Seccomp {
		t.Errorf("%+v", s)
	}
}
