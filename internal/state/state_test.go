package state_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/limit"
	"github.com/modseal/modseal/internal/state"
	"github.com/modseal/modseal/verify"
)

const logID = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

func sample() *verify.State {
	return &verify.State{
		Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Root: 14,
		Heads: []verify.SeenHead{
			{Kind: bundles.RekorV1, Name: "rekor.example - 1", LogID: logID, Checkpoint: []byte("rekor.example - 1\n5\nAAAA\n\n— rekor.example BBBB\n")},
			{Kind: bundles.RekorV1, Name: "rekor.example - 1", LogID: logID, Checkpoint: []byte("rekor.example - 1\n7\nAAAA\n\n— rekor.example BBBB\n")},
			{Kind: bundles.RekorV2, Name: "rekor2.example", LogID: logID, Checkpoint: []byte("rekor2.example\n5\nAAAA\n\n— rekor2.example BBBB\n")},
			{Kind: bundles.SumDB, Name: "sum.example", Checkpoint: []byte("go.sum database tree\n5\nAAAA\n\n— sum.example <B>\n")},
		},
	}
}

func encoded(t testing.TB, s *verify.State) []byte {
	t.Helper()
	b, err := state.Encode(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Property: a state comes out as it went in.
func TestRoundTrip(t *testing.T) {
	for _, s := range []*verify.State{{}, {Root: 1}, {Created: time.Unix(1, 0).UTC()}, sample()} {
		b := encoded(t, s)
		got, err := state.Decode(b)
		if err != nil || !reflect.DeepEqual(got, s) {
			t.Errorf("%s: %+v, %v", b, got, err)
		}
	}
}

// Property: there is one encoding, and each thing in it is in range.
func TestLies(t *testing.T) {
	good := string(encoded(t, sample()))
	head := good[strings.Index(good, "  {"):strings.Index(good, "\n  {\n   \"kind\": \"rekor-v2\"")]
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(good)); err != nil {
		t.Fatal(err)
	}
	replace := func(from, to string) string {
		t.Helper()
		if !strings.Contains(good, from) {
			t.Fatalf("no %s in %s", from, good)
		}
		return strings.Replace(good, from, to, 1)
	}
	for name, lie := range map[string]string{
		"nothing": "", "null": "null\n", "a list": "[]\n", "text": "state\n",
		"compact": compact.String(), "no newline": strings.TrimSuffix(good, "\n"), "more behind it": good + "{}\n", "cut off": good[:len(good)/2],
		"other version":      replace("state.v1", "state.v2"),
		"unknown member":     replace(` "created"`, " \"x\": 1,\n \"created\""),
		"member twice":       replace(` "created"`, " \"created\": \"2026-01-02T03:04:05Z\",\n \"created\""),
		"other case":         replace(`"created"`, `"Created"`),
		"time zone":          replace("03:04:05Z", "04:04:05+01:00"),
		"parts of seconds":   replace("03:04:05Z", "03:04:05.5Z"),
		"the zero time":      replace("2026-01-02T03:04:05Z", "0001-01-01T00:00:00Z"),
		"no time":            replace("2026-01-02T03:04:05Z", ""),
		"root below zero":    replace(`"tufRoot": 14`, `"tufRoot": -1`),
		"root zero":          replace(`"tufRoot": 14`, `"tufRoot": 0`),
		"heads null":         `{"mediaType":"application/vnd.modseal.state.v1+json","heads":null}`,
		"a head twice":       replace(head, head+"\n"+head[:strings.LastIndex(head, "  {\n")]),
		"other kind":         replace("rekor-v1", "rekor-v3"),
		"no log ID":          replace(logID, ""),
		"log ID in capitals": replace(logID, strings.ToUpper(logID)),
		"no name":            replace(`"name": "sum.example"`, `"name": ""`),
		"a name of lines":    replace(`"name": "sum.example"`, `"name": "sum\nexample"`),
		"a database's ID":    replace(`"name": "sum.example",`, "\"name\": \"sum.example\",\n   \"logID\": \""+logID+"\","),
		"no checkpoint":      replace(`"go.sum database tree\n5\nAAAA\n\n— sum.example <B>\n"`, `""`),
		"escaped otherwise":  replace("<B>", `\u003cB\u003e`),
	} {
		if s, err := state.Decode([]byte(lie)); s != nil || !errors.Is(err, state.ErrDamaged) {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
	unsorted := sample()
	unsorted.Heads[0], unsorted.Heads[1] = unsorted.Heads[1], unsorted.Heads[0]
	if _, err := state.Encode(unsorted); err == nil {
		t.Error("heads out of order were written")
	}
}

// Property: what is as large as a limit is read and written, and what is larger
// by one is neither.
func TestLimits(t *testing.T) {
	if state.MaxFile != 16<<20 || state.MaxHeads != 16384 {
		t.Error("docs/state.md says otherwise")
	}
	s := sample()
	b := encoded(t, s)
	for _, x := range []struct {
		file, heads int
		ok          bool
	}{{len(b), 4, true}, {len(b) - 1, 4, false}, {len(b), 3, false}} {
		_, err := state.DecodeWithLimits(b, x.file, x.heads)
		_, writeErr := state.EncodeWithLimits(s, x.file, x.heads)
		for _, err := range []error{err, writeErr} {
			if (err == nil) != x.ok || err != nil && !errors.Is(err, limit.ErrExceeded) {
				t.Errorf("%+v: %v", x, err)
			}
		}
	}
	for n, ok := range map[int]bool{bundles.MaxCheckpoint: true, bundles.MaxCheckpoint + 1: false} {
		s := sample()
		s.Heads[3].Checkpoint = bytes.Repeat([]byte("x"), n)
		if _, err := state.Encode(s); (err == nil) != ok {
			t.Errorf("a checkpoint of %d bytes: %v", n, err)
		}
	}
	for n, ok := range map[int]bool{512: true, 513: false} {
		s := sample()
		s.Heads[3].Name = strings.Repeat("x", n)
		if _, err := state.Encode(s); (err == nil) != ok {
			t.Errorf("a name of %d bytes: %v", n, err)
		}
	}
	many := `{"mediaType":"` + state.MediaType + `","heads":[` + strings.Repeat("{},", state.MaxHeads) + `{}]}`
	if _, err := state.Decode([]byte(many)); err == nil || !strings.Contains(err.Error(), "more than 16384 heads") {
		t.Errorf("a head too many: %v", err)
	}
}

// Property: no file makes Decode panic, and what is accepted has one encoding.
func FuzzDecode(f *testing.F) {
	f.Add(encoded(f, &verify.State{}))
	f.Add(encoded(f, sample()))
	f.Add([]byte(`{}`))
	good := string(encoded(f, sample()))
	f.Add([]byte(strings.Replace(good, ` "heads"`, ` "heads": [],`+"\n"+` "heads"`, 1)))
	f.Add([]byte(good[:strings.Index(good, `"heads": [`)+10] + strings.Repeat("[", 10_000)))
	f.Add([]byte(good[:strings.Index(good, `"heads": [`)+10] + strings.Repeat("{},", 10_000)))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := state.Decode(b)
		if err != nil {
			if s != nil || !errors.Is(err, state.ErrDamaged) {
				t.Fatalf("%+v, %v", s, err)
			}
			return
		}
		if again, err := state.Encode(s); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("encodes to %q, %v", again, err)
		}
	})
}

// Property: a state file that is cut anywhere is damaged.
func TestTruncatedState(t *testing.T) {
	whole := encoded(t, sample())
	for n := range whole {
		if s, err := state.Decode(whole[:n]); s != nil || !errors.Is(err, state.ErrDamaged) {
			t.Fatalf("cut at %d of %d: %v", n, len(whole), err)
		}
	}
}
