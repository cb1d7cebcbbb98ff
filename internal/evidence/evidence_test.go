package evidence_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/testlog"
)

// claim reads a body of Rekor v1.
func claim(body []byte) (*evidence.Claim, error) { return (&evidence.Entry{Body: body}).Claim() }

func digest() [32]byte { return sha256.Sum256([]byte("a module")) }

func publicPEM(t testing.TB, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// otherKeys are public keys of the kinds that Rekor takes beside ECDSA P-256.
func otherKeys(t testing.TB) map[string][]byte {
	t.Helper()
	p384, err := ecdsa.ParseRawPrivateKey(elliptic.P384(), append(make([]byte, 47), 9))
	if err != nil {
		t.Fatal(err)
	}
	modulus := new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 2047), big.NewInt(1)) // of no use but to be read
	return map[string][]byte{
		"ECDSA P-384": publicPEM(t, &p384.PublicKey),
		"Ed25519":     publicPEM(t, ed25519.NewKeyFromSeed(make([]byte, 32)).Public()),
		"RSA":         publicPEM(t, &rsa.PublicKey{N: modulus, E: 65537}),
	}
}

// Property: the body of an entry by a bare key, or by a certificate, says the
// digest, the signature and the signer.
func TestParseHashedRekord(t *testing.T) {
	alice := testlog.NewSigner("alice")
	h, err := claim(alice.Body(digest()))
	if err != nil || h.Digest != evidence.SHA256(digest()) || !bytes.Equal(h.Signature, alice.Sign(digest())) || h.Certificate != nil {
		t.Fatalf("%+v, %v", h, err)
	}
	if !bytes.Equal(h.Key.MarshalPEM(), alice.PEM) {
		t.Errorf("key %s", h.Key.MarshalPEM())
	}
	bob := testlog.NewCA("ca").Issue("bob@example.com", "https://issuer.example", testlog.Epoch())
	h, err = claim(bob.Body(digest()))
	if err != nil || h.Certificate == nil || h.Certificate.EmailAddresses[0] != "bob@example.com" {
		t.Fatalf("%+v, %v", h, err)
	}
	if k, ok := h.Key.Key().(*ecdsa.PublicKey); !ok || !k.Equal(&bob.Key.PublicKey) {
		t.Errorf("the key is not the certificate's")
	}
	for name, key := range otherKeys(t) {
		if _, err := claim(testlog.HashedRekord(digest(), []byte("sig"), key)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Property: what is proposed to Rekor is what Rekor logs, and reads as it was
// meant.
func TestProposeHashedRekord(t *testing.T) {
	alice := testlog.NewSigner("alice")
	proposed, err := evidence.ProposeHashedRekord(digest(), alice.Sign(digest()), alice.PEM)
	if err != nil || !bytes.Equal(proposed, alice.Body(digest())) {
		t.Errorf("%s, %v; want %s", proposed, err, alice.Body(digest()))
	}
}

// Property: entries of other kinds are told apart as unsupported: they are in
// real logs, and no fault of anybody's.
func TestUnsupportedEntries(t *testing.T) {
	body := string(testlog.NewSigner("alice").Body(digest()))
	der := func(kind string, b []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}) }
	chain := testlog.NewCA("ca").Issue("bob@example.com", "https://issuer.example", testlog.Epoch()).PEM
	for name, body := range map[string]string{
		"helm":                   `{"apiVersion":"0.0.1","kind":"helm","spec":{}}`,
		"intoto 0.0.1":           `{"apiVersion":"0.0.1","kind":"intoto","spec":{}}`,
		"no kind":                `{}`,
		"hashedrekord 0.0.2":     strings.Replace(body, `"apiVersion":"0.0.1"`, `"apiVersion":"0.0.2"`, 1),
		"a kind that is hostile": `{"kind":"\u001b[2J` + strings.Repeat("x", 1000) + `"}`,
		"sha1":                   strings.Replace(body, `"sha256"`, `"sha1"`, 1),
		"PGP":                    string(testlog.HashedRekord(digest(), nil, der("PGP PUBLIC KEY BLOCK", []byte("x")))),
		"RSA PUBLIC KEY":         string(testlog.HashedRekord(digest(), nil, der("RSA PUBLIC KEY", []byte("x")))),
		"certificate chain":      string(testlog.HashedRekord(digest(), nil, append(bytes.Clone(chain), chain...))),
	} {
		h, err := claim([]byte(body))
		if h != nil || !errors.Is(err, evidence.ErrUnsupported) || len(err.Error()) > 300 || strings.ContainsRune(err.Error(), '\x1b') {
			t.Errorf("%s: %v, %v", name, h, err)
		}
	}
}

// Property: a body in any but Rekor's one canonical form, or with a digest or
// key that is none, is refused.
func TestBadEntries(t *testing.T) {
	alice := testlog.NewSigner("alice")
	body := string(alice.Body(digest()))
	edit := func(old, new string) string {
		if s := strings.Replace(body, old, new, 1); s != body {
			return s
		}
		t.Fatalf("%q is not in %s", old, body)
		return ""
	}
	key := func(file string) string {
		return string(testlog.HashedRekord(digest(), alice.Sign(digest()), []byte(file)))
	}
	certificate := string(testlog.NewCA("ca").Issue("bob@example.com", "https://issuer.example", testlog.Epoch()).PEM)
	block := func(kind, content string) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte(content)}))
	}
	value := strings.Split(strings.Split(body, `"value":"`)[1], `"`)[0]
	for name, bad := range map[string]string{
		"nothing":                    "",
		"null":                       "null",
		"a list":                     "[]",
		"cut off":                    body[:len(body)-1],
		"more after it":              body + "{}",
		"newline after it":           body + "\n",
		"space":                      edit(`:`, `: `),
		"a member twice":             edit(`"kind":"hashedrekord"`, `"kind":"dsse","kind":"hashedrekord"`),
		"a digest twice":             edit(`"value"`, `"value":"`+strings.Repeat("0", 64)+`","value"`),
		"another case":               edit(`"value"`, `"Value"`),
		"an unknown member":          edit(`"kind"`, `"extra":1,"kind"`),
		"an unknown member inside":   edit(`"algorithm"`, `"extra":1,"algorithm"`),
		"another order":              edit(`"apiVersion":"0.0.1","kind":"hashedrekord"`, `"kind":"hashedrekord","apiVersion":"0.0.1"`),
		"an escape":                  edit(`hashedrekord`, `\u0068ashedrekord`),
		"no spec":                    `{"apiVersion":"0.0.1","kind":"hashedrekord"}`,
		"digest in upper case":       edit(value, strings.ToUpper(value)),
		"digest too short":           edit(value, value[2:]),
		"digest too long":            edit(value, value+"00"),
		"digest no hex":              edit(value, "zz"+value[2:]),
		"no digest":                  edit(value, ""),
		"no algorithm":               edit(`"sha256"`, `"SHA256"`),
		"signature no base64":        edit(`"content":"`, `"content":"!`),
		"signature a number":         edit(`"content":"`, `"content":5,"x":"`),
		"no key":                     key(""),
		"key no PEM":                 key("junk"),
		"text before the key":        key("junk\n" + string(alice.PEM)),
		"text after the key":         key(string(alice.PEM) + "junk"),
		"newline after the key":      key(string(alice.PEM) + "\n"),
		"no newline after it":        key(strings.TrimSuffix(string(alice.PEM), "\n")),
		"two keys":                   key(string(alice.PEM) + string(testlog.NewSigner("bob").PEM)),
		"PEM headers":                key(strings.Replace(string(alice.PEM), "KEY-----\n", "KEY-----\nA: b\n\n", 1)),
		"PEM of long lines":          key(strings.Replace(string(alice.PEM), "==", "", 1)),
		"carriage returns":           key(strings.ReplaceAll(string(alice.PEM), "\n", "\r\n")),
		"a key that is none":         key(block("PUBLIC KEY", "junk")),
		"a certificate that is none": key(block("CERTIFICATE", "junk")),
		"a certificate for a key":    key(strings.ReplaceAll(certificate, "CERTIFICATE", "PUBLIC KEY")),
		"text before a certificate":  key("junk\n" + certificate),
	} {
		h, err := claim([]byte(bad))
		if h != nil || err == nil || len(err.Error()) > 300 {
			t.Errorf("%s: %v, %v", name, h, err)
		}
	}
}

