package sumdb

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/module"
)

const (
	someHash  = "h1:ICeL3t2L30ljSPHHxDnR4fqVcBt/zR2zJAb9juavmQg="
	otherHash = "h1:u5fzIrRInkL8MaO1cbRkUHT64v303YIT5KEqpNr7jRs="
)

// A record is two go.sum lines of one module, in their one form.
func TestParseRecord(t *testing.T) {
	good := "example.com/M v1.2.3 " + someHash + "\nexample.com/M v1.2.3/go.mod " + otherHash + "\n"
	path, version, h1, goModH1, err := ParseRecord([]byte(good))
	if err != nil || path != "example.com/M" || version != "v1.2.3" || h1 != someHash || goModH1 != otherHash {
		t.Fatalf("%s %s %s %s, %v", path, version, h1, goModH1, err)
	}
	for _, ok := range []string{"v1.2.3-0.20200101000000-abcdefabcdef", "v1.2.3-pre.1"} {
		if _, v, _, _, err := ParseRecord([]byte(strings.ReplaceAll(good, "v1.2.3", ok))); err != nil || v != ok {
			t.Errorf("version %s: %v", ok, err)
		}
	}
	edit := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	for _, bad := range []string{
		"", "\n", "\n\n", good[:len(good)-1], good + "\n", good + good, " " + good, strings.ReplaceAll(good, "\n", "\r\n"),
		strings.ReplaceAll(good, "\n", " \n"), edit("\n", "\n\n"), edit(" ", "  "), edit(" ", "\t"), edit("\n", " x\n"),
		edit("/go.mod", ""), edit("/go.mod", "/go.mod/go.mod"), edit("v1.2.3 ", "v1.2.4 "), edit("M v1", "N v1"),
		strings.ReplaceAll(good, "v1.2.3", "v2.2.3"), strings.ReplaceAll(good, "v1.2.3", "1.2.3"), strings.ReplaceAll(good, "v1.2.3", "v1.2"),
		strings.ReplaceAll(good, "example.com/M", "../M"), strings.ReplaceAll(good, "example.com/M", ""), strings.ReplaceAll(good, "example.com/M", "example.com/\xff"),
		edit("h1:", ""), edit("h1:", "h2:"), edit("=", ""), edit("Qg=", "Qh="), edit("Qg=", "Qg"), edit("ICeL", "IC-L"), edit("ICeL", "ICe"), edit("ICeL", "ICeLAAAA"),
		strings.ReplaceAll(good, "/M", "/"+strings.Repeat("M", maxRecord)),
	} {
		if _, _, _, _, err := ParseRecord([]byte(bad)); err == nil {
			t.Errorf("accepted %.300q", bad)
		}
	}
}

// A record has at most maxRecord bytes. All records have an odd number of
// them, as path and version are there twice: one below is the longest.
func TestRecordLimit(t *testing.T) {
	record := func(path string) []byte {
		return []byte(path + " v1.2.3 " + someHash + "\n" + path + " v1.2.3/go.mod " + otherHash + "\n")
	}
	path := "example.com/" + strings.Repeat("m", (maxRecord-len(record("example.com/")))/2)
	if len(record(path)) != maxRecord-1 {
		t.Fatalf("record of %d bytes", len(record(path)))
	}
	if _, _, _, _, err := ParseRecord(record(path)); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	if _, _, _, _, err := ParseRecord(record(path + "m")); err == nil {
		t.Error("above the limit: no error")
	}
}

// No record makes the parser panic, and what it accepts has one form.
func FuzzParseRecord(f *testing.F) {
	good := "example.com/M v1.2.3 " + someHash + "\nexample.com/M v1.2.3/go.mod " + otherHash + "\n"
	for _, seed := range []string{"", "\n\n", good, good[:len(good)-1], good + good, strings.ReplaceAll(good, "\n", "\r\n"),
		strings.ReplaceAll(good, "v1.2.3", "v1.2.3+incompatible"), strings.Replace(realLookup, "67638482\n", "", 1)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		path, version, h1, goModH1, err := ParseRecord(data)
		if err != nil {
			if path+version+h1+goModH1 != "" {
				t.Errorf("%q %q %q %q beside an error", path, version, h1, goModH1)
			}
			return
		}
		if again := fmt.Sprintf("%s %s %s\n%s %s/go.mod %s\n", path, version, h1, path, version, goModH1); again != string(data) {
			t.Errorf("accepted %q, which reads as %q", data, again)
		}
	})
}

// No answer to a lookup makes the parser panic or passes without the key.
func FuzzLookup(f *testing.F) {
	db, _, err := ParseGOSUMDB("sum.golang.org")
	if err != nil {
		f.Fatal(err)
	}
	c := New(Options{DB: db})
	xmod := module.Version{Path: "golang.org/x/mod", Version: "v0.42.0"}
	for _, seed := range []string{"", "\n\n\n", "1\n\n", realLookup, realLookup[:200], "+" + realLookup, strings.Replace(realLookup, "mod", "net", 1)} {
		f.Add([]byte(seed))
	}
	real, err := c.openRecord(xmod, []byte(realLookup))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := c.openRecord(xmod, data)
		if err == nil && r.Head.Tree != real.Head.Tree {
			t.Errorf("accepted a head of %v", r.Head.Tree)
		}
	})
}
