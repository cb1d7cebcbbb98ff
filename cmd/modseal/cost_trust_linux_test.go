package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/internal/testtuf"
)

// artifact is the gate for a file alone.
func (w *costWorld) artifact(flags ...string) []string {
	return append(append([]string{"verify", "-q", "--seal-key", w.path("seal.pub"), "--artifact", "sha256:" + strings.Repeat("a", 64)}, flags...), w.sealed())
}

// Property: policies, keys, states, heads and trust material cost no more than 256 MiB and
// ten seconds, whatever is in them.
func TestCostOfHostileTrust(t *testing.T) {
	const mib = 1 << 20
	const unproven, usage = 1, 2
	policy := func(text string, exit int, says string) hostileInput {
		return hostileInput{func(w *costWorld) []string {
			return w.artifact("--policy", w.file("p.yaml", text), "--explain", "sha256:"+strings.Repeat("a", 64))
		}, exit, says}
	}
	const rules = "version: 1\nrules: [{modules: '*', require: sumdb}]\n"
	config := func(text string) hostileInput {
		return hostileInput{func(w *costWorld) []string {
			return []string{"attest", "--key", w.path("seal.key"), "--signing-config", w.file("config.json", text), hostileModule + "@v0.0.0"}
		}, usage, "config.json"}
	}
	list := func(n int, makes func(i int) string) string { return fill("[", n, mib, makes, "x]") }
	inputs := map[string]hostileInput{
		"policy of brackets":   policy(strings.Repeat("[", mib), usage, "p.yaml:"),
		"policy of braces":     policy(strings.Repeat("{a: ", mib/4), usage, "p.yaml:"),
		"policy of indents":    policy(fill("", 1400, mib, func(i int) string { return strings.Repeat(" ", i) + "a:\n" }, ""), usage, "p.yaml:"),
		"policy of aliases":    policy(fill(rules+"a0: &a0 x\n", 20_000, mib, func(i int) string { return fmt.Sprintf("a%d: &a%d [*a%d,*a%d,*a%[3]d]\n", i+1, i+1, i, i) }, ""), usage, "p.yaml:"),
		"policy of nothing":    policy(fill(rules+"local: ", 1<<30, mib, same("\n"), ""), usage, "p.yaml:"),
		"policy of list items": policy(rules+"local: "+list(500_000, same("a,"))+"\n", usage, "p.yaml:"),
		"policy of keys":       policy(fill(rules, 1<<30, mib, func(i int) string { return fmt.Sprintf("%x:\n", i) }, ""), usage, "p.yaml:"),
		"policy of expressions": policy("version: 1\nsigners:\n"+fill("", 1000, mib/2, func(i int) string {
			return fmt.Sprintf("  s%d: {identity-regexp: 'a%d.{1000}.{1000}', issuer: i}\n", i, i)
		}, "")+"rules: [{modules: '*', require: {signed-by: [s0]}}]\n", usage, "more than 100000 steps"),
		"policy of signers": policy("version: 1\nsigners:\n"+fill("", 1000, mib/2, func(i int) string { return fmt.Sprintf("  s%d: {identity: s%d, issuer: i}\n", i, i) }, "")+
			fill("rules:\n", 60, mib/2, func(i int) string {
				return fmt.Sprintf("- {artifacts: 'a%d*', require: {signed-by: %s, threshold: all}}\n", i, fill("[", 999, 20_000, func(i int) string { return fmt.Sprintf("s%d,", i) }, "s999]"))
			}, fmt.Sprintf("- {artifacts: '*', require: {signed-by: %s, threshold: 500}}\n", fill("[", 999, 20_000, func(i int) string { return fmt.Sprintf("s%d,", i) }, "s999]"))), unproven, "not proven"),

		"key of blocks": {func(w *costWorld) []string {
			return w.artifact("--key", w.file("k.pub", fill("", 1<<20, 64<<10, same("-----BEGIN PUBLIC KEY-----\n"), "")))
		}, usage, "not a PEM file"},
		"key of one modulus": {func(w *costWorld) []string {
			return w.artifact("--key", w.file("k.pub", rsaKey(40<<10)), "--require", "rekor")
		}, usage, "more than 8192 bits"},
		"trusted root of logs": {func(w *costWorld) []string {
			log := string(testlog.TrustedRoot(testlog.TrustedLog{Shard: testlog.NewRekor("a").Shard()}))
			before, after, _ := strings.Cut(log, `"tlogs": [`)
			one := strings.TrimSuffix(strings.TrimSpace(after), "]\n}")
			return []string{"trust", "show", "--trusted-root", w.file("root.json", fill(before+`"tlogs": [`, 1<<20, 4*mib, same(strings.ReplaceAll(one, "\n", "")+","), one+"]}"))}
		}, 0, "a"},
		"trusted root of authorities": {func(w *costWorld) []string {
			log := string(testlog.Sigstore{Rekor: []*testlog.Rekor{testlog.NewRekor("a")}, Fulcio: []*testlog.CA{testlog.NewCA("fulcio")}, TSA: []*testlog.TSA{testlog.NewTSA("tsa")}}.TrustedRoot())
			return []string{"trust", "show", "--trusted-root", w.file("root.json", repeated(t, log, "certificateAuthorities", 4*mib))}
		}, 0, "fulcio"},
		"trusted root of brackets": {func(w *costWorld) []string {
			return w.artifact("--trusted-root", w.file("root.json", `{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1","tlogs":`+strings.Repeat("[", 3*mib)))
		}, usage, ""},
		"trusted root of nothing": {func(w *costWorld) []string {
			return w.artifact("--trusted-root", w.file("root.json", fill(`{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1","tlogs":[`, 1<<30, 4*mib, same("{},"), "{}]}")))
		}, usage, ""},

		"signing config of services": config(fill(`{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json","rekorTlogUrls":[`, 1<<20, mib, same("{},"), "{}]}")),
		"signing config of brackets": config(strings.Repeat("[", mib)),
		"signing config of spaces":   config("{" + strings.Repeat(" ", mib-2) + "}"),

		"state of heads": {func(w *costWorld) []string {
			id := strings.Repeat("a", 64)
			w.file("state", fill("{\n \"mediaType\": \"application/vnd.modseal.state.v1+json\",\n \"heads\": [\n", 16_384, 16*mib, func(i int) string {
				before := ",\n"
				if i == 0 {
					before = ""
				}
				return fmt.Sprintf("%s  {\n   \"kind\": \"rekor-v1\",\n   \"name\": \"a%06d\",\n   \"logID\": \"%s\",\n   \"checkpoint\": \"%s\"\n  }", before, i, id, strings.Repeat("x", 850))
			}, "\n ]\n}\n"))
			return w.artifact("--state", w.path("state"))
		}, unproven, "16384 logs seen before"},
		"state of nothing": {func(w *costWorld) []string {
			return w.artifact("--state", w.file("state", fill("{\n \"mediaType\": \"application/vnd.modseal.state.v1+json\",\n \"heads\": [", 1<<30, 16*mib, same("{},"), "{}]}")))
		}, usage, "damaged state file"},
		"state of spaces": {func(w *costWorld) []string {
			return w.artifact("--state", w.file("state", "{"+strings.Repeat(" ", 16*mib-2)+"}"))
		}, usage, "damaged state file"},
		"state of text": {func(w *costWorld) []string {
			return w.artifact("--state", w.file("state", `{"mediaType":"`+strings.Repeat("x", 16*mib-20)+`"}`))
		}, usage, "damaged state file"},
		"heads": {func(w *costWorld) []string {
			notes := fill("", 16_384, 16*mib, func(i int) string {
				return fmt.Sprintf("%sa%d\n1\n%s\n\n— a %s\n", strings.Repeat("\n", min(i, 1)), i, strings.Repeat("A", 43)+"=", strings.Repeat("A", 700))
			}, "")
			return []string{"heads", "check", w.file("a", notes), w.file("b", notes)}
		}, usage, "no trusted key"},
		"heads of lines": {func(w *costWorld) []string {
			return []string{"heads", "check", w.file("a", strings.Repeat("x\n", 8*mib)), w.file("b", strings.Repeat("\n", 16*mib))}
		}, usage, "not a list of signed heads"},
	}
	for name, in := range hostileChains(t) {
		inputs["TUF "+name] = in
	}
	measureInputs(t, inputs)
}

