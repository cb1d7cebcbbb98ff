package policy_test

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"

	"github.com/modseal/modseal/internal/policy"
)

// vkey makes a verifier key of a witness; the key's bytes are those of a seed.
func vkey(name string, alg byte, seed string) string {
	k := sha256.Sum256([]byte(seed))
	key := append([]byte{alg}, k[:]...)
	h := sha256.Sum256(append([]byte(name+"\n"), key...))
	return fmt.Sprintf("%s+%x+%s", name, h[:4], base64.StdEncoding.EncodeToString(key))
}

// head is the beginning of policies whose rules are at fault.
const head = `version: 1
signers:
  alice: {key: alice.pub}
  bob: {identity: bob, issuer: i}
  bob-main: {identity: bob, issuer: i, source-ref: main}
rules:
`

// Property: what is wrong with a policy is an error that says where, in file and
// line, and what.
func TestParseRefuses(t *testing.T) {
	sumdb := "version: 1\nrules: [{modules: m, require: sumdb}]\n"
	signer := func(s string) string {
		return "version: 1\nsigners:\n  a: " + s + "\nrules: [{modules: m, require: {signed-by: a}}]\n"
	}
	require := func(s string) string {
		return head + "  - modules: first.example\n    require: {signed-by: [alice, bob, bob-main]}\n  - modules: example.com\n    require: " + s + "\n"
	}
	modules := func(s string) string { return "version: 1\nrules:\n  - require: sumdb\n    modules: " + s + "\n" }
	witness := func(v, use string) string {
		return head + "  - {modules: m, require: {signed-by: [alice, bob, bob-main], witnesses: " + use + "}}\nwitnesses:\n  w1: {vkey: " + vkey("w1", 4, "1") + "}\n  w2: {vkey: " + v + "}\n"
	}
	w2 := vkey("w2", 4, "2")
	for _, c := range []struct{ file, want string }{
		// YAML
		{"", "1: an empty policy"},
		{"# nothing\n", "1: an empty policy"},
		{"---\n", "1: an empty policy"},
		{"~\n", "1: an empty policy"},
		{"[]\n", "1: policy: want a mapping"},
		{"{}\n", "1: policy: empty"},
		{"version: 1\n\tx: 1\n", "2: found a tab character"},
		{"version: [\n", "did not find expected node content"},
		{"version: 1\n\xff\n", "2: not UTF-8"},
		{"version: 1\nx: \"\\x1b[31m\"\n", "2: a control character"},
		{sumdb + "---\nversion: 1\n", "3: a second YAML document"},
		{sumdb + "---\n[\n", "did not find expected node content"},
		{sumdb + "local: &x deny\n", "3: a YAML anchor (\"x\")"},
		{"a: &x [1]\nb: *x\n", "1: a YAML anchor (\"x\")"},
		{"a: 1\nb: *x\n", "2: unknown anchor 'x'"},
		{"a: &a [&b [x], *b]\n", "1: a YAML anchor"},
		{sumdb + "local: !!str deny\n", "3: a YAML tag (\"!!str\")"},
		{sumdb + "local: !x deny\n", "3: a YAML tag (\"!x\")"},
		{sumdb + "<<: {local: deny}\n", `3: policy: unknown key "<<"`},
		{sumdb + "? [a]\n: b\n", "3: policy: a key is a word"},
		{sumdb + "~: b\n", "3: policy: a key is a word"},
		{strings.Repeat("[", 33), "1: exceeded max depth of 32"},
		{strings.Repeat("{a: ", 33), "1: exceeded max depth of 32"},
		{sumdb + "local: deny\n\nlocal: deny\n", `5: policy: "local" is there twice; the first is in line 3`},
		{sumdb + "locals: deny\n", `3: policy: unknown key "locals"; the keys are version, signers`},
		{strings.Repeat("#", policy.MaxFile) + "\n", "more than 1048576 bytes"},

		// the file
		{"rules: [{modules: m, require: sumdb}]\n", "1: no version"},
		{"version: 2\nrules: [{modules: m, require: sumdb}]\n", `1: version "2"`},
		{"version: 1.0\nrules: [{modules: m, require: sumdb}]\n", `1: version "1.0"`},
		{"version:\nrules: [{modules: m, require: sumdb}]\n", `1: version ""`},
		{"version: [1]\nrules: [{modules: m, require: sumdb}]\n", `1: version ""`},
		{"version: 1\n", "1: no rules"},
		{"version: 1\nrules: []\n", "2: rules: an empty list"},
		{"version: 1\nrules:\n", "2: rules: want a list"},
		{"version: 1\nrules: sumdb\n", "2: rules: want a list"},
		{"version: 1\nrules: [" + strings.Repeat("{},", 1001) + "]\n", "2: rules: more than 1000"},
		{sumdb + "local: yes\n", `3: local: "yes" is neither in-tree nor deny`},

		// signers
		{signer("{}"), "3: signer a: empty"},
		{signer("alice.pub"), "3: signer a: want a mapping"},
		{signer("{key: }"), "3: signer a: key: empty"},
		{signer("{key: other.txt}"), "3: signer a: other.txt: no such file"},
		{signer("{key: huge.pub}"), "3: signer a: more than 65536 bytes"},
		{signer("{key: junk.pub}"), "3: signer a: junk.pub: not a PEM file"},
		{signer("{key: \"-----BEGIN X-----\"}"), "3: signer a: not a PEM file"},
		{signer("{key: [alice.pub]}"), "3: signer a: key: want a word"},
		{signer("{key: alice.pub, issuer: i}"), "3: signer a: a key is all"},
		{signer("{key: alice.pub, source-ref: i}"), "3: signer a: a key is all"},
		{signer("{identity: x}"), "3: signer a: a certificate identity takes either the OIDC issuer"},
		{signer("{issuer: x}"), "3: signer a: a certificate identity takes either the identity"},
		{signer("{identity: x, identity-regexp: x, issuer: x}"), "3: signer a: a certificate identity takes either the identity"},
		{signer("{identity: '', issuer: x}"), "3: signer a: identity: empty"},
		{signer("{identity-regexp: '(', issuer: x}"), "3: signer a: error parsing regexp"},
		{signer("{identity-regexp: 'a)|(b', issuer: x}"), "3: signer a: error parsing regexp"},
		{signer("{identity: x, issuer: x, source-ref-regexp: '('}"), "3: signer a: error parsing regexp"},
		{signer("{identity: x, issuer: x, source-ref: a, source-ref-regexp: a}"), "3: signer a: either source-ref or source-ref-regexp"},
		{signer("{identity: x, issuer: x, source-ref: ''}"), "3: signer a: source-ref: empty"},
		{signer("{identity: x, issuer: x, source_ref: y}"), `3: signer a: unknown key "source_ref"`},
		{signer("{identity: x, issuer: x}\n  a: {key: a.pub}"), `4: signers: "a" is there twice; the first is in line 3`},
		{signer("{identity: x, issuer: x}\n  b: {key: a.pub}"), `4: signer "b": no rule names it, nor does seal`},
		{signer("{key: a.pub}\n  b: {key: dir/a.pub}"), `4: signer "b" is the same as "a"`},
		{signer("{identity: x, issuer: y}\n  b: {issuer: y, identity: x}"), `4: signer "b" is the same as "a"`},
		{signer("{key: a.pub}\n  all: {key: b.pub}"), `4: signer "all": a name has`},
		{signer("{key: a.pub}\n  'b c': {key: b.pub}"), `4: signer "b c": a name has`},
		{signer("{key: a.pub}\n  " + strings.Repeat("b", 65) + ": {key: b.pub}"), ": a name has up to 64"},
		{"version: 1\nsigners: {}\nrules: [{modules: m, require: sumdb}]\n", "2: signers: empty"},

		// rules
		{modules("''"), "4: rule 1: modules: empty"},
		{modules("[m]"), "4: rule 1: modules: want a word"},
		{modules("a,"), `4: rule 1: pattern "" is empty`},
		{modules("/"), `4: rule 1: pattern "/" is empty`},
		{modules("a, b"), `4: rule 1: pattern " b" has white space`},
		{modules("'['"), `4: rule 1: pattern "[" is no pattern`},
		{modules("'a,b[c'"), `4: rule 1: pattern "b[c" is no pattern`},
		{modules("'a\\'"), `is no pattern`},
		{modules("example.com/..."), `pattern "example.com/..." matches nothing`},
		{modules("https://example.com"), `matches nothing; module paths`},
		{modules("/example.com"), `matches nothing; module paths`},
		{modules("example.com//a"), `matches nothing; module paths`},
		{modules("example.com/a@latest"), `4: rule 1: `},
		{modules("'*@v1.0.0'"), `4: rule 1: `},
		{modules("example.com/a/v2@v1.0.0"), `4: rule 1: `},
		{"version: 1\nrules: [{require: sumdb}]\n", "2: rule 1: either modules or artifacts"},
		{"version: 1\nrules: [{modules: m, artifacts: a, require: sumdb}]\n", "2: rule 1: either modules or artifacts"},
		{"version: 1\nrules: [{modules: m}]\n", "2: rule 1: either require, or deny"},
		{"version: 1\nrules: [{modules: m, require: sumdb, deny: x}]\n", "2: rule 1: either require, or deny"},
		{"version: 1\nrules: [{modules: m, deny: }]\n", "2: rule 1: deny: empty"},
		{"version: 1\nrules: [{artifacts: '[', deny: x}]\n", `2: rule 1: "[" is no pattern`},
		{"version: 1\nrules: [{artifacts: a, require: sumdb}]\n", "2: rule 1: checksum databases have no records of artifacts"},
		{"version: 1\nrules: [{artifacts: a, require: {any-of: [{sumdb: x}]}}]\n", "2: rule 1: checksum databases have no records of artifacts"},
		{sumdb + "exempt: [{modules: m}]\n", "3: exemption 1: needs a reason"},
		{"version: 1\nrules:\n- {modules: \"*\", require: sumdb}\n- {modules: m, require: sumdb}\n", "4: rule 2 is never reached: rule 1 (line 3)"},
		{"version: 1\nrules:\n- {modules: \"a,b/*\", require: sumdb}\n- {modules: \"b/*\", require: sumdb}\n", "4: rule 2 is never reached"},
		{"version: 1\nrules:\n- {modules: \"a,b/*,*.x\", require: sumdb}\n- {modules: \"a/x,b/y/z,a.x/m@v1.0.0\", require: sumdb}\n", "4: rule 2 is never reached"},
		{"version: 1\nrules:\n- {artifacts: x, deny: x}\n- {artifacts: x, deny: x}\n", "4: rule 2 is never reached"},

		// requirements
		{require("rekor"), `10: rule 2: require "rekor"; want sumdb, or one of`},
		{require(""), "10: rule 2: require \"\""},
		{require("[sumdb]"), "10: rule 2: require: want a mapping"},
		{require("{}"), "10: rule 2: require: empty"},
		{require("{threshold: 2}"), `10: rule 2: require "threshold"; want one of`},
		{require("{all-of: []}"), "10: rule 2: an empty list"},
		{require("{any-of: sumdb}"), "10: rule 2: want a list"},
		{require("{any-of: [sumdb], threshold: 1}"), `rule 2: any-of: unknown key "threshold"`},
		{require("{any-of: [sumdb], all-of: [sumdb]}"), "rule 2: any-of and all-of in one requirement"},
		{require("{sumdb: x, signed-by: alice}"), "rule 2: sumdb and signed-by in one requirement"},
		{require(strings.Repeat("{all-of: [", 8) + "sumdb" + strings.Repeat("]}", 8)), "10: rule 2: requirements nested more than 8 deep"},
		{require("{sumdb: []}"), "rule 2: sumdb: an empty list"},
		{require("{sumdb: }"), "rule 2: sumdb: empty"},
		{require("{sumdb: [x, x]}"), `rule 2: sumdb: "x" is there twice`},
		{require("{sumdb: x, logs: 2}"), "rule 2: logs: 2 of 1 databases can't be"},
		{require("{signed-by: []}"), "rule 2: signed-by: an empty list"},
		{require("{signed-by: eve}"), `rule 2: signed-by: no signer is named "eve"`},
		{require("{signed-by: [alice, alice]}"), `rule 2: signed-by: "alice" is there twice`},
		{require("{signed-by: [[alice]]}"), "rule 2: signed-by: want a word"},
		{require("{signed-by: alice, threshold: 0}"), "rule 2: threshold: 0; nothing would be needed"},
		{require("{signed-by: alice, threshold: -1}"), "rule 2: threshold: -1; nothing"},
		{require("{signed-by: alice, threshold: 2}"), "rule 2: threshold: 2 of 1 different signers can't be"},
		{require("{signed-by: [alice, bob, bob-main], threshold: 3}"), "rule 2: threshold: 3 of 2 different signers can't be"},
		{require("{signed-by: [alice, bob, bob-main], threshold: all}"), "rule 2: threshold: all 3 can't be there: some are one identity"},
		{require("{signed-by: alice, threshold: 0x1}"), `rule 2: threshold: "0x1" is no number`},
		{require("{signed-by: alice, threshold: +1}"), `rule 2: threshold: "+1" is no number`},
		{require("{signed-by: alice, threshold: }"), "rule 2: threshold: empty"},
		{require("{signed-by: alice, logs: 0}"), "rule 2: logs: 0"},
		{require("{signed-by: alice, logs: 1001}"), "rule 2: logs: 1001"},
		{require("{signed-by: alice, logs: all}"), "rule 2: all logs; say which with in"},
		{require("{signed-by: alice, in: [A, B], logs: 3}"), "rule 2: logs: 3 of 2 logs can't be"},
		{require("{signed-by: alice, of: record}"), `rule 2: of "record"; want zip, listing, statement or signature`},
		{require("{signed-by: alice, of: []}"), "rule 2: of: an empty list"},
		{require("{signed-by: alice, of: [zip, statement], predicate-types: x}"), "rule 2: predicate-types are of statements alone"},
		{require("{signed-by: alice, logged-after: 2026-01-01}"), `rule 2: logged-after "2026-01-01" is no moment`},
		{require("{signed-by: alice, logged-before: never}"), `rule 2: logged-before "never" is no moment`},
		{require("{signed-by: alice, logged-after: 0001-01-01T00:00:00Z}"), "is no moment"},
		{require("{signed-by: alice, logged-after: 2026-01-02T00:00:00Z, logged-before: 2026-01-02T00:00:00Z}"), "rule 2: nothing is logged at or after"},
		{require("{signed-by: alice, logged-within: 30}"), `rule 2: logged-within: "30" is no length of time`},
		{require("{signed-by: alice, logged-within: 0h}"), "is no length of time"},
		{require("{signed-by: alice, logged-within: -1h}"), "is no length of time"},
		{require("{signed-by: alice, logged_within: 1h}"), `rule 2: signed-by: unknown key "logged_within"`},

		// witnesses
		{witness(w2, "{of: [w1]}"), `10: witness "w2": no rule names it`},
		{witness(w2, "{of: [w1, w3]}"), `rule 1: witnesses: no witness is named "w3"`},
		{witness(w2, "{of: [w1, w1]}"), `is there twice`},
		{witness(w2, "{of: [w1, w2], threshold: 3}"), "rule 1: witnesses: threshold: 3 of 2 witnesses can't be"},
		{witness(w2, "{of: []}"), "rule 1: witnesses: of: an empty list"},
		{witness(w2, "{threshold: 1}"), "rule 1: witnesses: of whom?"},
		{witness(w2, "[w1]"), "rule 1: witnesses: want a mapping"},
		{witness(vkey("other", 4, "1"), "{of: [w1, w2]}"), "10: witness w2 has the key of another"},
		{witness(vkey("w2", 1, "2"), "{of: [w1, w2]}"), "a key of type 0x01 and 32 bytes"},
		{witness("w2", "{of: [w1, w2]}"), `10: witness w2: vkey "w2" is not NAME+HASH+KEY`},
		{witness("w2+00000000", "{of: [w1, w2]}"), "is not NAME+HASH+KEY"},
		{witness("+00000000+BAAA", "{of: [w1, w2]}"), "is not NAME+HASH+KEY"},
		{witness("w2+00000000+BAAA", "{of: [w1, w2]}"), "a key of type 0x04 and 2 bytes; want a witness's Ed25519 key"},
		{witness("w2+00000000+BA", "{of: [w1, w2]}"), "the key is not base64"},
		{witness("w2+00000000+", "{of: [w1, w2]}"), "the key is not base64"},
		{witness("x"+w2, "{of: [w1, w2]}"), "the hash of name and key is"},
		{witness("x}\n  w3: {vkeys: x", "{of: [w1, w2]}"), `10: witness w2: vkey "x"`},
		{witness("", "{of: [w1, w2]}"), "10: witness w2: empty"},
		{witness(w2+"}\n  w3: {name: x", "{of: [w1, w2]}"), `11: witness w3: unknown key "name"`},

		// exemptions
		{sumdb + "exempt: []\n", "3: exempt: an empty list"},
		{sumdb + "exempt:\n- {reason: x, until: 2026-01-01}\n", "4: exemption 1: either modules or artifacts"},
		{sumdb + "exempt:\n- {modules: m, until: 2026-01-01}\n", "4: exemption 1: needs a reason"},
		{sumdb + "exempt:\n- {modules: m, reason: x}\n", "4: exemption 1: needs a reason"},
		{sumdb + "exempt:\n- {modules: m, reason: '', until: 2026-01-01}\n", "4: exemption 1: reason: empty"},
		{sumdb + "exempt:\n- {modules: m, reason: \"x\\ny\", until: 2026-01-01}\n", "4: exemption 1: reason: more than one line"},
		{sumdb + "exempt:\n- {modules: m, reason: x, until: 2026-02-30}\n", `4: exemption 1: until "2026-02-30" is no day`},
		{sumdb + "exempt:\n- {modules: m, reason: x, until: never}\n", `4: exemption 1: until "never" is no day`},
		{sumdb + "exempt:\n- {modules: 'm[', reason: x, until: 2026-01-01}\n", "is no pattern"},

		// who may seal
		{sumdb + "seal: {threshold: 1}\n", "3: seal: by whom?"},
		{sumdb + "seal: {by: []}\n", "3: seal: by: an empty list"},
		{sumdb + "seal: {by: [x]}\n", `3: seal: by: no signer is named "x"`},
		{sumdb + "signers: {x: {key: x.pub}}\nseal: {by: [x], threshold: 2}\n", "4: seal: threshold: 2 of 1"},
		{sumdb + "signers: {x: {key: x.pub}}\nseal: {by: [x], max-age: forever}\n", `4: seal: max-age: "forever" is no length`},
		{sumdb + "signers: {x: {key: x.pub}}\nseal: {by: [x], max_age: 1h}\n", `4: seal: unknown key "max_age"`},
	} {
		p, err := policy.Parse("dir/p.yaml", []byte(c.file), func(name string) ([]byte, error) {
			switch filepath.Base(name) {
			case "huge.pub":
				return make([]byte, 64<<10+1), nil
			case "junk.pub":
				return []byte("junk"), nil
			}
			if !strings.HasPrefix(name, "dir"+string(filepath.Separator)) {
				return nil, errors.New("not beside the policy")
			}
			return keyFile(strings.TrimPrefix(name, "dir"+string(filepath.Separator)))
		})
		switch {
		case err == nil || p != nil:
			t.Errorf("accepted, want %q\n%.300s", c.want, c.file)
		case !strings.HasPrefix(err.Error(), "dir/p.yaml:") || !strings.Contains(err.Error(), c.want):
			t.Errorf("%v\nwant %q\n%.300s", err, c.want, c.file)
		}
	}
}

