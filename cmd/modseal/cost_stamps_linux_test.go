package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/testlog"
)

// A publisher has a Rekor v2, a Fulcio and a timestamp authority, all of them trusted, and
// logs what he likes.
type publisher struct {
	log *testlog.RekorV2
	ca  *testlog.CA
	tsa *testlog.TSA
}

func newPublisher() *publisher {
	return &publisher{testlog.NewRekorV2("rekor2.example"), testlog.NewCA("fulcio"), testlog.NewTSA("tsa")}
}

func (p *publisher) root() string {
	return string(testlog.Sigstore{V2: []*testlog.RekorV2{p.log}, Fulcio: []*testlog.CA{p.ca}, TSA: []*testlog.TSA{p.tsa}}.TrustedRoot())
}

const stampedAt = 5 * time.Minute // after the log's epoch

// attestations are n Sigstore bundles over a digest, each by another identity and with
// these time stamps of its signature.
func (p *publisher) attestations(t *testing.T, digest [32]byte, n int, stamps func(signature []byte) [][]byte) string {
	entries := make([]evidence.Entry, n)
	for i := range entries {
		s := p.ca.Issue(fmt.Sprintf("%d@example.com", i), "https://issuer.example", testlog.Epoch())
		entries[i] = evidence.Entry{V2: true, Body: s.BodyV2(digest), LogID: p.log.LogID(), Timestamps: stamps(s.Sign(digest))}
		p.log.Add(entries[i].Body)
	}
	var lines strings.Builder
	for i := range entries {
		e := &entries[i]
		e.Inclusion, e.Checkpoint = p.log.Inclusion(uint64(i), p.log.Size()), p.log.Checkpoint(p.log.Size())
		line, err := e.MarshalSigstore()
		if err != nil {
			t.Fatal(err)
		}
		lines.Write(line)
	}
	return lines.String()
}

// forged is a bundle that nobody sealed, with n entries over a digest, which are logged and
// stamped, by certificates that somebody else issued to an identity that is trusted.
func (p *publisher) forged(w *costWorld, digest [32]byte, n int) []byte {
	s := testlog.NewCA("other").Issue("alice@example.com", "https://issuer.example", testlog.Epoch())
	id, body, signature := p.log.LogID(), s.BodyV2(digest), s.Sign(digest)
	artifact := bundles.Artifact{SHA256: hex.EncodeToString(digest[:])}
	log := bundles.Log{LogInfo: bundles.LogInfo{Kind: bundles.RekorV2, Name: p.log.Host, LogID: hex.EncodeToString(id[:])}}
	var indexes []uint64
	for i := range n {
		e := bundles.Entry{Index: p.log.Add(body), Leaf: string(body)}
		e.Timestamps = [][]byte{p.tsa.Stamp(signature, testlog.Epoch().Add(stampedAt+time.Duration(i)*time.Millisecond))}
		log.Entries, indexes = append(log.Entries, e), append(indexes, e.Index)
		artifact.Entries = append(artifact.Entries, bundles.Ref{Index: e.Index})
	}
	log.Proof, log.Checkpoint = p.log.Multiproof(p.log.Size(), indexes...), p.log.Checkpoint(p.log.Size())
	payload := &bundles.Payload{Manifest: bundles.Manifest{Created: "2026-02-03T04:05:06Z", Artifacts: []bundles.Artifact{artifact}}, Logs: []bundles.Log{log}}
	var out, file bytes.Buffer
	err := bundles.WritePayload(&out, payload)
	if err == nil {
		err = bundles.WriteFile(&file, nil, bytes.NewReader(out.Bytes()), int64(out.Len()))
	}
	if err != nil {
		w.Fatal(err)
	}
	return file.Bytes()
}

// hugeStamps are n time stamps by keys that are as large as may be, of nobody.
func (p *publisher) hugeStamps(n, bits int) func(signature []byte) [][]byte {
	key, cert := testlog.HugeKey(bits, "x", "huge", 2)
	return func(signature []byte) (stamps [][]byte) {
		for i := range n {
			stamp := p.tsa.Stamp(signature, testlog.Epoch().Add(stampedAt+time.Duration(i)*time.Second))
			stamps = append(stamps, testlog.Restamp(stamp, key, cert, cert))
		}
		return stamps
	}
}

