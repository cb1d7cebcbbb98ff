package snapshot_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/verify"
)

// Property: without any network, a published entry of each kind proves a module
// by its zip and by its h1, in a bundle with that log and entry alone.
func TestPublished(t *testing.T) {
	module := plain + "@v1.0.0"
	for name, c := range map[string]struct {
		make func(p *publisher, m mod) *evidence.Entry
		kind bundles.Kind
	}{
		"v1, key, zip":         {func(p *publisher, m mod) *evidence.Entry { return p.blob(m.zipDigest()) }, bundles.RekorV1},
		"v1, key, h1":          {func(p *publisher, m mod) *evidence.Entry { return p.blob(m.h1()) }, bundles.RekorV1},
		"v1, certificate, zip": {func(p *publisher, m mod) *evidence.Entry { return p.entry(p.carol.Body(m.zipDigest()), nil) }, bundles.RekorV1},
		"v1, certificate, h1":  {func(p *publisher, m mod) *evidence.Entry { return p.entry(p.carol.Body(m.h1()), nil) }, bundles.RekorV1},
		"v1, statement, zip": {func(p *publisher, m mod) *evidence.Entry {
			return p.statement(module, "sha256", fmt.Sprintf("%x", m.zipDigest()))
		}, bundles.RekorV1},
		"v1, statement, h1": {func(p *publisher, m mod) *evidence.Entry {
			return p.statement("pkg:golang/"+module, "dirHash1", fmt.Sprintf("%x", m.h1()))
		}, bundles.RekorV1},
		"v1, intoto, older h1": {func(p *publisher, m mod) *evidence.Entry {
			e := p.bob.Envelope(testlog.Statement("https://slsa.dev/provenance/v0.2", testlog.Subject{Name: module, Digest: map[string]string{"goModuleH1": fmt.Sprintf("%x", m.h1())}}))
			return p.entry(p.bob.Intoto(e), e)
		}, bundles.RekorV1},
		"v2, key, zip": {func(p *publisher, m mod) *evidence.Entry { return p.blobV2(m.zipDigest()) }, bundles.RekorV2},
		"v2, certificate, h1": {func(p *publisher, m mod) *evidence.Entry {
			return p.entryV2(p.carol.BodyV2(m.h1()), nil, p.carol.Sign(m.h1()))
		}, bundles.RekorV2},
		"v2, statement, h1": {func(p *publisher, m mod) *evidence.Entry {
			e := p.bob.Envelope(testlog.Statement("https://slsa.dev/provenance/v1", testlog.Subject{Name: module, Digest: map[string]string{"dirHash1": fmt.Sprintf("%x", m.h1())}}))
			return p.entryV2(p.bob.DSSEV2(e), e, e.Signature)
		}, bundles.RekorV2},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPublisher(t)
			p.publish("a.sigstore.json", p.file(c.make(p, p.mod(plain))))
			s := p.take()
			p.verdicts(s, map[string]verify.Status{plain: verify.Verified})
			if len(s.Logs) != 1 || s.Logs[0].Kind != c.kind || s.Entries[0] != 1 || s.Unused != 0 || len(s.Unread) != 0 || len(s.Counts) != 0 {
				t.Errorf("logs %+v, entries %d, %d unused, unread %v, requests %v", s.Logs, s.Entries, s.Unused, s.Unread, s.Counts)
			}
		})
	}
}

// Property: a statement proves no module that it does not name, whatever digest
// it has.
func TestPublishedOfOtherName(t *testing.T) {
	p := newPublisher(t)
	p.publish("a.sigstore.json", p.file(p.statement(upper+"@v1.0.0", "sha256", fmt.Sprintf("%x", p.mod(plain).zipDigest()))))
	p.verdicts(p.take(), map[string]verify.Status{plain: verify.NotAllowed})
}

func artifact(name, text string) verify.Artifact {
	a, b, c := sha256.Sum256([]byte(text)), sha512.Sum384([]byte(text)), sha512.Sum512([]byte(text))
	return verify.Artifact{Name: name, Digests: []verify.Digest{{Algorithm: "sha256", Hex: fmt.Sprintf("%x", a)}, {Algorithm: "sha384", Hex: fmt.Sprintf("%x", b)}, {Algorithm: "sha512", Hex: fmt.Sprintf("%x", c)}}}
}

