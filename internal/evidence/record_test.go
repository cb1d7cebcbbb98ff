package evidence

import (
	"strings"
	"testing"
)

// Hashes of real records: golang.org/x/mod v0.42.0, sum.golang.org, record 67638482.
const (
	someHash  = "h1:ICeL3t2L30ljSPHHxDnR4fqVcBt/zR2zJAb9juavmQg="
	otherHash = "h1:u5fzIrRInkL8MaO1cbRkUHT64v303YIT5KEqpNr7jRs="
)

// A record is two go.sum lines of one module, in their one form.
func TestParseRecord(t *testing.T) {
	good := "example.com/M v1.2.3 " + someHash + "\nexample.com/M v1.2.3/go.mod " + otherHash + "\n"
	r, err := ParseRecord(good)
	if err != nil || r.Module.String() != "example.com/M@v1.2.3" || r.H1.String() != someHash || r.GoMod.String() != otherHash {
		t.Fatalf("%v, %v", r, err)
	}
	for _, ok := range []string{"v1.2.3-0.20200101000000-abcdefabcdef", "v1.2.3-pre.1"} {
		if r, err := ParseRecord(strings.ReplaceAll(good, "v1.2.3", ok)); err != nil || r.Module.Version != ok {
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
		strings.ReplaceAll(good, "/M", "/"+strings.Repeat("M", MaxRecord)),
	} {
		if _, err := ParseRecord(bad); err == nil {
			t.Errorf("accepted %.300q", bad)
		}
	}
}

// A record has at most MaxRecord bytes. All records have an odd number of
// them, as path and version are there twice: one below is the longest.
func TestRecordLimit(t *testing.T) {
	record := func(path string) string {
		return path + " v1.2.3 " + someHash + "\n" + path + " v1.2.3/go.mod " + otherHash + "\n"
	}
	path := "example.com/" + strings.Repeat("m", (MaxRecord-len(record("example.com/")))/2)
	if len(record(path)) != MaxRecord-1 {
		t.Fatalf("record of %d bytes", len(record(path)))
	}
	if _, err := ParseRecord(record(path)); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	if _, err := ParseRecord(record(path + "m")); err == nil {
		t.Error("above the limit: no error")
	}
}

// No record makes the parser panic, and what it accepts has one form.
func FuzzParseRecord(f *testing.F) {
	good := "example.com/M v1.2.3 " + someHash + "\nexample.com/M v1.2.3/go.mod " + otherHash + "\n"
	for _, seed := range []string{"", "\n\n", good, good[:len(good)-1], good + good, strings.ReplaceAll(good, "\n", "\r\n"),
		strings.ReplaceAll(good, "v1.2.3", "v1.2.3+incompatible"), strings.ReplaceAll(good, "example.com/M", "golang.org/x/mod")} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data string) {
		r, err := ParseRecord(data)
		if err == nil && r.String() != data {
			t.Errorf("accepted %q, which reads as %q", data, r)
		}
	})
}