// ownStamps are n time stamps that the authority made.
func (p *publisher) ownStamps(n int) func(signature []byte) [][]byte {
	return func(signature []byte) (stamps [][]byte) {
		for i := range n {
			stamps = append(stamps, p.tsa.Stamp(signature, testlog.Epoch().Add(stampedAt+time.Duration(i)*time.Second)))
		}
		return stamps
	}
}

// Property: time stamps cost no more than ten seconds, whoever made them, and however many
// there are.
func TestCostOfHostileStamps(t *testing.T) {
	const unproven, usage, untrusted = 1, 2, 3
	digest := [32]byte(bytes.Repeat([]byte{0xaa}, 32))
	attested := func(n int, stamps func(p *publisher) func([]byte) [][]byte, exit int, says string) hostileInput {
		return hostileInput{func(w *costWorld) []string {
			p := newPublisher()
			text := p.attestations(t, digest, n, stamps(p))
			return []string{"snapshot", "-q", "--cache", "off", "--no-seal", "--rekor-url", "off", "--trusted-root", w.file("root.json", p.root()),
				"--artifact", "sha256:" + strings.Repeat("a", 64), "--attestations", w.file("a.jsonl", text), "-o", w.path("out.modseal")}
		}, exit, says}
	}
	most := func(n int) func(p *publisher) func([]byte) [][]byte {
		return func(p *publisher) func([]byte) [][]byte { return p.ownStamps(n) }
	}
	sealed := func(sealer string, stamps func(p *publisher) func([]byte) [][]byte, says string) hostileInput {
		return hostileInput{func(w *costWorld) []string {
			p, payload := newPublisher(), []byte("no payload")
			digests, err := bundles.DigestsOf(bytes.NewReader(payload), int64(len(payload)))
			if err != nil {
				t.Fatal(err)
			}
			seal := []byte(p.attestations(t, digests.SHA256, 1, stamps(p)))
			var file bytes.Buffer
			if err := bundles.WriteFile(&file, slices.Repeat([][]byte{seal}, bundles.MaxSeals), bytes.NewReader(payload), int64(len(payload))); err != nil {
				t.Fatal(err)
			}
			return []string{"verify", "--trusted-root", w.file("root.json", p.root()), "--seal-identity", sealer, "--seal-issuer", "https://issuer.example",
				"--artifact", "sha256:" + strings.Repeat("a", 64), w.file("a.modseal", file.String())}
		}, untrusted, says}
	}
	forged := func(n int, says string) hostileInput {
		return hostileInput{func(w *costWorld) []string {
			p := newPublisher()
			return []string{"verify", "--insecure-ignore-seal", "--trusted-root", w.file("root.json", p.root()), "--certificate-identity", "alice@example.com", "--certificate-oidc-issuer", "https://issuer.example",
				"--artifact", "sha256:" + strings.Repeat("a", 64), w.file("a.modseal", string(p.forged(w, digest, n)))}
		}, unproven, says}
	}
	measureInputs(t, map[string]hostileInput{
		"forged entries":       forged(bundles.MaxUnsealedSigned, "leaf certificate verification failed"),
		"seals of a huge key":  sealed("0@example.com", func(p *publisher) func([]byte) [][]byte { return p.hugeStamps(1, 700_000) }, "more than 32768 bytes"),
		"seals of large keys":  sealed("0@example.com", func(p *publisher) func([]byte) [][]byte { return p.hugeStamps(8, 80_000) }, "unable to verify signed timestamps"),
		"seals of many stamps": sealed("alice@example.com", most(32), "(not verified), who is not trusted to seal"),
		"huge keys":            attested(45, func(p *publisher) func([]byte) [][]byte { return p.hugeStamps(31, 80_000) }, unproven, "unable to verify signed timestamps"),
		"as many as there are": attested(62, most(32), unproven, "not-allowed"),
		"more":                 attested(63, most(32), usage, "more than 2000 time stamps"),
		"one of each of many":  attested(2000, most(1), unproven, "not-allowed"),
	})
}
