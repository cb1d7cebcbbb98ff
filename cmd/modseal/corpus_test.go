package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/cli"
	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/internal/seal"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/merkle"
	"github.com/modseal/modseal/verify"
)

// A corpusCase is a Sigstore bundle that somebody published, with the verdict that
// an offline verifier must give. Files are relative to the corpus.
type corpusCase struct {
	ID, Bundle, Root, Artifact, Key, Identity, Issuer, Expect string
}

// rejects says of each bad bundle of the corpus, by the end of its ID, why
// snapshot does not seal it, and what verify says of its log entry when it has
// been sealed all the same. "" is that there is none to seal.
func rejects() map[string][2]string {
	const (
		noProof   = "it has no inclusion proof with a signed checkpoint: give the Rekor that has its entry with --rekor-url"
		noHead    = "does not verify: checkpoint: note has no verifiable signatures" // a made-up checkpoint
		otherHash = "transparency log dsse/intoto entry payload hash "
		lateCert  = "failed to verify leaf certificate: leaf certificate verification failed"
	)
	return map[string][2]string{
		"8811f1": {noProof, noHead},
		"742229": {noProof, noHead},
		"8b9f72": {noProof, noHead}, // its signed entry timestamp is of no use either
		"a3ac98": {noProof, noHead}, // and its statement is not the one that was logged
		"340e1b": {"inclusion proof missing in bundle", noHead},
		"b659b5": {"inclusion proof missing required checkpoint", noHead}, // and no certificate
		"2b7abf": {otherHash, otherHash},
		"20279c": {otherHash, otherHash},
		"f9d31b": {lateCert, lateCert}, // stamped after it had expired
		// The entry is a good one, of something else.
		"704633": {"log entry 1: it holds another signature than the bundle", "the bundle has no evidence for it"},
		// What is wrong is the form of the file, which a modseal bundle does not have.
		"3d9c2d": {"unsupported media type: this is completely wrong", accepted},
		"f6f52b": {"verification material cannot be X.509 certificate chain (for bundle v0.3)", ""},
	}
}

// accepted is what verify says when it accepts an artifact.
const accepted = "PASS: 1 artifact is proven"

// corpusDir finds shared/data/sigstore in or above the folder of the project.
func corpusDir(t *testing.T) string {
	dir, err := os.Getwd()
	for err == nil && dir != filepath.Dir(dir) {
		corpus := filepath.Join(dir, "shared", "data", "sigstore")
		if _, err := os.Stat(filepath.Join(corpus, "cases.json")); err == nil {
			return corpus
		}
		dir = filepath.Dir(dir)
	}
	t.Skip("SKIPPED, NOT TESTED: ../shared/data/sigstore with the real Sigstore bundles is not here")
	return ""
}

// A desk is where commands are run: a folder with keys to seal with.
type desk struct {
	testing.TB
	dir  string
	seal *keys.Private
}

