package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

// collection is how the collector is set now: GOGC, -1 for off, and the limit.
func collection() (percent int, limit int64) {
	m := []metrics.Sample{{Name: "/gc/gogc:percent"}, {Name: "/gc/gomemlimit:bytes"}}
	metrics.Read(m)
	return int(int64(m[0].Value.Uint64())), int64(m[1].Value.Uint64())
}

// Property: garbage is not collected before smallHeap is used; once much of that is live it
// is as always, with the limit that there was, and sooner when very much is live.
func TestTuneCollector(t *testing.T) {
	const limit = 20 * largeHeap
	t.Setenv("GOGC", "")
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(limit))
	runtime.GC() // what other tests left
	runtime.GC()
	tuneCollector()
	if percent, limit := collection(); percent != -1 || limit != smallHeap {
		t.Errorf("at first: %d per cent, limit %d", percent, limit)
	}
	becomes := func(want int, keep []byte) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			runtime.GC()
			percent, now := collection()
			if percent == want && now == limit {
				break
			} else if time.Now().After(end) {
				t.Fatalf("%d bytes are live: %d per cent, limit %d; want %d, %d", len(keep), percent, now, want, limit)
			}
		}
		runtime.KeepAlive(keep)
	}
	becomes(100, make([]byte, smallHeap))
	becomes(60, make([]byte, largeHeap))
	becomes(100, nil)
}

// Property: GOGC and a lower limit are obeyed.
func TestCollectorOfUser(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(70))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(10 * smallHeap))
	for gogc, limit := range map[string]int64{"70": 10 * smallHeap, "": smallHeap - 1} {
		t.Setenv("GOGC", gogc)
		debug.SetMemoryLimit(limit)
		tuneCollector()
		if percent, now := collection(); percent != 70 || now != limit {
			t.Errorf("%d per cent, limit %d", percent, now)
		}
	}
}
