package main

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// Property: garbage is not collected before smallHeap is used; once half of that is live it
// is as always, with the limit that there was.
func TestGrowHeap(t *testing.T) {
	const limit = 10 * smallHeap
	t.Setenv("GOGC", "")
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(limit))
	settings := func() (percent int, limit int64) {
		percent = debug.SetGCPercent(100)
		debug.SetGCPercent(percent)
		return percent, debug.SetMemoryLimit(-1)
	}
	runtime.GC() // what other tests left
	runtime.GC()
	growHeap()
	if percent, limit := settings(); percent != -1 || limit != smallHeap {
		t.Errorf("at first: %d per cent, limit %d", percent, limit)
	}
	live := make([]byte, smallHeap)
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		runtime.GC()
		percent, now := settings()
		if percent == 100 && now == limit {
			break
		} else if time.Now().After(end) {
			t.Fatalf("when much is live: %d per cent, limit %d", percent, now)
		}
	}
	runtime.KeepAlive(live)
}

// Property: GOGC and a lower limit are obeyed.
func TestHeapOfUser(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(70))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(10 * smallHeap))
	for gogc, limit := range map[string]int64{"70": 10 * smallHeap, "": smallHeap - 1} {
		t.Setenv("GOGC", gogc)
		debug.SetMemoryLimit(limit)
		growHeap()
		if percent, now := debug.SetGCPercent(70), debug.SetMemoryLimit(-1); percent != 70 || now != limit {
			t.Errorf("%d per cent, limit %d", percent, now)
		}
	}
}
