package trust

import (
	"bytes"
	"strings"
	"testing"

	"github.com/modseal/modseal/internal/testlog"
)

// Property: no head of a log makes its parsers panic, nor is one that no trusted key
// signed accepted: only what the logs of this test signed is.
func FuzzOpen(f *testing.F) {
	v2, m := shardV2(f, "rekor2.example", "https://rekor2.example")
	v1, other := shardOf(f, "rekor.example")
	db := testlog.NewSumDB("sum.example.org")
	key, err := ParseGOSUMDB(db.Key())
	if err != nil {
		f.Fatal(err)
	}
	m.Sigstore, m.SumDBs = append(m.Sigstore, other.Sigstore...), append(m.SumDBs, *key)
	trees := map[string]bool{}
	for _, file := range [][]byte{db.Checkpoint(0), v1.Checkpoint(3), v2.Checkpoint(3)} {
		f.Add(file)
		text, signatures, _ := strings.Cut(string(file), "\n\n")
		trees[text] = true
		f.Add([]byte(text + "\n\n" + strings.Repeat(signatures, 200)))
		for _, size := range []string{"4611686018427387904", "4611686018427387905", "9223372036854775808", "18446744073709551616", "-1", "03"} {
			lines := strings.Split(text, "\n")
			lines[1] = size
			f.Add([]byte(strings.Join(lines, "\n") + "\n\n" + signatures))
		}
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		h, err := m.Open(file)
		if err != nil {
			return
		}
		text, _, _ := strings.Cut(string(file), "\n\n")
		if !trees[text] {
			t.Errorf("accepted %+v", h)
		}
		Cosignatures(file, nil)
	})
}

// Property: no trusted_root.json makes its parser panic; what is accepted can be
// described, and looked up in.
func FuzzTrustedRoot(f *testing.F) {
	f.Add(PublicGoodTrustedRoot())
	good := string(testlog.Sigstore{Rekor: []*testlog.Rekor{testlog.NewRekor("rekor.example")}}.TrustedRoot())
	f.Add([]byte(good))
	const media = `{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"`
	for _, seed := range []string{``, `{}`, `null`, media + `}`, media + `,"tlogs":[{}]}`, media + `,"tlogs":[null]}`, media + `,"tlogs":[` + strings.Repeat(`{},`, 1000) + `{}]}`,
		media + `,"certificateAuthorities":[{"certChain":{"certificates":[{"rawBytes":""}]}}]}`, media + `,"timestampAuthorities":[{}]}`, media + `,"ctlogs":` + strings.Repeat("[", 10000),
		strings.Replace(good, `"tlogs"`, `"tlogs":[],"tlogs"`, 1), strings.Replace(good, `"tlogs"`, `"Tlogs"`, 1), good + good, good[:len(good)/2]} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		var m Material
		if err := m.AddTrustedRoot(file); err != nil {
			return
		}
		if _, err := Describe(file); err != nil {
			t.Errorf("accepted and can't be described: %v", err)
		}
		if h, err := m.Open([]byte("rekor.example - 1\n1\nAAAA\n\n— rekor.example AAAAAAAA\n")); err == nil {
			t.Errorf("accepted %+v", h)
		}
	})
}

// Property: no name or key of a checksum database or of a witness makes the parser
// panic.
func FuzzVerifierKeys(f *testing.F) {
	for _, seed := range []string{"sum.golang.org", "sum.golang.google.cn", "off", testlog.NewSumDB("sum.example.org").Key(), testlog.NewSumDB("sum.example.org").Key() + " https://sum.example.org", "a+00000000+", "++", " ", "\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if db, err := ParseGOSUMDB(key); err == nil && db != nil && db.Name == "" {
			t.Error("a checksum database without a name")
		}
		if _, err := ParseWitness("w", key); err == nil && !strings.Contains(key, "+") {
			t.Errorf("%q is a key", key)
		}
	})
}

// Property: a trusted_root.json that is cut anywhere is none.
func TestTruncatedTrustedRoot(t *testing.T) {
	whole := bytes.TrimSpace(testlog.Sigstore{Rekor: []*testlog.Rekor{testlog.NewRekor("rekor.example")}, Fulcio: []*testlog.CA{testlog.NewCA("ca")}, TSA: []*testlog.TSA{testlog.NewTSA("tsa")}}.TrustedRoot())
	for n := range whole {
		var m Material
		if err := m.AddTrustedRoot(whole[:n]); err == nil || len(m.Sigstore) > 0 {
			t.Fatalf("cut at %d of %d: accepted", n, len(whole))
		}
	}
}
