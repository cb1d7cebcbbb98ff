//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// measureMerkle runs the benchmarks of package merkle with 100,000 random leaves of a tree of 2^28.
func (b *bench) measureMerkle(ctx context.Context) error {
	const most = 5 // seconds for one bundle
	rounds := "5x"
	if b.quick {
		rounds = "1x"
	}
	args := []string{"go", "test", "-run=^$", "-bench=^Benchmark(Build|Verify|Expand|Parse)$/^100000$", "-benchtime=" + rounds, "./merkle"}
	_, out, err := command{dir: b.root, env: os.Environ(), args: args}.run(ctx)
	if err != nil {
		return err
	}
	what := map[string]string{
		"BenchmarkBuild":  "build the multiproof (snapshot)",
		"BenchmarkParse":  "parse it",
		"BenchmarkVerify": "verify it",
		"BenchmarkExpand": "verify it, and make the inclusion proof of every leaf",
	}
	b.table.section("merkle: 100,000 modules in one bundle, random leaves of a tree of 2^28")
	lines := 0
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		name, figures, _ := strings.Cut(s.Text(), "/100000")
		if what[name] == "" {
			continue
		}
		lines++
		seconds, allocated, err := parseBenchmark(figures)
		if err != nil {
			return fmt.Errorf("%q: %w", s.Text(), err)
		}
		b.table.atMost(what[name], "%.3f s", seconds, most)
		b.table.info("  allocated", "%.0f MiB", mib(allocated))
	}
	if lines != len(what) {
		return fmt.Errorf("want %d benchmarks, got:\n%s", len(what), out)
	}
	return nil
}

// parseBenchmark reads the figures of one line of go test: "-2   5   123 ns/op   456 nodes   789 B/op   …".
func parseBenchmark(line string) (seconds float64, allocated int64, err error) {
	fields := strings.Fields(line)
	for i := 2; i+1 < len(fields); i += 2 {
		value, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return 0, 0, err
		}
		switch fields[i+1] {
		case "ns/op":
			seconds = value / 1e9
		case "B/op":
			allocated = int64(value)
		}
	}
	if seconds == 0 {
		return 0, 0, fmt.Errorf("no ns/op")
	}
	return seconds, allocated, nil
}
