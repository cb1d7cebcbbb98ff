package main

import (
	"crypto/sha256"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// asNobody is a program that runs modseal as a user without rights, if it is started
// by one who has all of them, to whom no folder is read-only.
func asNobody() {
	const nobody = 65534
	// the folder of all stories is its maker's alone
	err := os.Chmod(filepath.Dir(os.Getenv("WORK")), 0o755)
	if err == nil && os.Getuid() == 0 {
		err = errors.Join(syscall.Setgroups(nil), syscall.Setgid(nobody), syscall.Setuid(nobody))
	}
	if err != nil {
		panic(err)
	}
	os.Args = os.Args[1:]
	main()
}

// killed MOMENT FOLDER COMMAND… is a program that runs a command and kills it: after a
// time, or when there is something new in a folder, or something new in which there is
// something. It ends with 0 if that was in time.
func killed() {
	moment, dir := os.Args[1], os.Args[2]
	cmd := exec.Command(os.Args[3], os.Args[4:]...)
	was := map[string]bool{}
	for _, e := range entriesOf(dir) {
		was[e.Name()] = true
	}
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	var after <-chan time.Time
	if d, err := time.ParseDuration(moment); err == nil {
		after = time.After(d)
	}
	for come := false; !come; {
		select {
		case <-done:
			os.Exit(1)
		case <-after:
			come = true
		default:
			come = after == nil && isNew(dir, was, moment == "filled")
			if after != nil {
				time.Sleep(100 * time.Microsecond)
			}
		}
	}
	_ = cmd.Process.Kill()
	if err := <-done; err == nil {
		os.Exit(1)
	}
	os.Exit(0)
}

func entriesOf(dir string) []fs.DirEntry {
	entries, err := os.ReadDir(dir)
	if err != nil {
		panic(err)
	}
	return entries
}

func isNew(dir string, was map[string]bool, filled bool) bool {
	for _, e := range entriesOf(dir) {
		if was[e.Name()] || strings.HasSuffix(e.Name(), ".lock") {
			continue
		}
		if info, err := e.Info(); err == nil && (!filled || info.Mode().IsRegular() && info.Size() > 0 || info.IsDir() && len(files(filepath.Join(dir, e.Name()))) > 0) {
			return true
		}
	}
	return false
}

// files are the contents of a file, or of all files in a folder, by name; without what
// is temporary.
func files(place string) contents {
	out := contents{}
	_ = filepath.WalkDir(place, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && !strings.HasSuffix(name, ".tmp") {
			if b, err := os.ReadFile(name); err == nil {
				out[name] = sha256.Sum256(b)
			}
		}
		return nil
	})
	return out
}

// kill9 [-part] OUTPUT COMMAND… kills a command, which writes OUTPUT, at many moments.
// Each time what was there before is there, or the whole of what a run that is not
// killed writes; and the next run writes the same. What is left beside has names that
// say what it is. With -part there may be some of the files, and only their names are
// compared, since logs sign them anew.
func kill(ts *testscript.TestScript, neg bool, args []string) {
	part := len(args) > 0 && args[0] == "-part"
	if part {
		args = args[1:]
	}
	if neg || len(args) < 2 {
		ts.Fatalf("usage: kill9 [-part] OUTPUT COMMAND...")
	}
	k := &killing{ts: ts, part: part, place: ts.MkAbs(args[0]), command: args[1:], beside: map[string]bool{}}
	k.before = k.files()
	k.old, k.noFile = os.ReadFile(k.place)
	began := time.Now()
	k.run()
	took := time.Since(began)
	k.want = k.files()
	k.restore()
	for _, e := range entriesOf(filepath.Dir(k.place)) {
		k.beside[e.Name()] = true
	}
	moments := []string{"new", "filled"}
	for i := range 2 { // at random in each half of its time
		moments = append(moments, (time.Duration(float64(took) * (float64(i) + rand.Float64()) / 2)).String())
	}
	inTime := 0
	for _, moment := range moments {
		if k.at(moment) {
			inTime++
		}
	}
	ts.Logf("killed %d times of %d, %v undisturbed", inTime, len(moments), took)
	if inTime == 0 {
		ts.Fatalf("never killed in time")
	}
}

// killing is a command that is killed again and again.
type killing struct {
	ts           *testscript.TestScript
	part         bool
	place        string // of what it writes
	command      []string
	before, want contents // in that place: at first, and of a whole run
	old          []byte   // the file that was there,
	noFile       error    // unless there was none
	beside       map[string]bool
}

// contents are the SHA-256 of files, by name.
type contents = map[string][sha256.Size]byte

// files are what is in the place.
func (k *killing) files() contents {
	all := files(k.place)
	for name := range all {
		if k.part {
			all[name] = [sha256.Size]byte{}
		}
	}
	return all
}

// run lets the command come to its end.
func (k *killing) run() {
	if err := k.ts.Exec(k.command[0], k.command[1:]...); err != nil {
		k.ts.Fatalf("%v\n%s", err, k.ts.ReadFile("stderr"))
	}
}

// restore makes the place what it was at first.
func (k *killing) restore() {
	_ = filepath.WalkDir(k.place, func(name string, d fs.DirEntry, err error) error { // read-only folders too
		if err == nil && d.IsDir() {
			err = os.Chmod(name, 0o755)
		}
		return err
	})
	k.ts.Check(os.RemoveAll(k.place))
	if k.noFile == nil {
		k.ts.Check(os.WriteFile(k.place, k.old, 0o644))
	}
}

// at kills the command at that moment, if it has not come to its end by then, and looks
// at what there is.
func (k *killing) at(moment string) (inTime bool) {
	dir := filepath.Dir(k.place)
	inTime = k.ts.Exec("killed", append([]string{moment, dir}, k.command...)...) == nil
	got := k.files()
	whole := reflect.DeepEqual(got, k.want)
	if !whole && !reflect.DeepEqual(got, k.before) && !(k.part && within(got, k.want)) {
		k.ts.Fatalf("killed at %s: %s holds %d files, neither what was there nor the %d of a whole run", moment, k.place, len(got), len(k.want))
	}
	if !whole || k.part || len(k.before) > 0 {
		k.run()
	}
	if again := k.files(); !reflect.DeepEqual(again, k.want) {
		k.ts.Fatalf("killed at %s: the next run writes something else", moment)
	}
	k.restore()
	for _, e := range entriesOf(dir) {
		tmp, _ := filepath.Match(".modseal-*.tmp", e.Name())
		if !k.beside[e.Name()] && !tmp && !strings.HasPrefix(e.Name(), "."+filepath.Base(k.place)+".") && e.Name() != filepath.Base(k.place)+".lock" {
			k.ts.Fatalf("killed at %s: left behind: %s", moment, e.Name())
		}
	}
	return inTime
}

func within(got, want contents) bool {
	for name, sum := range got {
		if w, ok := want[name]; !ok || w != sum {
			return false
		}
	}
	return true
}