// Property: an artifact is proven by any of its digests, without a project, a
// module cache or the go command; beside modules too.
func TestPublishedOfArtifact(t *testing.T) {
	tool := artifact("tool.tar.gz", "a tool")
	digest := sha256.Sum256([]byte("a tool"))
	for name, make := range map[string]func(p *publisher) *evidence.Entry{
		"signed, v1": func(p *publisher) *evidence.Entry { return p.blob(digest) },
		"signed, v2": func(p *publisher) *evidence.Entry { return p.blobV2(digest) },
		"sha256":     func(p *publisher) *evidence.Entry { return p.statement("any name", "sha256", tool.Digests[0].Hex) },
		"sha384":     func(p *publisher) *evidence.Entry { return p.statement("any name", "sha384", tool.Digests[1].Hex) },
		"sha512":     func(p *publisher) *evidence.Entry { return p.statement("", "sha512", tool.Digests[2].Hex) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPublisher(t)
			p.request.Artifacts = []verify.Artifact{tool}
			p.publish("a.sigstore", p.file(make(p)))
			p.verdicts(p.take(), map[string]verify.Status{"tool.tar.gz": verify.Verified})
			// alone, and where nothing of Go is there
			p.request.Dirs, p.request.AllowMissing, p.request.NoDownload = nil, false, false
			p.request.Environ = []string{"PATH=/nowhere"}
			p.env = map[string]string{"GOENV": "off", "GOSUMDB": "off"}
			t.Setenv("PATH", "/nowhere")
			s := p.take()
			p.verdicts(s, map[string]verify.Status{"tool.tar.gz": verify.Verified})
			if r := p.enclave(); !r.OK || len(r.Modules) != 0 || len(r.Artifacts) != 1 {
				t.Errorf("%+v", r)
			}
			if m := p.bundle().Manifest; len(m.Modules) != 0 || len(m.Artifacts) != 1 || m.Artifacts[0].SHA512 != tool.Digests[2].Hex || len(m.Artifacts[0].Entries) != 1 {
				t.Errorf("manifest: %+v", m)
			}
		})
	}
}

// Property: an entry that is found and published is one entry, with the time
// stamps that the publisher alone has; and so is one that is published twice.
func TestFoundAndPublished(t *testing.T) {
	p := newPublisher(t)
	p.online()
	p.request.Others = 3
	m := p.mod(plain)
	e := p.blob(m.zipDigest())
	e.Timestamps = [][]byte{p.tsa.Stamp(p.bob.Sign(m.zipDigest()), testlog.Epoch().Add(time.Minute))}
	p.noise()
	p.publish("a.sigstore.json", p.file(e))
	p.publish("again.sigstore.json", p.file(e))
	s := p.take()
	p.verdicts(s, map[string]verify.Status{plain: verify.Verified, upper: verify.NotAllowed, corp: verify.NotAllowed})
	b := p.bundle()
	if len(b.Logs) != 1 || b.Logs[0].Size != p.rekor.Shard().Size() {
		t.Fatalf("logs: %+v", s.Logs)
	}
	n := 0
	for _, l := range b.Logs[0].Entries {
		if l.Leaf == string(e.Body) {
			n++
			if len(l.Timestamps) != 1 {
				t.Errorf("%d time stamps", len(l.Timestamps))
			}
		}
	}
	if n != 1 || s.Entries[0] != 7 { // 6 by alice
		t.Errorf("the entry is there %d times, of %d entries", n, s.Entries[0])
	}
}

// Property: each shard is a log of its own.
func TestPublishedInShards(t *testing.T) {
	p := newPublisher(t)
	p.publish("a.sigstore.json", p.file(p.blob(p.mod(plain).h1())))
	p.rekor.Rotate()
	p.trustAll()
	p.publish("b.sigstore.json", p.file(p.blob(p.mod(upper).h1())))
	p.publish("c.sigstore.json", p.file(p.blobV2(p.mod(corp).h1())))
	s := p.take()
	p.verdicts(s, map[string]verify.Status{plain: verify.Verified, upper: verify.Verified, corp: verify.Verified})
	if len(s.Logs) != 3 {
		t.Errorf("%+v", s.Logs)
	}
}

// Property: proofs in trees of two sizes are one log at its newest head if the
// log can be asked, and else two logs of one shard; either is verified.
func TestPublishedAtTwoSizes(t *testing.T) {
	p := newPublisher(t)
	p.publish("a.sigstore.json", p.file(p.statement(plain+"@v1.0.0", "sha256", fmt.Sprintf("%x", p.mod(plain).zipDigest()))))
	p.noise()
	p.publish("b.sigstore.json", p.file(p.statement(upper+"@v1.0.0", "sha256", fmt.Sprintf("%x", p.mod(upper).zipDigest()))))
	p.noise()
	want := map[string]verify.Status{plain: verify.Verified, upper: verify.Verified}
	s := p.take()
	p.verdicts(s, want)
	shard := p.rekor.Shard()
	if len(s.Logs) != 2 || s.Logs[0].Name != s.Logs[1].Name || s.Logs[0].Size != shard.Size()-3 || s.Logs[1].Size != shard.Size()-1 {
		t.Errorf("offline: %+v, newest size %d", s.Logs, shard.Size())
	}
	p.online()
	s = p.take()
	p.verdicts(s, want)
	if len(s.Logs) != 1 || s.Logs[0].Size != shard.Size() || s.Entries[0] != 2 {
		t.Errorf("online: %+v with %d entries", s.Logs, s.Entries)
	}
	if n := counted(p.rekor.Requests())["/api/v1/log/proof"]; n != 2 {
		t.Errorf("%d consistency proofs for two sizes", n)
	}
}

