package seal_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/internal/seal"
	"github.com/modseal/modseal/internal/testlog"
)

func digests(payload string) bundles.Digests {
	return bundles.Digests{SHA256: sha256.Sum256([]byte(payload)), SHA512: sha512.Sum512([]byte(payload))}
}

func generate(t testing.TB, kind keys.Kind) *keys.Private {
	t.Helper()
	k, err := keys.Generate(kind)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sealOf(t testing.TB, k *keys.Private, payload string) string {
	t.Helper()
	s, err := seal.ByKey(k, digests(payload))
	if err != nil {
		t.Fatal(err)
	}
	return string(s)
}

func trust(all ...*keys.Private) seal.Trusted {
	var f policy.Flags
	for _, k := range all {
		f.Sealers = append(f.Sealers, policy.KeySigner(k.Public()))
	}
	return seal.Trusted{Rule: policy.FromFlags(f).Seal}
}

// verified verifies one seal alone.
func verified(t seal.Trusted, file []byte, d bundles.Digests) (by string, err error) {
	s := t.VerifySeals([][]byte{file}, d)
	if err := errors.Join(append(s.Refused, s.Lacks)...); err != nil || len(s.Accepted) != 1 {
		return "", err
	}
	return s.Accepted[0].By, nil
}

// Property: a seal by either kind of key is accepted by who trusts that key,
// alone or among others, and names it; who trusts other keys, or none, refuses.
func TestRoundTrip(t *testing.T) {
	for _, kind := range []keys.Kind{keys.ECDSA, keys.Ed25519} {
		k, other, third := generate(t, kind), generate(t, keys.ECDSA), generate(t, keys.Ed25519)
		s := []byte(sealOf(t, k, "payload"))
		for _, trusted := range []seal.Trusted{trust(k), trust(other, k), trust(k, third), trust(other, third, k)} {
			by, err := verified(trusted, s, digests("payload"))
			if err != nil || by != "key "+k.Public().String() {
				t.Errorf("%s among %d: %q, %v", kind, len(trusted.Rule.Sealers()), by, err)
			}
		}
		for _, c := range []struct {
			trusted seal.Trusted
			want    string
		}{
			{trust(), "no sealer's key is trusted here"},
			{seal.Trusted{}, "no sealer's key is trusted here"},
			{trust(other), fmt.Sprintf("signed with the key of hint %q; trusted is [%q]", k.Public().Hint(), other.Public().Hint())},
			{trust(other, third), fmt.Sprintf("trusted is [%q %q]", other.Public().Hint(), third.Public().Hint())},
		} {
			if by, err := verified(c.trusted, s, digests("payload")); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %q, %v; want %q", kind, by, err, c.want)
			}
		}
	}
}

// Property: equal payloads give equal seals, so that sealing again changes
// nothing.
func TestDeterministic(t *testing.T) {
	for _, kind := range []keys.Kind{keys.ECDSA, keys.Ed25519} {
		k := generate(t, kind)
		if a, b := sealOf(t, k, "payload"), sealOf(t, k, "payload"); a != b {
			t.Errorf("%s: %s\nand\n%s", kind, a, b)
		}
	}
}

