package bundles_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/testlog"
)

// published is the sample with what publishers hand out beside it: one shard of
// a Rekor v2 at two tree sizes, a statement with its envelope and time stamps,
// and artifacts. Its logs are rekor-v1, rekor-v2 of 6, rekor-v2 of 9, sumdb.
func published() *bundles.Payload {
	p := sample(true)
	log, alice := testlog.NewRekorV2("rekor2.example"), testlog.NewSigner("alice")
	for i := range byte(9) {
		log.Add(alice.BodyV2([32]byte{i}))
	}
	id := log.LogID()
	at := func(size uint64, entries ...bundles.Entry) bundles.Log {
		l := bundles.Log{LogInfo: bundles.LogInfo{Kind: bundles.RekorV2, Name: log.Host, LogID: hex.EncodeToString(id[:])}, Checkpoint: log.Checkpoint(size), Entries: entries}
		var indexes []uint64
		for i := range l.Entries {
			e := &l.Entries[i]
			e.Leaf, indexes = string(log.Leaf(e.Index)), append(indexes, e.Index)
		}
		l.Proof = log.Multiproof(size, indexes...)
		return l
	}
	statement := &bundles.Envelope{PayloadType: testlog.StatementType, Payload: []byte(`{"_type":"<&>\u2028"}`), Signature: []byte{1, 2, 3}, KeyID: "k ü"}
	small := at(6, bundles.Entry{Index: 2, Timestamps: [][]byte{[]byte("one"), []byte("two")}}, bundles.Entry{Index: 5, Envelope: statement})
	large := at(9, bundles.Entry{Index: 2}, bundles.Entry{Index: 8, Timestamps: [][]byte{{0}}, Envelope: &bundles.Envelope{Payload: []byte{0}, Signature: []byte{0}}})
	p.Logs = []bundles.Log{p.Logs[0], small, large, p.Logs[1]}
	for _, m := range p.Manifest.Modules {
		m.Entries[1].Log = 3
	}
	p.Manifest.Artifacts = []bundles.Artifact{
		{SHA512: strings.Repeat("5e", 64)},
		{Name: "tool ü.tar.gz", SHA256: hexOf("a"), SHA384: strings.Repeat("3e", 48), SHA512: strings.Repeat("5e", 64), Entries: []bundles.Ref{{Log: 0, Index: 4}, {Log: 1, Index: 5}, {Log: 2, Index: 8}}, LeftOut: 7},
		{Name: "tool ü.tar.gz", SHA256: hexOf("b")},
	}
	p.Manifest.Artifacts[2].Entries = []bundles.Ref{{Log: 2, Index: 2}}
	if p.Manifest.Artifacts[1].SHA256 > p.Manifest.Artifacts[2].SHA256 {
		p.Manifest.Artifacts[1].SHA256, p.Manifest.Artifacts[2].SHA256 = p.Manifest.Artifacts[2].SHA256, p.Manifest.Artifacts[1].SHA256
	}
	return p
}

// Property: statements with their envelopes, time stamps, logs of Rekor v2 at
// several sizes, and artifacts come out as they went in, in one form.
func TestRoundTripOfPublishedEvidence(t *testing.T) {
	const want = "7dde932974a5c0fdd46c5a384e59a3b84c18cda0e1588e4785068c153c241a05"
	p := published()
	payload := write(t, p)
	b, err := open(framed(t, payload))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(b.Manifest, p.Manifest) || !reflect.DeepEqual(b.Logs, p.Logs) {
		t.Fatalf("%+v differs from %+v", b.Manifest, p.Manifest)
	}
	if got := fmt.Sprint(b.Logs[1].Size, b.Logs[2].Size, b.Manifest.Logs[1].Size, b.Manifest.Logs[2].Size); got != "6 9 6 9" {
		t.Errorf("sizes %s", got)
	}
	if !bytes.Equal(payload, write(t, published())) {
		t.Error("two payloads of equal inputs differ")
	}
	if got := hexOf(string(decompress(t, payload))); got != want {
		t.Errorf("SHA-256 of the payload's tar is %s, want %s: a change of the format", got, want)
	}
	entries := string(at(t, unpack(t, payload), "logs/1/entries.jsonl").data)
	for _, part := range []string{
		`,"timestamps":["b25l","dHdv"]}` + "\n", `,"envelope":{"payloadType":"application/vnd.in-toto+json","payload":"eyJfdHlwZSI6IjwmPlx1MjAyOCJ9","signature":"AQID","keyID":"k ü"}}` + "\n",
	} {
		if !strings.Contains(entries, part) {
			t.Errorf("no %s in %s", part, entries)
		}
	}
}

