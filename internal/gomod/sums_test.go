package gomod

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// h1 gives a well-formed h1 that stands for s.
func h1(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "h1:" + base64.StdEncoding.EncodeToString(sum[:])
}

// go.sum gives the h1s of a module and of its go.mod, in the file's order.
func TestParseSums(t *testing.T) {
	data := strings.Join([]string{
		"example.com/a v1.0.0 " + h1("a"),
		"example.com/a v1.0.0/go.mod " + h1("a.mod"),
		"",
		"example.com/a v1.0.0 " + h1("a"), // repeated
		"\texample.com/A \t v2.0.0+incompatible  " + h1("A") + "\r",
		"example.com/two v1.0.0 " + h1("first"),
		"example.com/two v1.0.0 " + h1("second"),
		"example.com/two v1.0.0 " + h1("first"),
		"example.com/new v1.0.0 h2:whatever",
		"example.com/old v1.0.0/go.mod " + emptyGoModHash,
		"golang.org/toolchain v0.0.1-go1.26.0.linux-amd64 " + h1("last"), // no newline after it
	}, "\n")
	s, err := ParseSums("go.sum", []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		path, version string
		want          []string
	}{
		{"example.com/a", "v1.0.0", []string{h1("a")}},
		{"example.com/a", "v1.0.0/go.mod", []string{h1("a.mod")}},
		{"example.com/A", "v2.0.0+incompatible", []string{h1("A")}},
		{"example.com/two", "v1.0.0", []string{h1("first"), h1("second")}},
		{"golang.org/toolchain", "v0.0.1-go1.26.0.linux-amd64", []string{h1("last")}},
		{"example.com/new", "v1.0.0", nil},
		{"example.com/old", "v1.0.0/go.mod", nil},
		{"example.com/none", "v1.0.0", nil},
	} {
		if got := s.Lookup(mod(tc.path, tc.version)); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s %s: got %v, want %v", tc.path, tc.version, got, tc.want)
		}
	}
	if got := s.Conflicts(); len(got) != 1 || got[0] != mod("example.com/two", "v1.0.0") {
		t.Errorf("conflicts: %v", got)
	}
	if new(SumFile).Lookup(mod("example.com/a", "v1.0.0")) != nil {
		t.Error("the zero SumFile says something")
	}
}

// Every malformed line is an error that names its line.
func TestParseSumsMalformed(t *testing.T) {
	for _, line := range []string{
		"<<<<<<< HEAD",
		"example.com/a v1.0.0",
		"example.com/a v1.0.0 " + h1("a") + " more",
		"example.com/a v1.0.0 " + h1("a")[3:],
		"example.com/a v1.0.0 h1:",
		"example.com/a v1.0.0 h1:AAAA",
		"example.com/a v1.0.0 " + strings.Replace(h1("a"), "=", "", 1),
		"example.com/a v1.0.0 " + h1("a")[:len(h1("a"))-2] + "/=", // bits set after the last byte
		"example.com/a v1.0.0 h1 :" + h1("a")[3:],
		"example.com/a v1.0.0 h:" + h1("a")[3:],
		"example.com/a v1.0.0 hx:" + h1("a")[3:],
		"example.com/a v1.0.0 H1:" + h1("a")[3:],
		"example.com/a v1.0 " + h1("a"),
		"example.com/a v1.0.0+meta " + h1("a"),
		"example.com/a 1.0.0 " + h1("a"),
		"example.com/a v1.0.0/go.sum " + h1("a"),
		"example.com/a v1.0.0/go.mod/go.mod " + h1("a"),
		"nodot v1.0.0 " + h1("a"),
		"../a v1.0.0 " + h1("a"),
		"example.com/a\u00a0v1.0.0 x " + h1("a"), // white space of Unicode is none here
	} {
		good := "example.com/b v1.0.0 " + h1("b") + "\n\n"
		_, err := ParseSums("dir/go.sum", []byte(good+line+"\n"+good))
		if err == nil || !strings.HasPrefix(err.Error(), "dir/go.sum:3: ") {
			t.Errorf("%q: got %v, want an error for dir/go.sum:3", line, err)
		}
	}
}

// Text of the file reaches a terminal only escaped and cut.
func TestParseSumsHostileText(t *testing.T) {
	for _, line := range []string{
		"\x1b[31mred",
		strings.Repeat("a", 1<<20),
		"example.com/\x1b[31m v1.0.0 " + h1("a"),
		"example.com/a v1\x1b[31m " + h1("a"),
		"example.com/a v1.0.0 h1:\x1b[31m",
	} {
		_, err := ParseSums("go.sum", []byte(line))
		if err == nil || strings.ContainsRune(err.Error(), 0x1b) || len(err.Error()) > 1000 {
			t.Errorf("%.50q: %.2000v", line, err)
		}
	}
}

// A file of the limit's size is read, one of a byte more is not.
func TestParseSumsLimit(t *testing.T) {
	data := []byte(strings.Repeat("\n", maxSumFile+1))
	if _, err := ParseSums("go.sum", data[:maxSumFile]); err != nil {
		t.Error(err)
	}
	if _, err := ParseSums("go.sum", data); err == nil {
		t.Error("a byte over the limit is accepted")
	}
}

// encode writes s so that it reads back to the same.
func (s *SumFile) encode() string {
	var b strings.Builder
	keys := slices.Collect(maps.Keys(s.sums))
	slices.SortFunc(keys, compareVersions)
	for _, m := range keys {
		for _, sum := range s.sums[m] {
			fmt.Fprintf(&b, "%s %s %s\n", m.Path, m.Version, sum)
		}
	}
	return b.String()
}

// Whatever is accepted has one meaning: written out and read again it is the same.
func FuzzParseSums(f *testing.F) {
	f.Add([]byte(""))
	f.Add([]byte("example.com/a v1.0.0 " + h1("a") + "\nexample.com/a v1.0.0/go.mod " + h1("b") + "\r\n"))
	f.Add([]byte("example.com/a v1.0.0 " + h1("a") + "\nexample.com/a v1.0.0 " + h1("b")))
	f.Add([]byte("example.com/a v2.0.0+incompatible h2:x\n\n"))
	f.Add([]byte("example.com/a v1.0.0 " + emptyGoModHash))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ParseSums("go.sum", data)
		if err != nil {
			return
		}
		text := s.encode()
		again, err := ParseSums("go.sum", []byte(text))
		if err != nil || !reflect.DeepEqual(s, again) || again.encode() != text {
			t.Errorf("%q became %q, %v", data, text, err)
		}
	})
}