// Property: each lie in a seal by a trusted key is refused, with a message that
// says which it is.
func TestSingleLies(t *testing.T) {
	k, ed, other := generate(t, keys.ECDSA), generate(t, keys.Ed25519), generate(t, keys.ECDSA)
	good, edSeal := sealOf(t, k, "payload"), sealOf(t, ed, "payload")
	d, d2 := digests("payload"), digests("another payload")
	b64 := base64.StdEncoding.EncodeToString
	edit := func(old, new string) string {
		s := strings.Replace(good, old, new, 1)
		if s == good {
			t.Fatalf("%q is not in the seal", old)
		}
		return s
	}
	for name, c := range map[string]struct{ seal, want string }{
		"another payload":              {sealOf(t, k, "another payload"), "it is over another payload"},
		"another payload's name":       {strings.Replace(sealOf(t, k, "another payload"), b64(d2.SHA256[:]), b64(d.SHA256[:]), 1), "could not verify message"},
		"another key's hint":           {strings.Replace(sealOf(t, other, "payload"), other.Public().Hint(), k.Public().Hint(), 1), "could not verify message"},
		"the other kind's hint":        {strings.Replace(edSeal, ed.Public().Hint(), k.Public().Hint(), 1), "digest algorithm is SHA2_512, and the key signs SHA2_256"},
		"no hint":                      {edit(k.Public().Hint(), ""), "in its canonical encoding"},
		"SHA-512 by an ECDSA key":      {edit(b64(d.SHA256[:]), b64(d.SHA512[:])), "it is over another payload"},
		"wrong algorithm":              {edit("SHA2_256", "SHA2_512"), "digest algorithm is SHA2_512, and the key signs SHA2_256"},
		"no digest":                    {edit(`"messageDigest":{"algorithm":"SHA2_256","digest":"`+b64(d.SHA256[:])+`"},`, ""), "it holds no signature of a payload"},
		"no signature":                 {good[:strings.Index(good, `,"signature"`)] + "}}", "could not verify message"},
		"version 0.1":                  {edit("bundle.v0.3+json", "bundle+json;version=0.1"), `media type is "application/vnd.dev.sigstore.bundle+json;version=0.1"`},
		"version 0.4":                  {edit("bundle.v0.3+json", "bundle.v0.4+json"), `media type is "application/vnd.dev.sigstore.bundle.v0.4+json"`},
		"no JSON":                      {"junk\x1b[31m", "not a Sigstore bundle: "},
		"nothing":                      {"", "not a Sigstore bundle: "},
		"an empty object":              {"{}", `media type is ""`},
		"null":                         {"null", "not a Sigstore bundle: "},
		"a list":                       {"[]", "not a Sigstore bundle: "},
		"two objects":                  {good + good, "not a Sigstore bundle: "},
		"a member twice":               {edit(`{"mediaType"`, `{"mediaType":"x","mediaType"`), "not a Sigstore bundle: "},
		"a member of another spelling": {edit(`"mediaType"`, `"media_type"`), "in its canonical encoding"},
		"base64 for URLs":              {strings.NewReplacer("/", "_", "+", "-").Replace(good), ""},
		"an unknown member":            {edit(`{"mediaType"`, `{"x":1,"mediaType"`), "not a Sigstore bundle: "},
		"certificate":                  {edit(`"publicKey":{"hint":"`+k.Public().Hint()+`"}`, `"certificate":{"rawBytes":"AAAA"}`), "it is by a certificate; only keys are trusted here"},
		"certificate chain":            {edit(`"publicKey":{"hint":"`+k.Public().Hint()+`"}`, `"x509CertificateChain":{}`), "it does not say by whom it is"},
		"by nobody":                    {edit(`"publicKey":{"hint":"`+k.Public().Hint()+`"}`, ""), "it does not say by whom it is"},
		"no material":                  {`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}`, "it does not say by whom it is"},
		"no content":                   {good[:strings.Index(good, `,"messageSignature"`)] + "}", "it holds no signature of a payload"},
		"huge hint":                    {edit(k.Public().Hint(), strings.Repeat("A", 200<<10)), `signed with the key of hint "AAAA`},
	} {
		by, err := verified(trust(k), []byte(c.seal), d)
		if err == nil {
			t.Errorf("%s: accepted by %s", name, by)
			continue
		}
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if len(err.Error()) > 500 || strings.ContainsRune(err.Error(), '\x1b') {
			t.Errorf("%s: message %q is not fit to be shown", name, err)
		}
	}
	if _, err := verified(trust(k), []byte(edit("{", " { \n")), d); err != nil { // as cosign may write it
		t.Errorf("white space: %v", err)
	}
}

