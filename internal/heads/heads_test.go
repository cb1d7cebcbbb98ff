package heads_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/heads"
	"github.com/modseal/modseal/internal/testlog"
)

func sample() [][]byte {
	db, rekor, rekor2 := testlog.NewSumDB("sum.example.org"), testlog.NewRekor("rekor.example"), testlog.NewRekorV2("rekor2.example")
	for range 3 {
		rekor.Add([]byte("x"))
		rekor2.Add([]byte("x"))
	}
	text := testlog.CheckpointText(rekor2.Host, rekor2.Head(2))
	return [][]byte{
		rekor.Shard().Checkpoint(3), db.Checkpoint(0), append(rekor2.SignNote(text), testlog.NewWitness("w.example").Cosignature(text, 7)...),
		rekor2.SignNote(text + "another line\n"),
	}
}

// Property: what is formatted is parsed as what it was made of.
func TestRoundTrip(t *testing.T) {
	all := sample()
	for n := 1; n <= len(all); n++ {
		b, err := heads.Format(all[:n])
		if err != nil {
			t.Fatal(err)
		}
		got, err := heads.Parse(b)
		if err != nil || !slices.EqualFunc(got, all[:n], bytes.Equal) {
			t.Errorf("%d: %q, %v", n, got, err)
		}
	}
}

// Property: a head that would be taken for two, or that does something to a
// terminal, is not put into a list; and what is no list is not read as one.
func TestLies(t *testing.T) {
	one, two := string(sample()[0]), string(sample()[1])
	text, signatures, _ := strings.Cut(one, "\n\n")
	for name, c := range map[string]string{
		"nothing": "", "no signature": text + "\n", "no signature but its place": text + "\n\n", "two lines": "a\n1\n\n" + signatures,
		"an empty line within":  text + "\n\nmore\n\n" + signatures,
		"a signature within":    text + "\n\n" + signatures + "\n" + signatures,
		"an empty line before":  "\n" + one,
		"an empty line behind":  one + "\n",
		"no newline":            strings.TrimSuffix(one, "\n"),
		"a line behind":         one + "more\n",
		"a command to terminal": "\x1b[2J" + one,
		"another":               strings.Replace(one, "\n\n", "\nx\u202e\n\n", 1),
		"a carriage return":     strings.ReplaceAll(one, "\n", "\r\n"),
		"not UTF-8":             "\xff" + one,
	} {
		if _, err := heads.Format([][]byte{[]byte(two), []byte(c)}); !errors.Is(err, heads.ErrForm) {
			t.Errorf("%s: formatted: %v", name, err)
		}
		if strings.Count(c, "\n\n") > 1 && name != "an empty line behind" && name != "an empty line within" && name != "an empty line before" {
			continue // a list that is something else
		}
		if got, err := heads.Parse([]byte(c)); got != nil || !errors.Is(err, heads.ErrForm) {
			t.Errorf("%s: parsed: %q, %v", name, got, err)
		}
	}
}

// Property: limits let pass what is as large, and not what is larger by one.
func TestLimits(t *testing.T) {
	one := sample()[0]
	long := func(n int) []byte {
		return append([]byte(strings.Repeat("x", n-len(one))), one...)
	}
	many := slices.Repeat([][]byte{one}, heads.MaxHeads)
	if b, err := heads.Format(many); err != nil {
		t.Error(err)
	} else if _, err := heads.Parse(b); err != nil {
		t.Error(err)
	} else if _, err := heads.Parse(append(append(b, '\n'), one...)); err == nil {
		t.Error("a head too many was parsed")
	}
	if _, err := heads.Format(append(many, one)); err == nil {
		t.Error("a head too many was formatted")
	}
	for n, ok := range map[int]bool{bundles.MaxCheckpoint: true, bundles.MaxCheckpoint + 1: false} {
		if err := heads.Check(long(n)); (err == nil) != ok {
			t.Errorf("a head of %d bytes: %v", n, err)
		}
	}
	// 1024 heads of 65535 bytes, with the empty lines in between, are a byte less than the limit.
	large := slices.Repeat([][]byte{long(bundles.MaxCheckpoint - 1)}, heads.MaxFile/bundles.MaxCheckpoint)
	large[0] = long(bundles.MaxCheckpoint)
	b, err := heads.Format(large)
	if err != nil || len(b) != heads.MaxFile {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	if _, err := heads.Parse(b); err != nil {
		t.Error(err)
	}
	large[1] = large[0]
	if _, err := heads.Format(large); err == nil {
		t.Error("a list over the limit was formatted")
	}
	if _, err := heads.Parse(append([]byte("x"), b...)); err == nil {
		t.Error("a list over the limit was parsed")
	}
}

// Property: no bytes make Parse panic; what is accepted is formatted as it was.
func FuzzParse(f *testing.F) {
	b, err := heads.Format(sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte("a\nb\nc\n\n— x y\n"))
	f.Add([]byte("go.sum database tree\n4611686018427387904\n" + strings.Repeat("A", 43) + "=\n\n— x y\n"))
	f.Add([]byte(strings.Repeat("a\n1\nb\n\n— x y\n\n", 500)))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := heads.Parse(b)
		if err != nil {
			if all != nil || !errors.Is(err, heads.ErrForm) {
				t.Fatalf("%q, %v", all, err)
			}
			return
		}
		if again, err := heads.Format(all); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("formatted as %q, %v", again, err)
		}
	})
}