// refusePublishedLies is refuseLies with the manifest of published.
func refusePublishedLies(t *testing.T, lies []lie) {
	t.Helper()
	files := unpack(t, write(t, published()))
	for _, c := range lies {
		b, err := open(repacked(t, edited(t, files, c.edit)))
		wantDamaged(t, c.name, b, err)
		if err != nil && (!strings.Contains(err.Error(), c.want) || len(err.Error()) > 800 || strings.ContainsAny(err.Error(), "\x1b\u009b\u202e")) {
			t.Errorf("%s: %q, want %q", c.name, err, c.want)
		}
	}
}

// Property: artifacts have printable names without a path and a digest at
// least, are sorted, each once, and refer to what is there.
func TestLiesAboutArtifacts(t *testing.T) {
	artifacts := func(edit func(a []bundles.Artifact)) func(m *bundles.Manifest) {
		return func(m *bundles.Manifest) { edit(m.Artifacts) }
	}
	name := func(s string) func(m *bundles.Manifest) {
		return artifacts(func(a []bundles.Artifact) { a[0].Name = s })
	}
	refusePublishedLies(t, []lie{
		{"unsorted", artifacts(slices.Reverse), "artifacts are not sorted"},
		{"unsorted by digest", artifacts(func(a []bundles.Artifact) { a[1], a[2] = a[2], a[1] }), "artifacts are not sorted"},
		{"one twice", artifacts(func(a []bundles.Artifact) { a[2] = a[1] }), "artifacts are not sorted"},
		{"one twice, with other entries", artifacts(func(a []bundles.Artifact) { a[2] = a[1]; a[2].Entries = nil }), "artifacts are not sorted"},
		{"no digest", artifacts(func(a []bundles.Artifact) { a[0].SHA512 = "" }), "has no digest"},
		{"sha256 too short", artifacts(func(a []bundles.Artifact) { a[1].SHA256 = hexOf("")[2:] }), "is not 64 lower-case hex digits"},
		{"sha256 in upper case", artifacts(func(a []bundles.Artifact) { a[1].SHA256 = strings.ToUpper(hexOf("a")) }), "is not 64 lower-case hex digits"},
		{"sha384 of 32 bytes", artifacts(func(a []bundles.Artifact) { a[1].SHA384 = hexOf("") }), "is not 96 lower-case hex digits"},
		{"sha512 of 48 bytes", artifacts(func(a []bundles.Artifact) { a[1].SHA512 = strings.Repeat("5e", 48) }), "is not 128 lower-case hex digits"},
		{"sha512 no hex", artifacts(func(a []bundles.Artifact) { a[0].SHA512 = strings.Repeat("zz", 64) }), "is not 128 lower-case hex digits"},
		{"name with a path", name("dir/tool"), `artifact name "dir/tool"`},
		{"name with a path of Windows", name(`dir\tool`), `artifact name "dir\\tool"`},
		{"name with an escape", name("a\x1b[2J"), `artifact name "a\x1b[2J"`},
		{"name with C1 control", name("a\u009b2J"), "artifact name"},
		{"name that turns text around", name("a\u202eb"), "artifact name"},
		{"name with a newline", name("a\n"), "artifact name"},
		{"name with a replacement character", name("a\ufffd"), "artifact name"},
		{"name of 256 bytes", name(strings.Repeat("x", 256)), "artifact name"},
		{"fewer than no entries left out", artifacts(func(a []bundles.Artifact) { a[1].LeftOut = -1 }), "leftOut -1"},
		{"entries unsorted", artifacts(func(a []bundles.Artifact) { slices.Reverse(a[1].Entries) }), "entries are not sorted"},
		{"an entry twice", artifacts(func(a []bundles.Artifact) { a[1].Entries[1] = a[1].Entries[0] }), "entries are not sorted"},
		{"entry of no log", artifacts(func(a []bundles.Artifact) { a[1].Entries[0].Log = -1 }), "entry of log -1 of 4"},
		{"entry of a log that is not there", artifacts(func(a []bundles.Artifact) { a[1].Entries[2].Log = 4 }), "entry of log 4 of 4"},
		{"entry that is not there", artifacts(func(a []bundles.Artifact) {
			a[1].Entries[1].Index = 2
			a[1].Entries[1].Log = 1
			a[1].Entries[2].Index = 5
		}), "refers to entry 5 of log 2, which is not there"},
	})
	files := unpack(t, write(t, published()))
	long := edited(t, files, func(m *bundles.Manifest) { m.Artifacts[2].Name = "ü" + strings.Repeat("ä", 126) + "x" })
	if _, err := open(repacked(t, long)); err != nil {
		t.Errorf("a name of 255 bytes: %v", err)
	}
}

