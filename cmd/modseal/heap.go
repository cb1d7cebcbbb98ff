package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// smallHeap is to how much memory, in bytes, modseal may grow before garbage is collected.
// Most runs have less to keep than the collector's own least makes room for (4 MiB), and
// collected every few milliseconds.
const smallHeap = 48 << 20

// growHeap has garbage collected when the memory of smallHeap is used, until half of that
// is live; from then on when the heap is twice what is live, as always. GOGC and a lower
// GOMEMLIMIT are obeyed if they are set.
func growHeap() {
	limit := debug.SetMemoryLimit(-1) // which stays as it is
	if os.Getenv("GOGC") != "" || limit <= smallHeap {
		return
	}
	debug.SetMemoryLimit(smallHeap)
	debug.SetGCPercent(-1)
	afterCollection(func() { asAlways(limit) })
}

// asAlways is called after each collection until much is live.
func asAlways(limit int64) {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	if metrics.Read(live); live[0].Value.Uint64() < smallHeap/2 {
		afterCollection(func() { asAlways(limit) })
		return
	}
	debug.SetGCPercent(100)
	debug.SetMemoryLimit(limit)
}

// afterCollection calls do once, soon after the next collection.
func afterCollection(do func()) {
	garbage := new([64]byte) // large enough to be an object of its own
	runtime.AddCleanup(garbage, func(do func()) { do() }, do)
}
