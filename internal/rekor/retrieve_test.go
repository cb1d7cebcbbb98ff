package rekor

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/modseal/modseal/internal/fetch"
)

// answered retrieves entries and demands that each is told of once.
func answered(t *testing.T, c *Client, uuids []UUID) map[UUID]Answer {
	t.Helper()
	var mu sync.Mutex
	got := map[UUID]Answer{}
	err := c.Retrieve(context.Background(), uuids, func(a Answer) error {
		mu.Lock()
		defer mu.Unlock()
		if _, again := got[a.Asked]; again {
			t.Errorf("%s is told of twice", a.Asked)
		}
		if a.Err == nil && !strings.HasSuffix(string(a.Entry.UUID), string(a.Asked)) {
			t.Errorf("%s is answered with %s", a.Asked, a.Entry.UUID)
		}
		got[a.Asked] = a
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Compact(slices.Sorted(slices.Values(uuids)))
	if told := slices.Sorted(maps.Keys(got)); !slices.Equal(told, want) {
		t.Errorf("told of %q, want %q", told, want)
	}
	return got
}

// Each is told of, also one that was left to another with the same leaf.
func TestRetrieveShort(t *testing.T) {
	l := newLog(t, 20)
	var uuids []UUID
	for i := range 20 {
		uuids = append(uuids, l.uuid(i))
	}
	uuids = append(uuids, UUID(l.uuid(3).leaf()), UUID(l.uuid(17).leaf()), l.uuid(5))
	for u, a := range answered(t, l.client(), uuids) {
		if a.Err != nil {
			t.Errorf("%s: %v", u, a.Err)
		}
	}
	if len(l.requests) != 2 {
		t.Errorf("requests %v", l.requests)
	}
}

// A bad entry is told of as such, and the others as what they are, whether the
// answer says which one is bad or that has to be found out.
func TestRetrieveBad(t *testing.T) {
	for name, c := range map[string]struct {
		lie  func(e object)
		want Problem
		most int // calls
	}{
		"known":   {func(e object) { e["body"] = "e30=" }, WrongLeaf, 2},
		"unknown": {func(e object) { e["body"] = 1 }, Malformed, 2 + 8},
	} {
		for bad := range 20 {
			l := newLog(t, 20)
			l.lieEntry = func(uuid string, e object) {
				if uuid == string(l.uuid(bad)) {
					c.lie(e)
				}
			}
			var uuids []UUID
			for i := range 20 {
				uuids = append(uuids, l.uuid(i))
			}
			for u, a := range answered(t, l.client(), uuids) {
				if u == l.uuid(bad) {
					wantProblem(t, a.Err, c.want)
				} else if a.Err != nil {
					t.Errorf("%s, %d: entry %s: %v", name, bad, u, a.Err)
				}
			}
			if len(l.requests) > c.most {
				t.Errorf("%s, %d: %d requests, want at most %d", name, bad, len(l.requests), c.most)
			}
		}
	}
}

// Trouble with the server is shared by what was asked for together, and by what
// is not yet asked for again in parts.
func TestRetrieveTrouble(t *testing.T) {
	for good := range 4 { // calls that are answered, but not with JSON
		l := newLog(t, 10)
		calls := 0
		l.raw = func(_ string, w http.ResponseWriter) bool {
			if calls++; calls > good {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			return true
		}
		var uuids []UUID
		for i := range 10 {
			uuids = append(uuids, l.uuid(i))
		}
		for u, a := range answered(t, l.client(), uuids) {
			var failed *fetch.Error
			if !errors.As(a.Err, &failed) || failed.Status != 503 || failed.Tries != 6 {
				t.Errorf("%s: %v", u, a.Err)
			}
		}
		if calls != good+6 {
			t.Errorf("%d requests, want %d", calls, good+6)
		}
	}
}

// What the receiver can't use ends it.
func TestRetrieveEnds(t *testing.T) {
	l := newLog(t, 30)
	enough := errors.New("enough")
	c := l.client()
	c.parallel = 1
	var uuids []UUID
	for i := range 30 {
		uuids = append(uuids, l.uuid(i))
	}
	told := 0
	err := c.Retrieve(context.Background(), uuids, func(Answer) error { told++; return enough })
	if !errors.Is(err, enough) || told > 1 {
		t.Errorf("%v after %d answers", err, told)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := c.Retrieve(ctx, uuids, func(Answer) error { t.Error("told"); return nil }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
