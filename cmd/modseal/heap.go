package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// minHeap is to how many bytes the heap may grow before garbage is collected, however
// little of it is live. Most runs have less to keep than the collector's own least
// (4 MiB) makes room for, and collected every few milliseconds.
const minHeap = 32 << 20

// growHeap makes the collector wait for minHeap, and for twice what is live as always: what
// is live after a collection decides when the next one is. GOGC is obeyed if it is set.
func growHeap() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(heapPercent(0, 0))
		afterCollection(setHeap)
	}
}

// setHeap is called after each collection until the heap is large.
func setHeap() {
	m := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/globals:bytes"}, {Name: "/gc/scan/stack:bytes"}}
	metrics.Read(m)
	percent := heapPercent(m[0].Value.Uint64(), m[1].Value.Uint64()+m[2].Value.Uint64())
	debug.SetGCPercent(percent)
	if percent > 100 {
		afterCollection(setHeap)
	}
}

// heapPercent is the GOGC by which the heap may grow to minHeap at least: by that part of
// what is live, and of roots (https://go.dev/doc/gc-guide#GOGC). Of nothing it is 4 MiB that
// grow so.
func heapPercent(live, roots uint64) int {
	if live >= minHeap {
		return 100
	}
	return max(100, int((minHeap-live)*100/max(live+roots, 4<<20)))
}

// afterCollection calls do once, soon after the next collection.
func afterCollection(do func()) {
	garbage := new([64]byte) // large enough to be an object of its own
	runtime.AddCleanup(garbage, func(do func()) { do() }, do)
}
