package evidence

import (
	"strings"
	"testing"
)

// Property: a record of the public database reads: golang.org/x/mod v0.42.0 in
// sum.golang.org, record 67638482.
func TestParseRealRecord(t *testing.T) {
	const text = "golang.org/x/mod v0.42.0 " + someHash + "\ngolang.org/x/mod v0.42.0/go.mod " + otherHash + "\n"
	r, err := ParseRecord(text)
	if err != nil || r.Module.Path != "golang.org/x/mod" || r.Module.Version != "v0.42.0" || r.H1.String() != someHash || r.GoMod.String() != otherHash || r.String() != text {
		t.Errorf("%+v, %v", r, err)
	}
}

// Property: a record's text does not reach a message as it is.
func TestParseRecordQuotes(t *testing.T) {
	good := "example.com/M v1.2.3 " + someHash + "\nexample.com/M v1.2.3/go.mod " + otherHash + "\n"
	for _, bad := range []string{
		strings.ReplaceAll(good, "v1.2.3", "v1.2.3\x1b[2J"), strings.ReplaceAll(good, "/M", "/\x1b[2J"), strings.Replace(good, "h1:", "\x1b[2J", 1),
		strings.Replace(good, "go.mod h1:", "go.mod \x1b", 1), good + "\x1b[2J", strings.ReplaceAll(good, "v1.2.3", strings.Repeat("v", 2000)),
	} {
		if _, err := ParseRecord(bad); err == nil || strings.ContainsRune(err.Error(), '\x1b') || len(err.Error()) > 500 {
			t.Errorf("message %q is not fit to be shown", err)
		}
	}
}
