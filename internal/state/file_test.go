package state_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modseal/modseal/internal/state"
	"github.com/modseal/modseal/verify"
)

// held is a file that is held, with what was in it.
type held struct {
	*state.File
	State *verify.State
}

func open(ctx context.Context, name string, waiting <-chan struct{}, tell func()) (*held, error) {
	f, err := state.Hold(ctx, name, waiting, tell)
	if err != nil {
		return nil, err
	}
	s, err := f.Read()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &held{f, s}, nil
}

func hold(t testing.TB, name string) *held {
	t.Helper()
	f, err := open(context.Background(), name, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Property: a file that is not there is of an enclave that has accepted nothing.
// What is saved is there when it is opened again, and nothing besides but the lock.
func TestFile(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "enclave.state")
	f := hold(t, name)
	if f.State == nil || len(f.State.Heads) > 0 || f.State.Root != 0 || !f.State.Created.IsZero() {
		t.Fatalf("%+v", f.State)
	}
	if err := f.Save(sample()); err != nil {
		t.Fatal(err)
	}
	f.Close()
	f = hold(t, name)
	if !bytes.Equal(encoded(t, f.State), encoded(t, sample())) {
		t.Errorf("%+v", f.State)
	}
	f.Close()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("%v, %v", entries, err)
	}
}

// Property: what can't be written leaves the file as it was.
func TestSaveFails(t *testing.T) {
	name := filepath.Join(t.TempDir(), "enclave.state")
	f := hold(t, name)
	defer f.Close()
	if err := f.Save(sample()); err != nil {
		t.Fatal(err)
	}
	bad := sample()
	bad.Heads[0].Name = ""
	if err := f.Save(bad); err == nil {
		t.Error("a state that can't be read was written")
	}
	b, err := os.ReadFile(name)
	if err != nil || !bytes.Equal(b, encoded(t, sample())) {
		t.Errorf("%s, %v", b, err)
	}
}

// Property: a write that ended before its rename, as of a process that was
// killed, leaves the old state in force.
func TestKilledBeforeRename(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "enclave.state")
	f := hold(t, name)
	if err := f.Save(sample()); err != nil {
		t.Fatal(err)
	}
	f.Close()
	newer := sample()
	newer.Root++
	for i, b := 0, encoded(t, newer); i <= len(b); i += 50 {
		if err := os.WriteFile(filepath.Join(dir, ".modseal-1.tmp"), b[:i], 0o600); err != nil {
			t.Fatal(err)
		}
		f := hold(t, name)
		if f.State.Root != 14 {
			t.Fatalf("%+v", f.State)
		}
		f.Close()
	}
}

// Property: what is no state file is an error, and so is what would be replaced
// in place of what it points to.
func TestBadFiles(t *testing.T) {
	dir := t.TempDir()
	name, other := filepath.Join(dir, "enclave.state"), filepath.Join(dir, "other.state")
	if err := os.WriteFile(other, encoded(t, sample()), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, make := range map[string]func() error{
		"damaged":    func() error { return os.WriteFile(name, encoded(t, sample())[1:], 0o600) },
		"empty":      func() error { return os.WriteFile(name, nil, 0o600) },
		"a folder":   func() error { return os.Mkdir(name, 0o700) },
		"a link":     func() error { return os.Symlink(other, name) },
		"unreadable": func() error { return os.Symlink(name, name) },
		"too large":  func() error { return os.WriteFile(name, bytes.Repeat([]byte(" "), state.MaxFile+1), 0o600) },
	} {
		if err := make(); err != nil {
			t.Fatal(err)
		}
		f, err := open(context.Background(), name, nil, nil)
		if f != nil || err == nil {
			t.Errorf("%s was opened", what)
		}
		if damaged := what == "damaged" || what == "empty" || what == "too large"; damaged != errors.Is(err, state.ErrDamaged) {
			t.Errorf("%s: %v", what, err)
		}
		if err := os.RemoveAll(name); err != nil {
			t.Fatal(err)
		}
	}
	if f, err := open(context.Background(), filepath.Join(dir, "nowhere", "enclave.state"), nil, nil); f != nil || err == nil {
		t.Error("a file in a folder that is not there was opened")
	}
	hold(t, name).Close() // no lock is left behind
}

// Property: who opens a state that is held waits, is told of it, sees what was
// saved meanwhile, and can be interrupted.
func TestOneAtATime(t *testing.T) {
	name := filepath.Join(t.TempDir(), "enclave.state")
	first := hold(t, name)
	waiting, told := make(chan struct{}, 1), make(chan struct{})
	waiting <- struct{}{}
	ctx, cancel := context.WithCancelCause(context.Background())
	interrupted := errors.New("interrupted")
	done := make(chan error)
	go func() {
		_, err := open(ctx, name, waiting, func() { close(told) })
		done <- err
	}()
	<-told
	cancel(interrupted)
	if err := <-done; !errors.Is(err, interrupted) {
		t.Fatal(err)
	}
	opened := make(chan *held)
	go func() {
		f, err := open(context.Background(), name, nil, nil)
		if err != nil {
			t.Error(err)
		}
		opened <- f
	}()
	if err := first.Save(&verify.State{Root: 7}); err != nil {
		t.Fatal(err)
	}
	first.Close()
	second := <-opened
	if second.State.Root != 7 {
		t.Errorf("%+v", second.State)
	}
	second.Close()
}

// Property: of many at once, each sees what the one before has saved: none is lost.
func TestMany(t *testing.T) {
	name := filepath.Join(t.TempDir(), "enclave.state")
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			f, err := open(context.Background(), name, nil, nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			f.State.Root++
			f.State.Created = time.Unix(f.State.Root, 0).UTC()
			if err := f.Save(f.State); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	f := hold(t, name)
	defer f.Close()
	if f.State.Root != 20 || !strings.Contains(string(encoded(t, f.State)), `"created": "1970-01-01T00:00:20Z"`) {
		t.Errorf("%+v", f.State)
	}
}
