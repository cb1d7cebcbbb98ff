package snapshot_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/internal/trust"
	"github.com/modseal/modseal/merkle"
	"github.com/modseal/modseal/snapshot"
	"github.com/modseal/modseal/verify"
)

// Property: a published entry that speaks of something here and does not verify
// is an error that names its file, whatever part of it lies.
func TestPublishedLies(t *testing.T) {
	mallory := testlog.NewSigner("mallory")
	for name, c := range map[string]struct {
		make func(p *publisher) *evidence.Entry
		says string
	}{
		"a signature over something else": {func(p *publisher) *evidence.Entry {
			d := p.mod(plain).h1()
			return p.entry(testlog.HashedRekord(d, p.bob.Sign([32]byte{1}), p.bob.PEM), nil)
		}, "signature"},
		"somebody else's key": {func(p *publisher) *evidence.Entry {
			d := p.mod(plain).h1()
			return p.entry(testlog.HashedRekord(d, mallory.Sign(d), p.bob.PEM), nil)
		}, "signature"},
		"a certificate of nobody": {func(p *publisher) *evidence.Entry {
			who := testlog.NewCA("mallory").Issue("carol@example.com", "https://issuer.example", testlog.Epoch())
			return p.entry(who.Body(p.mod(plain).h1()), nil)
		}, "certificate"},
		"a checkpoint of another size": {func(p *publisher) *evidence.Entry {
			e := p.blob(p.mod(plain).h1())
			e.Checkpoint = p.rekor.Shard().Checkpoint(e.Inclusion.Tree.Size - 1)
			return e
		}, "its inclusion proof is in a tree of 14 with root "},
		"a checkpoint of another root": {func(p *publisher) *evidence.Entry {
			e, s := p.blob(p.mod(plain).h1()), p.rekor.Shard()
			e.Checkpoint = s.SignNote(s.CheckpointText(merkle.Tree{Size: e.Inclusion.Tree.Size, Root: merkle.Hash{1}}))
			return e
		}, "its checkpoint is of 14 with 01000000"},
		"a checkpoint that nobody signed": {func(p *publisher) *evidence.Entry {
			e := p.blob(p.mod(plain).h1())
			e.Checkpoint[len(e.Checkpoint)-10] ^= 1
			return e
		}, "checkpoint"},
		"no signed entry timestamp, which the log is not asked for": {func(p *publisher) *evidence.Entry {
			e := p.blob(p.mod(plain).h1())
			e.SET = nil
			return e
		}, "it has no signed entry timestamp: give the Rekor that has its entry"},
		"another time": {func(p *publisher) *evidence.Entry {
			e := p.blob(p.mod(plain).h1())
			e.IntegratedTime++
			return e
		}, "not enough verified log entries"},
		"v2, no time stamp": {func(p *publisher) *evidence.Entry {
			e := p.blobV2(p.mod(plain).h1())
			e.Timestamps = nil
			return e
		}, "an entry of Rekor v2 needs an RFC 3161 timestamp"},
		"v2, a checkpoint of another size": {func(p *publisher) *evidence.Entry {
			e := p.blobV2(p.mod(plain).h1())
			e.Checkpoint = p.v2.Log.Checkpoint(3)
			return e
		}, "its checkpoint is of 3 with "},
		"v2, another origin": {func(p *publisher) *evidence.Entry {
			e, log := p.blobV2(p.mod(plain).h1()), p.v2.Log
			e.Checkpoint = log.SignNoteAs("other.example", testlog.CheckpointText("other.example", e.Inclusion.Tree))
			return e
		}, "checkpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPublisher(t)
			p.publish("good.sigstore.json", p.file(p.blob(p.mod(upper).h1())))
			file := p.publish("bad.sigstore.json", p.file(c.make(p)))
			p.request.Attestations = p.request.Attestations[1:]
			if e := p.refused(file, 0, c.says); !e.Unproven {
				t.Error("it is said that asking failed")
			}
		})
	}
}

