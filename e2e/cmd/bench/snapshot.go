//go:build unix

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// snapshot runs modseal snapshot. Its only way out is the counting proxy, and its only memory the bench's own cache
// folder: in the module cache and in GOPATH there is nothing of the checksum database.
func (b *bench) snapshot(ctx context.Context, project, output string, flags ...string) (usage, requests, error) {
	b.proxy.take()
	env := append(b.goCmd.closed(b.set.modCache, b.proxy.URL), "MODSEAL_CACHE="+filepath.Join(b.dir, "cache"), "GOPATH="+filepath.Join(b.dir, "gopath"))
	args := append([]string{b.modseal, "snapshot", "--rekor-url=off", "--seal-key", b.key + ".key", "-o", output}, flags...)
	u, _, err := command{dir: project, env: env, args: append(args, project)}.run(ctx)
	return u, b.proxy.take(), err
}

// measureSnapshot counts the requests of a first snapshot and of one right after it.
func (b *bench) measureSnapshot(ctx context.Context) (err error) {
	if b.proxy, err = startProxy(b.goCmd.proxy); err != nil {
		return err
	}
	b.bundle = filepath.Join(b.dir, "deps.modseal")
	firstTook, first, err := b.snapshot(ctx, b.set.project, b.bundle)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(b.set.modCache, "cache", "download", "sumdb")); err == nil {
		return fmt.Errorf("the go command asked the checksum database too: go.sum is not complete")
	}
	in, err := b.inspect(ctx, b.bundle)
	if err != nil {
		return err
	}
	records, err := neededTiles(in)
	if err != nil {
		return err
	}
	needed, err := neededTiles(in, first.heads...) // that what was shown with records is of one history with the newest tree
	if err != nil {
		return err
	}
	secondTook, second, err := b.snapshot(ctx, b.set.project, b.bundle)
	if err != nil {
		return err
	}
	modules := float64(len(b.set.modules))
	t := &b.table
	t.section("snapshot: %d public modules, nothing known before; their records are in %d tiles, and %d more prove that the newest head with one is of the same history",
		len(b.set.modules), len(records), len(needed)-len(records))
	t.atMost("lookups for each module", "%.2f", float64(sum(first.lookups))/modules, 1)
	t.atMost("tiles asked for / tiles needed", "%.3f", float64(sum(first.tiles)+sum(first.partial))/float64(len(needed)), 1)
	t.atMost("requests for the latest tree head", "%.0f", float64(first.latest), 1)
	t.atMost("other requests", "%.0f", float64(len(first.other)), 0)
	t.info("most requests at a time", "%d", first.most)
	t.info("time", "%.1f s, %.1f CPU s", firstTook.elapsed.Seconds(), firstTook.cpu.Seconds())
	t.info("peak memory", "%.0f MiB", mib(firstTook.memory))
	t.section("snapshot: the same again")
	t.atMost("lookups", "%.0f", float64(sum(second.lookups)), 0)
	t.atMost("full tiles that the first had asked for", "%.0f", float64(common(second.tiles, first.tiles)), 0)
	t.info("new tiles, latest head, others", "%d and %d partial, %d, %d",
		sum(second.tiles)-common(second.tiles, first.tiles), sum(second.partial), second.latest, len(second.other))
	t.info("time", "%.1f s, %.1f CPU s", secondTook.elapsed.Seconds(), secondTook.cpu.Seconds())
	if n := first.failed + second.failed; n > 0 {
		t.info("requests that the server refused", "%d", n)
	}
	return nil
}

// common counts the requests in again whose paths are in before.
func common(again, before map[string]int) (n int) {
	for path, k := range again {
		if before[path] > 0 {
			n += k
		}
	}
	return n
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// measureMemory takes snapshots of parts of the set, each with its own bundle, and verifies them.
func (b *bench) measureMemory(ctx context.Context) error {
	t := &b.table
	t.section("memory of modseal verify (largest resident set)")
	all := len(b.set.modules)
	for _, n := range []int{10, all / 3, all} {
		project := filepath.Join(b.dir, fmt.Sprintf("project%d", n))
		if err := writeProject(project, b.set.goModOf(n), nil); err != nil {
			return err
		}
		bundle := filepath.Join(b.dir, fmt.Sprintf("deps%d.modseal", n))
		if _, _, err := b.snapshot(ctx, project, bundle, "--no-download"); err != nil {
			return err
		}
		if err := b.checkVerified(ctx, project, bundle, n); err != nil {
			return err
		}
		var most int64
		for range 3 {
			u, err := b.verify(ctx, project, bundle)
			if err != nil {
				return err
			}
			most = max(most, u.memory)
		}
		t.atMost(fmt.Sprintf("%d modules, worst of 3", n), "%.0f MiB", mib(most), 128)
	}
	return nil
}

// goModOf is a go.mod that requires n modules, spread evenly over the set. The go command might want to add to it;
// modseal reads it as it is.
func (s *moduleSet) goModOf(n int) []byte {
	var b strings.Builder
	b.WriteString("module example.com/part\n\ngo 1.26.0\n\nrequire (\n")
	for i := range n {
		m := s.modules[i*len(s.modules)/n]
		fmt.Fprintf(&b, "\t%s %s\n", m.Path, m.Version)
	}
	b.WriteString(")\n")
	return []byte(b.String())
}
