package evidence_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/testlog"
)

// says reads a statement as an entry of dsse 0.0.1 has it.
func says(payload string) (*evidence.Statement, error) {
	alice := testlog.NewSigner("alice")
	e := alice.Envelope([]byte(payload))
	c, err := (&evidence.Entry{Body: alice.DSSE(e), Envelope: e}).Claim()
	if err != nil {
		return nil, err
	}
	return c.Statement, nil
}

func hexes(n int) string { return strings.Repeat("5e", n) }

func plainStatement(subjects string) string {
	return `{"_type":"https://in-toto.io/Statement/v1","subject":[` + subjects + `],"predicateType":"https://example.com/p","predicate":{"a":1}}`
}

func subject(name, digests string) string {
	return fmt.Sprintf(`{"name":%q,"digest":{%s}}`, name, digests)
}

// Property: a statement says what it is about by the digests that are read, in
// either version, and by whatever name.
func TestStatements(t *testing.T) {
	all := `"sha256":"` + hexes(32) + `","sha384":"` + hexes(48) + `","sha512":"` + hexes(64) + `","dirHash1":"` + strings.Repeat("d1", 32) + `","goModuleH1":"` + strings.Repeat("60", 32) + `","sha1":"ignored","gitCommit":"ignored"`
	for name, version := range map[string]string{"0.1": "v0.1", "1": "v1"} {
		s, err := says(strings.Replace(plainStatement(subject("a", all)), "Statement/v1", "Statement/"+version, 1))
		if err != nil || s.PredicateType != "https://example.com/p" || len(s.Subjects) != 1 {
			t.Fatalf("version %s: %+v, %v", name, s, err)
		}
		want := []evidence.Digest{
			{Algorithm: "sha256", Hex: hexes(32)}, {Algorithm: "sha384", Hex: hexes(48)}, {Algorithm: "sha512", Hex: hexes(64)},
			{Algorithm: "sha256", Hex: strings.Repeat("d1", 32)}, {Algorithm: "sha256", Hex: strings.Repeat("60", 32)},
		}
		if got := fmt.Sprint(s.Subjects[0].Digests); got != fmt.Sprint(want) {
			t.Errorf("version %s: %s, want %s", name, got, want)
		}
		for _, d := range want {
			if names := s.Names(d); len(names) != 1 || names[0] != "a" {
				t.Errorf("%s is of %q", d, names)
			}
		}
		if s.Names(evidence.SHA256([32]byte{})) != nil || s.Names(evidence.Digest{}) != nil {
			t.Error("names of what no subject has")
		}
	}
	two, err := says(plainStatement(subject("a", `"sha256":"`+hexes(32)+`"`) + "," + subject("b", `"dirHash1":"`+hexes(32)+`","sha256":"`+hexes(32)+`"`) + "," + subject("c", `"sha1":"x"`)))
	if err != nil || fmt.Sprint(two.Names(evidence.Digest{Algorithm: "sha256", Hex: hexes(32)})) != "[a b]" {
		t.Errorf("%+v, %v", two, err)
	}
}

