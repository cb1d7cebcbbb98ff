//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// world is what was measured of a bundle of very many modules.
type world struct {
	modules            int
	bundle             int64 // bytes
	taken, whole, part usage // snapshot; verify of all of them, and of a project that needs a few
}

// measureLarge takes snapshots of very many modules and verifies them. What one more module takes is told by two sizes.
func (b *bench) measureLarge(ctx context.Context) error {
	sizes := [2]int{10_000, 100_000}
	if b.quick {
		sizes = [2]int{1_000, 2_000}
	}
	var worlds [2]world
	for i, n := range sizes {
		w, err := b.measureWorld(ctx, n)
		if err != nil {
			return err
		}
		worlds[i] = *w
		w.rows(&b.table, fmt.Sprintf("one bundle of %d small modules, from a checksum database on loopback", n))
	}
	const paper = 1_000_000
	extrapolate(worlds[0], worlds[1], paper).rows(&b.table, fmt.Sprintf("the same of %d, on paper: as much more for each module as from %d to %d", paper, sizes[0], sizes[1]))
	return nil
}

func (w *world) rows(t *table, title string) {
	t.section("%s", title)
	t.info("bundle", "%.1f MB", float64(w.bundle)/1e6)
	for _, row := range []struct {
		what string
		u    usage
	}{{"snapshot", w.taken}, {"verify all of them", w.whole}, {fmt.Sprintf("verify a project of %d of them", partModules), w.part}} {
		t.info(row.what, "%.1f s, %.1f CPU s, %.0f MiB", row.u.elapsed.Seconds(), row.u.cpu.Seconds(), mib(row.u.memory))
	}
}

// extrapolate goes on in a straight line from a through b to n modules.
func extrapolate(a, b world, n int) *world {
	line := func(from, to int64) int64 {
		return to + int64(float64(to-from)*float64(n-b.modules)/float64(b.modules-a.modules))
	}
	both := func(from, to usage) usage {
		return usage{time.Duration(line(int64(from.elapsed), int64(to.elapsed))), time.Duration(line(int64(from.cpu), int64(to.cpu))), line(from.memory, to.memory)}
	}
	return &world{n, line(a.bundle, b.bundle), both(a.taken, b.taken), both(a.whole, b.whole), both(a.part, b.part)}
}

func (b *bench) measureWorld(ctx context.Context, n int) (*world, error) {
	dir, err := os.MkdirTemp(b.dir, "world-")
	if err != nil {
		return nil, err
	}
	defer removeAll(dir)
	db, stop, err := startWorld(ctx, dir, n)
	if err != nil {
		return nil, err
	}
	defer stop()
	w := &world{modules: n}
	bundle := filepath.Join(dir, "deps.modseal")
	env := append(b.goCmd.closed(filepath.Join(dir, "modcache"), "off"), "GOSUMDB="+db.Key+" "+db.URL, "MODSEAL_CACHE=off")
	for _, step := range []struct {
		u    *usage
		args []string
	}{
		{&w.taken, []string{"snapshot", "--seal-key", b.key + ".key", "--rekor-url=off", "--no-download", "-o", bundle, "project"}},
		{&w.whole, []string{"verify", "--seal-key", b.key + ".pub", bundle, "project"}},
		{&w.part, []string{"verify", "--seal-key", b.key + ".pub", bundle, "part"}},
	} {
		if *step.u, _, err = (command{dir: dir, env: env, args: append([]string{b.modseal}, step.args...)}).run(ctx); err != nil {
			return nil, err
		}
	}
	info, err := os.Stat(bundle)
	if err != nil {
		return nil, err
	}
	w.bundle = info.Size()
	return w, nil
}

// startWorld starts this program as a world, which ends when stop is called.
func startWorld(ctx context.Context, dir string, n int) (db worldDatabase, stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return db, nil, err
	}
	cmd := exec.CommandContext(ctx, self, worldCommand, dir, strconv.Itoa(n))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return db, nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return db, nil, err
	}
	if err := cmd.Start(); err != nil {
		return db, nil, err
	}
	stop = func() {
		in.Close()
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
	}
	if err := json.NewDecoder(out).Decode(&db); err != nil {
		stop()
		return db, nil, fmt.Errorf("the world of %d modules: %w", n, err)
	}
	return db, stop, nil
}