func newDesk(t testing.TB) *desk {
	d := &desk{TB: t, dir: t.TempDir()}
	s := testlog.NewSigner("seal")
	var err error
	if d.seal, err = keys.ParsePrivate(s.PrivatePEM(), nil); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"seal.key": s.PrivatePEM(), "seal.pub": s.PEM} {
		if err := os.WriteFile(filepath.Join(d.dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// run runs modseal, and gives its exit code and what it printed.
func (d *desk) run(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	env := map[string]string{"SOURCE_DATE_EPOCH": "1790000000", "GOENV": "off", "MODSEAL_CACHE": "off"}
	code = cli.Run(context.Background(), &cli.Process{
		Args: args, Stdout: &out, Stderr: &errs, Dir: d.dir, Getenv: func(name string) string { return env[name] },
		Now: func() time.Time { return time.Unix(1790000000, 0) },
	}, "test")
	return code, out.String(), errs.String()
}

// flags are those of a case for either command.
func (c *corpusCase) flags(dir string) []string {
	artifact := c.Artifact
	if !strings.HasPrefix(artifact, "sha") || strings.Contains(artifact, "/") {
		artifact = filepath.Join(dir, artifact)
	}
	flags := []string{"-q", "--trusted-root", filepath.Join(dir, c.Root), "--artifact", artifact, "--require", "rekor"}
	if c.Key != "" {
		return append(flags, "--key", filepath.Join(dir, c.Key))
	}
	return append(flags, "--certificate-identity", c.Identity, "--certificate-oidc-issuer", c.Issuer)
}

// published is what a Sigstore bundle holds, read with no check of any of it.
type published struct {
	VerificationMaterial struct {
		TlogEntries []struct {
			LogIndex          int64 `json:",string"`
			LogID             struct{ KeyID []byte }
			IntegratedTime    int64 `json:",string"`
			InclusionPromise  struct{ SignedEntryTimestamp []byte }
			CanonicalizedBody []byte
			InclusionProof    struct {
				LogIndex   int64 `json:",string"`
				TreeSize   int64 `json:",string"`
				RootHash   []byte
				Hashes     [][]byte
				Checkpoint struct{ Envelope string }
			}
		}
		TimestampVerificationData struct {
			Rfc3161Timestamps []struct{ SignedTimestamp []byte }
		}
	}
	DsseEnvelope struct {
		Payload     []byte
		PayloadType string
		Signatures  []struct {
			Sig   []byte
			KeyID string
		}
	}
}

// log makes a log of a bundle's first entry, whatever is wrong with it: without
// a proof, in a tree of its own.
func (p *published) log(t testing.TB) *bundles.Log {
	t.Helper()
	e := p.VerificationMaterial.TlogEntries[0]
	l := &bundles.Log{LogInfo: bundles.LogInfo{Kind: bundles.RekorV1, LogID: hex.EncodeToString(e.LogID.KeyID)}, Checkpoint: []byte(e.InclusionProof.Checkpoint.Envelope)}
	leaf := merkle.LeafHash(e.CanonicalizedBody)
	in := merkle.Inclusion{Leaf: leaf, Index: uint64(e.InclusionProof.LogIndex), Tree: merkle.Tree{Size: uint64(e.InclusionProof.TreeSize)}}
	copy(in.Tree.Root[:], e.InclusionProof.RootHash)
	for _, h := range e.InclusionProof.Hashes {
		in.Path = append(in.Path, merkle.Hash(h))
	}
	if len(l.Checkpoint) == 0 || merkle.VerifyInclusion(in.Tree, in.Index, in.Leaf, in.Path) != nil {
		in = merkle.Inclusion{Leaf: leaf, Tree: merkle.Tree{Size: 1, Root: leaf}}
		l.Checkpoint = []byte("rekor.sigstore.dev - 2605736670972794746\n1\n" + base64.StdEncoding.EncodeToString(leaf[:]) + "\n\n— rekor.sigstore.dev AAAAAAAA\n")
	}
	l.Name, _, _ = strings.Cut(string(l.Checkpoint), "\n")
	var err error
	if l.Proof, err = merkle.MergeProofs(in.Tree, []merkle.Inclusion{in}); err != nil {
		t.Fatal(err)
	}
	entry := bundles.Entry{Index: in.Index, Leaf: string(e.CanonicalizedBody)}
	if bytes.Contains(e.CanonicalizedBody, []byte(`"hashedRekordV002"`)) {
		l.Kind = bundles.RekorV2
	} else {
		entry.LogIndex, entry.IntegratedTime, entry.SET = uint64(e.LogIndex), e.IntegratedTime, e.InclusionPromise.SignedEntryTimestamp
	}
	for _, s := range p.VerificationMaterial.TimestampVerificationData.Rfc3161Timestamps {
		entry.Timestamps = append(entry.Timestamps, s.SignedTimestamp)
	}
	if d := p.DsseEnvelope; len(d.Signatures) > 0 {
		entry.Envelope = &bundles.Envelope{PayloadType: d.PayloadType, Payload: d.Payload, Signature: d.Signatures[0].Sig, KeyID: d.Signatures[0].KeyID}
	}
	l.Entries = []bundles.Entry{entry}
	return l
}

// force seals a log without asking anybody whether it is any good.
func (d *desk) force(output string, l *bundles.Log, artifact *verify.Artifact) {
	d.Helper()
	a := artifact.Manifest()
	a.Entries = []bundles.Ref{{Index: l.Entries[0].Index}}
	var payload bytes.Buffer
	err := bundles.WritePayload(&payload, &bundles.Payload{Logs: []bundles.Log{*l}, Manifest: bundles.Manifest{
		Created: "2026-09-21T00:00:00Z", Artifacts: []bundles.Artifact{a},
	}})
	if err != nil {
		d.Fatal(err)
	}
	size := int64(payload.Len())
	digests, err := bundles.DigestsOf(bytes.NewReader(payload.Bytes()), size)
	if err != nil {
		d.Fatal(err)
	}
	s, err := seal.ByKey(d.seal, digests)
	if err != nil {
		d.Fatal(err)
	}
	var file bytes.Buffer
	if err := bundles.WriteFile(&file, [][]byte{s}, bytes.NewReader(payload.Bytes()), size); err != nil {
		d.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.dir, output), file.Bytes(), 0o600); err != nil {
		d.Fatal(err)
	}
}

func readArtifact(t testing.TB, dir, name string) *verify.Artifact {
	t.Helper()
	if d, err := evidence.ParseDigest(name); err == nil {
		return &verify.Artifact{Digests: []verify.Digest{d}}
	}
	a, err := verify.ReadArtifact(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Property: of 40 bundles that others published, the commands seal and accept the
// good ones, with the trust and the signer that the case names, and no other
// signer. A bad one is not sealed. If it is all the same, past every check, verify
// does not accept it; that it does accept the good ones when they are sealed in
// this way shows that this is not the reason. Of all 40 the verdict is that of the
// case: none is judged more strictly here.
func TestCorpus(t *testing.T) {
	dir := corpusDir(t)
	list, err := os.ReadFile(filepath.Join(dir, "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []corpusCase
	if err := json.Unmarshal(list, &cases); err != nil || len(cases) < 40 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	why, good := rejects(), 0
	for _, c := range cases {
		t.Run(c.ID, func(t *testing.T) {
			d := newDesk(t)
			name := filepath.Join(dir, c.Bundle)
			snapshot := append([]string{"snapshot", "--seal-key", "seal.key", "--rekor-url", "off", "--attestations", name, "-o", "a.modseal"}, c.flags(dir)...)
			verifying := func(bundle string) (int, string, string) {
				return d.run(append([]string{"verify", "--seal-key", "seal.pub", bundle}, c.flags(dir)...)...)
			}
			file, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			var raw published
			if err := json.Unmarshal(file, &raw); err != nil {
				t.Fatal(err)
			}
			forced := len(raw.VerificationMaterial.TlogEntries) > 0
			if forced {
				d.force("forced.modseal", raw.log(t), readArtifact(t, dir, c.Artifact))
			}
			code, _, stderr := d.run(snapshot...)
			if c.Expect == "accept" {
				good++
				if code != 0 {
					t.Fatalf("snapshot: exit code %d\n%s", code, stderr)
				}
				for _, bundle := range []string{"a.modseal", "forced.modseal"} {
					if code, out, stderr := verifying(bundle); code != 0 || !strings.Contains(out, accepted) {
						t.Errorf("verify %s: exit code %d\n%s%s", bundle, code, out, stderr)
					}
				}
				c.Key, c.Identity, c.Issuer = "", "nobody@example.com", "https://issuer.example"
				if code, out, _ := verifying("a.modseal"); code != 1 || !strings.Contains(out, "not-allowed") {
					t.Errorf("verify with another signer: exit code %d\n%s", code, out)
				}
				return
			}
			reasons, ok := why[c.ID[len(c.ID)-6:]]
			if !ok {
				t.Error("no reason is given why it is bad")
			}
			if code != 1 || reasons[0] == "" || !strings.Contains(stderr, reasons[0]) {
				t.Errorf("snapshot: exit code %d\n%s", code, stderr)
			}
			if _, err := os.Stat(filepath.Join(d.dir, "a.modseal")); err == nil {
				t.Error("snapshot wrote something")
			}
			if forced != (reasons[1] != "") {
				t.Errorf("there is an entry: %t", forced)
			}
			if !forced {
				return
			}
			if code, out, stderr := verifying("forced.modseal"); (code == 0) != (reasons[1] == accepted) || code > 1 || !strings.Contains(out, reasons[1]) {
				t.Errorf("verify what was sealed all the same: exit code %d\n%s%s", code, out, stderr)
			}
		})
	}
	if good < 28 || len(why) != len(cases)-good {
		t.Errorf("%d good ones, %d bad ones with reasons, of %d", good, len(why), len(cases))
	}
}