// Property: what is at a limit is accepted.
func TestParseLimits(t *testing.T) {
	signers, all := "", ""
	for i := range 1000 {
		signers += fmt.Sprintf("  s%d: {key: s%d.pub}\n", i, i)
		all += fmt.Sprintf("s%d,", i)
	}
	nested := strings.Repeat("{all-of: [", 7) + "sumdb" + strings.Repeat("]}", 7)
	file := "version: 1\nsigners:\n" + signers + "rules:\n  - {modules: a, require: {signed-by: [" + all + "], logs: 1000, threshold: all}}\n  - {modules: b, require: " + nested + "}\n" +
		strings.Repeat("#", policy.MaxFile)
	p := parse(t, file[:policy.MaxFile])
	if d := p.Decide(mod("b"), now, pieces(t, "record")); d.Outcome != policy.Allowed || len(p.Signers) != 1000 {
		t.Errorf("%v, %d signers", d, len(p.Signers))
	}
}

// Property: a key may stand in the policy itself, which then needs no other file.
func TestKeyInline(t *testing.T) {
	pem := strings.ReplaceAll(strings.TrimSpace(string(key(t, "alice").MarshalPEM())), "\n", "\n      ")
	p, err := policy.Parse("p", []byte("version: 1\nsigners:\n  a:\n    key: |\n      "+pem+"\nrules: [{modules: m, require: {signed-by: a}}]\n"), nil)
	if err != nil || p.Decide(mod("m"), now, pieces(t, "zip by alice")).Outcome != policy.Allowed {
		t.Errorf("%v", err)
	}
	if _, err := policy.Parse("p", []byte("version: 1\nsigners: {a: {key: a.pub}}\nrules: [{modules: m, require: {signed-by: a}}]\n"), nil); err == nil || !strings.Contains(err.Error(), "p:2: signer a: no key files") {
		t.Errorf("%v", err)
	}
}