// Property: a statement that the sealer signed about the payload, for whatever
// purpose, is no seal of it.
func TestStatementIsNoSeal(t *testing.T) {
	file := testlog.NewSigner("sealer").PrivatePEM()
	k, err := keys.ParsePrivate(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := digests("payload")
	statement := fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"payload.tar.zst","digest":{"sha256":"%x"}}],"predicateType":"https://example.com/broken/v1","predicate":{}}`, d.SHA256)
	const payloadType = "application/vnd.in-toto+json"
	pae := fmt.Sprintf("DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(statement), statement)
	sig := testlog.NewSigner("sealer").Sign(sha256.Sum256([]byte(pae)))
	s := fmt.Sprintf(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":%q}},"dsseEnvelope":{"payload":%q,"payloadType":%q,"signatures":[{"sig":%q}]}}`,
		k.Public().Hint(), base64.StdEncoding.EncodeToString([]byte(statement)), payloadType, base64.StdEncoding.EncodeToString(sig))
	if by, err := verified(trust(k), []byte(s), d); err == nil || !strings.Contains(err.Error(), "it is a statement (DSSE)") {
		t.Errorf("%q, %v", by, err)
	}
}

// Property: what a seal says beside the signature, log entries for example, is
// not looked at: neither does it help, nor does a broken one hurt.
func TestLogEntriesCountForNothing(t *testing.T) {
	k := generate(t, keys.ECDSA)
	good := sealOf(t, k, "payload")
	with := strings.Replace(good, `}},"messageSignature"`, `},"tlogEntries":[{"logIndex":"5","canonicalizedBody":"AAAA"}]},"messageSignature"`, 1)
	if with == good {
		t.Fatal("the seal has another form")
	}
	if _, err := verified(trust(k), []byte(with), digests("payload")); err != nil {
		t.Error(err)
	}
	if _, err := verified(trust(k), []byte(with), digests("another")); err == nil {
		t.Error("a log entry made another payload good")
	}
}

// Property: whatever is offered as a seal, verifying it does not panic, and what
// is accepted is the seal that was made, white space aside.
func FuzzVerifySeal(f *testing.F) {
	k, err := keys.ParsePrivate(testlog.NewSigner("sealer").PrivatePEM(), nil)
	if err != nil {
		f.Fatal(err)
	}
	good := sealOf(f, k, "payload")
	f.Add([]byte(good))
	f.Add([]byte(strings.Replace(good, "v0.3", "v0.2", 1)))
	f.Add([]byte(strings.Replace(good, "{", `{"mediaType":"x",`, 1)))
	f.Add([]byte(`{"verificationMaterial":` + strings.Repeat("[", 10_000)))
	f.Add([]byte(`{"verificationMaterial":{"tlogEntries":[{}],"timestampVerificationData":{"rfc3161Timestamps":[{}]}},"dsseEnvelope":{}}`))
	for _, name := range []string{"key-blob-v1.json", "keyless-dsse-v1.json"} {
		if b, err := os.ReadFile("../../../shared/stack/samples/bundles/" + name); err == nil { // a corpus, if there
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, s []byte) {
		if _, err := verified(trust(k), s, digests("payload")); err != nil {
			return
		}
		var a, b struct {
			MediaType            string
			VerificationMaterial struct{ PublicKey struct{ Hint string } }
			MessageSignature     struct{ Signature []byte }
		}
		if json.Unmarshal(s, &a) != nil || json.Unmarshal([]byte(good), &b) != nil || fmt.Sprint(a) != fmt.Sprint(b) {
			t.Errorf("accepted %q", s)
		}
	})
}

// Property: a seal that is cut anywhere is none, but for white space after it.
func TestTruncatedSeal(t *testing.T) {
	k, err := keys.ParsePrivate(testlog.NewSigner("sealer").PrivatePEM(), nil)
	if err != nil {
		t.Fatal(err)
	}
	whole := strings.TrimSpace(string(sealOf(t, k, "payload")))
	for n := range whole {
		if _, err := verified(trust(k), []byte(whole[:n]), digests("payload")); err == nil {
			t.Fatalf("cut at %d of %d: accepted", n, len(whole))
		}
	}
}