// Property: a statement other than the one that was logged is refused when the
// bundle is read, and so is one that the proof beside it is not of.
func TestPublishedPartsDisagree(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(b, e map[string]any)
		says string
	}{
		"another digest": {func(b, _ map[string]any) {
			b["messageSignature"].(map[string]any)["messageDigest"].(map[string]any)["digest"] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
		}, "another digest"},
		"another signature": {func(b, _ map[string]any) { b["messageSignature"].(map[string]any)["signature"] = "AAAA" }, "another signature"},
		"another leaf":      {func(_, e map[string]any) { e["inclusionProof"].(map[string]any)["logIndex"] = "3" }, "log entry 1"},
		"another root": {func(_, e map[string]any) {
			e["inclusionProof"].(map[string]any)["rootHash"] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
		}, "root"},
		"another kind":   {func(_, e map[string]any) { e["kindVersion"].(map[string]any)["kind"] = "dsse" }, "it is called a"},
		"no log entries": {func(b, _ map[string]any) { delete(b["verificationMaterial"].(map[string]any), "tlogEntries") }, "transparency log"},
	} {
		p := newPublisher(t)
		file := p.publish("a.sigstore.json", p.edited(p.file(p.blob(p.mod(plain).h1())), c.edit))
		if err := p.fail(); !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Property: a log that signed two trees of one size is found out by any two
// published proofs, at one place or at two; the error names both files and both
// roots.
func TestPublishedFork(t *testing.T) {
	for name, index := range map[string]uint64{"at one place": 12, "at another place": 10} {
		p := newPublisher(t)
		twin := testlog.NewRekor("rekor.example") // has the same key
		var lie testlog.Entry
		for twin.Shard().Size() < p.rekor.Shard().Size()+1 {
			if twin.Shard().Size() == index {
				lie = twin.Add(p.bob.Body(p.mod(upper).h1()))
				continue
			}
			twin.Add(testlog.NewSigner("stranger").Body([32]byte{9}))
		}
		a, b := p.blob(p.mod(plain).h1()), p.entryOf(twin, lie, nil)
		if a.Inclusion.Tree.Size != b.Inclusion.Tree.Size || a.Inclusion.Index != 12 || b.Inclusion.Index != index {
			t.Fatalf("leaf %d of %d, leaf %d of %d", a.Inclusion.Index, a.Inclusion.Tree.Size, b.Inclusion.Index, b.Inclusion.Tree.Size)
		}
		names := []string{p.publish("a.sigstore.json", p.file(a)), p.publish("b.sigstore.json", p.file(b))}
		err := p.fail().Error()
		for _, want := range append(names, "different people different trees", fmt.Sprintf("%x", a.Inclusion.Tree.Root[:]), fmt.Sprintf("%x", b.Inclusion.Tree.Root[:])) {
			if !strings.Contains(err, want) {
				t.Errorf("%s: %s; want %q in it", name, err, want)
			}
		}
		for i := range names { // each alone is good
			p.request.Attestations = names[i : i+1]
			p.verdicts(p.take(), map[string]verify.Status{[]string{plain, upper}[i]: verify.Verified})
			if err := os.Remove(p.request.Output); err != nil {
				t.Fatal(err)
			}
		}
		// the log itself shows one of the two: it is not consistent with the other
		p.online()
		p.request.Attestations = names[1:]
		if err := p.fail(); !strings.Contains(err.Error(), "different trees") && !strings.Contains(err.Error(), "does not lead to the head") {
			t.Errorf("%s, online: %v", name, err)
		}
	}
}

// Property: a log whose head of now is older than one that it signed for a
// publisher was rolled back, and is not sealed.
func TestPublishedThenRolledBack(t *testing.T) {
	p := newPublisher(t)
	twin := testlog.NewRekor("rekor.example")
	for range 20 {
		twin.Add(testlog.NewSigner("stranger").Body([32]byte{9}))
	}
	p.publish("a.sigstore.json", p.file(p.entryOf(twin, twin.Add(p.bob.Body(p.mod(plain).h1())), nil)))
	p.verdicts(p.take(), map[string]verify.Status{plain: verify.Verified})
	if err := os.Remove(p.request.Output); err != nil {
		t.Fatal(err)
	}
	p.online()
	p.alsoFound()
	if err := p.fail(); !strings.Contains(err.Error(), "rekor: shard") {
		t.Error(err)
	}
}

// alsoFound lets the search find and keep entries of the log.
func (p *publisher) alsoFound() { p.request.Others = 3 }

// Property: what lacks a proof is refused unless the log gives one, and the
// public Rekor is not asked about what is private.
func TestPublishedWithoutProofRefused(t *testing.T) {
	p := newPublisher(t)
	m := p.mod(plain)
	e := p.statement(m.String(), "sha256", fmt.Sprintf("%x", m.zipDigest()))
	leaf := fmt.Sprintf("%x", merkle.LeafHash(e.Body))
	file := p.publish("a.sigstore.json", p.unproven(p.file(e)))
	p.refused(file, 0, "it has no inclusion proof with a signed checkpoint: give the Rekor that has its entry with --rekor-url")

	t.Log("private, and the Rekor is public")
	p.env["GOPRIVATE"] = "example.com"
	network := &tap{host: "rekor.sigstore.dev", server: p.rekorURL}
	p.request.RekorURL, p.request.Fetch, p.request.Parallel = "http://rekor.sigstore.dev", client(network), 1
	if e := p.refused(file, 0, "the public Rekor is not asked about example.com/plain@v1.0.0, which is private"); !e.Unproven {
		t.Error("it is said that asking failed")
	}
	if sent := network.sent.String(); strings.Contains(sent, leaf) || network.told(m) != nil {
		t.Errorf("sent: %s", sent)
	}
	delete(p.env, "GOPRIVATE") // the control
	p.verdicts(p.take(), map[string]verify.Status{plain: verify.Verified})
	if !strings.Contains(network.sent.String(), leaf) {
		t.Errorf("sent: %s", network.sent.String())
	}

	t.Log("a log that does not have it")
	if err := os.Remove(p.request.Output); err != nil {
		t.Fatal(err)
	}
	q := newPublisher(t)
	q.online()
	file = q.publish("a.sigstore.json", string(read(t, file)))
	if e := q.refused(file, 0, "the log "); !e.Unproven {
		t.Error("it is said that asking failed")
	}

	t.Log("a log that does not answer")
	q.rekor.Edit.Set(func(r *http.Request, a *testlog.Answer) {
		if strings.HasSuffix(r.URL.Path, "entries/retrieve") || strings.Contains(r.URL.Path, "log/entries/") {
			a.Status, a.Body = 500, nil
		}
	})
	if e := q.refused(file, 0, "status 500"); e.Unproven || e.Hint() != "try again, or leave them out of --attestations" {
		t.Errorf("hint %q", e.Hint())
	}
}

// Property: v2 bundles without a proof can't be completed.
func TestPublishedV2WithoutProof(t *testing.T) {
	p := newPublisher(t)
	p.online()
	file := p.publish("a.sigstore.json", p.edited(p.file(p.blobV2(p.mod(plain).h1())), func(b, e map[string]any) {
		delete(e, "inclusionProof")
		b["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.1"
		e["inclusionPromise"] = map[string]any{"signedEntryTimestamp": "AAAA"} // else it is not of this version
	}))
	p.refused(file, 0, "a Rekor v2 can't be asked for one")
}

// Property: an entry in a log that is not trusted can't vouch. One beside it in
// the same bundle that can is enough, also if it is there already.
func TestPublishedInUntrustedLog(t *testing.T) {
	p := newPublisher(t)
	other, body := testlog.NewRekor("other.example"), p.bob.Body(p.mod(plain).h1())
	untrusted := p.file(p.entryOf(other, other.Add(body), nil))
	file := p.publish("a.sigstore.json", untrusted)
	e := p.refused(file, 0, "log is not trusted here")
	if !errors.Is(e, trust.ErrUntrustedLog) || !e.Unproven || !strings.Contains(e.Hint(), "--trusted-root") {
		t.Errorf("%v: %q", e, e.Hint())
	}
	both := p.edited(p.file(p.entry(body, nil)), func(b, trusted map[string]any) {
		p.edited(untrusted, func(_, e map[string]any) {
			b["verificationMaterial"].(map[string]any)["tlogEntries"] = []any{e, trusted}
		})
	})
	p.request.Attestations = nil
	p.publish("b.jsonl", both+both)
	s := p.take()
	p.verdicts(s, map[string]verify.Status{plain: verify.Verified})
	if len(s.Logs) != 1 || s.Unused != 0 {
		t.Errorf("logs %+v, %d unused", s.Logs, s.Unused)
	}
}

// Property: a file that is no Sigstore bundle is an error that names it, once; of
// several lines the bad ones are named by number, as an editor counts.
func TestNoAttestations(t *testing.T) {
	p := newPublisher(t)
	good := p.file(p.blob(p.mod(plain).h1()))
	pretty := strings.ReplaceAll(good, ",", ",\n")
	for name, c := range map[string]struct {
		text string
		line int
		n    int
	}{
		"empty":           {"", 0, 1},
		"blank":           {"\n \n", 0, 1},
		"text":            {"hello\nworld\n", 0, 1},
		"cut short":       {pretty[:len(pretty)-9], 0, 1},
		"one line cut":    {good[:len(good)-9], 0, 1},
		"another object":  {"{}", 0, 1},
		"a bad line":      {good + "\n\r\n" + good[:len(good)-9] + "\n" + good, 4, 1},
		"a bad last line": {good + "null", 2, 1},
		"two bad lines":   {"{}\n" + good + "{}\n", 1, 2},
		"many bad lines":  {strings.Repeat("{}\n", 25), 1, 25},
	} {
		p.request.Attestations = nil
		file := p.publish("a.jsonl", c.text)
		e := p.refused(file, c.line, "")
		if len(e.Files)+e.More != c.n || len(e.Files) > 20 || !e.Unproven || (e.More > 0) != strings.Contains(e.Error(), fmt.Sprintf("and %d more", e.More)) {
			t.Errorf("%s: %v", name, e)
		}
	}
}

// Property: what can't be read at all is an error too, and not one of what it
// says.
func TestUnreadableAttestations(t *testing.T) {
	p := newPublisher(t)
	write(t, p.path("empty/readme.txt"), "")
	for name, says := range map[string]string{"nowhere": "no such file", "empty": "no *.sigstore.json, *.sigstore or *.jsonl file in"} {
		p.request.Attestations = []string{p.path(name)}
		err := p.fail()
		var published *snapshot.PublishedError
		if !strings.HasPrefix(err.Error(), "attestations: ") || !strings.Contains(err.Error(), says) || errors.As(err, &published) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Property: the entry at one place of a log that a publisher shows must be the one
// that the search found there.
func TestFoundAndPublishedDisagree(t *testing.T) {
	p := newPublisher(t)
	p.online()
	d := p.mod(plain).h1()
	i := slices.IndexFunc(p.rekorBodies(), func(b string) bool { return b == string(p.alice.Body(d)) })
	twin := testlog.NewRekor("rekor.example")
	for range i {
		twin.Add(testlog.NewSigner("stranger").Body([32]byte{9}))
	}
	file := p.publish("a.sigstore.json", p.file(p.entryOf(twin, twin.Add(p.bob.Body(d)), nil)))
	p.alsoFound()
	p.refused(file, 0, "different people different trees, and signed both")
	if text := p.fail().Error(); !strings.Contains(text, p.rekorURL) || strings.Count(text, file) != 2 {
		t.Error(text)
	}
}

// rekorBodies are the leaves of the active shard.
func (p *publisher) rekorBodies() (out []string) {
	s := p.rekor.Shard()
	for i := range s.Size() {
		out = append(out, string(s.Leaf(i)))
	}
	return out
}

// Property: what a statement is about is what was signed, and not what stands
// beside it.
func TestPublishedOtherStatement(t *testing.T) {
	p := newPublisher(t)
	m := p.mod(plain)
	e := p.statement(m.String(), "sha256", fmt.Sprintf("%x", sha256.Sum256([]byte("other content"))))
	payload := strings.ReplaceAll(string(e.Envelope.Payload), fmt.Sprintf("%x", sha256.Sum256([]byte("other content"))), fmt.Sprintf("%x", m.zipDigest()))
	e.Envelope.Payload = []byte(payload)
	p.refused(p.publish("a.sigstore.json", p.file(e)), 0, "")
}