// Property: an old bundle without a proof is completed from the log that has its
// entry.
func TestPublishedWithoutProof(t *testing.T) {
	for _, private := range []bool{false, true} {
		p := newPublisher(t)
		p.online() // not a public one
		if private {
			p.env["GOPRIVATE"] = "example.com"
		}
		p.publish("a.sigstore.json", p.unproven(p.file(p.statement(plain+"@v1.0.0", "sha256", fmt.Sprintf("%x", p.mod(plain).zipDigest())))))
		p.noise()
		p.verdicts(p.take(), map[string]verify.Status{plain: verify.Verified})
	}
}

// Property: a file may be one bundle however it is laid out, or one a line; a
// folder is the files with the right names in it, at any depth, also through a
// link. Bundles of nothing here are counted and no error.
func TestAttestationFiles(t *testing.T) {
	p := newPublisher(t)
	a, b := p.file(p.blob(p.mod(plain).h1())), p.file(p.blob(p.mod(upper).h1()))
	nothing := p.file(p.blob([32]byte{1}))
	write(t, p.path("folder/deep/er/lines.jsonl"), a+"\n\n"+nothing+"\r\n"+nothing)
	write(t, p.path("folder/b.sigstore"), strings.NewReplacer(`{`, "{\n\n", `,`, ",\n").Replace(b))
	write(t, p.path("folder/c.sigstore.json"), nothing)
	write(t, p.path("folder/readme.json"), "no attestation")
	p.link("folder", "link")
	for _, name := range []string{"folder", "link"} {
		p.request.Attestations = []string{p.path(name)}
		s := p.take()
		p.verdicts(s, map[string]verify.Status{plain: verify.Verified, upper: verify.Verified})
		if s.Unused != 3 || len(s.Logs) != 2 {
			t.Errorf("%s: %d bundles of nothing here, logs %+v", name, s.Unused, s.Logs)
		}
	}
}

// Property: what a publisher vouches for is kept even if nobody named its signer:
// the enclave's policy may.
func TestPublishedByStranger(t *testing.T) {
	p := newPublisher(t)
	p.flags.Signers = p.flags.Signers[1:]
	p.request.Others = 0
	p.publish("a.sigstore.json", p.file(p.blob(p.mod(plain).h1())))
	s := p.take()
	p.verdicts(s, map[string]verify.Status{plain: verify.NotAllowed})
	if s.Unused != 0 || len(s.LeftOut) != 0 {
		t.Errorf("%d unused, left out %v", s.Unused, s.LeftOut)
	}
	p.flags = newPublisher(t).flags
	if r := p.enclave(); r.Counts["verified"] != 1 {
		t.Errorf("an enclave that names the signer: %v", r.Counts)
	}
}

// Property: equal inputs give equal files, and equal summaries, whatever order
// maps give their elements in.
func TestPublishedTwice(t *testing.T) {
	p := newPublisher(t)
	p.request.Artifacts = []verify.Artifact{artifact("b", "1"), artifact("a", "2"), artifact("", "3")}
	for i, m := range p.mods {
		p.publish(fmt.Sprintf("%d.jsonl", i), p.file(p.blob(m.h1()))+p.file(p.blob(m.zipDigest()))+p.file(p.blobV2(m.h1())))
		p.rekor.Rotate()
		p.publish(fmt.Sprintf("%d.sigstore", i), p.file(p.blob(sha256.Sum256([]byte("1"))))+p.file(p.blob(sha256.Sum256([]byte("3")))))
	}
	p.trustAll()
	first := p.take()
	want := read(t, p.request.Output)
	if len(first.Logs) < 10 {
		t.Fatalf("only %d logs", len(first.Logs))
	}
	for range 5 {
		s := p.take()
		if !slices.Equal(read(t, p.request.Output), want) || fmt.Sprint(s.Logs, s.Entries, s.LeftOut, s.Unread) != fmt.Sprint(first.Logs, first.Entries, first.LeftOut, first.Unread) {
			t.Fatal("the same again differs")
		}
	}
	p.verdicts(first, map[string]verify.Status{
		plain: verify.Verified, upper: verify.Verified, corp: verify.Verified, "b": verify.Verified, "a": verify.NotLogged, p.request.Artifacts[2].Digests[0].String(): verify.Verified,
	})
}
