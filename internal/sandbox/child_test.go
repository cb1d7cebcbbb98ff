//go:build linux && (amd64 || arm64)

package sandbox

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// In a child of the test binary the sandbox is entered, for good.
const childEnv = "MODSEAL_TEST_SANDBOX"

func TestMain(m *testing.M) {
	if s := os.Getenv(childEnv); s != "" {
		var c child
		if err := json.Unmarshal([]byte(s), &c); err != nil {
			panic(err)
		}
		c.run()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child is what a child is to do.
type child struct {
	Mode    Mode
	Only    string // in place of Mode: landlock or seccomp
	Without uint32 // a system call that this kernel does not have
	Refuses bool   // the kernel offers filters, and takes none
	Outputs []Output
	Dir     string // what files are tried on
	Work    string // a file to read
}

// answer is what came of it.
type answer struct {
	State   State
	Err     string
	Threads map[string]map[string]syscall.Errno // by thread and trial
	Worked  []string                            // what ought to work and didn't
}

func (c child) run() {
	list := calls()
	if c.Dir != "" {
		list = append(list, files(c.Dir)...)
	}
	list = append(list, foreign()...)
	out := answer{Threads: map[string]map[string]syscall.Errno{}}
	var mu sync.Mutex
	on := func(name string) func() {
		return func() {
			mu.Lock() // the trials change the same files, where they can
			defer mu.Unlock()
			out.Threads[name] = tried(list)
		}
	}
	entered := make(chan struct{})
	older := []<-chan struct{}{onThread(entered, on("an older thread")), onThread(entered, on("another older thread"))}
	runtime.LockOSThread()
	s, err := c.enter()
	if err != nil {
		out.Err = err.Error()
	}
	out.State = s
	close(entered)
	on("the thread that entered")()
	for _, done := range append(older, onThread(entered, on("a newer thread"))) {
		<-done
	}
	out.Worked = c.work()
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		panic(err)
	}
}

func (c child) enter() (State, error) {
	if c.Without != 0 {
		if err := install(without(c.Without)); err != nil {
			return State{}, err
		}
	}
	if c.Refuses {
		if err := install(refusing()); err != nil {
			return State{}, err
		}
	}
	switch c.Only {
	case "landlock":
		a, err := needed(c.Outputs)
		if err == nil {
			_, err = restrictPlaces(a, c.Outputs, byLandlock)
		}
		return State{}, err
	case "seccomp":
		return State{}, restrictCalls(access{})
	}
	return Enter(c.Mode, c.Outputs...)
}

// work is what must go on inside.
func (c child) work() (broken []string) {
	check := func(what string, err error) {
		if err != nil {
			broken = append(broken, what+": "+err.Error())
		}
	}
	_, err := os.ReadFile(c.Work)
	check("read", err)
	_, err = os.ReadDir(filepath.Dir(c.Work))
	check("list", err)
	root, err := os.OpenRoot(filepath.Dir(c.Work))
	check("open a root", err)
	if err == nil {
		_, err = root.ReadFile(filepath.Base(c.Work))
		check("read below a root", err)
	}
	var wg sync.WaitGroup
	for range 20 { // each on a thread of its own, and preempted while it counts
		wg.Add(1)
		go func() {
			defer wg.Done()
			runtime.LockOSThread()
			for begun := time.Now(); time.Since(begun) < 20*time.Millisecond; {
			}
			_, _ = os.ReadFile(c.Work)
		}()
	}
	runtime.GC()
	wg.Wait()
	<-time.After(time.Millisecond)
	for _, o := range c.Outputs {
		check("output "+o.Temp, produce(o))
	}
	return broken
}

// produce writes an output. The file is open: only a child could open it again.
func produce(o Output) error {
	if info, err := os.Stat(o.Temp); err != nil || !info.IsDir() {
		if err != nil {
			return err
		}
		return os.Rename(o.Temp, filepath.Join(o.Dir, "report"))
	}
	inner := filepath.Join(o.Temp, "inner")
	name := filepath.Join(inner, "sub", "file")
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if _, err := f.WriteString("content"); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(o.Dir, "new", "parent"), 0o755); err != nil {
		return err
	}
	if err := os.Rename(inner, filepath.Join(o.Dir, "new", "parent", "folder")); err != nil {
		return err
	}
	return os.RemoveAll(o.Temp)
}

// inChild runs a child.
func inChild(t *testing.T, c child) answer {
	t.Helper()
	c.Work = filepath.Join(t.TempDir(), "readable")
	if err := os.WriteFile(c.Work, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), childEnv+"="+string(data))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("child: %v\n%s", err, out)
	}
	var a answer
	if err := json.Unmarshal(out, &a); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if len(a.Threads) != 4 {
		t.Fatalf("trials on %d threads", len(a.Threads))
	}
	for _, b := range a.Worked {
		t.Errorf("does not work: %s", b)
	}
	return a
}