// Property: the size of a log's tree is that of its multiproof, and one shard at
// several sizes stands in their order.
func TestLiesAboutSizes(t *testing.T) {
	refusePublishedLies(t, []lie{
		{"another size", func(m *bundles.Manifest) { m.Logs[1].Size = 7 }, `log "rekor2.example": a multiproof in a tree of 6, where the manifest says 7`},
		{"no size", func(m *bundles.Manifest) { m.Logs[0].Size = 0 }, "a tree of 0"},
		{"a size above 2^62", func(m *bundles.Manifest) { m.Logs[0].Size = 1<<62 + 1 }, "a tree of 4611686018427387905"},
		{"sizes in another order", func(m *bundles.Manifest) { m.Logs[1], m.Logs[2] = m.Logs[2], m.Logs[1] }, "logs are not sorted"},
		{"one size twice", func(m *bundles.Manifest) { m.Logs[2].Size = 6 }, "logs are not sorted"},
		{"Rekor v2 without a log ID", func(m *bundles.Manifest) { m.Logs[1].LogID = "" }, "log ID"},
		{"Rekor v1 as v2", func(m *bundles.Manifest) { m.Logs[0].Kind, m.Logs[0].Name = bundles.RekorV2, "a" }, "has what only Rekor v1 gives"},
	})
}

