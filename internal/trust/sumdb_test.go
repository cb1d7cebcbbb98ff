package trust

import (
	"strings"
	"testing"

	"github.com/modseal/modseal/internal/testlog"
)

// GOSUMDB means what it means to the go command.
func TestParseGOSUMDB(t *testing.T) {
	key := testlog.NewSumDB("sum.example.org").Key()
	for _, test := range []struct {
		gosumdb, name, url string
		noProxy            bool
	}{
		{"sum.golang.org", "sum.golang.org", "https://sum.golang.org", false},
		{" sum.golang.org ", "sum.golang.org", "https://sum.golang.org", false},
		{publicKey, "sum.golang.org", "https://sum.golang.org", false},
		{"sum.golang.google.cn", "sum.golang.org", "https://sum.golang.google.cn", true},
		{"sum.golang.org https://mirror.example/sumdb/", "sum.golang.org", "https://mirror.example/sumdb", true},
		{key, "sum.example.org", "https://sum.example.org", false},
		{key + "  http://127.0.0.1:8080", "sum.example.org", "http://127.0.0.1:8080", true},
	} {
		db, err := ParseGOSUMDB(test.gosumdb)
		if err != nil || db.Name != test.name || db.URL != test.url || db.NoProxy != test.noProxy || db.Verifier.Name() != test.name {
			t.Errorf("%q: %+v, %v", test.gosumdb, db, err)
		}
	}
	if db, err := ParseGOSUMDB("off"); db != nil || err != nil {
		t.Errorf("off: %+v, %v", db, err)
	}
	for _, bad := range []string{"", " ", "off off", "sum.example.org", "a b c", publicKey + "x", strings.Replace(publicKey, "033de0ae", "033de0af", 1),
		key + " mirror.example", key + " http://[broken", "sum.golang.google.cn https://x"} {
		if db, err := ParseGOSUMDB(bad); db != nil || err == nil {
			t.Errorf("%q: %+v, %v", bad, db, err)
		}
	}
}

// A database's name is host[/path]; it goes into URLs and file names.
func TestDatabaseName(t *testing.T) {
	for name, ok := range map[string]bool{
		"sum.example.org": true, "sum.example.org/a/b": true, "sum.example.org:8080": true, "localhost": true,
		"": false, "/": false, "sum.example.org/": false, "sum.example.org//a": false, "sum.example.org/../a": false, "sum.example.org/./a": false,
		"..": false, ".": false, "a@sum.example.org": false, "sum.example.org?a": false, "sum.example.org#a": false, "sum.example.org/%2e%2e": false,
		`sum.example.org/a\b`: false, "sum.example.org/c:": false, "../sum.example.org": false, "/sum.example.org": false,
	} {
		if err := checkName(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}