// Property: the policy file has a key for each of the extensions that Fulcio
// certificates have, and the right one is compared.
func TestExtensions(t *testing.T) {
	typ := reflect.TypeFor[certificate.Extensions]()
	keys := strings.Fields(`source-repository=SourceRepositoryURI source-ref=SourceRepositoryRef source-digest=SourceRepositoryDigest
		source-repository-id=SourceRepositoryIdentifier source-owner=SourceRepositoryOwnerURI source-owner-id=SourceRepositoryOwnerIdentifier
		source-visibility=SourceRepositoryVisibilityAtSigning build-signer-uri=BuildSignerURI build-signer-digest=BuildSignerDigest
		build-config-uri=BuildConfigURI build-config-digest=BuildConfigDigest build-trigger=BuildTrigger runner-environment=RunnerEnvironment
		run-invocation-uri=RunInvocationURI github-workflow-trigger=GithubWorkflowTrigger github-workflow-sha=GithubWorkflowSHA
		github-workflow-name=GithubWorkflowName github-workflow-repository=GithubWorkflowRepository github-workflow-ref=GithubWorkflowRef`)
	if len(keys) != typ.NumField()-1 {
		t.Errorf("%d keys for %d extensions and the issuer", len(keys), typ.NumField()-1)
	}
	for _, k := range keys {
		k, field, _ := strings.Cut(k, "=")
		for _, form := range []string{k + ": value", k + "-regexp: 'val|value'"} {
			p := parse(t, "version: 1\nsigners: {a: {identity: x, issuer: \""+issuer+"\", "+form+"}}\nrules: [{modules: m, require: {signed-by: a}}]\n")
			for value, want := range map[string]int{"value": 1, "": 0, "values": 0, "xvalue": 0, "Value": 0, "value\n": 0} {
				s := summary("x", issuer)
				reflect.ValueOf(&s.Extensions).Elem().FieldByName(field).SetString(value)
				if got := p.Names(policy.Principal{Certificate: &s}); len(got) != want {
					t.Errorf("%s, %s %q: %v", form, field, value, got)
				}
			}
		}
	}
	p := parse(t, "version: 1\nsigners: {a: {identity: x, issuer: \""+issuer+"\", source-ref-regexp: '.*'}}\nrules: [{modules: m, require: {signed-by: a}}]\n")
	s := summary("x", issuer)
	if got := p.Names(policy.Principal{Certificate: &s}); len(got) != 0 {
		t.Error("a certificate without the extension matches an expression that matches the empty string")
	}
}