// Property: entries hold what their kind of log gives, and nothing that is
// empty, which would have two encodings.
func TestLiesAboutEnvelopes(t *testing.T) {
	files := unpack(t, write(t, published()))
	const small, large, sums = "logs/1/entries.jsonl", "logs/2/entries.jsonl", "logs/3/entries.jsonl"
	const envelope, stamps = `,"envelope":{"payloadType":"x","payload":"AAAA","signature":"AAAA"}`, `,"timestamps":["AAAA"]`
	for _, c := range []struct{ name, file, old, new, want string }{
		{"an envelope in a checksum database", sums, `"}` + "\n", `"` + envelope + "}\n", "has what only entries of Rekor have"},
		{"a time stamp in a checksum database", sums, `"}` + "\n", `"` + stamps + "}\n", "has what only entries of Rekor have"},
		{"a signed entry timestamp of Rekor v2", large, `"}` + "\n", `","set":"AAAA"}` + "\n", "has what only Rekor v1 gives"},
		{"a time of Rekor v2", large, `"}` + "\n", `","integratedTime":5}` + "\n", "has what only Rekor v1 gives"},
		{"a log index of Rekor v2", large, `"}` + "\n", `","logIndex":5}` + "\n", "has what only Rekor v1 gives"},
		{"no payload", small, `"payload":"eyJfdHlwZSI6IjwmPlx1MjAyOCJ9"`, `"payload":""`, "envelope without payload or signature"},
		{"a payload that is null", small, `"payload":"eyJfdHlwZSI6IjwmPlx1MjAyOCJ9"`, `"payload":null`, "envelope without payload or signature"},
		{"no signature", small, `"signature":"AQID"`, `"signature":""`, "envelope without payload or signature"},
		{"a signature that is null", small, `"signature":"AQID"`, `"signature":null`, "envelope without payload or signature"},
		{"an empty time stamp", small, `"b25l"`, `""`, "an empty time stamp"},
		{"a time stamp that is null", small, `"b25l"`, `null`, "an empty time stamp"},
		{"no time stamps", small, `["b25l","dHdv"]`, `[]`, "not in its canonical encoding"},
		{"time stamps that are null", small, `["b25l","dHdv"]`, `null`, "not in its canonical encoding"},
		{"an envelope that is null", large, `"}` + "\n", `","envelope":null}` + "\n", "not in its canonical encoding"},
		{"an empty key ID", small, `"k ü"`, `""`, "not in its canonical encoding"},
		{"an unknown member", small, `"keyID":"k ü"`, `"keyID":"k ü","cert":"x"`, "not in its canonical encoding"},
		{"another order", small, `"payload":"eyJfdHlwZSI6IjwmPlx1MjAyOCJ9","signature":"AQID"`, `"signature":"AQID","payload":"eyJfdHlwZSI6IjwmPlx1MjAyOCJ9"`, "not in its canonical encoding"},
		{"base64 without padding", large, `"payload":"AA=="`, `"payload":"AA"`, "illegal base64"},
		{"base64 with other bits", large, `"payload":"AA=="`, `"payload":"AB=="`, "not in its canonical encoding"},
		{"base64 on two lines", small, `"b25l"`, `"b2\n5l"`, "not in its canonical encoding"},
	} {
		lied := slices.Clone(files)
		f := at(t, lied, c.file)
		data := bytes.Replace(f.data, []byte(c.old), []byte(c.new), 1)
		if bytes.Equal(data, f.data) {
			t.Fatalf("%s: no %q in %s", c.name, c.old, data)
		}
		f.data = data
		b, err := open(repacked(t, relisted(t, lied)))
		wantDamaged(t, c.name, b, err)
		if err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// Property: WritePayload refuses of these what Open refuses.
func TestWriteRefusesPublished(t *testing.T) {
	for name, edit := range map[string]func(p *bundles.Payload){
		"artifact without a digest": func(p *bundles.Payload) { p.Manifest.Artifacts[0].SHA512 = "" },
		"artifacts unsorted":        func(p *bundles.Payload) { slices.Reverse(p.Manifest.Artifacts) },
		"artifact of no entry":      func(p *bundles.Payload) { p.Manifest.Artifacts[2].Entries[0].Index = 3 },
		"artifact of no log":        func(p *bundles.Payload) { p.Manifest.Artifacts[2].Entries[0].Log = 9 },
		"artifact name not UTF-8":   func(p *bundles.Payload) { p.Manifest.Artifacts[0].Name = "a\xff" },
		"sizes unsorted":            func(p *bundles.Payload) { p.Logs[1], p.Logs[2] = p.Logs[2], p.Logs[1] },
		"an empty time stamp":       func(p *bundles.Payload) { p.Logs[1].Entries[0].Timestamps[0] = nil },
		"an empty payload":          func(p *bundles.Payload) { p.Logs[1].Entries[1].Envelope.Payload = nil },
		"an empty signature":        func(p *bundles.Payload) { p.Logs[1].Entries[1].Envelope.Signature = nil },
		"payload type not UTF-8":    func(p *bundles.Payload) { p.Logs[1].Entries[1].Envelope.PayloadType = "a\xff" },
		"key ID not UTF-8":          func(p *bundles.Payload) { p.Logs[1].Entries[1].Envelope.KeyID = "\xff" },
		"envelope in a database":    func(p *bundles.Payload) { p.Logs[3].Entries[0].Envelope = p.Logs[1].Entries[1].Envelope },
		"time stamp in a database":  func(p *bundles.Payload) { p.Logs[3].Entries[0].Timestamps = [][]byte{{1}} },
		"SET in a Rekor v2":         func(p *bundles.Payload) { p.Logs[1].Entries[0].SET = []byte{1} },
		"Rekor v2 without a log ID": func(p *bundles.Payload) { p.Logs[1].LogID = "" },
		"two logs of the same size": func(p *bundles.Payload) { p.Logs[2] = p.Logs[1] },
		"fewer than none left out":  func(p *bundles.Payload) { p.Manifest.Artifacts[0].LeftOut = -1 },
		"entries of an artifact twice": func(p *bundles.Payload) {
			p.Manifest.Artifacts[2].Entries = append(p.Manifest.Artifacts[2].Entries, p.Manifest.Artifacts[2].Entries[0])
		},
	} {
		p := published()
		edit(p)
		if err := bundles.WritePayload(&bytes.Buffer{}, p); err == nil {
			t.Errorf("%s: was written", name)
		}
	}
}

// Property: Sort orders artifacts and their entries too.
func TestSortArtifacts(t *testing.T) {
	p := published()
	want := fmt.Sprint(p.Manifest.Artifacts)
	slices.Reverse(p.Manifest.Artifacts)
	for _, a := range p.Manifest.Artifacts {
		slices.Reverse(a.Entries)
	}
	p.Manifest.Sort()
	if got := fmt.Sprint(p.Manifest.Artifacts); got != want {
		t.Errorf("sorted as %s, want %s", got, want)
	}
}

// Property: the limits on artifacts and on logs at several sizes let pass what is
// as many, and neither read nor write one more.
func TestPublishedLimits(t *testing.T) {
	p := published()
	atLimits(t, p, map[string]int64{"artifacts": 3, "logs": 4})
}
