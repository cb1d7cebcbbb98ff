package evidence_test

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/testlog"
)

// mayBeAbout is what the entry of a bundle may be about.
func mayBeAbout(v2 bool, body []byte, e *bundles.Envelope) []evidence.Digest {
	l := &bundles.Log{LogInfo: bundles.LogInfo{Kind: bundles.RekorV1}}
	if v2 {
		l.Kind = bundles.RekorV2
	}
	return evidence.MayBeAbout(l, &bundles.Entry{Leaf: string(body), Envelope: e})
}

// covers demands that what an entry says is among what it may be about.
func covers(t *testing.T, v2 bool, body []byte, e *bundles.Envelope) {
	t.Helper()
	c, err := (&evidence.Entry{V2: v2, Body: body, Envelope: e}).Claim()
	if err != nil {
		return
	}
	may := mayBeAbout(v2, body, e)
	for _, d := range c.Digests() {
		if !slices.Contains(may, d) {
			t.Errorf("%s says %v, and may be about %v", body, d, may)
		}
	}
}

// Property: what an entry of any kind says is found without reading the rest of it; one
// whose rest is nonsense may be about the same.
func TestMayBeAbout(t *testing.T) {
	alice := testlog.NewSigner("alice")
	for _, kind := range kinds() {
		b, e := body(kind, alice, digest())
		may := mayBeAbout(isV2(kind), b, e)
		if len(may) == 0 || may[0] != evidence.SHA256(digest()) || len(may) != map[bool]int{true: 2, false: 1}[isStatement(kind)] {
			t.Errorf("%s: %v", kind, may)
		}
		covers(t, isV2(kind), b, e)
		if !isStatement(kind) {
			at := strings.Index(string(b), `"signature"`)
			if got := mayBeAbout(isV2(kind), append(slices.Clone(b[:at]), "nonsense"...), nil); !slices.Equal(got, may) {
				t.Errorf("%s with nonsense behind: %v", kind, got)
			}
			if got := mayBeAbout(!isV2(kind), b, nil); got != nil {
				t.Errorf("%s in a log of the other generation: %v", kind, got)
			}
		}
	}
	for name, b := range map[string]string{
		"nothing": "", "begin": `{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{"data":{"hash":{"algorithm":"sha256`,
		"short":     `{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{"data":{"hash":{"algorithm":"sha256","value":"ab"`,
		"algorithm": `{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{"data":{"hash":{"algorithm":"md5","value":"` + hexes(32) + `"`,
	} {
		if got := mayBeAbout(false, []byte(b), nil); got != nil {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := mayBeAbout(false, nil, &bundles.Envelope{PayloadType: "text/plain", Payload: []byte("x")}); got != nil {
		t.Errorf("an envelope of text: %v", got)
	}
}

// Property: whatever has a claim may be about what it says.
func FuzzMayBeAbout(f *testing.F) {
	alice := testlog.NewSigner("alice")
	for _, kind := range kinds() {
		b, e := body(kind, alice, digest())
		if e == nil {
			e = &bundles.Envelope{}
		}
		f.Add(isV2(kind), isStatement(kind), b, e.Payload, e.Signature)
	}
	f.Fuzz(func(t *testing.T, v2, statement bool, body, payload, signature []byte) {
		var e *bundles.Envelope
		if statement {
			e = &bundles.Envelope{PayloadType: evidence.StatementMediaType, Payload: payload, Signature: signature}
		}
		covers(t, v2, body, e)
	})
}

// Property: a record is found by the module that it is of.
func TestRecordKey(t *testing.T) {
	for leaf, want := range map[string]string{
		"example.com/m v1.0.0 h1:x\n": "example.com/m v1.0.0", "example.com/m v1.0.0": "", "example.com/m": "", "": "", " ": "", "  ": " ", "a b c d": "a b",
	} {
		if got := evidence.RecordKeyOf(leaf); got != want {
			t.Errorf("%q: %q, want %q", leaf, got, want)
		}
	}
	r := evidence.Record{Module: module.Version{Path: "example.com/m", Version: "v1.2.3"}}
	if got := evidence.RecordKeyOf(r.String()); got != evidence.RecordKey("example.com/m", "v1.2.3") {
		t.Errorf("%q begins with %q", r, got)
	}
}
