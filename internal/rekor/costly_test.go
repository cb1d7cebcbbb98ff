package rekor

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// An answer may have as many values as the limit says, keys aside, and none more.
func TestValueLimit(t *testing.T) {
	for _, test := range []struct {
		name string
		n    int // of values in a list, which is one too
		ok   bool
	}{{"at the limit", maxValues - 1, true}, {"one over", maxValues, false}} {
		list := "[" + strings.Repeat("0,", test.n-1) + "0]"
		if err := checkUnambiguous([]byte(list)); (err == nil) != test.ok {
			t.Errorf("%s: %v", test.name, err)
		}
		object := `[` + strings.Repeat(`{"a":0},`, (test.n-2)/2) + `0` + strings.Repeat(",0", test.n%2) + `]`
		if err := checkUnambiguous([]byte(object)); (err == nil) != test.ok && test.n%2 == 1 {
			t.Errorf("%s, objects: %v", test.name, err)
		}
	}
}

// An entry that is larger than what is read of ten is read alone.
func TestLargeEntry(t *testing.T) {
	l := newLog(t, 12)
	large := l.uuid(3)
	l.lieEntry = func(uuid string, e object) {
		if uuid == string(large) {
			e["attestation"] = object{"data": strings.Repeat("A", 1<<20)}
		}
	}
	entries, err := l.client().Entries(context.Background(), l.uuids(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11))
	if err != nil || len(entries) != 12 || len(entries[3].Attestation) != 3<<18 {
		t.Errorf("%d entries, %v", len(entries), err)
	}
}

// A server whose answers are not Rekor's is not asked for ever, and less often if they
// are large.
func TestBadAnswers(t *testing.T) {
	for _, test := range []struct {
		name, answer string
		most         int // requests
	}{
		{"small", `[{}]`, maxBadAnswers + defaultParallel}, // which are under way when it is enough
		// each takes two, and the halves before it
		{"large", `[{}` + strings.Repeat(" ", maxEntriesAnswer) + `]`, 300},
	} {
		t.Run(test.name, func(t *testing.T) {
			lying := func() *fakeLog {
				l := newLog(t, 1)
				l.raw = func(path string, w http.ResponseWriter) bool {
					_, _ = io.WriteString(w, test.answer)
					return true
				}
				return l
			}
			var uuids []UUID
			for i := range 2000 {
				uuids = append(uuids, UUID(numberedUUID(i)))
			}
			_, err := lying().client().Entries(context.Background(), uuids)
			var bad *AnswerError
			if err == nil || !errors.As(err, &bad) && !errors.Is(err, errNoPatience) {
				t.Errorf("%v", err)
			}
			told, given := 0, 0
			l := lying() // another: requests of the first may still be under way
			err = l.client().Retrieve(context.Background(), uuids[:1000], func(a Answer) error {
				l.mu.Lock()
				defer l.mu.Unlock()
				told++
				if a.Err == nil {
					given++
				}
				return nil
			})
			if err != nil || told != 1000 || given != 0 {
				t.Errorf("told of %d, %d of them good: %v", told, given, err)
			}
			if n := len(l.requests); n > test.most {
				t.Errorf("%d requests, want at most %d", n, test.most)
			}
		})
	}
}

// Answers over the size of one entry are counted; after so many of them, an entry that is
// larger than what is read of ten is given up.
func TestTooLong(t *testing.T) {
	l := newLog(t, 2)
	large, huge := l.uuids(0), l.uuids(1)
	l.lieEntry = func(uuid string, e object) {
		n := 1 << 20
		if uuid == string(huge[0]) {
			n = maxEntryAnswer
		}
		e["attestation"] = object{"data": strings.Repeat("A", n)}
	}
	var bad badAnswers
	bad.tooLong.Store(maxTooLong - 1)
	if answers, err := l.client().ask(context.Background(), large, &bad); err != nil || len(answers) != 1 {
		t.Errorf("at the limit: %d answers, %v", len(answers), err)
	}
	var missing *MissingError
	if _, err := l.client().ask(context.Background(), huge, &bad); !errors.As(err, &missing) || bad.tooLong.Load() != maxTooLong {
		t.Errorf("%d counted, %v", bad.tooLong.Load(), err)
	}
	if answers, err := l.client().ask(context.Background(), large, &bad); !errors.As(err, &missing) || len(missing.TooLarge) != 1 || len(answers) != 0 {
		t.Errorf("one over: %d answers, %v", len(answers), err)
	}
}
