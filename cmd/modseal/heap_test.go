package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

// Property: the heap may grow to minHeap however little of it is live, and to twice what is
// live when that is more, as without growHeap.
func TestGrowHeap(t *testing.T) {
	t.Setenv("GOGC", "")
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	growHeap()
	goalIs := func(what string, low, high uint64) {
		t.Helper()
		goal := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}, {Name: "/gc/heap/live:bytes"}}
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			runtime.GC()
			metrics.Read(goal)
			if n := goal[0].Value.Uint64(); low <= n && n <= high {
				return
			} else if time.Now().After(end) {
				t.Fatalf("%s: the heap may have %d bytes, of which %d are live; want %d to %d", what, n, goal[1].Value.Uint64(), low, high)
			}
		}
	}
	goalIs("little is live", minHeap*9/10, minHeap*3/2)
	live := make([]byte, 3*minHeap)
	goalIs("much is live", 6*minHeap, 7*minHeap)
	runtime.KeepAlive(live)
	live = nil
	goalIs("afterwards", 0, minHeap)
}

// Property: GOGC is obeyed.
func TestHeapOfUser(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(70))
	t.Setenv("GOGC", "70")
	growHeap()
	if n := debug.SetGCPercent(70); n != 70 {
		t.Errorf("%d per cent, want 70", n)
	}
}
