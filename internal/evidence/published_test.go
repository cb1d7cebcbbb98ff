package evidence_test

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/merkle"
)

// object is a Sigstore bundle's JSON, or a part of it.
type object = map[string]any

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// published is the JSON of an honest Sigstore bundle, and the same to change.
func published(t testing.TB, e *evidence.Entry) object {
	t.Helper()
	file, err := e.MarshalSigstore()
	if err != nil {
		t.Fatal(err)
	}
	var o object
	if err := json.Unmarshal(file, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

func vouching(o object) object { return o["verificationMaterial"].(object) }
func logEntry(o object) object { return vouching(o)["tlogEntries"].([]any)[0].(object) }
func proofOf(o object) object  { return logEntry(o)["inclusionProof"].(object) }
func signed(o object) object {
	if m, ok := o["messageSignature"].(object); ok {
		return m
	}
	return o["dsseEnvelope"].(object)["signatures"].([]any)[0].(object)
}

// fileLie is a change to a Sigstore bundle.
type fileLie struct {
	name string
	of   []string // kinds
	lie  func(s *site, o object)
	want string // in the message
}

// Property: a Sigstore bundle that says something else than its log entry is
// refused when it is read.
func TestLiesInASigstoreBundle(t *testing.T) {
	alice := testlog.NewSigner("alice")
	v1, v2, artifacts := []string{artifactV1, dsseV1, intotoV1}, []string{artifactV2, dsseV2}, []string{artifactV1, artifactV2}
	set := func(at func(object) object, name string, value any) func(*site, object) {
		return func(_ *site, o object) { at(o)[name] = value }
	}
	top := func(o object) object { return o }
	digestOf := func(o object) object { return o["messageSignature"].(object)["messageDigest"].(object) }
	for _, l := range []fileLie{
		{"another media type", kinds(), set(top, "mediaType", "application/vnd.dev.sigstore.bundle.v0.4+json"), "not yet supported"},
		{"no media type", kinds(), set(top, "mediaType", ""), "unsupported media type"},
		{"an unknown member", kinds(), set(top, "extra", 1), ""},
		{"no verification material", kinds(), set(top, "verificationMaterial", nil), "missing verification material"},
		{"neither key nor certificate", kinds(), func(_ *site, o object) { delete(vouching(o), "publicKey") }, "missing verification material"},
		{"no log entries", kinds(), set(vouching, "tlogEntries", []any{}), "no entry in a transparency log"},
		{"a log entry that is null", kinds(), set(vouching, "tlogEntries", []any{nil}), ""},
		{"a log entry of nothing", kinds(), set(vouching, "tlogEntries", []any{object{}}), ""},
		{"a certificate where the entry has a key", kinds(), func(s *site, o object) {
			delete(vouching(o), "publicKey")
			block, _ := pem.Decode(s.holder().PEM)
			vouching(o)["certificate"] = object{"rawBytes": block.Bytes}
		}, "of bundle and log entry one names a certificate and the other a bare key"},
		{"a chain in version 0.3", kinds(), func(s *site, o object) {
			delete(vouching(o), "publicKey")
			block, _ := pem.Decode(s.holder().PEM)
			vouching(o)["x509CertificateChain"] = object{"certificates": []any{object{"rawBytes": block.Bytes}}}
		}, "cannot be X.509 certificate chain"},
		{"another signature", kinds(), func(s *site, o object) {
			name := "signature"
			if o["dsseEnvelope"] != nil {
				name = "sig"
			}
			signed(o)[name] = []byte("other")
		}, "it holds another signature than the bundle"},
		{"another digest", artifacts, func(_ *site, o object) { digestOf(o)["digest"] = make([]byte, 32) }, "it is over another digest than the bundle"},
		{"a digest of another algorithm", artifacts, func(_ *site, o object) { digestOf(o)["algorithm"] = "SHA2_512" }, "it is over another digest than the bundle"},
		{"two signatures", statements(), func(_ *site, o object) {
			e := o["dsseEnvelope"].(object)
			e["signatures"] = append(e["signatures"].([]any), e["signatures"].([]any)[0])
		}, "its envelope has 2 signatures, not one"},
		{"no signatures", statements(), func(_ *site, o object) { o["dsseEnvelope"].(object)["signatures"] = []any{} }, "its envelope has 0 signatures, not one"},
		{"a payload that is no statement", statements(), func(_ *site, o object) { o["dsseEnvelope"].(object)["payload"] = []byte("{}") }, "statement"},
		{"another kind", kinds(), func(_ *site, o object) { logEntry(o)["kindVersion"].(object)["kind"] = "helm" }, `it is called a "helm"`},
		{"another version", kinds(), func(_ *site, o object) { logEntry(o)["kindVersion"].(object)["version"] = "0.0.9" }, `"0.0.9"`},
		{"a log ID of 31 bytes", kinds(), func(_ *site, o object) { logEntry(o)["logId"] = object{"keyId": make([]byte, 31)} }, "log ID of 31 bytes"},
		{"a log ID of 4 bytes", kinds(), func(_ *site, o object) { logEntry(o)["logId"] = object{"keyId": make([]byte, 4)} }, "log ID of 4 bytes"},
		{"no log ID", kinds(), func(_ *site, o object) { delete(logEntry(o), "logId") }, ""},
		{"a log index below zero", kinds(), set(logEntry, "logIndex", "-1"), ""},
		{"a time below zero", v1, set(logEntry, "integratedTime", "-1"), "at -1"},
		{"a body that is none", kinds(), set(logEntry, "canonicalizedBody", []byte("{}")), ""},
		{"another index in the proof", kinds(), set(proofOf, "logIndex", "0"), ""},
		{"an index below zero in the proof", kinds(), set(proofOf, "logIndex", "-1"), "inclusion proof for leaf -1"},
		{"another index beside the proof", v2, set(logEntry, "logIndex", "0"), "its log index is 0, and that of its proof 5"},
		{"another size", kinds(), set(proofOf, "treeSize", "6"), ""},
		{"a size below zero", kinds(), set(proofOf, "treeSize", "-5"), "in a tree of -5"},
		{"a size above 2^62", kinds(), set(proofOf, "treeSize", "4611686018427387905"), ""},
		{"another root", kinds(), set(proofOf, "rootHash", make([]byte, 32)), "root"},
		{"a root of 31 bytes", kinds(), set(proofOf, "rootHash", make([]byte, 31)), "a root of 31 bytes"},
		{"a node of 31 bytes", kinds(), set(proofOf, "hashes", []any{make([]byte, 31)}), "a hash of 31 bytes"},
		{"a node less", kinds(), func(_ *site, o object) { proofOf(o)["hashes"] = proofOf(o)["hashes"].([]any)[1:] }, ""},
		{"no checkpoint", kinds(), func(_ *site, o object) { delete(proofOf(o), "checkpoint") }, "checkpoint"},
		{"no proof in version 0.3", kinds(), func(_ *site, o object) { delete(logEntry(o), "inclusionProof") }, "inclusion proof missing"},
		{"an empty time stamp", kinds(), func(_ *site, o object) {
			vouching(o)["timestampVerificationData"] = object{"rfc3161Timestamps": []any{object{}}}
		}, "an empty time stamp"},
		{"33 time stamps", kinds(), func(_ *site, o object) {
			vouching(o)["timestampVerificationData"] = object{"rfc3161Timestamps": slices.Repeat([]any{object{"signedTimestamp": []byte("x")}}, 33)}
		}, "33 time stamps; the limit is 32"},
		{"33 log entries", kinds(), func(_ *site, o object) {
			vouching(o)["tlogEntries"] = slices.Repeat([]any{logEntry(o)}, 33)
		}, "33 > 32"},
		{"one of two log entries another's", kinds(), func(s *site, o object) {
			b, e := body(artifactV1, testlog.NewSigner("mallory"), digest())
			other := published(s, s.entry(artifactV1, b, e, nil))
			vouching(o)["tlogEntries"] = append(vouching(o)["tlogEntries"].([]any), logEntry(other))
		}, "log entry 2"},
	} {
		for _, kind := range l.of {
			s := newSite(t)
			o := published(t, s.honest(kind, alice))
			if _, err := evidence.ReadBundle(marshal(t, o)); err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			l.lie(s, o)
			p, err := evidence.ReadBundle(marshal(t, o))
			if p != nil || err == nil || !strings.Contains(err.Error(), l.want) {
				t.Errorf("%s of %s: %+v, %v; want %q", l.name, kind, p, err, l.want)
			}
		}
	}
}

// Property: the certificate of the bundle is the one in the entry.
func TestSigstoreBundleOfAnotherCertificate(t *testing.T) {
	s := newSite(t)
	eve, _ := pem.Decode(s.ca.Issue("eve@example.com", "https://issuer.example", testlog.Epoch()).PEM)
	for _, kind := range kinds() {
		o := published(t, s.honest(kind, s.holder()))
		vouching(o)["certificate"] = object{"rawBytes": eve.Bytes}
		if p, err := evidence.ReadBundle(marshal(t, o)); err == nil || !strings.Contains(err.Error(), "it holds another certificate than the bundle") {
			t.Errorf("%s: %+v, %v", kind, p, err)
		}
		vouching(o)["publicKey"] = object{"hint": "x"}
		delete(vouching(o), "certificate")
		if p, err := evidence.ReadBundle(marshal(t, o)); err == nil || !strings.Contains(err.Error(), "one names a certificate and the other a bare key") {
			t.Errorf("%s, a key for a certificate: %+v, %v", kind, p, err)
		}
	}
}

// Property: a bundle of version 0.1 may hold a signed entry timestamp alone. It
// reads as not proven, and does not verify until a proof is put to it; with a
// chain of certificates it says its first one.
func TestOlderSigstoreBundles(t *testing.T) {
	s := newSite(t)
	for _, kind := range []string{artifactV1, dsseV1, intotoV1} {
		e := s.honest(kind, s.holder())
		o := published(t, e)
		chain := []any{vouching(o)["certificate"], object{"rawBytes": s.ca.Certificate.Raw}}
		delete(vouching(o), "certificate")
		vouching(o)["x509CertificateChain"] = object{"certificates": chain}
		for _, version := range []string{"0.1", "0.2"} {
			o["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=" + version
			p, err := evidence.ReadBundle(marshal(t, o))
			if err != nil || !p[0].Proven || p[0].Claim.Certificate.EmailAddresses[0] != "bob@example.com" {
				t.Fatalf("%s, version %s: %+v, %v", kind, version, p, err)
			}
			if _, err := s.verify(&p[0].Entry); err != nil {
				t.Errorf("%s, version %s: %v", kind, version, err)
			}
		}
		delete(logEntry(o), "inclusionProof")
		if _, err := evidence.ReadBundle(marshal(t, o)); err == nil {
			t.Errorf("%s: version 0.2 without a proof was read", kind)
		}
		o["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.1"
		p, err := evidence.ReadBundle(marshal(t, o))
		if err != nil || p[0].Proven || len(p[0].Checkpoint) != 0 || p[0].Inclusion.Tree != (merkle.Tree{}) {
			t.Fatalf("%s, without a proof: %+v, %v", kind, p, err)
		}
		if got, err := s.verify(&p[0].Entry); err == nil {
			t.Errorf("%s, without a proof: %+v", kind, got)
		}
		p[0].Inclusion, p[0].Checkpoint = e.Inclusion, e.Checkpoint
		if _, err := s.verify(&p[0].Entry); err != nil {
			t.Errorf("%s, with the log's proof: %v", kind, err)
		}
	}
}

// Property: every log entry of a bundle is evidence of its own, up to 32 of
// them, with up to 32 time stamps.
func TestSigstoreBundleOfSeveralEntries(t *testing.T) {
	alice := testlog.NewSigner("alice")
	s := newSite(t, alice)
	b, e := body(dsseV1, alice, digest())
	one := s.entry(dsseV1, b, e, e.Signature)
	two := s.entry(dsseV2, alice.DSSEV2(e), e, e.Signature)
	o, second := published(t, one), published(t, two)
	vouching(o)["tlogEntries"] = append([]any{logEntry(second)}, slices.Repeat([]any{logEntry(o)}, 31)...)
	stamps := slices.Repeat([]any{object{"signedTimestamp": []byte("x")}}, 31)
	vouching(o)["timestampVerificationData"] = object{"rfc3161Timestamps": append(stamps, vouching(second)["timestampVerificationData"].(object)["rfc3161Timestamps"].([]any)[0])}
	p, err := evidence.ReadBundle(marshal(t, o))
	if err != nil || len(p) != 32 || !p[0].V2 || p[31].V2 {
		t.Fatalf("%d entries, %v", len(p), err)
	}
	for i := range p {
		if len(p[i].Timestamps) != 32 || p[i].Envelope == nil {
			t.Errorf("entry %d: %d time stamps", i, len(p[i].Timestamps))
		}
		if _, err := s.verify(&p[i].Entry); err != nil {
			t.Errorf("entry %d: %v", i, err)
		}
	}
}

// Property: a bundle has up to 4 MiB.
func TestLargestSigstoreBundle(t *testing.T) {
	s := newSite(t)
	file, err := s.honest(artifactV1, testlog.NewSigner("alice")).MarshalSigstore()
	if err != nil {
		t.Fatal(err)
	}
	for n, ok := range map[int]bool{evidence.MaxPublished: true, evidence.MaxPublished + 1: false} {
		padded := append(bytes.Repeat([]byte(" "), n-len(file)), file...)
		if _, err := evidence.ReadBundle(padded); (err == nil) != ok || !ok && !strings.Contains(err.Error(), "the limit is 4194304") {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

// Property: a file is one bundle, or one a line; empty lines are none.
func TestSplitLines(t *testing.T) {
	for in, want := range map[string]string{
		"": "[]", "\n\n": "[]", "{}": "[{}]", "{\n}\n": "[{\n}\n]", "{}\n{}\n": "[{} {}]", " {} \r\n\n{\"a\":1}": "[{} {\"a\":1}]", "{\n}\n{\n}\n": "[{ } { }]", "junk": "[junk]",
	} {
		if got := fmt.Sprintf("%s", evidence.SplitLines([]byte(in))); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// Property: reading a bundle never panics, and what it accepts is an entry that
// says what the claim says and leaves as a bundle that reads as the same.
func FuzzReadBundle(f *testing.F) {
	s, alice := newSite(f), testlog.NewSigner("alice")
	for _, kind := range kinds() {
		f.Add(marshal(f, published(f, s.honest(kind, alice))))
		f.Add(marshal(f, published(f, s.honest(kind, s.holder()))))
	}
	old := published(f, s.honest(dsseV1, alice))
	delete(logEntry(old), "inclusionProof")
	old["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.1"
	f.Add(marshal(f, old))
	const media = `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json",`
	f.Add([]byte(media + `"verificationMaterial":{"publicKey":{},"tlogEntries":[{}]},"messageSignature":{}}`))
	f.Add([]byte(media + media[1:] + `"verificationMaterial":{}}`))
	f.Add([]byte(media + `"verificationMaterial":{"tlogEntries":` + strings.Repeat("[", 10_000)))
	f.Add([]byte(media + `"verificationMaterial":{"tlogEntries":[{"inclusionProof":{"treeSize":"4611686018427387905","logIndex":"9223372036854775807"}}]}}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		all, err := evidence.ReadBundle(file)
		if err != nil {
			if all != nil {
				t.Fatal("entries and an error")
			}
			return
		}
		if len(all) == 0 {
			t.Fatal("neither an entry nor an error")
		}
		for _, p := range all {
			c, err := p.Entry.Claim()
			if err != nil || fmt.Sprint(c.Digests()) != fmt.Sprint(p.Claim.Digests()) || len(c.Digests()) == 0 {
				t.Fatalf("%+v, %v; read %+v", c, err, p.Claim)
			}
			if !p.Proven {
				continue
			}
			out, err := p.MarshalSigstore()
			if err != nil {
				t.Fatalf("can't leave: %v", err)
			}
			again, err := evidence.ReadBundle(out)
			if err != nil || len(again) != 1 || !bytes.Equal(again[0].Body, p.Body) || !bytes.Equal(again[0].Checkpoint, p.Checkpoint) {
				t.Fatalf("leaves as %s, which reads as %+v, %v", out, again, err)
			}
		}
	})
}

// Property: no entry, with whatever envelope, makes Claim panic. What it accepts
// is about something, and signed by somebody.
func FuzzClaim(f *testing.F) {
	alice := testlog.NewSigner("alice")
	for _, kind := range kinds() {
		b, e := body(kind, alice, digest())
		if e == nil {
			f.Add(b, isV2(kind), []byte(nil))
			continue
		}
		f.Add(b, isV2(kind), e.Payload)
	}
	f.Add([]byte(`{"apiVersion":"0.0.2","kind":"intoto","spec":{}}`), false, []byte(`{"_type":"https://in-toto.io/Statement/v0.1","subject":[{"digest":{"goModuleH1":"`+hexes(32)+`"}}]}`))
	f.Fuzz(func(t *testing.T, body []byte, v2 bool, payload []byte) {
		e := &evidence.Entry{Body: body, V2: v2}
		if len(payload) > 0 {
			e.Envelope = alice.Envelope(payload)
		}
		c, err := e.Claim()
		if err != nil {
			if c != nil {
				t.Fatal("a claim and an error")
			}
			return
		}
		if c.Key == nil || len(c.Digests()) == 0 || (c.Statement != nil) != (e.Envelope != nil) {
			t.Fatalf("%+v", c)
		}
		for _, d := range c.Digests() {
			if again, err := evidence.ParseDigest(d.String()); err != nil || again != d {
				t.Fatalf("digest %v, %v", d, err)
			}
		}
	})
}
