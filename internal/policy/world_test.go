package policy_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/internal/testlog"
)

// keyFile reads the key of whoever a file NAME.pub is named after.
func keyFile(name string) ([]byte, error) {
	who, ok := strings.CutSuffix(filepath.Base(name), ".pub")
	if !ok {
		return nil, fmt.Errorf("%s: no such file", name)
	}
	return testlog.NewSigner(who).PEM, nil
}

func parse(t testing.TB, file string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse("policy.yaml", []byte(file), keyFile)
	if err != nil {
		t.Fatalf("%v\n%s", err, file)
	}
	return p
}

// now is the moment of judging in these tests.
var now = time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)

func at(date string) time.Time {
	d, err := time.Parse("2006-01-02", date)
	if err != nil {
		panic(err)
	}
	return d
}

func mod(path string) policy.Subject {
	return policy.Subject{Module: module.Version{Path: path, Version: "v1.0.0"}}
}

// Pieces of evidence are told in words, so that a table of decisions is read
// like docs/policy.md: "listing by alice in A at 2026-01-02 cosigned w1,w2".
// By KEY; by SUBJECT@…#REF, a certificate of the issuer in these tests; or by
// REPO/FILE.yml@REF, one for a GitHub workflow.
func piece(t testing.TB, words string) policy.Evidence {
	t.Helper()
	f := strings.Fields(words)
	e := policy.Evidence{Of: f[0], Log: policy.Log{Kind: "rekor", Name: "A", ID: "id-A"}}
	if e.Of == policy.OfRecord {
		e.Log = policy.Log{Kind: "sumdb", Name: "sum.golang.org"}
	}
	e.NamesSubject = e.Of == policy.OfStatement
	for i := 1; i+1 < len(f); i += 2 {
		switch v := f[i+1]; f[i] {
		case "by":
			if file, ref, ok := strings.Cut(v, ".yml@"); ok { // a GitHub workflow
				repo, name, _ := strings.Cut(file, "/")
				s := summary("https://github.com/example/"+repo+"/.github/workflows/"+name+".yml@"+ref, "https://token.actions.githubusercontent.com")
				s.SourceRepositoryOwnerURI, s.SourceRepositoryRef = "https://github.com/example", ref
				e.By.Certificate = &s
			} else if strings.ContainsAny(v, "@:") {
				subject, ref, _ := strings.Cut(v, "#")
				s := summary(subject, issuer)
				s.SourceRepositoryRef = ref
				e.By.Certificate = &s
			} else {
				e.By.Key = key(t.(*testing.T), v)
			}
		case "in":
			e.Log.Name = v
			if e.Of != policy.OfRecord {
				e.Log.ID = "id-" + v
			}
		case "at":
			e.Time = at(v)
		case "type":
			e.PredicateType = v
		case "naming":
			e.NamesSubject = v == "it"
		case "cosigned":
			e.Witnesses = strings.Split(v, ",")
		default:
			t.Fatalf("%q in %q", f[i], words)
		}
	}
	return e
}

func pieces(t testing.TB, words ...string) []policy.Evidence {
	t.Helper()
	var out []policy.Evidence
	for _, w := range words {
		out = append(out, piece(t, w))
	}
	return out
}
