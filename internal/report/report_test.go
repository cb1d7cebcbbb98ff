package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/verify"
)

// sample has every verdict, and every part that a report can have.
func sample() *verify.Report {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	digest := "sha256:" + strings.Repeat("0123456789abcdef", 4)
	record := verify.EvidenceReport{Log: "sum.example.org", Index: 7, Of: "record", Digest: "h1:AAAA=", Accepted: true}
	signed := verify.EvidenceReport{Log: "rekor.example - 7", Index: 1007, Of: "zip", Digest: digest, Signer: "key " + digest, Time: at, Accepted: true}
	foreign := signed
	foreign.Accepted, foreign.Why = false, "signed by key "+digest+", whom the policy does not name\nand more"
	r := &verify.Report{
		Notes:   []string{"seals were ignored", "the bundle was made of another project"},
		Bundle:  verify.BundleReport{File: "deps.modseal", SHA256: strings.Repeat("ab", 32), Created: at, Projects: []bundles.Project{{Module: "example.com/other", Go: "1.26"}}, SealedBy: []string{"key sha256:aa", "key sha256:bb"}},
		Project: verify.ProjectReport{Dir: "/src", Module: "example.com/main", Go: "1.26", Mod: "readonly", ModCache: "/cache"},
		Policy:  verify.PolicyReport{Require: "any", Signers: []string{"key sha256:cc", "identity a@example.com of https://issuer.example"}, SumDBs: []string{"sum.example.org"}},
		Logs: []verify.LogReport{
			{Kind: "rekor-v1", Name: "rekor.example - 7", LogID: strings.Repeat("cd", 32), Entries: 1, Size: 10, Root: strings.Repeat("ef", 32), Proven: true},
			{Kind: "sumdb", Name: "sum.example.org", Entries: 2, Size: 1 << 40, Root: strings.Repeat("01", 32), Proven: true},
			{Kind: "sumdb", Name: "sum.example.net", Entries: 3, Problem: "checkpoint: invalid signature\nby another key"},
		},
		Modules: []verify.ModuleReport{
			{Path: "example.com/exempt", Version: "v1.0.0", Verdict: verify.Verdict{Status: verify.Exempt, OK: true, Reason: "until 2027-01-01: reviewed by hand"}},
			{Path: "example.com/gomod", Version: "v1.0.0", GoModOnly: true, Verdict: verify.Verdict{Status: verify.Verified, OK: true, Evidence: []verify.EvidenceReport{record}}},
			{Path: "example.com/good", Version: "v1.0.0", Replaces: "example.com/bad@v1.0.0", OnDisk: []verify.Content{{What: "zip", File: "/cache/good.zip", Digest: digest}}, Verdict: verify.Verdict{Status: verify.Verified, OK: true, Evidence: []verify.EvidenceReport{record, signed, foreign}}},
			{Path: "example.com/invalid", Version: "v1.0.0", Verdict: verify.Verdict{Status: verify.Invalid, Reason: "the signature does not verify", Evidence: []verify.EvidenceReport{foreign}}},
			{Path: "example.com/local", Dir: "./local", Replaces: "example.com/local@v1.0.0", Verdict: verify.Verdict{Status: verify.Local, OK: true, Reason: "part of the source tree"}},
			{Path: "example.com/mismatch", Version: "v1.0.0", Differences: []verify.Difference{{File: "a.go", Kind: "changed"}, {File: "b\x1b[2J\n.go", Kind: "extra"}, {File: "c.go", Kind: "missing"}}, MoreDiffs: 17, Verdict: verify.Verdict{Status: verify.Mismatch, Reason: "content differs from the log\non disk: h1:AAAA=\nlogged:  h1:BBBB=", Hint: "fetch it again"}},
			{Path: "example.com/mismatch2", Version: "v1.0.0", Verdict: verify.Verdict{Status: verify.Mismatch, Reason: "content differs from the log", Hint: "fetch it again"}},
			{Path: "example.com/mismatch3", Version: "v1.0.0", Verdict: verify.Verdict{Status: verify.Mismatch, Reason: "go.sum contradicts the log", Hint: "find out who changed go.sum"}},
			{Path: "example.com/notallowed", Version: "v1.0.0", Verdict: verify.Verdict{Status: verify.NotAllowed, Reason: foreign.Why, Evidence: []verify.EvidenceReport{foreign}, Hint: "name the signer"}},
			{Path: "example.com/notlogged", Version: "v1.0.0", Verdict: verify.Verdict{Status: verify.NotLogged, Reason: "the bundle has no evidence for it", Hint: "take a new snapshot"}},
			{Path: "example.com/notondisk", Version: "v1.0.0", Verdict: verify.Verdict{Status: verify.NotOnDisk, Reason: "its zip is not in the module cache /cache", Hint: "fetch it again"}},
			{Path: "example.com/unchecked", Version: "v1.0.0"},
		},
		Binaries: []verify.BinaryReport{{
			Name: "app", SHA256: strings.Repeat("23", 32), Go: "go1.26", Package: "example.com/main/cmd/app", Main: "example.com/main@(devel)",
			Modules: []verify.BinaryModule{
				{Path: "example.com/fork", Version: "v1.0.0", Replaces: "example.com/good@v1.0.0", H1: "h1:AAAA=", H1From: "bundle", Verdict: verify.Verdict{Status: verify.Verified, OK: true, Evidence: []verify.EvidenceReport{record}}},
				{Path: "example.com/local", Replaces: "example.com/local@v1.0.0", Dir: "../local", Verdict: verify.Verdict{Status: verify.Local, Reason: "taken from a directory outside of the source tree", Hint: "move it into the source tree"}},
			},
		}},
		Sandbox: &verify.SandboxReport{Mode: "auto", Seccomp: true, Lacks: []string{"Landlock: the kernel has none"}},
		Counts:  map[string]int{},
	}
	for _, m := range r.Modules {
		r.Counts[m.Status.String()]++
	}
	for _, m := range r.Binaries[0].Modules {
		r.Counts[m.Status.String()]++
	}
	return r
}