// rsaKey is a public key with a modulus of n bytes.
func rsaKey(n int) string {
	long := func(tag byte, b []byte) []byte {
		return append([]byte{tag, 0x82, byte(len(b) >> 8), byte(len(b))}, b...)
	}
	modulus := []byte(strings.Repeat("\x7f", n))
	key := long(0x30, append(long(2, modulus), 2, 3, 1, 0, 1))
	rsa := []byte{0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 1, 5, 0}
	der := long(0x30, append(rsa, long(3, append([]byte{0}, key...))...))
	return "-----BEGIN PUBLIC KEY-----\n" + base64.StdEncoding.EncodeToString(der) + "\n-----END PUBLIC KEY-----\n"
}

// hostileChains are chains of TUF metadata as large as they may be.
func hostileChains(t *testing.T) map[string]hostileInput {
	at := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	roles := testtuf.Roles{Root: []string{"a"}, Threshold: 1, Timestamp: "t", Snapshot: "s", Targets: "g", Expires: at.AddDate(1, 0, 0)}
	target := testlog.TrustedRoot(testlog.TrustedLog{Shard: testlog.NewRekor("a").Shard()})
	chain := func(exit int, says string, make func(r *testtuf.Repo)) hostileInput {
		return hostileInput{func(w *costWorld) []string {
			r := testtuf.New(false, roles)
			make(r)
			for name, data := range r.Chain(1) {
				w.file("trust/"+filepath.ToSlash(name), string(data))
			}
			return []string{"trust", "check", w.path("trust"), "--tuf-root", w.file("root.json", string(r.RootFile(1))), "--at", at.Format(time.RFC3339)}
		}, exit, says}
	}
	carried := func(exit int, says string, make func(r *testtuf.Repo)) hostileInput {
		return hostileInput{func(w *costWorld) []string {
			r := testtuf.New(false, roles)
			make(r)
			var files []bombFile
			for name, data := range r.Chain(1) {
				files = append(files, bombFile{name: "trust/" + filepath.ToSlash(name), write: func(w io.Writer) { w.Write(data) }})
			}
			slices.SortFunc(files, func(a, b bombFile) int { return strings.Compare(a.name, b.name) })
			writeBomb(w, w.path("deps.modseal"), bomb{manifest: manifestOf(nil, nil), files: files})
			return []string{"verify", "-q", "--insecure-ignore-seal", "--artifact", "sha256:" + strings.Repeat("a", 64), "--tuf-root", w.file("root.json", string(r.RootFile(1))), w.path("deps.modseal")}
		}, exit, says}
	}
	manyTargets := func(r *testtuf.Repo) {
		r.Publish(testtuf.State{Target: target, EditTargets: func(s *metadata.TargetsType) {
			for i := range 45_000 {
				s.Targets[fmt.Sprint(i)] = &metadata.TargetFiles{Length: 1, Hashes: metadata.Hashes{"sha256": make([]byte, 32)}}
			}
		}})
	}
	return map[string]hostileInput{
		"of rotations": chain(0, "", func(r *testtuf.Repo) {
			many := roles
			for i := range 28 {
				many.Root = append(many.Root, fmt.Sprint(i))
			}
			r.Rotate(many, "a")
			for range 120 { // twice as many may be there, and take twice the time
				r.Rotate(many, many.Root...)
			}
			r.Publish(testtuf.State{Target: target})
		}),
		"of targets":             chain(0, "", manyTargets),
		"of targets in a bundle": carried(1, "trust    TUF root 1", manyTargets),
		"of snapshots": chain(0, "", func(r *testtuf.Repo) {
			r.Publish(testtuf.State{Target: target, EditSnapshot: func(s *metadata.SnapshotType) {
				for i := range 70_000 {
					s.Meta[fmt.Sprint(i)] = &metadata.MetaFiles{Version: 1}
				}
			}})
		}),
	}
}

// repeated is JSON with the first element of a list repeated until it has max bytes.
func repeated(t *testing.T, text, member string, max int) string {
	before, after, ok := strings.Cut(text, `"`+member+`":[`)
	if !ok {
		t.Fatalf("no %s in %.200s", member, text)
	}
	depth, end := 0, 0
	for i, c := range after {
		switch c {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				end = i + 1
			}
		}
		if end > 0 {
			break
		}
	}
	return fill(before+`"`+member+`":[`, 1<<20, max, same(after[:end]+","), after)
}
