package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// smallHeap is to how much memory, in bytes, modseal may grow before garbage is
	// collected. Most runs have less to keep than the collector's own least makes room for
	// (4 MiB), and collected every few milliseconds.
	smallHeap = 48 << 20
	// largeHeap is from how many live bytes on garbage may be three fifths of that, rather
	// than as much again: hostile input is to stay below 256 MiB.
	largeHeap = 64 << 20
)

// collector decides after each collection when the next one is.
type collector struct {
	limit   int64 // of memory, as it was set
	percent int   // GOGC; -1: when smallHeap is used
}

// tuneCollector has garbage collected only when smallHeap is used, as long as that is later
// than when the heap is twice what is live; from then on it goes by what is live. GOGC and a
// lower GOMEMLIMIT are obeyed if they are set.
func tuneCollector() {
	c := &collector{debug.SetMemoryLimit(-1), -1} // which stays as it is
	if os.Getenv("GOGC") != "" || c.limit <= smallHeap {
		return
	}
	debug.SetMemoryLimit(smallHeap)
	debug.SetGCPercent(c.percent)
	c.afterCollection()
}

func (c *collector) tune() {
	heap := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/heap/goal:bytes"}}
	metrics.Read(heap)
	live, goal := heap[0].Value.Uint64(), heap[1].Value.Uint64()
	if c.percent < 0 && goal < 2*live {
		c.set(100)
		debug.SetMemoryLimit(c.limit)
	}
	if c.percent > 0 {
		c.set(percentOf(live))
	}
	c.afterCollection()
}

func percentOf(live uint64) int {
	if live >= largeHeap {
		return 60
	}
	return 100
}

func (c *collector) set(percent int) {
	if c.percent != percent {
		c.percent = percent
		debug.SetGCPercent(percent)
	}
}

// afterCollection calls tune once, soon after the next collection.
func (c *collector) afterCollection() {
	garbage := new([64]byte) // large enough to be an object of its own
	runtime.AddCleanup(garbage, (*collector).tune, c)
}
