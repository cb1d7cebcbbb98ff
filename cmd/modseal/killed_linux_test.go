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
func files(place string) map[string][sha256.Size]byte {
	out := map[string][sha256.Size]byte{}
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
	place, command := ts.MkAbs(args[0]), args[1:]
	dir := filepath.Dir(place)
	files := func(place string) map[string][sha256.Size]byte {
		all := files(place)
		for name := range all {
			if part {
				all[name] = [sha256.Size]byte{}
			}
		}
		return all
	}
	run := func() {
		if err := ts.Exec(command[0], command[1:]...); err != nil {
			ts.Fatalf("%v\n%s", err, ts.ReadFile("stderr"))
		}
	}
	before := files(place)
	old, err := os.ReadFile(place)
	restore := func() {
		_ = filepath.WalkDir(place, func(name string, d fs.DirEntry, err error) error { // read-only folders too
			if err == nil && d.IsDir() {
				err = os.Chmod(name, 0o755)
			}
			return err
		})
		ts.Check(os.RemoveAll(place))
		if err == nil {
			ts.Check(os.WriteFile(place, old, 0o644))
		}
	}
	began := time.Now()
	run()
	took, want := time.Since(began), files(place)
	restore()
	was := map[string]bool{}
	for _, e := range entriesOf(dir) {
		was[e.Name()] = true
	}
	moments := []string{"new", "filled"}
	for i := range 2 { // at random in each half of its time
		moments = append(moments, (time.Duration(float64(took) * (float64(i) + rand.Float64()) / 2)).String())
	}
	inTime := 0
	for _, moment := range moments {
		if ts.Exec("killed", append([]string{moment, dir}, command...)...) == nil {
			inTime++
		}
		got := files(place)
		whole := reflect.DeepEqual(got, want)
		if !whole && !reflect.DeepEqual(got, before) && !(part && within(got, want)) {
			ts.Fatalf("killed at %s: %s holds %d files, neither what was there nor the %d of a whole run", moment, place, len(got), len(want))
		}
		if !whole || part || len(before) > 0 {
			run()
		}
		if again := files(place); !reflect.DeepEqual(again, want) {
			ts.Fatalf("killed at %s: the next run writes something else", moment)
		}
		restore()
		for _, e := range entriesOf(dir) {
			tmp, _ := filepath.Match(".modseal-*.tmp", e.Name())
			if !was[e.Name()] && !tmp && !strings.HasPrefix(e.Name(), "."+filepath.Base(place)+".") && e.Name() != filepath.Base(place)+".lock" {
				ts.Fatalf("killed at %s: left behind: %s", moment, e.Name())
			}
		}
	}
	ts.Logf("killed %d times of %d, %v undisturbed", inTime, len(moments), took)
	if inTime == 0 {
		ts.Fatalf("never killed in time")
	}
}

func within(got, want map[string][sha256.Size]byte) bool {
	for name, sum := range got {
		if w, ok := want[name]; !ok || w != sum {
			return false
		}
	}
	return true
}
