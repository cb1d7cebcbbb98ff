//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// How often they take turns: so often that the middle round is an ordinary one, but not longer than a while. The go
// command, which takes the longest, has its turn in every third round.
const (
	minRounds = 9
	maxRounds = 25
	enough    = 60 * time.Second
	goEvery   = 3
)

// times are those of one process, round by round; zero where it had no turn.
type times struct{ elapsed, cpu []float64 } // seconds

func (t *times) add(elapsed, cpu time.Duration) {
	t.elapsed = append(t.elapsed, elapsed.Seconds())
	t.cpu = append(t.cpu, cpu.Seconds())
}

func (t *times) row(to *table, what string) {
	to.info(what, "%.2f s, %.2f CPU s", least(t.elapsed), least(t.cpu))
}

// least is the best round's value.
func least(values []float64) float64 {
	best := math.Inf(1)
	for _, v := range values {
		if v > 0 {
			best = min(best, v)
		}
	}
	return best
}

// ratio is the median of the rounds' own ratios. What slows down a whole round leaves its ratio alone.
func ratio(a, b []float64) float64 {
	var r []float64
	for i := range a {
		if a[i] > 0 && b[i] > 0 {
			r = append(r, a[i]/b[i])
		}
	}
	if len(r) == 0 {
		return math.NaN()
	}
	slices.Sort(r)
	return (r[(len(r)-1)/2] + r[len(r)/2]) / 2
}

// comparison is what measureVerify measures.
type comparison struct {
	floor, modseal, goVerify times
	size                     floorResult
}

// measureVerify lets SHA-256, modseal verify and go mod verify take turns.
func (b *bench) measureVerify(ctx context.Context) error {
	if err := b.checkVerified(ctx, b.set.project, b.bundle, len(b.set.modules)); err != nil {
		return err
	}
	list := filepath.Join(b.dir, "files")
	if err := os.WriteFile(list, []byte(b.set.fileList()), 0o644); err != nil {
		return err
	}
	var c comparison
	// What the first round reads is in the page cache afterwards. It doesn't count.
	if err := b.round(ctx, list, 0, new(comparison)); err != nil {
		return err
	}
	if err := b.rounds(func(n int) error { return b.round(ctx, list, n, &c) }); err != nil {
		return err
	}
	c.rows(&b.table, len(b.set.modules))
	return nil
}

// rounds calls round so often that the middle one is an ordinary one.
func (b *bench) rounds(round func(n int) error) error {
	start := time.Now()
	for n := 0; n < maxRounds && (n < minRounds || !b.quick && time.Since(start) <= enough); n++ {
		if err := round(n); err != nil {
			return err
		}
	}
	return nil
}

// round is one turn of each. The two that are close to each other change places from round to round.
func (b *bench) round(ctx context.Context, list string, n int, c *comparison) error {
	floor := func() (err error) {
		if c.size, err = runFloorChild(ctx, list); err == nil {
			c.floor.add(c.size.Elapsed, c.size.CPU)
		}
		return err
	}
	modseal := func() error {
		u, err := b.verify(ctx, b.set.project, b.bundle)
		c.modseal.add(u.elapsed, u.cpu)
		return err
	}
	turns := []func() error{floor, modseal}
	if n%2 == 1 {
		slices.Reverse(turns)
	}
	for _, turn := range turns {
		if err := turn(); err != nil {
			return err
		}
	}
	var u usage
	var err error
	if n%goEvery == 0 {
		u, err = b.goVerify(ctx)
	}
	c.goVerify.add(u.elapsed, u.cpu)
	return err
}

func (c *comparison) rows(t *table, modules int) {
	t.section("verify: %d modules, %d files, %d MB, zips and trees, warm; %d rounds: the least of each time, the median of each ratio",
		modules, c.size.Files, c.size.Bytes/1e6, len(c.floor.elapsed))
	c.floor.row(t, fmt.Sprintf("SHA-256 of the same bytes, %d workers", c.size.Workers))
	t.info("  finding the files before, which is not in it", "%.2f s", c.size.Find.Seconds())
	c.modseal.row(t, "modseal verify")
	c.goVerify.row(t, "go mod verify")
	t.atMost("modseal verify / SHA-256", "%.2f", ratio(c.modseal.elapsed, c.floor.elapsed), 1.25)
	t.atMost("  the same in CPU seconds", "%.2f", ratio(c.modseal.cpu, c.floor.cpu), 1.25)
	t.atMost("modseal verify / go mod verify", "%.2f", ratio(c.modseal.elapsed, c.goVerify.elapsed), 0.35)
	t.atMost("  the same in CPU seconds", "%.2f", ratio(c.modseal.cpu, c.goVerify.cpu), 0.35)
	noteBusy(t, "SHA-256", c.floor, c.size.Workers)
}

// noteBusy says so when the floor did not have the processors for itself.
func noteBusy(t *table, what string, floor times, workers int) {
	if had := ratio(floor.cpu, floor.elapsed); had < 0.7*float64(workers) {
		t.note("%s had %.1f of %d processors: the machine was busy, and the times are not to be relied on; CPU seconds say more than elapsed ones.", what, had, workers)
	}
}

// runFloorChild runs this program as the process to compare with.
func runFloorChild(ctx context.Context, list string) (r floorResult, err error) {
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	_, out, err := command{args: []string{self, floorCommand, list}}.run(ctx)
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(out, &r)
}

func (b *bench) goVerify(ctx context.Context) (usage, error) {
	u, out, err := command{dir: b.set.project, env: b.goCmd.closed(b.set.modCache, "off"), args: []string{"go", "mod", "verify"}}.run(ctx)
	if err == nil && !bytes.Contains(out, []byte("all modules verified")) {
		err = fmt.Errorf("go mod verify: %q", out)
	}
	return u, err
}

// fileList names the zips, then the trees.
func (s *moduleSet) fileList() string {
	var zips, trees strings.Builder
	for _, m := range s.modules {
		fmt.Fprintln(&zips, m.Zip)
		fmt.Fprintln(&trees, m.Dir)
	}
	return zips.String() + trees.String()
}

// verify runs modseal verify as a build would, and by its exit code demands that every module is verified.
func (b *bench) verify(ctx context.Context, project, bundle string) (usage, error) {
	u, _, err := b.runVerify(ctx, project, bundle)
	return u, err
}

func (b *bench) runVerify(ctx context.Context, project, bundle string, flags ...string) (usage, []byte, error) {
	args := append([]string{b.modseal, "verify", "--seal-key", b.key + ".pub"}, flags...)
	args = append(args, bundle, project)
	return command{dir: project, env: b.goCmd.closed(b.set.modCache, "off"), args: args}.run(ctx)
}

// checkVerified demands that a report says of so many modules, and of no others, that they are verified.
func (b *bench) checkVerified(ctx context.Context, project, bundle string, modules int) error {
	_, out, err := b.runVerify(ctx, project, bundle, "--format=json")
	if err != nil {
		return err
	}
	var report struct {
		Counts  map[string]int
		Modules []struct {
			Status string
			OnDisk []struct{ What string }
		}
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if n := report.Counts["verified"]; n != modules || len(report.Modules) != modules {
		return fmt.Errorf("%d of %d modules verified, want %d", n, len(report.Modules), modules)
	}
	for _, m := range report.Modules {
		if len(m.OnDisk) != 3 { // zip, tree, go.mod
			return fmt.Errorf("a module has %d things on disk, want 3: its zip, its tree, its go.mod", len(m.OnDisk))
		}
	}
	return nil
}