// Property: what is no statement in the one way in which it is read is refused:
// unknown and repeated members, digests in other forms, other types.
func TestBadStatements(t *testing.T) {
	good := plainStatement(subject("a", `"sha256":"`+hexes(32)+`"`))
	if _, err := says(good); err != nil {
		t.Fatal(err)
	}
	edit := func(old, new string) string {
		if s := strings.Replace(good, old, new, 1); s != good {
			return s
		}
		t.Fatalf("no %q in %s", old, good)
		return ""
	}
	digests := func(d string) string { return plainStatement(subject("a", d)) }
	for name, c := range map[string]struct {
		payload     string
		unsupported bool
	}{
		"nothing":                           {"", false},
		"null":                              {"null", false},
		"cut off":                           {good[:len(good)-1], false},
		"more after it":                     {good + "{}", false},
		"an unknown member":                 {edit(`"_type"`, `"extra":1,"_type"`), false},
		"an unknown member of a subject":    {edit(`"name"`, `"extra":1,"name"`), false},
		"its type twice":                    {edit(`"_type"`, `"_type":"x","_type"`), false},
		"its subject twice":                 {edit(`"subject"`, `"subject":[],"subject"`), false},
		"its predicate type in two words":   {edit(`"predicateType"`, `"predicate_type":"x","predicateType"`), false},
		"a name twice":                      {edit(`"name"`, `"name":"x","name"`), false},
		"a digest twice":                    {edit(`"sha256"`, `"sha256":"x","sha256"`), false},
		"the same digest twice":             {edit(`"sha256"`, `"sha256":"`+hexes(32)+`","sha256"`), false},
		"another type":                      {edit("Statement/v1", "Statement/v2"), true},
		"no type":                           {edit("https://in-toto.io/Statement/v1", ""), true},
		"type that begins like one":         {edit("Statement/v1", "Statement/v1.5"), true},
		"no subject":                        {plainStatement(""), false},
		"no digest":                         {digests(""), false},
		"no digest that is read":            {digests(`"sha1":"5e5e"`), false},
		"upper-case hex":                    {digests(`"sha256":"` + strings.ToUpper(hexes(32)) + `"`), false},
		"sha256 too short":                  {digests(`"sha256":"` + hexes(31) + `"`), false},
		"sha256 of 48 bytes":                {digests(`"sha256":"` + hexes(48) + `"`), false},
		"sha384 of 32 bytes":                {digests(`"sha384":"` + hexes(32) + `"`), false},
		"sha512 of 32 bytes":                {digests(`"sha512":"` + hexes(32) + `"`), false},
		"dirHash1 of 64 bytes":              {digests(`"dirHash1":"` + hexes(64) + `"`), false},
		"dirHash1 with h1:":                 {digests(`"dirHash1":"h1:` + hexes(32) + `"`), false},
		"goModuleH1 in base64":              {digests(`"goModuleH1":"h1:ICeL3t2L30ljSPHHxDnR4fqVcBt/zR2zJAb9juavmQg="`), false},
		"no hex":                            {digests(`"sha256":"` + strings.Repeat("zz", 32) + `"`), false},
		"a good digest and a bad one":       {digests(`"sha256":"` + hexes(32) + `","sha512":""`), false},
		"algorithm in upper case":           {digests(`"SHA256":"` + hexes(32) + `"`), false},
		"a digest that is a number":         {digests(`"sha256":5`), false},
		"a second subject with a bad value": {plainStatement(subject("a", `"sha256":"`+hexes(32)+`"`) + "," + subject("b", `"sha256":"x"`)), false},
	} {
		s, err := says(c.payload)
		if s != nil || err == nil || errors.Is(err, evidence.ErrUnsupported) != c.unsupported || len(err.Error()) > 300 {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}

	for range 50 { // protojson puts its white space where it likes
		if _, err := says("{"); err.Error() != "the envelope does not hold an in-toto statement" {
			t.Fatalf("message %q", err)
		}
	}
}

// Property: a statement has up to 1024 subjects and each up to 32 digests, those
// that are not read included.
func TestStatementLimits(t *testing.T) {
	subjects := func(n int) string {
		one := subject("a", `"sha256":"`+hexes(32)+`"`)
		return plainStatement(strings.TrimSuffix(strings.Repeat(one+",", n), ","))
	}
	digests := func(n int) string {
		d := `"sha256":"` + hexes(32) + `"`
		for i := range n - 1 {
			d += fmt.Sprintf(`,"other%d":"x"`, i)
		}
		return plainStatement(subject("a", d))
	}
	for name, c := range map[string]struct {
		payload string
		ok      bool
	}{
		"1024 subjects": {subjects(1024), true}, "1025 subjects": {subjects(1025), false},
		"32 digests": {digests(32), true}, "33 digests": {digests(33), false},
	} {
		if _, err := says(c.payload); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Property: a statement whose first subject has only digests that are not read,
// or only an h1, verifies all the same.
func TestStatementsThatVerify(t *testing.T) {
	alice := testlog.NewSigner("alice")
	for name, subjects := range map[string][]testlog.Subject{
		"h1 alone":                    {{Name: "a", Digest: map[string]string{"dirHash1": hexes(32)}}},
		"older h1 alone":              {{Name: "a", Digest: map[string]string{"goModuleH1": hexes(32)}}},
		"sha384 alone":                {{Name: "a", Digest: map[string]string{"sha384": hexes(48)}}},
		"sha512 alone":                {{Name: "a", Digest: map[string]string{"sha512": hexes(64)}}},
		"first one of another digest": {{Name: "c", Digest: map[string]string{"gitCommit": "abcd"}}, {Name: "a", Digest: map[string]string{"sha256": hexes(32)}}},
		"no names":                    {{Digest: map[string]string{"sha256": hexes(32)}}},
	} {
		s := newSite(t, alice)
		e := alice.Envelope(testlog.Statement("p", subjects...))
		for _, kind := range statements() {
			b := map[string][]byte{dsseV1: alice.DSSE(e), intotoV1: alice.Intoto(e), dsseV2: alice.DSSEV2(e)}[kind]
			if _, err := s.verify(s.entry(kind, b, e, e.Signature)); err != nil {
				t.Errorf("%s, %s: %v", kind, name, err)
			}
		}
	}
}

// Property: a name means a module if it is path@version or the package URL of
// it; nothing else does, however near it comes.
func TestNamesModule(t *testing.T) {
	m := func(path, version string) module.Version { return module.Version{Path: path, Version: version} }
	plain, upper, incompatible := m("example.com/a/b", "v1.2.3"), m("github.com/Azure/Go", "v1.0.0"), m("example.com/x", "v2.0.0+incompatible")
	for _, c := range []struct {
		name string
		m    module.Version
		want bool
	}{
		{"example.com/a/b@v1.2.3", plain, true},
		{"pkg:golang/example.com/a/b@v1.2.3", plain, true},
		{"pkg:golang/example.com%2Fa%2Fb@v1.2.3", plain, true},
		{"pkg:golang/example.com/a%2Fb@v1.2.3", plain, true},
		{"pkg:golang/example.com/a/b@v1.2.3?type=module", plain, true},
		{"pkg:golang/example.com/a/b@v1.2.3?goos=linux&goarch=arm64", plain, true},
		{"pkg:golang/single@v1.0.0", m("single", "v1.0.0"), true},
		{"pkg:golang/github.com/Azure/Go@v1.0.0", upper, true},
		{"pkg:golang/github.com/azure/go@v1.0.0", upper, true},
		{"github.com/Azure/Go@v1.0.0", upper, true},
		{"github.com/azure/go@v1.0.0", upper, false},
		{"pkg:golang/example.com/x@v2.0.0%2Bincompatible", incompatible, true},
		{"pkg:golang/example.com/x@v2.0.0+incompatible", incompatible, true},
		{"example.com/x@v2.0.0+incompatible", incompatible, true},
		{"example.com/x@v2.0.0", incompatible, false},
		{"pkg:golang/example.com/x@v2.0.0", incompatible, false},

		{"", plain, false},
		{"example.com/a/b", plain, false},
		{"example.com/a/b@", plain, false},
		{"example.com/a/b@v1.2.4", plain, false},
		{"example.com/a/b@v1.2", plain, false},
		{"example.com/a/b@1.2.3", plain, false},
		{"example.com/a@v1.2.3", plain, false},
		{"example.com/a/b/c@v1.2.3", plain, false},
		{" example.com/a/b@v1.2.3", plain, false},
		{"example.com/a/b@v1.2.3\n", plain, false},
		{"https://example.com/a/b@v1.2.3", plain, false},
		{"pkg:golang/example.com/a/b", plain, false},
		{"pkg:golang/example.com/a/b@v1.2.4", plain, false},
		{"pkg:golang/example.com/a/b@1.2.3", plain, false},
		{"pkg:golang/example.com/a/c@v1.2.3", plain, false},
		{"pkg:golang/example.com/a@v1.2.3", plain, false},
		{"pkg:golang/example.com/a/b@v1.2.3#sub/package", plain, false},
		{"pkg:npm/example.com/a/b@v1.2.3", plain, false},
		{"pkg:generic/example.com/a/b@v1.2.3", plain, false},
		{"pkg:github/example.com/a/b@v1.2.3", plain, false},
		{"pkg:golang/example.com/a/b@v1.2.3", m("example.com/a/b", ""), false},
		{"pkg:golang/example.com/a/%zz@v1.2.3", plain, false},
		{"pkg:", plain, false},
		{"pkg:golang", plain, false},
		{"golang/example.com/a/b@v1.2.3", plain, false},
	} {
		if got := evidence.NamesModule(c.name, c.m); got != c.want {
			t.Errorf("%q names %s: %t", c.name, c.m, got)
		}
	}
}

// Property: a digest has one form: algorithm, colon, lower-case hex of its
// length.
func TestParseDigest(t *testing.T) {
	for _, good := range []string{"sha256:" + hexes(32), "sha384:" + hexes(48), "sha512:" + hexes(64)} {
		d, err := evidence.ParseDigest(good)
		if err != nil || d.String() != good {
			t.Errorf("%s: %s, %v", good, d, err)
		}
	}
	for _, bad := range []string{
		"", ":", "sha256", "sha256:", hexes(32), "sha1:" + hexes(20), "SHA256:" + hexes(32), "sha256:" + strings.ToUpper(hexes(32)), "sha256:" + hexes(31), "sha256:" + hexes(33),
		"sha256:" + hexes(31) + "5", "sha512:" + hexes(32), "sha256:0x" + hexes(31), "sha256: " + hexes(32), "sha256:" + hexes(32) + " ", "sha256:" + strings.Repeat("z", 64), "md5:\x1b[2J" + hexes(100),
	} {
		if d, err := evidence.ParseDigest(bad); err == nil || d != (evidence.Digest{}) || strings.ContainsRune(err.Error(), '\x1b') || len(err.Error()) > 300 {
			t.Errorf("%q: %v, %v", bad, d, err)
		}
	}
	sum := [32]byte{1, 2}
	if d := evidence.SHA256(sum); d.Hex != hex.EncodeToString(sum[:]) || d.Algorithm != "sha256" {
		t.Errorf("%v", d)
	}
}