// Property: real entries read. They are from a local rekor-server 1.5.4, and
// from bundles that others published, in which hashedrekord entries by
// certificates of Sigstore's public instance are.
func TestRealEntries(t *testing.T) {
	files, _ := filepath.Glob("../../../shared/stack/samples/bundles/*.json")
	published, _ := filepath.Glob("../../../shared/data/sigstore/bundles/*.json")
	if len(files) == 0 || len(published) == 0 {
		t.Skip("SKIPPED, NOT TESTED: the samples of real entries are not here")
	}
	read := 0
	for _, name := range append(files, published...) {
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var b struct {
			VerificationMaterial struct {
				TlogEntries []struct {
					KindVersion       struct{ Kind, Version string }
					CanonicalizedBody []byte
				}
			}
		}
		if err := json.Unmarshal(file, &b); err != nil {
			continue // it has another form
		}
		for _, e := range b.VerificationMaterial.TlogEntries {
			if len(e.CanonicalizedBody) == 0 {
				continue
			}
			h, err := claim(e.CanonicalizedBody)
			if e.KindVersion.Kind != "hashedrekord" || e.KindVersion.Version != "0.0.1" {
				if !errors.Is(err, evidence.ErrUnsupported) {
					t.Errorf("%s: %s %s: %v", name, e.KindVersion.Kind, e.KindVersion.Version, err)
				}
				continue
			}
			if read++; err != nil || h.Key == nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if read < 10 {
		t.Errorf("only %d entries were read", read)
	}
}

// Property: no body makes the parser panic, and what it accepts has one form.
func FuzzParseHashedRekord(f *testing.F) {
	ca := testlog.NewCA("ca")
	f.Add(testlog.NewSigner("alice").Body(digest()))
	f.Add(ca.Issue("bob@example.com", "https://issuer.example", testlog.Epoch().Add(time.Hour)).Body(digest()))
	f.Add([]byte(`{"apiVersion":"0.0.1","kind":"dsse","spec":{}}`))
	for _, key := range otherKeys(f) {
		f.Add(testlog.HashedRekord(digest(), []byte("sig"), key))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		h, err := claim(body)
		if err != nil {
			if h != nil {
				t.Fatal("an entry and an error")
			}
			return
		}
		content := strings.Split(strings.Split(string(body), `"publicKey":{"content":"`)[1], `"`)[0]
		signer, err := base64.StdEncoding.DecodeString(content) // the DER of one key may have several forms
		if err != nil {
			t.Fatal(err)
		}
		sum, err := hex.DecodeString(h.Digest.Hex)
		if err != nil || h.Digest.Algorithm != "sha256" {
			return // testlog makes no others
		}
		if again := testlog.HashedRekord([32]byte(sum), h.Signature, signer); !bytes.Equal(again, body) {
			t.Errorf("accepted %q, which reads as %q", body, again)
		}
	})
}