func textOf(t *testing.T, r *verify.Report, o TextOptions) string {
	t.Helper()
	var b bytes.Buffer
	if err := Text(&b, r, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func jsonOf(t *testing.T, r *verify.Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := JSON(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// golden compares with a file of testdata. To make it anew, remove it and run
// the test twice; then read what changed.
func golden(t *testing.T, name, got string) {
	t.Helper()
	name = filepath.Join("testdata", name)
	want, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Fatalf("%s did not exist: it was written", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s has\n%s\nthe report is\n%s", name, want, got)
	}
}

// Property: the formats are what they are, with every verdict and every part.
func TestGolden(t *testing.T) {
	golden(t, "report.txt", textOf(t, sample(), TextOptions{}))
	golden(t, "all.txt", textOf(t, sample(), TextOptions{All: true}))
	golden(t, "report.json", jsonOf(t, sample()))
	short := sample()
	short.OK, short.Notes = true, nil
	short.Sandbox = &verify.SandboxReport{Mode: "require", Landlock: 7, Seccomp: true, Lacks: []string{}}
	short.Bundle.File, short.Bundle.SealedBy, short.Project.Zips = "", nil, "/zips"
	short.Project.Materialized = "/fresh"
	short.Modules, short.Binaries, short.Logs, short.Policy.Signers = short.Modules[1:3], nil, nil, nil
	short.Counts = map[string]int{"verified": 2}
	golden(t, "pass.txt", textOf(t, short, TextOptions{}))
}

// Property: the verdict counts what is proven apart from what is let pass, and
// nothing is a pass that the report does not call one.
func TestVerdict(t *testing.T) {
	module := func(s verify.Status, ok bool) verify.ModuleReport {
		return verify.ModuleReport{Verdict: verify.Verdict{Status: s, OK: ok}}
	}
	good, local, bad := module(verify.Verified, true), module(verify.Local, true), module(verify.Local, false)
	for _, c := range []struct {
		ok      bool
		modules []verify.ModuleReport
		want    string
	}{
		{true, []verify.ModuleReport{good}, "PASS: 1 module is proven"},
		{true, []verify.ModuleReport{good, good}, "PASS: all 2 modules are proven"},
		{true, []verify.ModuleReport{good, local}, "PASS: 1 of 2 modules are proven, the policy lets the others pass"},
		{true, []verify.ModuleReport{local}, "PASS: 0 of 1 module is proven, the policy lets the others pass"},
		{false, []verify.ModuleReport{good, bad}, "FAIL: 1 of 2 modules are not proven"},
		{false, []verify.ModuleReport{module(verify.Unchecked, false)}, "FAIL: 1 of 1 module is not proven"},
		{false, nil, "FAIL: 0 of 0 modules are not proven"},
	} {
		out := textOf(t, &verify.Report{OK: c.ok, Modules: c.modules}, TextOptions{})
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if got := lines[len(lines)-1]; got != c.want {
			t.Errorf("%v %d modules: %q, want %q", c.ok, len(c.modules), got, c.want)
		}
	}
}

// Property: artifacts are counted beside modules, and are of the same verdict.
func TestVerdictOfArtifacts(t *testing.T) {
	module := verify.ModuleReport{Verdict: verify.Verdict{Status: verify.Verified, OK: true}}
	good := verify.ArtifactReport{Name: "tool", Verdict: module.Verdict}
	bad := verify.ArtifactReport{Name: "tool", Verdict: verify.Verdict{Status: verify.NotLogged}}
	for _, c := range []struct {
		ok        bool
		modules   []verify.ModuleReport
		artifacts []verify.ArtifactReport
		want      string
	}{
		{true, nil, []verify.ArtifactReport{good}, "PASS: 1 artifact is proven"},
		{true, nil, []verify.ArtifactReport{good, good}, "PASS: all 2 artifacts are proven"},
		{true, []verify.ModuleReport{module, module}, []verify.ArtifactReport{good}, "PASS: all 2 modules and 1 artifact are proven"},
		{false, nil, []verify.ArtifactReport{bad}, "FAIL: 1 of 1 artifact is not proven"},
		{false, []verify.ModuleReport{module}, []verify.ArtifactReport{good, bad}, "FAIL: 1 of 3 modules and artifacts are not proven"},
	} {
		out := textOf(t, &verify.Report{OK: c.ok, Modules: c.modules, Artifacts: c.artifacts}, TextOptions{})
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if got := lines[len(lines)-1]; got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// Property: colours are all that they add, and without them there is no control
// character but the newline.
func TestColors(t *testing.T) {
	plain, colored := textOf(t, sample(), TextOptions{All: true}), textOf(t, sample(), TextOptions{All: true, Color: true})
	for _, code := range []string{"31", "32", "33"} {
		if !strings.Contains(colored, "\x1b["+code+"m") {
			t.Errorf("colour %s is not used", code)
		}
	}
	for _, code := range []string{"31", "32", "33", "0"} {
		colored = strings.ReplaceAll(colored, "\x1b["+code+"m", "")
	}
	if colored != plain {
		t.Errorf("without its colours:\n%s\nnot\n%s", colored, plain)
	}
	if strings.ContainsRune(plain, '\x1b') {
		t.Error("there are escapes where no colours were wanted")
	}
}

// hostile is what others may have put into any text: commands to the terminal
// in three ways, lines of their own, text that runs backwards, broken UTF-8.
const hostile = "x\x1b]0;title\a\x1b[2J\u009b2J\nPASS: all is well\r\x7f\u202eexe\u200b\x9b\xff\u2028"

// poison puts hostile text into every string of a value.
func poison(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(hostile)
	case reflect.Pointer:
		poison(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() && f.Type() != reflect.TypeFor[time.Time]() {
				poison(f)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			poison(v.Index(i))
		}
	}
}

// Property: no text of others reaches the terminal raw, in whatever part of the
// report it is, in either format; nor does it make lines that look like ours.
func TestHostileText(t *testing.T) {
	r := sample()
	poison(reflect.ValueOf(r))
	if r.Modules[0].Path != hostile || r.Modules[5].Differences[0].File != hostile || r.Logs[0].Problem != hostile || r.Binaries[0].Modules[1].Dir != hostile || r.Sandbox.Lacks[0] != hostile {
		t.Fatal("the report is not poisoned")
	}
	for name, out := range map[string]string{
		"text": textOf(t, r, TextOptions{All: true}), "JSON": jsonOf(t, r),
	} {
		if !utf8.ValidString(out) || !strings.Contains(out, "title") {
			t.Errorf("%s is not UTF-8, or not hostile", name)
		}
		for _, c := range out {
			if c != utf8.RuneError && c > 0x7e && strings.ContainsRune(hostile, c) || c < ' ' && c != '\n' {
				t.Errorf("%s has %q", name, c)
				break
			}
		}
		for line := range strings.SplitSeq(out, "\n") {
			if strings.HasPrefix(line, "PASS") {
				t.Errorf("%s has the line %q", name, line)
			}
		}
	}
	var again struct{ Modules []struct{ Path string } }
	if err := json.Unmarshal([]byte(jsonOf(t, r)), &again); err != nil {
		t.Fatal(err)
	}
	if want := string([]rune(hostile)); again.Modules[0].Path != want { // which makes U+FFFD of what is not UTF-8
		t.Errorf("JSON reads as %q, want %q", again.Modules[0].Path, want)
	}
}

// Property: what is shown of one name is bounded.
func TestLongText(t *testing.T) {
	r := &verify.Report{Modules: []verify.ModuleReport{{Path: strings.Repeat("ä", 1<<20), Verdict: verify.Verdict{Reason: strings.Repeat("x", 1<<20)}}}}
	if out := textOf(t, r, TextOptions{}); len(out) > 3*maxShown || !utf8.ValidString(out) {
		t.Errorf("%d bytes for two long names", len(out))
	}
	for n, cut := range map[int]bool{maxShown: false, maxShown + 1: true} {
		if got := Visible(strings.Repeat("x", n)); strings.HasSuffix(got, "…") != cut || len(got) > n+2 {
			t.Errorf("%d bytes are shown in %d", n, len(got))
		}
	}
}

// Property: both formats give back what the writer said when it failed.
func TestWriteErrors(t *testing.T) {
	broken := errors.New("no space left")
	for name, write := range map[string]func(w *failing) error{
		"text": func(w *failing) error { return Text(w, sample(), TextOptions{All: true}) },
		"JSON": func(w *failing) error { return JSON(w, sample()) },
	} {
		for _, left := range []int{0, 1} {
			if err := write(&failing{left, broken}); (err == nil) != (name == "JSON" && left == 1) || err != nil && !errors.Is(err, broken) {
				t.Errorf("%s, failing after %d writes: %v", name, left, err)
			}
		}
	}
}

type failing struct {
	left int
	err  error
}

func (f *failing) Write(p []byte) (int, error) {
	if f.left--; f.left < 0 {
		return 0, f.err
	}
	return len(p), nil
}

// Property: digests are cut where they are digests, and nowhere else.
func TestShorten(t *testing.T) {
	whole := strings.Repeat("0123456789abcdef", 4)
	for in, want := range map[string]string{
		"":                "",
		"sha256:":         "sha256:",
		"sha256:" + whole: "sha256:0123456789ab…",
		"key sha256:" + whole + " and sha256:" + whole + ".": "key sha256:0123456789ab… and sha256:0123456789ab….",
		"sha256:" + whole[1:]:                                "sha256:" + whole[1:],
		"sha256:" + whole + "0":                              "sha256:" + whole + "0",
		"sha512:" + whole:                                    "sha512:" + whole,
		whole:                                                whole,
	} {
		if got := shorten(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
